// Package outbox is what Rapport has to say by itself, on its way between the
// decision (step 6) and the customer: letters that are sent, delivered, shown, taken
// back. It is made of events of the customers' own logs and of nothing else, so a
// restart or another node sees the same letters, and an erased customer has none.
//
// [Box] follows the log. Whoever delivers asks it what is due and writes an event
// when something came of it; what it never changes: a letter is known from the
// commit that holds its decision, and keeps one id whatever happens to it.
package outbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// The channels of a letter.
const (
	Conversation = "conversation" // the customer's open conversation
	Webhook      = "webhook"      // the company's own system
)

// State is what became of a letter on one channel.
type State string

// The states of a channel; "" is a channel that the letter does not go through.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Dead      State = "dead" // given up
)

// Letter is one decision that nobody asked for, on its way.
type Letter struct {
	Workspace string            `json:"workspace"`
	Decision  string            `json:"decision"`
	Firing    string            `json:"firing"`
	Signal    string            `json:"signal"`
	Group     map[string]string `json:"group,omitempty"`
	To        identity.Key      `json:"to"`
	Proven    bool              `json:"proven"`           // decided for a person who is known; else from the anonymous id's own events
	Urgent    bool              `json:"urgent,omitempty"` // it cannot wait for quiet hours to end
	At        time.Time         `json:"at"`
	People    []uint32          `json:"people,omitempty"` // numbers in the identity graph, for erasure

	Shown  State  `json:"shown,omitempty"` // in a conversation
	Hook   State  `json:"hook,omitempty"`
	Gone   string `json:"gone,omitempty"`   // why it was withdrawn
	Undone bool   `json:"undone,omitempty"` // superseded after it was delivered
	// Recall is the notice to the company's system that a delivered letter is superseded.
	Recall State `json:"recall,omitempty"`

	Tries   int       `json:"tries,omitempty"` // on the webhook
	Next    time.Time `json:"next,omitzero"`   // not before
	Failure string    `json:"failure,omitempty"`

	// Touched: something happened to the customer since it was last looked at.
	Touched bool `json:"-"`
}

// Open tells that something may still come of a letter.
func (l *Letter) Open() bool {
	return l.Gone == "" && (l.Shown == Pending || l.Hook == Pending) || l.Recall == Pending
}

// Reached tells that somebody has the letter: the customer, or the company's system.
func (l *Letter) Reached() bool { return l.Shown == Delivered || l.Hook == Delivered }

// Body is what the properties of a letter's events say.
type Body struct {
	Decision string            `json:"decision_id"`
	Firing   string            `json:"firing,omitempty"`
	Signal   string            `json:"signal,omitempty"`
	Group    map[string]string `json:"group,omitempty"`
	Action   string            `json:"action,omitempty"` // the first; of Shown: the one shown
	Actions  []string          `json:"actions,omitempty"`
	Topics   []string          `json:"topics,omitempty"`
	Channels []string          `json:"channels,omitempty"`
	Channel  string            `json:"channel,omitempty"`
	Proven   bool              `json:"proven,omitempty"`
	Urgent   bool              `json:"urgent,omitempty"` // of Sent: somebody could be hurt
	Reason   string            `json:"reason,omitempty"`
	Recall   bool              `json:"recall,omitempty"` // of Delivered and Undelivered: of the notice that it is superseded
	Again    int               `json:"again,omitempty"`  // of Sent: how many times the company asked to try again
}

// Bounds of a box.
const (
	Keep      = 30 * 24 * time.Hour // letters that came to an end are remembered so long, for what supersedes them
	MostOpen  = 10_000              // letters of a workspace that wait for its webhook
	mostEnded = 20_000
)

// Box follows the log and keeps the letters. It is safe for concurrent use.
type Box struct {
	mu   sync.Mutex
	at   map[string]*shelf
	news []chan struct{}
}

type shelf struct {
	letters map[string]*Letter  // by decision
	of      map[uint32][]string // by person: decisions
	waiting int                 // for the webhook
}

// NewBox is an empty box.
func NewBox() *Box { return &Box{at: map[string]*shelf{}} }

// Name is the follower's.
func (b *Box) Name() string { return "outbox" }

// News is a channel of its own that is told, at least once, that something changed.
func (b *Box) News() <-chan struct{} {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.news = append(b.news, ch)
	return ch
}

func (b *Box) tell() {
	for _, ch := range b.news {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Follow notes what an event changes. Only events that are verified count: a letter
// is the house's own, and nobody who merely claims to be somebody takes it back.
func (b *Box) Follow(c journal.Committed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.at[c.Workspace]
	if s != nil && c.Person != 0 {
		for _, id := range s.of[c.Person] {
			s.letters[id].Touched = true
			b.tell()
		}
	}
	if !profile.ContactEvent(c.Event.Name) || !c.Event.Verified {
		return
	}
	var body Body
	if json.Unmarshal(c.Event.Body, &body) != nil || body.Decision == "" {
		return
	}
	if s == nil {
		s = &shelf{letters: map[string]*Letter{}, of: map[uint32][]string{}}
		b.at[c.Workspace] = s
	}
	s.note(c.Workspace, c.Event, &body, c.Person)
	b.tell()
}

func (s *shelf) note(workspace string, e *event.Event, body *Body, person uint32) {
	l := s.letters[body.Decision]
	if l == nil {
		if e.Name != profile.DecisionSent || body.Firing == "" {
			return
		}
		s.tidy(e.Time)
		l = &Letter{
			Workspace: workspace, Decision: body.Decision, Firing: body.Firing, Signal: body.Signal, Group: body.Group,
			To: keyOf(e), Proven: body.Proven, Urgent: body.Urgent, At: e.Time,
		}
		if slices.Contains(body.Channels, Conversation) {
			l.Shown = Pending
		}
		if slices.Contains(body.Channels, Webhook) {
			l.Hook = Pending
			if s.waiting >= MostOpen {
				l.Hook, l.Failure = Dead, "queue_full"
			}
		}
		s.letters[l.Decision] = l
		if l.waits() {
			s.waiting++
		}
		if person != 0 {
			l.People = []uint32{person}
			s.of[person] = append(s.of[person], l.Decision)
		}
		return
	}
	if l.waits() {
		s.waiting--
	}
	switch e.Name {
	case profile.DecisionSent:
		if body.Again > 0 && l.Hook == Dead && l.Gone == "" {
			l.Hook, l.Tries, l.Next, l.Failure = Pending, 0, time.Time{}, ""
		}
	case profile.DecisionDelivered:
		if body.Recall {
			l.Recall = Delivered
		} else {
			l.Hook, l.Failure = Delivered, ""
			if l.Gone != "" { // taken back while it was being delivered
				l.Undone, l.Recall, l.Tries, l.Next = true, Pending, 0, time.Time{}
			}
		}
	case profile.DecisionUndelivered:
		if body.Recall {
			l.Recall = Dead
		} else if l.Hook == Pending {
			l.Hook, l.Failure = Dead, body.Reason
		}
	case profile.DecisionShown:
		l.Shown = Delivered
	case profile.DecisionWithdrawn:
		l.Gone = cmp.Or(body.Reason, "withdrawn")
	case profile.DecisionSuperseded:
		l.Undone = true
		if l.Hook == Delivered && l.Recall == "" {
			l.Recall, l.Tries, l.Next = Pending, 0, time.Time{}
		}
		if l.Hook == Pending || l.Shown == Pending {
			l.Gone = "superseded"
		}
	case "Decision Dismissed", "Dismissed":
		if l.Shown == Pending {
			l.Shown = Delivered // they have had it before them, wherever it was
		}
	}
	if l.waits() {
		s.waiting++
	}
}

// waits tells that a letter waits for the webhook.
func (l *Letter) waits() bool { return l.Gone == "" && l.Hook == Pending }

func keyOf(e *event.Event) identity.Key {
	if e.UserID != "" {
		return identity.User(e.UserID)
	}
	return identity.Anonymous(e.AnonymousID)
}

// tidy forgets letters that came to an end long ago, the oldest first when there
// are too many.
func (s *shelf) tidy(now time.Time) {
	var ended []*Letter
	for _, l := range s.letters {
		if l.Open() {
			continue
		}
		if now.Sub(l.At) > Keep {
			s.drop(l)
			continue
		}
		ended = append(ended, l)
	}
	if len(ended) < mostEnded {
		return
	}
	slices.SortFunc(ended, func(a, b *Letter) int { return a.At.Compare(b.At) })
	for _, l := range ended[:mostEnded/8] {
		s.drop(l)
	}
}

func (s *shelf) drop(l *Letter) {
	if l.waits() {
		s.waiting--
	}
	delete(s.letters, l.Decision)
	for _, p := range l.People {
		left := slices.DeleteFunc(s.of[p], func(id string) bool { return id == l.Decision })
		if s.of[p] = left; len(left) == 0 {
			delete(s.of, p)
		}
	}
}

// Letters lists copies of the letters that a question picks, the oldest first;
// workspace "" asks about all.
func (b *Box) Letters(workspace string, pick func(*Letter) bool) []Letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Letter
	for id, s := range b.at {
		if workspace != "" && id != workspace {
			continue
		}
		for _, l := range s.letters {
			if pick(l) {
				all = append(all, *l)
			}
		}
	}
	slices.SortFunc(all, func(a, b Letter) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Decision, b.Decision)) })
	return all
}

// Find gives one letter.
func (b *Box) Find(workspace, decision string) (Letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.at[workspace]; s != nil && s.letters[decision] != nil {
		return *s.letters[decision], true
	}
	return Letter{}, false
}

// Tried notes that a delivery to the webhook failed, and when it is tried again.
func (b *Box) Tried(workspace, decision, failure string, next time.Time) {
	b.change(workspace, decision, func(l *Letter) {
		l.Tries++
		l.Failure, l.Next = failure, next
	})
}

// Held notes that a delivery to the webhook is not tried before a time.
func (b *Box) Held(workspace, decision string, until time.Time) {
	b.change(workspace, decision, func(l *Letter) { l.Next = until })
}

// Looked notes that a touched letter was looked at.
func (b *Box) Looked(workspace, decision string) {
	b.change(workspace, decision, func(l *Letter) { l.Touched = false })
}

func (b *Box) change(workspace, decision string, how func(*Letter)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.at[workspace]; s != nil && s.letters[decision] != nil {
		how(s.letters[decision])
	}
}

// Join renumbers a person.
func (b *Box) Join(workspace string, from, to uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.at[workspace]
	if s == nil || len(s.of[from]) == 0 {
		return
	}
	for _, id := range s.of[from] {
		l := s.letters[id]
		l.People = slices.DeleteFunc(l.People, func(p uint32) bool { return p == from || p == to })
		l.People = append(l.People, to)
		l.Touched = true
		if !slices.Contains(s.of[to], id) {
			s.of[to] = append(s.of[to], id)
		}
	}
	delete(s.of, from)
	b.tell()
}

// Forget drops the letters of somebody who is erased.
func (b *Box) Forget(workspace string, person uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.at[workspace]; s != nil {
		for _, id := range slices.Clone(s.of[person]) {
			s.drop(s.letters[id])
		}
	}
}

// Save writes the box for the next start.
func (b *Box) Save() ([]byte, error) { return b.Snapshot()() }

// Snapshot copies the box; what it gives writes the copy.
func (b *Box) Snapshot() func() ([]byte, error) {
	all := b.Letters("", func(*Letter) bool { return true })
	return func() ([]byte, error) { return json.Marshal(all) }
}

// Load reads what Save wrote; after an error the box is empty.
func (b *Box) Load(data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = map[string]*shelf{}
	var all []Letter
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for i := range all {
		l := &all[i]
		s := b.at[l.Workspace]
		if s == nil {
			s = &shelf{letters: map[string]*Letter{}, of: map[uint32][]string{}}
			b.at[l.Workspace] = s
		}
		l.Touched = true // what undid it may have come while nobody looked
		s.letters[l.Decision] = l
		for _, p := range l.People {
			s.of[p] = append(s.of[p], l.Decision)
		}
		if l.waits() {
			s.waiting++
		}
	}
	b.tell()
	return nil
}
