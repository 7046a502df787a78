package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/workspace"
)

// Papers keep small documents beside the log; a store is one.
type Papers interface {
	// SavePapers writes papers, all or none; one without a body is thrown away. They
	// are on stable storage when it returns.
	SavePapers(ctx context.Context, workspace string, papers []workspace.Paper) error
	// Papers lists up to limit papers of a kind by id, beginning behind after.
	Papers(ctx context.Context, workspace, kind, after string, limit int) ([]workspace.Paper, error)
	Paper(ctx context.Context, workspace, kind, id string) (p workspace.Paper, ok bool, err error)
	// CountPapers says how many there are of a kind, and the bytes of their bodies.
	CountPapers(ctx context.Context, workspace, kind string) (n int, bytes int64, err error)
}

// Hub keeps the sources of all workspaces: what they are, what they sent that could
// not be taken, and how they are doing. It is safe for concurrent use.
type Hub struct {
	*Watch
	*States
	papers Papers

	mu       sync.Mutex
	mappings map[[32]byte]*Mapping // compiled, by the hash of their text; bounded
	health   map[name]*health
}

// name is a source of a workspace.
type name struct{ workspace, source string }

// health is what this process has seen of a source; it begins anew with each start.
type health struct {
	at      time.Time // of the last delivery
	failed  time.Time // of the last fault
	fault   *Fault
	allowed float64 // dead letters that a public key may still leave now
	refill  time.Time
}

// NewHub makes a hub over a store's papers. The watch of the states must follow the
// same store.
func NewHub(p Papers, s *States) *Hub {
	return &Hub{Watch: s.Watch, States: s, papers: p, mappings: map[[32]byte]*Mapping{}, health: map[name]*health{}}
}

const (
	paperSource = "source"
	paperFault  = "fault" // the newest dead letter of a source, less what came
)

// Declare keeps a checked definition; one of the same name is replaced, and keeps its
// secret where the new one names none.
func (h *Hub) Declare(ctx context.Context, workspace string, d Definition) (Definition, error) {
	if d.Signature != nil && d.Signature.Secret == "" && sourceName.MatchString(d.Name) {
		was, ok, err := h.Source(ctx, workspace, d.Name)
		if err != nil {
			return d, err
		}
		if ok && was.Signature != nil {
			d.Signature.Secret = was.Signature.Secret
		}
	}
	if _, err := d.Check(); err != nil {
		return d, err
	}
	body, err := json.Marshal(d)
	if err != nil {
		return d, err
	}
	return d, h.papers.SavePapers(ctx, workspace, []paper{{Kind: paperSource, ID: d.Name, Body: body}})
}

type paper = workspace.Paper

// Source is one definition; the house's own have one without saying.
func (h *Hub) Source(ctx context.Context, workspace, source string) (d Definition, ok bool, err error) {
	if slices.Contains(Own, source) {
		return Definition{Name: source}, true, nil
	}
	p, ok, err := h.papers.Paper(ctx, workspace, paperSource, source)
	if err != nil || !ok {
		return d, false, err
	}
	if err := json.Unmarshal(p.Body, &d); err != nil {
		return d, false, fmt.Errorf("source %s of %s: %w", source, workspace, err)
	}
	return d, true, nil
}

// Sources lists the definitions: the house's own first, then the declared ones by name.
func (h *Hub) Sources(ctx context.Context, workspace string) ([]Definition, error) {
	var all []Definition
	for _, own := range Own {
		all = append(all, Definition{Name: own})
	}
	after := ""
	for {
		page, err := h.papers.Papers(ctx, workspace, paperSource, after, 500)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			var d Definition
			if err := json.Unmarshal(p.Body, &d); err != nil {
				return nil, fmt.Errorf("source %s of %s: %w", p.ID, workspace, err)
			}
			all = append(all, d)
			after = p.ID
		}
		if len(page) < 500 {
			return all, nil
		}
	}
}

// Remove forgets a definition and its dead letters; what it sent stays.
func (h *Hub) Remove(ctx context.Context, workspace, source string) error {
	for {
		page, err := h.papers.Papers(ctx, workspace, letterKind(source), "", 500)
		if err != nil {
			return err
		}
		gone := []paper{{Kind: paperSource, ID: source}, {Kind: paperFault, ID: source}}
		for _, p := range page {
			gone = append(gone, paper{Kind: p.Kind, ID: p.ID})
		}
		if err := h.papers.SavePapers(ctx, workspace, gone); err != nil {
			return err
		}
		if len(page) < 500 {
			return nil
		}
	}
}

// mostMappings bounds how many mappings stay compiled.
const mostMappings = 256

// Mapping is a definition's program, compiled once. Without one a delivery in JSON is
// a record itself; of anything else nothing can be made.
func (h *Hub) Mapping(d Definition) (*Mapping, error) {
	switch {
	case strings.TrimSpace(d.Map) != "":
	case d.Format == "json" || d.Format == "":
		d.Map = "."
	default:
		return nil, &Fault{Code: "mapping_missing"}
	}
	key := sha256.Sum256([]byte(d.Map))
	h.mu.Lock()
	m, ok := h.mappings[key]
	h.mu.Unlock()
	if ok {
		return m, nil
	}
	m, err := Compile(d.Map)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mappings) >= mostMappings {
		clear(h.mappings)
	}
	h.mappings[key] = m
	return m, nil
}

// Letter is one dead letter: what came and could not be taken, and why.
type Letter struct {
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Form      string            `json:"form"`   // Foreign, Line or Call
	Raw       []byte            `json:"raw"`    // as it came
	Code      string            `json:"code"`   // of the fault that was found first
	Said      map[string]string `json:"said"`   // its sentence by locale
	Place     Place             `json:"place"`  // of that fault
	Faults    int               `json:"faults"` // how many there were
	Headers   map[string]string `json:"headers,omitempty"`
	Verified  bool              `json:"verified"`
	Attempts  int               `json:"attempts"`           // how often it was played again
	Attempted time.Time         `json:"attempted,omitzero"` // when last
}

// Forms of a dead letter.
const (
	Foreign = "foreign" // for the source's mapping
	Line    = "line"    // a line of an import
	Call    = "call"    // a call of the Segment specification
)

// Bounds of a source's dead letters: beyond them the oldest go. A public key may leave
// a few at once and then one every few seconds, so that nobody floods out what matters.
const (
	MostLetters     = 10_000
	MostLetterBytes = 64 << 20
	longestKept     = 256 << 10
	burst           = 50.0
	everySecond     = 0.5
)

func letterKind(source string) string { return "letter/" + source }

// Bury keeps dead letters. Their ids are made of at and a place in this call; seed
// tells apart those of one millisecond.
func (h *Hub) Bury(ctx context.Context, workspace, source string, seed string, letters []Letter) error {
	if len(letters) == 0 {
		return nil
	}
	kind := letterKind(source)
	n, size, err := h.papers.CountPapers(ctx, workspace, kind)
	if err != nil {
		return err
	}
	papers := make([]paper, 0, len(letters))
	for i := range letters {
		l := &letters[i]
		if len(l.Raw) > longestKept {
			continue // told to its sender; nobody can play it again in part
		}
		l.ID = fmt.Sprintf("%013d-%s-%05d", l.At.UnixMilli(), seed, i)
		body, err := json.Marshal(l)
		if err != nil {
			return err
		}
		papers = append(papers, paper{Kind: kind, ID: l.ID, Body: body})
		size += int64(len(body))
	}
	n += len(papers)
	for after := ""; n > MostLetters || size > MostLetterBytes; {
		old, err := h.papers.Papers(ctx, workspace, kind, after, 100)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			break
		}
		for _, p := range old {
			if after = p.ID; n <= MostLetters && size <= MostLetterBytes {
				break
			}
			n, size = n-1, size-int64(len(p.Body))
			papers = append(papers, paper{Kind: kind, ID: p.ID})
		}
	}
	last := letters[len(letters)-1]
	last.Raw, last.Headers = nil, nil
	body, err := json.Marshal(last)
	if err != nil {
		return err
	}
	return h.papers.SavePapers(ctx, workspace, append(papers, paper{Kind: paperFault, ID: source, Body: body}))
}

// MayBury tells whether one more letter of a public key is kept.
func (h *Hub) MayBury(workspace, source string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(workspace, source)
	if s.refill.IsZero() {
		s.allowed = burst
	} else {
		s.allowed = min(burst, s.allowed+now.Sub(s.refill).Seconds()*everySecond)
	}
	s.refill = now
	if s.allowed < 1 {
		return false
	}
	s.allowed--
	return true
}

// Letters pages through a source's dead letters, the oldest first.
func (h *Hub) Letters(ctx context.Context, workspace, source, after string, limit int) ([]Letter, error) {
	page, err := h.papers.Papers(ctx, workspace, letterKind(source), after, limit)
	if err != nil {
		return nil, err
	}
	all := make([]Letter, 0, len(page))
	for _, p := range page {
		var l Letter
		if err := json.Unmarshal(p.Body, &l); err != nil {
			return nil, fmt.Errorf("dead letter %s of %s: %w", p.ID, source, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// Letter is one of them.
func (h *Hub) Letter(ctx context.Context, workspace, source, id string) (l Letter, ok bool, err error) {
	p, ok, err := h.papers.Paper(ctx, workspace, letterKind(source), id)
	if err != nil || !ok {
		return l, false, err
	}
	return l, true, json.Unmarshal(p.Body, &l)
}

// Settle writes back what a replay made of letters: those taken go, the others stay
// with their newest fault. When none stay the source's fault is mended.
func (h *Hub) Settle(ctx context.Context, workspace, source string, taken []string, left []Letter) error {
	papers := make([]paper, 0, len(taken)+len(left)+1)
	if len(left) == 0 && len(taken) > 0 {
		papers = append(papers, paper{Kind: paperFault, ID: source})
		h.mu.Lock()
		h.of(workspace, source).fault = nil
		h.mu.Unlock()
	}
	for _, id := range taken {
		papers = append(papers, paper{Kind: letterKind(source), ID: id})
	}
	for _, l := range left {
		body, err := json.Marshal(l)
		if err != nil {
			return err
		}
		papers = append(papers, paper{Kind: letterKind(source), ID: l.ID, Body: body})
	}
	return h.papers.SavePapers(ctx, workspace, papers)
}

// ForgetLetters throws away the letters of a workspace that name any of the ids: what a
// person had erased does not rest among what could not be taken.
func (h *Hub) ForgetLetters(ctx context.Context, workspace string, mentions func(raw []byte) bool) error {
	all, err := h.Sources(ctx, workspace)
	if err != nil {
		return err
	}
	for _, d := range all {
		after := ""
		for {
			page, err := h.Letters(ctx, workspace, d.Name, after, 200)
			if err != nil {
				return err
			}
			var gone []string
			for _, l := range page {
				after = l.ID
				if mentions(l.Raw) {
					gone = append(gone, l.ID)
				}
			}
			if err := h.Settle(ctx, workspace, d.Name, gone, nil); err != nil {
				return err
			}
			if len(page) < 200 {
				break
			}
		}
	}
	return nil
}

func (h *Hub) of(workspace, source string) *health {
	key := name{workspace, source}
	s := h.health[key]
	if s == nil {
		s = &health{}
		h.health[key] = s
	}
	return s
}

// Came notes a delivery and, when it was faulty, why.
func (h *Hub) Came(workspace, source string, at time.Time, f *Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(workspace, source)
	s.at = at
	if f != nil {
		s.failed, s.fault = at, f
	}
}

// Status is how a source is doing.
type Status struct {
	State        string        // waiting (nothing came yet), ok, failing (the last delivery had faults), paused
	Accepted     uint64        // events and records in the log that it sent
	LastReceived time.Time     // when the newest of them came; zero: never
	Newest       time.Time     // when the newest of them happened
	Lag          time.Duration // between the two for the one that came last
	Rate         float64       // a second, over the last minute
	Letters      int
	LetterBytes  int64
	FailedAt     time.Time
	Fault        *Fault // the last one; nil: none is known
}

// Status counts from the log what was taken, and from the letters what was not.
func (h *Hub) Status(ctx context.Context, workspace string, d Definition, now time.Time) (Status, error) {
	s := h.Watch.status(workspace, d.Name, now)
	var err error
	if s.Letters, s.LetterBytes, err = h.papers.CountPapers(ctx, workspace, letterKind(d.Name)); err != nil {
		return s, err
	}
	h.mu.Lock()
	seen := *h.of(workspace, d.Name)
	h.mu.Unlock()
	s.FailedAt, s.Fault = seen.failed, seen.fault
	if s.Fault == nil { // from before this start, or on another node
		p, ok, err := h.papers.Paper(ctx, workspace, paperFault, d.Name)
		if err != nil {
			return s, err
		}
		var l Letter
		if ok && json.Unmarshal(p.Body, &l) == nil {
			s.FailedAt, s.Fault = l.At, &Fault{Place: l.Place, Code: l.Code, Said: l.Said}
		}
	}
	last := s.LastReceived
	if seen.at.After(last) {
		last = seen.at
	}
	switch {
	case d.Paused:
		s.State = "paused"
	case s.Fault != nil && !s.FailedAt.Before(last):
		s.State = "failing"
	case last.IsZero():
		s.State = "waiting"
	default:
		s.State = "ok"
	}
	return s, nil
}
