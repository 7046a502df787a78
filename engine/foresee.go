package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/predict"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

const foresightModel = "foresight"

const (
	foresightPast   = 2 * 366 * 24 * time.Hour // how far back needs are learned from: two of each season
	fewestForesight = 500                      // samples that it takes before anything is foreseen
	mostForesight   = 200_000                  // samples that one model is learned from
	foreseeAnew     = 24 * time.Hour           // between two models
	foreseeFirst    = time.Hour                // between two looks whether there is enough for a first one
)

// Foreseen is what is told of a model of needs.
type Foreseen struct {
	Model   string        `json:"model"`
	Version uint64        `json:"version"`
	At      time.Time     `json:"at"`
	About   predict.About `json:"about"`
}

func (f Foreseen) number() uint64 { return f.Version }

var foresights = kind[predict.Model, Foreseen]{
	name: foresightModel, told: "foreseen",
	read: func(text []byte, version uint64) (*predict.Model, error) {
		m, err := predict.Unmarshal(text)
		if errors.Is(err, predict.ErrFormat) {
			return nil, errFormat
		}
		if err != nil {
			return nil, err
		}
		m.Version = version
		return m, nil
	},
	version: func(m *predict.Model) uint64 { return m.Version },
}

// foresight is the model of needs in use, and when it was last thought of a next one.
type foresight struct {
	keeper[predict.Model, Foreseen]
	looked time.Time // when what was said was last gone through; guarded by mu
}

// foresightOf gives the version that a decision rested on; 0 is none.
func (e *Engine) foresightOf(ctx context.Context, t *tenant, version uint64) (*predict.Model, error) {
	return t.foresight.of(ctx, &foresights, e.Models, t.ID, version)
}

// LearnNeeds makes a new model of needs from what customers did and what they then
// asked, and puts it into use as a whole; learned is false when there is too little,
// when the last one is younger than a day, or when less than a tenth has come since.
// alone is as for [Engine.Learn]. Who has switched personalisation off is not learned
// from, and what was erased is in no later model.
//
// Learned from are the people for whom decisions were made, since it is them of whom
// needs are foreseen.
func (e *Engine) LearnNeeds(ctx context.Context, workspace string, alone func(ctx context.Context, job string, do func(ctx context.Context) error) error) (learned bool, err error) {
	t, err := e.tenant(workspace)
	if err != nil || e.Models == nil {
		return false, err
	}
	if err := t.foresight.catchUp(ctx, &foresights, e.Models, t.ID); err != nil || !e.mayLook(t) {
		return false, err
	}
	learned, err = learnKind(ctx, e, t, &foresights, &t.foresight.keeper, "foresee", alone, func(ctx context.Context, before Foreseen, now time.Time) (Foreseen, []byte, error) {
		return e.learnNeeds(ctx, t, before, now)
	})
	if err != nil {
		return false, fmt.Errorf("foresight of %s: %w", workspace, err)
	}
	return learned, nil
}

// mayLook tells, once a day, that it is time to go through what was said, and more often
// while nothing is foreseen: two years of it are more than is read every few minutes.
func (e *Engine) mayLook(t *tenant) bool {
	f, now := &t.foresight, e.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	pause := foreseeAnew
	if f.current.Load() == nil {
		pause = foreseeFirst
	}
	if !f.looked.IsZero() && now.Sub(f.looked) < pause {
		return false
	}
	f.looked = now
	return true
}

func (e *Engine) learnNeeds(ctx context.Context, t *tenant, before Foreseen, now time.Time) (next Foreseen, text []byte, err error) {
	// One that another build made is not in use, and its samples are no measure.
	there := before.Version > 0 && t.foresight.current.Load() != nil
	if there && now.Sub(before.At) < foreseeAnew {
		return next, nil, nil
	}
	from := now.Add(-foresightPast)
	speakers, err := e.speakers(ctx, t.ID, from)
	if err != nil {
		return next, nil, err
	}
	trainer := predict.NewTrainer(predict.Options{})
	for _, s := range speakers {
		if trainer.Samples() >= mostForesight {
			break
		}
		who, err := e.Profile(ctx, s.scope)
		if err != nil {
			return next, nil, fmt.Errorf("profile of %s: %w", s.scope.Person, err)
		}
		if who.Preferences.PersonalizationOff {
			continue
		}
		zone := zoneOf(scene.Scene{}, who)
		trainer.Add(who.Masked(profile.Mask{Fields: t.current.Load().Decision.Fields}), s.said, from, now, zone)
	}
	samples, last := trainer.Samples(), before.About.Samples
	if samples < fewestForesight || there && samples*10 < last*11 && samples >= last {
		return next, nil, nil
	}
	m := trainer.Train()
	if len(m.Needs()) == 0 {
		return next, nil, nil
	}
	next = Foreseen{Model: foresightModel, Version: before.Version + 1, At: now, About: m.About()}
	text, err = m.Marshal()
	return next, text, err
}

// speaker is a person for whom decisions were made, with the needs that they spoke.
type speaker struct {
	scope Scope
	said  []predict.Spoken
}

// speakers gathers, from the log, everybody for whom decisions were made since; ids
// that have turned out to be one person's are one speaker. Who came last comes first.
func (e *Engine) speakers(ctx context.Context, workspace string, since time.Time) ([]*speaker, error) {
	var all []*speaker
	byAsker, byPerson := map[string]*speaker{}, map[identity.PersonID]*speaker{}
	known := func(asker string) (*speaker, error) {
		if s, ok := byAsker[asker]; ok {
			return s, nil
		}
		scope, ok, err := e.scopeOf(ctx, workspace, asker)
		if err != nil {
			return nil, err
		}
		if !ok {
			byAsker[asker] = nil
			return nil, nil
		}
		s := byPerson[scope.Person]
		if s == nil {
			s = &speaker{scope: scope}
			byPerson[scope.Person] = s
			all = append(all, s)
		}
		byAsker[asker] = s
		return s, nil
	}
	q := ledger.Query{Workspace: workspace, From: since, Limit: pastPage}
	for {
		page, err := e.Store.Decisions(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			entry := &page[i]
			if entry.Asker == "" || len(entry.Bytes) == 0 {
				continue
			}
			s, err := known(entry.Asker)
			if err != nil {
				return nil, err
			}
			if s == nil {
				continue
			}
			for _, intent := range spokenIn(entry) {
				s.said = append(s.said, predict.Spoken{At: entry.At, Need: intent})
			}
		}
		if len(page) < q.Limit {
			return all, nil
		}
		q.Before = page[len(page)-1].ID
	}
}

// scopeOf is whose events a logged asker's are, as is known today; ok is false when
// nobody was named.
func (e *Engine) scopeOf(ctx context.Context, workspace, asker string) (s Scope, ok bool, err error) {
	key, ok := identity.ParseKey(asker)
	if !ok {
		return s, false, nil
	}
	s = Scope{Workspace: workspace, Person: identity.PersonOf(workspace, key), Keys: []identity.Key{key}}
	p, known, err := e.Store.Person(ctx, workspace, key)
	if err != nil {
		return s, false, err
	}
	if known {
		s.Person, s.Keys = p.ID, p.Keys
	}
	return s, true, nil
}

// zoneOf is the customer's time zone.
func zoneOf(at scene.Scene, who *profile.Profile) *time.Location {
	if zone, ok := who.Traits["timezone"].Value.(string); ok && at.Zone == "" {
		at.Zone = zone
	}
	return at.Location()
}

// foreseenNeed is a need of an answer that the model foresaw.
type foreseenNeed struct {
	id string // of the need
	predict.Foresight
}

// addForeseen adds, where nobody asked for anything, the needs that are foreseen from a
// chance on, each with the model and the events that speak for it. only names the one
// need that is spoken of unasked; "" is all.
func (w *walked) addForeseen(m *predict.Model, who *profile.Profile, at scene.Scene, from float64, only string) {
	if m == nil {
		return
	}
	for _, f := range m.Foresee(predict.Read(who, at.Time, zoneOf(at, who))) {
		if f.Chance < from {
			return // the likeliest come first
		}
		needs := w.recognition.Needs
		if only != "" && f.Need != only || slices.ContainsFunc(needs, func(n need.Need) bool { return n.Intent == f.Need }) {
			continue
		}
		refs := append([]evidence.Ref{evidence.Make(evidence.Model, foresightModel, m.Version)}, speaksFor(&f, profile.EvidenceLimit-1)...)
		id := "n" + strconv.Itoa(len(needs)+1)
		w.foreseen = append(w.foreseen, foreseenNeed{id, f})
		w.recognition.Needs = append(needs, need.Need{ID: id, Origin: need.Predicted, Intent: f.Need,
			Confidence: math.Round(f.Chance*1000) / 1000, Entities: []need.Entity{}, RefersTo: []string{}, Evidence: refs})
	}
}

// speaksFor are the events that raise a chance, those that raise it most first.
func speaksFor(f *predict.Foresight, limit int) []evidence.Ref {
	refs := []evidence.Ref{}
	for _, p := range f.Parts {
		for _, r := range p.Evidence {
			if p.Value > 0 && len(refs) < limit && !slices.Contains(refs, r) {
				refs = append(refs, r)
			}
		}
	}
	return refs
}

// why gives the chance of a need that was foreseen, and the addends of its log-odds.
func (w *walked) why(id string, n *namer) (chance *float64, parts []ExplainedTerm) {
	i := slices.IndexFunc(w.foreseen, func(f foreseenNeed) bool { return f.id == id })
	if i < 0 {
		return nil, nil
	}
	f := &w.foreseen[i]
	for _, p := range f.Parts {
		parts = append(parts, ExplainedTerm{Name: p.Name, Value: p.Value, Evidence: n.all(p.Evidence)})
	}
	return &f.Chance, parts
}
