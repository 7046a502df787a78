// Package topic is what people speak of in public, part of profile, step 3 of the flow:
// mentions and comments (Social Interaction) gathered by what they are about, whoever
// said them, beside the person whose events they are when the speaker is known.
//
// [Topics] follows the log and holds counters that can be added up, and where to find
// the newest of what was said.
package topic

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Interaction is the event that is read.
const Interaction = "Social Interaction"

// The bounds of what is kept of a workspace: topics come from outside.
const (
	mostTopics = 2048
	mostOf     = 8  // topics of one interaction
	mostRecent = 50 // refs of a topic
	mostDays   = 400
	longest    = 80 // bytes of a topic
)

// Other gathers the topics beyond a bound.
const Other = "(other)"

// Count is what was said in some time.
type Count struct {
	Interactions int `json:"interactions"`
	Positive     int `json:"positive"`
	Neutral      int `json:"neutral"`
	Negative     int `json:"negative"`
	// Thousandths is the sum of the sentiments, in thousandths: sums of whole numbers
	// are the same in any order.
	Thousandths int64 `json:"-"`
}

func (c *Count) add(o Count) {
	c.Interactions += o.Interactions
	c.Positive += o.Positive
	c.Neutral += o.Neutral
	c.Negative += o.Negative
	c.Thousandths += o.Thousandths
}

// Sentiment is the mean, −1 to 1; 0 when nothing was said with feeling.
func (c *Count) Sentiment() float64 {
	if n := c.Positive + c.Neutral + c.Negative; n > 0 {
		return float64(c.Thousandths) / 1000 / float64(n)
	}
	return 0
}

// said is one interaction as it is read.
type said struct {
	Network string          `json:"network"`
	Kind    string          `json:"kind"`
	Text    string          `json:"text"`
	Topic   json.RawMessage `json:"topic"`
	Topics  json.RawMessage `json:"topics"`
	Product string          `json:"product_id"`
	Score   *float64        `json:"sentiment"`
	Label   string          `json:"sentiment_label"`
}

// Of are the topics of an interaction: those it names, its hashtags (#话题# and #tag),
// and "product:ID" when it is about a product; each once, in this order.
func Of(e *event.Event) []string {
	var s said
	if json.Unmarshal(e.Body, &s) != nil {
		return nil
	}
	return s.topics()
}

func (s *said) topics() (all []string) {
	add := func(name string) {
		name = strings.ToLower(strings.Join(strings.Fields(name), " "))
		if name != "" && len(name) <= longest && len(all) < mostOf && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, raw := range []json.RawMessage{s.Topic, s.Topics} {
		var one string
		var some []string
		switch {
		case len(raw) == 0:
		case json.Unmarshal(raw, &one) == nil:
			add(one)
		case json.Unmarshal(raw, &some) == nil:
			for _, t := range some {
				add(t)
			}
		}
	}
	for rest := s.Text; len(all) < mostOf; {
		_, after, ok := strings.Cut(rest, "#")
		if !ok {
			break
		}
		// #话题# ends at the next sign, #tag at what is no part of a word
		if tag, behind, closed := strings.Cut(after, "#"); closed && tag != "" && !strings.ContainsAny(tag, "\n") && len(tag) <= longest && !strings.Contains(tag, " ") {
			add(tag)
			rest = behind
			continue
		}
		end := strings.IndexAny(after, " \t\n，。！？,.!?;；:：#@")
		if end < 0 {
			end = len(after)
		}
		add(after[:end])
		rest = after[end:]
	}
	if s.Product != "" {
		add("product:" + s.Product)
	}
	return all
}

// Topics counts what is said, by topic and day. It follows the log: what it holds is
// what a recount of the log gives. It is safe for concurrent use; the zero value is ready.
type Topics struct {
	mu  sync.RWMutex
	all map[string]map[string]*subject // by workspace and topic
}

type subject struct {
	Days     map[int32]*Count `json:"d"` // since 1970, UTC
	Networks map[string]int   `json:"n"`
	Recent   []recent         `json:"r"` // oldest first by time, then ref
}

type recent struct {
	Ref evidence.Ref `json:"r"`
	At  int64        `json:"t"` // milliseconds
	Key identity.Key `json:"k"`
}

// Name is the follower's.
func (t *Topics) Name() string { return "topics" }

// Join changes nothing: what was said was said.
func (t *Topics) Join(string, uint32, uint32) {}

// Follow counts an interaction under each of its topics.
func (t *Topics) Follow(c journal.Committed) {
	e := c.Event
	if e.Kind != event.Track || e.Name != Interaction {
		return
	}
	var s said
	if json.Unmarshal(e.Body, &s) != nil {
		return
	}
	topics := s.topics()
	if len(topics) == 0 {
		return
	}
	n := Count{Interactions: 1}
	if s.Score != nil {
		n.Thousandths = int64(max(-1, min(*s.Score, 1)) * 1000)
		switch s.Label {
		case "positive":
			n.Positive = 1
		case "negative":
			n.Negative = 1
		default:
			n.Neutral = 1
		}
	}
	day := int32(e.Time.Unix() / 86400)
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.all[c.Workspace]
	if of == nil {
		if of = map[string]*subject{}; t.all == nil {
			t.all = map[string]map[string]*subject{}
		}
		t.all[c.Workspace] = of
	}
	for _, name := range topics {
		if of[name] == nil && len(of) >= mostTopics {
			name = Other
		}
		x := of[name]
		if x == nil {
			x = &subject{Days: map[int32]*Count{}, Networks: map[string]int{}}
			of[name] = x
		}
		x.note(day, n)
		if s.Network != "" && len(s.Network) <= longest && (x.Networks[s.Network] > 0 || len(x.Networks) < 32) {
			x.Networks[s.Network]++
		}
		x.keep(recent{evidence.Ref(e.ID.String()), e.Time.UnixMilli(), identity.KeyOf(e)})
	}
}

func (x *subject) note(day int32, n Count) {
	if d := x.Days[day]; d != nil {
		d.add(n)
		return
	}
	x.Days[day] = &n
	if len(x.Days) > mostDays {
		delete(x.Days, slices.Min(slices.Collect(maps.Keys(x.Days))))
	}
}

func (x *subject) keep(r recent) {
	at, _ := slices.BinarySearchFunc(x.Recent, r, func(a, b recent) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Ref, b.Ref)) })
	x.Recent = slices.Insert(x.Recent, at, r)
	if len(x.Recent) > mostRecent {
		x.Recent = slices.Delete(x.Recent, 0, 1)
	}
}

// ForgetKeys lets the refs of erased people go; the counts name nobody and stay.
func (t *Topics) ForgetKeys(workspace string, keys []identity.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.all[workspace] {
		x.Recent = slices.DeleteFunc(x.Recent, func(r recent) bool { return slices.Contains(keys, r.Key) })
	}
}

// Day is what was said on one day.
type Day struct {
	Day string `json:"day"` // 2006-01-02, UTC
	Count
	Sentiment float64 `json:"sentiment"`
}

// Subject is one topic in some time.
type Subject struct {
	Topic string `json:"topic"`
	Count
	Sentiment float64        `json:"sentiment"`
	Networks  map[string]int `json:"networks"` // of all time
	Days      []Day          `json:"days,omitempty"`
	Recent    []evidence.Ref `json:"recent,omitempty"` // the newest first
}

// All are a workspace's topics in [from, to), the most spoken of first; a zero time is open.
func (t *Topics) All(workspace string, from, to time.Time) []Subject {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := []Subject{}
	for name, x := range t.all[workspace] {
		if s := x.view(name, from, to); s.Interactions > 0 {
			s.Days, s.Recent = nil, nil
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Subject) int {
		return cmp.Or(cmp.Compare(b.Interactions, a.Interactions), cmp.Compare(a.Topic, b.Topic))
	})
	return out
}

// Find is one topic in [from, to); ok is false when nobody ever spoke of it.
func (t *Topics) Find(workspace, name string, from, to time.Time) (s Subject, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	x := t.all[workspace][name]
	if x == nil {
		return s, false
	}
	return x.view(name, from, to), true
}

func (x *subject) view(name string, from, to time.Time) Subject {
	s := Subject{Topic: name, Networks: maps.Clone(x.Networks), Days: []Day{}, Recent: []evidence.Ref{}}
	for _, day := range slices.Sorted(maps.Keys(x.Days)) {
		at := time.Unix(int64(day)*86400, 0).UTC()
		if !to.IsZero() && !at.Before(to) || !from.IsZero() && at.Before(from.UTC().Truncate(24*time.Hour)) {
			continue
		}
		n := x.Days[day]
		s.add(*n)
		s.Days = append(s.Days, Day{at.Format(time.DateOnly), *n, n.Sentiment()})
	}
	s.Sentiment = s.Count.Sentiment()
	for _, r := range slices.Backward(x.Recent) {
		at := time.UnixMilli(r.At)
		if (to.IsZero() || at.Before(to)) && (from.IsZero() || !at.Before(from)) {
			s.Recent = append(s.Recent, r.Ref)
		}
	}
	return s
}

// saved is the form of Save.
type saved struct {
	Format int                                  `json:"format"`
	All    map[string]map[string]*subjectOnDisk `json:"all"`
}

type subjectOnDisk struct {
	subject
	Sums map[int32]int64 `json:"s"`
}

// Save writes everything: the same log gives the same bytes.
func (t *Topics) Save() ([]byte, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := saved{1, map[string]map[string]*subjectOnDisk{}}
	for workspace, of := range t.all {
		out.All[workspace] = map[string]*subjectOnDisk{}
		for name, x := range of {
			d := &subjectOnDisk{*x, map[int32]int64{}}
			for day, n := range x.Days {
				d.Sums[day] = n.Thousandths
			}
			out.All[workspace][name] = d
		}
	}
	return json.Marshal(out)
}

// Load reads what Save wrote.
func (t *Topics) Load(b []byte) error {
	var in saved
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Format != 1 {
		return errors.New("topics: saved in a format that is not ours")
	}
	all := map[string]map[string]*subject{}
	for workspace, of := range in.All {
		all[workspace] = map[string]*subject{}
		for name, d := range of {
			if d == nil || d.Days == nil || d.Networks == nil {
				return errors.New("topics: what was saved is damaged")
			}
			for day, n := range d.Days {
				n.Thousandths = d.Sums[day]
			}
			all[workspace][name] = &d.subject
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = all
	return nil
}
