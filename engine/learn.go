package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
)

const propensityModel = "propensity"

var propensities = kind[propensity.Model, Learned]{
	name: propensityModel, told: "learned",
	read: func(text []byte, version uint64) (*propensity.Model, error) {
		m, err := propensity.Unmarshal(text)
		if err != nil {
			return nil, err
		}
		m.Version = version
		return m, nil
	},
	version: func(m *propensity.Model) uint64 { return m.Version },
}

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

func (l Learned) number() uint64 { return l.Version }

// model gives the version that a decision rested on; 0 is none.
func (e *Engine) model(ctx context.Context, t *tenant, version uint64) (*propensity.Model, error) {
	return t.learning.of(ctx, &propensities, e.Models, t.ID, version)
}

// Learned tells what the model that decides rests on; ok is false when there is none.
func (e *Engine) Learned(ctx context.Context, workspace string) (l Learned, ok bool, err error) {
	if _, err := e.tenant(workspace); err != nil || e.Models == nil {
		return l, false, err
	}
	l, err = propensities.newest(ctx, e.Models, workspace)
	return l, l.Version > 0, err
}

// Learn makes a new propensity model of a workspace from what came of its logged
// decisions and puts it into use as a whole; learned is false when too little has
// come since the last one. alone runs a job that no other process on the same store
// runs meanwhile.
//
// A sample is an offer that was shown so long ago that it is ripe. What it is
// learned by was logged with the decision, so that training reads exactly what
// serving read. Erased decisions are no samples of any later model. What is shown and
// not ripe only makes the model less uncertain, so that it is not tried out twice.
func (e *Engine) Learn(ctx context.Context, workspace string, alone func(ctx context.Context, job string, do func(ctx context.Context) error) error) (learned bool, err error) {
	t, err := e.tenant(workspace)
	if err != nil || e.Models == nil {
		return false, err
	}
	learned, err = learnKind(ctx, e, t, &propensities, &t.learning, "learn", alone, func(ctx context.Context, before Learned, now time.Time) (Learned, []byte, error) {
		return e.learn(ctx, t, before, now)
	})
	if err != nil {
		return false, fmt.Errorf("learning of %s: %w", workspace, err)
	}
	return learned, nil
}

func (e *Engine) learn(ctx context.Context, t *tenant, before Learned, now time.Time) (next Learned, text []byte, err error) {
	ripe := t.current.Load().Decision.Ripe
	if ripe <= 0 {
		ripe = usualRipeness
	}
	samples, ripening, err := e.samples(ctx, t.ID, now, ripe)
	if err != nil {
		return next, nil, err
	}
	if len(samples) == 0 || before.Version > 0 && !grown(samples, &before.About) {
		return next, nil, nil
	}
	m := propensity.Train(samples, now, ripening...)
	next = Learned{Model: propensityModel, Version: before.Version + 1, At: now, Ripe: ripe.String(), About: m.About()}
	next.Quality, next.Baseline = propensity.Compare(samples)
	text, err = m.Marshal()
	return next, text, err
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

// learnt is what a ledger entry keeps for learning. What was offered together was
// weighed over nearly the same features; they are written once.
type learnt struct {
	decision.Learnable         // Context without what Same says
	Expected           float64 `json:"expected"` // the propensity then
	// Same has a bit for each place of the context, from the lowest on, at which the
	// value is that of the entry's first one.
	Same uint64 `json:"same,omitempty"`
}

func learnts(d *decision.Decision) []learnt {
	var all []learnt
	for i := range d.Chosen {
		c := &d.Chosen[i]
		if c.Learn == nil || c.Propensity == nil {
			continue
		}
		l := learnt{Learnable: *c.Learn, Expected: *c.Propensity}
		if len(all) > 0 {
			first := all[0].Context
			l.Context = nil
			for k, v := range c.Learn.Context {
				if k < min(len(first), 64) && v == first[k] {
					l.Same |= 1 << k
					continue
				}
				l.Context = append(l.Context, v)
			}
		}
		all = append(all, l)
	}
	return all
}

// context is the whole of what one was weighed over; first is that of its entry's first.
func (l *learnt) context(first propensity.Context) propensity.Context {
	if l.Same == 0 || bits.Len64(l.Same) > len(first) {
		return l.Context
	}
	whole := make(propensity.Context, bits.OnesCount64(l.Same)+len(l.Context))
	other := l.Context
	for i := range whole {
		switch {
		case l.Same>>i&1 == 1:
			whole[i] = first[i]
		case len(other) > 0:
			whole[i], other = other[0], other[1:]
		default:
			return l.Context // no entry of ours
		}
	}
	return whole
}

// samples reads the ripe outcomes of logged decisions, and the offers that were shown
// and are not ripe, both oldest first.
func (e *Engine) samples(ctx context.Context, workspace string, now time.Time, ripe time.Duration) (all, ripening []propensity.Sample, err error) {
	contacts := map[string]map[string][]profile.Contact{} // by asker, by decision
	words := map[string]string{}                          // one copy of each
	own := func(s string) string {
		if o, ok := words[s]; ok {
			return o
		}
		words[s] = s
		return s
	}
	q := ledger.Query{Workspace: workspace, To: now, Limit: pastPage}
	for len(all) < mostSamples {
		page, err := e.Store.Decisions(ctx, q)
		if err != nil {
			return nil, nil, err
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
				return nil, nil, err
			}
			for _, l := range rec.Learn {
				c, shown := outcomeOf(of[entry.ID], l.Offer.Action)
				if !shown {
					continue
				}
				s := propensity.Sample{At: c.Shown, Offer: l.Offer, Prior: l.Prior, Expected: l.Expected}
				for _, v := range l.context(rec.Learn[0].Context) {
					s.Context = append(s.Context, propensity.Value{Feature: own(v.Feature), Bin: own(v.Bin)})
				}
				if c.Shown.Add(ripe).After(now) {
					if len(ripening) < mostSamples {
						ripening = append(ripening, s)
					}
					continue
				}
				s.Accepted = !c.Accepted.IsZero() && !c.Accepted.After(c.Shown.Add(ripe))
				all = append(all, s)
			}
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	for _, list := range [][]propensity.Sample{all, ripening} {
		slices.Reverse(list)
		slices.SortStableFunc(list, func(a, b propensity.Sample) int { return a.At.Compare(b.At) })
	}
	return all, ripening, nil
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
func (e *Engine) openModel(ctx context.Context, workspace string, r evidence.Ref) (told any, at time.Time, ok bool, err error) {
	id, version := r.ID()
	if version == 0 || e.Models == nil {
		return nil, at, false, nil
	}
	switch id {
	case propensityModel:
		l, _, ok, err := propensities.open(ctx, e.Models, workspace, version)
		return l, l.At, ok, err
	case foresightModel:
		f, _, ok, err := foresights.open(ctx, e.Models, workspace, version)
		return f, f.At, ok, err
	}
	return nil, at, false, nil
}
