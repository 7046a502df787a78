package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/workspace"
)

// Shelf of models: what was learned is kept whole, under a number of its own that
// the decisions which used it name.
type Shelf interface {
	// SavePapers writes papers, all or none, replacing those of the same kind and id.
	SavePapers(ctx context.Context, workspace string, papers []workspace.Paper) error
	// Paper reads one; ok is false when there is none.
	Paper(ctx context.Context, workspace, kind, id string) (p workspace.Paper, ok bool, err error)
}

const (
	propensityModel = "propensity"
	modelPaper      = "model." // and the model's name; its papers' ids are versions
	newestModel     = "newest" // the paper that names the newest version
	keepModels      = 4        // old ones that stay in memory for replays
)

// LearnEvery is how often it is worth looking whether there is something to learn.
const LearnEvery = 5 * time.Minute

// usualRipeness is how long an offer may be taken until it counts as refused.
const usualRipeness = 7 * 24 * time.Hour

// mostSamples bounds what one model is learned from, the newest.
const mostSamples = 200_000

// Learned is what is told of a model: what it rests on, and how well it and the
// baseline beside it predicted the newest fifth of the outcomes from the others.
type Learned struct {
	Model    string             `json:"model"`
	Version  uint64             `json:"version"`
	At       time.Time          `json:"at"`
	Ripe     string             `json:"ripe"` // how long an offer could be taken
	About    propensity.About   `json:"about"`
	Quality  *propensity.Review `json:"quality,omitempty"` // nil: too few outcomes to tell
	Baseline *propensity.Review `json:"baseline,omitempty"`
}

// keptModel is a model as its paper holds it.
type keptModel struct {
	Learned Learned         `json:"learned"`
	Model   json.RawMessage `json:"model"`
}

// learning is what a workspace has learned: the model that decides, and old ones
// that replays ask for.
type learning struct {
	current atomic.Pointer[propensity.Model]
	mu      sync.Mutex
	old     []*propensity.Model // the newest last
}

// model gives the version that a decision rested on; 0 is none.
func (e *Engine) model(ctx context.Context, t *tenant, version uint64) (*propensity.Model, error) {
	if version == 0 || e.Models == nil {
		return nil, nil
	}
	if m := t.learning.current.Load(); m != nil && m.Version == version {
		return m, nil
	}
	l := &t.learning
	l.mu.Lock()
	i := slices.IndexFunc(l.old, func(m *propensity.Model) bool { return m.Version == version })
	if i >= 0 {
		defer l.mu.Unlock()
		return l.old[i], nil
	}
	l.mu.Unlock()
	k, ok, err := e.keptModel(ctx, t.ID, version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("propensity model %d: %w", version, ErrGone)
	}
	m, err := propensity.Unmarshal(k.Model)
	if err != nil {
		return nil, fmt.Errorf("propensity model %d: %w", version, err)
	}
	m.Version = version
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.old = append(l.old, m); len(l.old) > keepModels {
		l.old = l.old[1:]
	}
	return m, nil
}

func (e *Engine) keptModel(ctx context.Context, workspace string, version uint64) (k keptModel, ok bool, err error) {
	p, ok, err := e.Models.Paper(ctx, workspace, modelPaper+propensityModel, fmt.Sprintf("%010d", version))
	if err != nil || !ok {
		return k, ok, err
	}
	if err := json.Unmarshal(p.Body, &k); err != nil {
		return k, false, fmt.Errorf("propensity model %d: %w", version, err)
	}
	return k, true, nil
}

// newest reads which version is the newest; 0: nothing was learned.
func (e *Engine) newest(ctx context.Context, workspace string) (Learned, error) {
	var l Learned
	p, ok, err := e.Models.Paper(ctx, workspace, modelPaper+propensityModel, newestModel)
	if err != nil || !ok {
		return l, err
	}
	if err := json.Unmarshal(p.Body, &l); err != nil {
		return l, fmt.Errorf("newest propensity model: %w", err)
	}
	return l, nil
}

// Learned tells what the model that decides rests on; ok is false when there is none.
func (e *Engine) Learned(ctx context.Context, workspace string) (l Learned, ok bool, err error) {
	if _, err := e.tenant(workspace); err != nil || e.Models == nil {
		return l, false, err
	}
	l, err = e.newest(ctx, workspace)
	return l, l.Version > 0, err
}

// catchUp brings the newest model into use, which another process may have learned.
func (e *Engine) catchUp(ctx context.Context, t *tenant) error {
	if e.Models == nil {
		return nil
	}
	l, err := e.newest(ctx, t.ID)
	if err != nil || l.Version == 0 {
		return err
	}
	if m := t.learning.current.Load(); m != nil && m.Version >= l.Version {
		return nil
	}
	m, err := e.model(ctx, t, l.Version)
	if err != nil {
		return err
	}
	t.learning.current.Store(m)
	return nil
}

// Learn makes a new propensity model of a workspace from what came of its logged
// decisions and puts it into use as a whole; learned is false when too little has
// come since the last one. alone runs a job that no other process on the same store
// runs meanwhile.
//
// A sample is an offer that was shown so long ago that it is ripe. What it is
// learned by was logged with the decision, so that training reads exactly what
// serving read. Erased decisions are no samples of any later model.
func (e *Engine) Learn(ctx context.Context, workspace string, alone func(ctx context.Context, job string, do func() error) error) (learned bool, err error) {
	t, err := e.tenant(workspace)
	if err != nil || e.Models == nil {
		return false, err
	}
	err = alone(ctx, "learn "+workspace, func() error {
		learned, err = e.learn(ctx, t)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("learning of %s: %w", workspace, err)
	}
	return learned, e.catchUp(ctx, t)
}

func (e *Engine) learn(ctx context.Context, t *tenant) (bool, error) {
	v := t.current.Load()
	if v == nil {
		return false, nil
	}
	before, err := e.newest(ctx, t.ID)
	if err != nil {
		return false, err
	}
	now, ripe := e.now(), v.Decision.Ripe
	if ripe <= 0 {
		ripe = usualRipeness
	}
	samples, err := e.samples(ctx, t.ID, now, ripe)
	if err != nil {
		return false, err
	}
	if len(samples) == 0 || before.Version > 0 && !grown(samples, &before.About) {
		return false, nil
	}
	trainer := propensity.NewTrainer(propensity.Options{})
	for _, s := range samples {
		trainer.Add(s)
	}
	m := trainer.Fit(now)
	next := Learned{Model: propensityModel, Version: before.Version + 1, At: now, Ripe: ripe.String(), About: m.About()}
	next.Quality, next.Baseline = propensity.Compare(samples)
	text, err := m.Marshal()
	if err != nil {
		return false, err
	}
	body, err := json.Marshal(keptModel{Learned: next, Model: text})
	if err != nil {
		return false, err
	}
	pointer, err := json.Marshal(next)
	if err != nil {
		return false, err
	}
	kind := modelPaper + propensityModel
	return true, e.Models.SavePapers(ctx, t.ID, []workspace.Paper{
		{Kind: kind, ID: fmt.Sprintf("%010d", next.Version), Body: body},
		{Kind: kind, ID: newestModel, Body: pointer},
	})
}

// grown tells whether a twentieth more has ripened since, or fewer remain than were
// learned from, because somebody was erased: then what was theirs goes, too.
func grown(samples []propensity.Sample, last *propensity.About) bool {
	fresh := 0
	for i := len(samples) - 1; i >= 0 && samples[i].At.UnixMilli() > last.Until; i-- {
		fresh++
	}
	return fresh*20 >= last.Samples || len(samples)-fresh < last.Samples && len(samples) < mostSamples
}

// learnt is what a ledger entry keeps for learning.
type learnt struct {
	decision.Learnable
	Expected float64 `json:"expected"` // the propensity then
}

func learnts(d *decision.Decision) []learnt {
	var all []learnt
	for i := range d.Chosen {
		if c := &d.Chosen[i]; c.Learn != nil && c.Propensity != nil {
			all = append(all, learnt{*c.Learn, *c.Propensity})
		}
	}
	return all
}

// samples reads the ripe outcomes of logged decisions, oldest first.
func (e *Engine) samples(ctx context.Context, workspace string, now time.Time, ripe time.Duration) ([]propensity.Sample, error) {
	var all []propensity.Sample
	contacts := map[string]map[string][]profile.Contact{} // by asker, by decision
	words := map[string]string{}                          // one copy of each
	own := func(s string) string {
		if o, ok := words[s]; ok {
			return o
		}
		words[s] = s
		return s
	}
	q := ledger.Query{Workspace: workspace, To: now.Add(-ripe), Limit: pastPage}
	for len(all) < mostSamples {
		page, err := e.Store.Decisions(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			entry := &page[i]
			var rec struct {
				Learn []learnt `json:"learn"`
			}
			if len(entry.Bytes) == 0 || json.Unmarshal(entry.Bytes, &rec) != nil || len(rec.Learn) == 0 {
				continue
			}
			of, err := e.contactsOf(ctx, workspace, entry.Asker, contacts)
			if err != nil {
				return nil, err
			}
			for _, l := range rec.Learn {
				c, shown := outcomeOf(of[entry.ID], l.Offer.Action)
				if !shown || c.Shown.Add(ripe).After(now) {
					continue
				}
				s := propensity.Sample{At: c.Shown, Offer: l.Offer, Prior: l.Prior, Expected: l.Expected,
					Accepted: !c.Accepted.IsZero() && !c.Accepted.After(c.Shown.Add(ripe))}
				for _, v := range l.Context {
					s.Context = append(s.Context, propensity.Value{Feature: own(v.Feature), Bin: own(v.Bin)})
				}
				all = append(all, s)
			}
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b propensity.Sample) int { return a.At.Compare(b.At) })
	return all, nil
}

// contactsOf are the contacts of who asked, by decision.
func (e *Engine) contactsOf(ctx context.Context, workspace, asker string, known map[string]map[string][]profile.Contact) (map[string][]profile.Contact, error) {
	if of, ok := known[asker]; ok {
		return of, nil
	}
	of := map[string][]profile.Contact{}
	known[asker] = of
	s, ok, err := e.scopeOf(ctx, workspace, asker)
	if err != nil || !ok {
		return of, err
	}
	who, err := e.Profile(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, c := range who.Contacts {
		of[c.Decision] = append(of[c.Decision], c)
	}
	return of, nil
}

// outcomeOf finds what came of one action of a decision. The whole answer may have
// been shown, and the action alone taken.
func outcomeOf(contacts []profile.Contact, action string) (found profile.Contact, shown bool) {
	for _, c := range contacts {
		if c.Action == action || c.Action == "" && !shown {
			found, shown = c, true
		}
		if c.Action == action {
			break
		}
	}
	return found, shown && !found.Shown.IsZero()
}

// openModel opens a model's ref onto what it rests on.
func (e *Engine) openModel(ctx context.Context, workspace string, r evidence.Ref) (Learned, bool, error) {
	id, version := r.ID()
	if id != propensityModel || version == 0 || e.Models == nil {
		return Learned{}, false, nil
	}
	k, ok, err := e.keptModel(ctx, workspace, version)
	return k.Learned, ok, err
}
