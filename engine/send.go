package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

// Courier carries letters to the workspaces' own systems, one try at a time.
type Courier interface {
	// Ready tells whether a workspace has a place that letters are carried to.
	Ready(ctx context.Context, workspace string) (bool, error)
	// Carry tries once. The id is the same on every try, so that the other side takes
	// it in once. An error means that it may not have arrived; ErrRefused that it is
	// of no use to try again.
	Carry(ctx context.Context, workspace, id string, at time.Time, body []byte) error
}

// ErrRefused says that a letter will never be taken.
var ErrRefused = errors.New("the letter is refused for good")

// Parcel is what the company's system gets.
type Parcel struct {
	ID        string          `json:"id"`   // of the delivery, the same on every try
	Type      string          `json:"type"` // message.sent, message.superseded
	Workspace string          `json:"workspace"`
	At        time.Time       `json:"at"` // when it was decided, or superseded
	Person    ParcelPerson    `json:"person"`
	Firing    string          `json:"firing"`
	Signal    string          `json:"signal"`
	Events    []evidence.Ref  `json:"events,omitempty"` // that made the signal fire
	Decision  string          `json:"decision_id"`
	Text      string          `json:"text,omitempty"` // the message in the customer's language
	Answer    json.RawMessage `json:"decision,omitempty"`
}

// ParcelPerson says whom a message is for.
type ParcelPerson struct {
	ID          string `json:"id"`
	UserID      string `json:"user_id,omitempty"`
	AnonymousID string `json:"anonymous_id,omitempty"`
}

// How a delivery is tried again: after a second, then ever later, up to an hour; a
// day after it was decided nobody wants it any more.
const (
	firstPause = time.Second
	mostPause  = time.Hour
	giveUp     = 24 * time.Hour
	sideBySide = 8
)

// sender tries deliveries side by side, none twice at a time.
type sender struct {
	e     *Engine
	slots chan struct{}
	freed chan struct{}
	work  sync.WaitGroup
	mu    sync.Mutex
	under map[string]bool // deliveries under way
}

func newSender(e *Engine) *sender {
	return &sender{e: e, slots: make(chan struct{}, sideBySide), freed: make(chan struct{}, 1), under: map[string]bool{}}
}

func (s *sender) wait() { s.work.Wait() }

// busy tells whether a delivery of a letter is under way.
func (s *sender) busy(l *outbox.Letter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.under[DeliveryID(l.Decision, false)] || s.under[DeliveryID(l.Decision, true)]
}

// DeliveryID is the id of a letter's delivery; recall of the notice that it is
// superseded.
func DeliveryID(decision string, recall bool) string {
	h := sha256.Sum256([]byte(fmt.Sprint(decision, "\x00", recall)))
	return "dlv_" + idAlphabet.EncodeToString(h[:15])
}

// due tries what is due, as far as there is room; what finds none is tried when some
// delivery has ended.
func (s *sender) due(ctx context.Context) {
	if s.e.Courier == nil {
		return
	}
	now := s.e.now()
	for _, l := range s.e.Box.Letters("", func(l *outbox.Letter) bool {
		return (l.Gone == "" && l.Hook == outbox.Pending || l.Recall == outbox.Pending) && !l.Next.After(now)
	}) {
		id := DeliveryID(l.Decision, l.Recall == outbox.Pending)
		if s.busy(&l) {
			continue
		}
		select {
		case s.slots <- struct{}{}:
		default:
			return
		}
		s.mu.Lock()
		s.under[id] = true
		s.mu.Unlock()
		s.work.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.under, id)
				s.mu.Unlock()
				<-s.slots
				select {
				case s.freed <- struct{}{}:
				default:
				}
			}()
			if err := s.e.carry(ctx, &l, id); err != nil && ctx.Err() == nil {
				s.e.Report(err)
			}
		})
	}
}

// carry tries one delivery and writes down what came of it.
func (e *Engine) carry(ctx context.Context, l *outbox.Letter, id string) error {
	recall := l.Recall == outbox.Pending
	if !recall {
		if undone, err := e.takeBackLetter(ctx, l); undone || err != nil {
			return err
		}
	}
	if !recall {
		opens, err := e.opens(ctx, l)
		if err != nil {
			e.Box.Tried(l.Workspace, l.Decision, err.Error(), e.now().Add(later(l.Tries)))
			return err
		}
		if opens.After(e.now()) {
			e.Box.Held(l.Workspace, l.Decision, opens)
			return nil
		}
	}
	body, err := e.parcel(ctx, l, id, recall)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrGone):
		return e.note(ctx, l, profile.DecisionWithdrawn, "gone", outbox.Body{Reason: "gone"})
	case err != nil:
		e.Box.Tried(l.Workspace, l.Decision, err.Error(), e.now().Add(later(l.Tries)))
		return err
	}
	err = e.Courier.Carry(ctx, l.Workspace, id, e.now(), body)
	what := outbox.Body{Channel: outbox.Webhook, Recall: recall}
	switch now := e.now(); {
	case err == nil:
		return e.note(ctx, l, profile.DecisionDelivered, id, what)
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, ErrRefused), now.Sub(l.At) > giveUp && !recall, recall && l.Tries > 20:
		what.Reason = err.Error()
		return e.note(ctx, l, profile.DecisionUndelivered, fmt.Sprint(id, l.Tries, now.UnixMilli()), what)
	default:
		e.Box.Tried(l.Workspace, l.Decision, err.Error(), now.Add(later(l.Tries)))
		return nil
	}
}

// opens is when a letter may be sent to whom it is for: now, or when the quiet hours
// there end. What was decided by day may still be on its way at night, because its
// first try failed or the process was away; it waits like what is decided at night,
// and like that, safety does not. The hours are those in force now.
func (e *Engine) opens(ctx context.Context, l *outbox.Letter) (time.Time, error) {
	now := e.now()
	if l.Urgent {
		return now, nil
	}
	t, err := e.tenant(l.Workspace)
	if err != nil {
		return now, err
	}
	scope, err := e.Who(ctx, t.ID, identity.Asker{Keys: []identity.Key{l.To}, Proven: l.Proven})
	if err != nil {
		return now, err
	}
	v, _, err := e.serving(ctx, t, string(scope.Person))
	if err != nil {
		return now, err
	}
	who, err := e.Profile(ctx, scope)
	if err != nil {
		return now, fmt.Errorf("profile of %s: %w", scope.Person, err)
	}
	var zone *time.Location
	if name, ok := who.Traits["timezone"].Value.(string); ok && name != "" {
		there := scene.Scene{Zone: name}
		zone = there.Location()
	}
	return v.Decision.Contact.Opens(now, zone), nil
}

// later is how long to wait after so many failures.
func later(tries int) time.Duration {
	return min(firstPause<<min(tries, 20), mostPause)
}

func (e *Engine) parcel(ctx context.Context, l *outbox.Letter, id string, recall bool) ([]byte, error) {
	raw, entry, err := e.Decision(ctx, l.Workspace, l.Decision)
	if err != nil {
		return nil, err
	}
	if entry.Placement != Proactive {
		return nil, fmt.Errorf("letter %s: %w", l.Decision, ErrNotFound)
	}
	p := Parcel{ID: id, Type: "message.sent", Workspace: l.Workspace, At: l.At, Firing: l.Firing, Signal: l.Signal, Decision: l.Decision, Person: ParcelPerson{ID: entry.Person}}
	if l.To.Kind == "user" {
		p.Person.UserID = l.To.Value
	} else {
		p.Person.AnonymousID = l.To.Value
	}
	if recall {
		p.Type, p.At = "message.superseded", e.now()
		return encode(&p)
	}
	var a Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("answer %s: %w", l.Decision, err)
	}
	p.Text, p.Answer = treatment.Plain(a.Blocks), raw
	for _, n := range a.Needs {
		for _, name := range n.Evidence {
			if rec, ok := a.Evidence[string(name)]; ok && rec.Kind == evidence.Event {
				p.Events = append(p.Events, rec.Ref)
			}
		}
	}
	return encode(&p)
}
