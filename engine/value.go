package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/outcome/offpolicy"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/strategy"
)

// Value is what a version would have brought, estimated from what came of decisions
// that others made: of each, how likely the version would have drawn just what was
// drawn, against how likely it was then. Only answers that were shown, and so long ago
// that what follows has had its time, are counted.
type Value struct {
	Reward string         `json:"reward"`
	Title  candidate.Text `json:"title"`
	Lower  bool           `json:"lower_is_better,omitempty"`
	offpolicy.Evaluation
	// Model is what the doubly robust estimate expects of each choice: "propensity", the
	// packs' own and what was learned; "fitted", by what came of these very decisions,
	// each by those of other persons; "": nothing explains it, and DR is that of IPS.
	// Explained is the share of the rewards' variance that a fitted one explains.
	Model     string  `json:"model,omitempty"`
	Explained float64 `json:"explained,omitempty"`
	// Tried is the share of the version's own choices that the log has tried at all: what
	// it would do otherwise, no log can value.
	Tried   float64 `json:"tried"`
	NotYet  int     `json:"not_yet"` // decisions that were not shown, or too lately
	Lost    int     `json:"lost"`    // that this build cannot make again as they were
	Missing Missing `json:"missing,omitempty"`
}

// Missing is why there is not enough evidence; "": there is.
type Missing string

// The reasons.
const (
	MissingRounds  Missing = "rounds"  // no decision can be counted
	MissingOverlap Missing = "overlap" // the log is worth too few decisions of the version's own
	MissingTrials  Missing = "trials"  // too much of what the version would do was never tried
)

// leastTried is the share of a version's choices that must have been tried; what is left
// can move the estimate by as much as it is worth, which no interval tells.
const leastTried = 0.95

// titles of the rewards that need no pack.
var rewardTitles = map[string]candidate.Text{
	"accepted":  {Zh: "每次决策被接受的提议数", En: "Accepted offers a decision"},
	"dismissed": {Zh: "被拒绝的占比", En: "Share that is dismissed"},
	"resolved":  {Zh: "问题得到解决的占比", En: "Share that is said to be solved"},
}

// rewarding says what came of a decision's answer.
type rewarding struct {
	name   string
	title  candidate.Text
	lower  bool
	within time.Duration // how long one waits for it
	of     func(who *profile.Profile, contacts []profile.Contact, shown time.Time) float64
}

// ErrReward says that nothing of that name is measured.
var ErrReward = fmt.Errorf("no reward of that name")

func rewardingOf(v *strategy.Version, name string) (*rewarding, error) {
	ripe := v.Decision.Ripe
	if ripe <= 0 {
		ripe = usualRipeness
	}
	in := func(t, shown time.Time) bool { return !t.IsZero() && !t.After(shown.Add(ripe)) }
	any := func(when func(c *profile.Contact) time.Time) func(*profile.Profile, []profile.Contact, time.Time) float64 {
		return func(_ *profile.Profile, all []profile.Contact, shown time.Time) float64 {
			for i := range all {
				if in(when(&all[i]), shown) {
					return 1
				}
			}
			return 0
		}
	}
	r := &rewarding{name: name, title: rewardTitles[name], within: ripe}
	switch name {
	case "", "accepted":
		r.name, r.title = "accepted", rewardTitles["accepted"]
		r.of = func(_ *profile.Profile, all []profile.Contact, shown time.Time) (n float64) {
			for i := range all {
				if in(all[i].Accepted, shown) {
					n++
				}
			}
			return n
		}
	case "dismissed":
		r.lower, r.of = true, any(func(c *profile.Contact) time.Time { return c.Dismissed })
	case "resolved":
		r.of = any(func(c *profile.Contact) time.Time { return c.Resolved })
	default:
		i := slices.IndexFunc(v.Metrics, func(m outcome.Metric) bool { return m.ID == name })
		if i < 0 {
			return nil, fmt.Errorf("reward %q: %w", name, ErrReward)
		}
		m := &v.Metrics[i]
		r.title, r.lower, r.within = m.Title, m.Lower, m.Within
		r.of = func(who *profile.Profile, _ []profile.Contact, shown time.Time) float64 {
			return m.Of(who.History[m.Event], who, shown)
		}
	}
	return r, nil
}

// Metrics are what the packs of a version declare.
func (e *Engine) Metrics(ctx context.Context, workspace string, number int) ([]outcome.Metric, error) {
	_, v, err := e.versionOf(ctx, workspace, number)
	if err != nil {
		return nil, err
	}
	return v.Metrics, nil
}

// weighing collects the rounds of an estimate.
type weighing struct {
	e         *Engine
	workspace string
	version   int
	reward    *rewarding
	now       time.Time
	value     Value
	rounds    []offpolicy.Round
	sights    []offpolicy.Sight // what a model of the reward may know of each
	untried   float64
	known     map[string]*acquaintance // by asker
}

// acquaintance is who asked, with what came of each answer.
type acquaintance struct {
	who *profile.Profile
	of  map[string][]profile.Contact // by decision
}

func (w *weighing) acquainted(ctx context.Context, asker string) (*acquaintance, error) {
	if a, ok := w.known[asker]; ok {
		return a, nil
	}
	a := &acquaintance{of: map[string][]profile.Contact{}}
	w.known[asker] = a
	s, ok, err := w.e.scopeOf(ctx, w.workspace, asker)
	if err != nil || !ok {
		return a, err
	}
	if a.who, err = w.e.Profile(ctx, s); err != nil {
		return nil, err
	}
	for _, c := range a.who.Contacts {
		a.of[c.Decision] = append(a.of[c.Decision], c)
	}
	return a, nil
}

// shownAt is when a decision's answer was first shown; zero: it was not.
func shownAt(contacts []profile.Contact) (at time.Time) {
	for i := range contacts {
		if s := contacts[i].Shown; !s.IsZero() && (at.IsZero() || s.Before(at)) {
			at = s
		}
	}
	return at
}

// add takes one decision into account.
func (w *weighing) add(ctx context.Context, r *relived) error {
	a, err := w.acquainted(ctx, r.entry.Asker)
	if err != nil {
		return err
	}
	contacts := a.of[r.entry.ID]
	shown := shownAt(contacts)
	if shown.IsZero() || shown.Add(w.reward.within).After(w.now) {
		w.value.NotYet++
		return nil
	}
	logged := r
	if r.entry.Strategy != w.version {
		var ok bool
		if logged, ok, err = w.e.again(ctx, w.workspace, r.entry, r.entry.Strategy); err != nil {
			return err
		}
		if !ok {
			w.value.Lost++
			return nil
		}
	}
	path, chance := logged.decision.Drawn()
	if logged.decision.Digest() != logged.decided || !(chance > 0) {
		w.value.Lost++ // the chances are not those by which it was drawn
		return nil
	}
	along, course := decision.DecideAlong(r.moment.version.Decision, r.input, path)
	round := offpolicy.Round{Reward: w.reward.of(a.who, contacts, shown), Logged: chance, Person: r.entry.Person}
	alike := slices.Equal(along.Firmly(), logged.decision.Firmly())
	if alike {
		round.Policy = course.Chance
	}
	if w.reward.name == "accepted" {
		for _, c := range course.Pool {
			round.Expected += float64(c.Chance * c.Propensity)
			if slices.Contains(path, c.Taken) {
				round.Predicted += c.Propensity
			}
		}
	}
	w.rounds = append(w.rounds, round)
	w.sights = append(w.sights, sightOf(r, path, course.Pool))
	w.untried += untried(&logged.decision, &r.decision, &along, course.Chance > 0 && alike)
	return nil
}

// sightOf is what stood before a draw: where it was and what was wanted; and what could
// be drawn.
func sightOf(r *relived, path []decision.Taken, pool []decision.Alternative) (s offpolicy.Sight) {
	s.Context = append(s.Context, "placement "+r.entry.Placement)
	for i := range r.decision.Needs {
		if n := &r.decision.Needs[i]; !n.Negated && n.Intent != "" && !slices.Contains(s.Context, "need "+n.Intent) {
			s.Context = append(s.Context, "need "+n.Intent)
		}
	}
	s.Chances = make([]offpolicy.Chance, 0, len(pool))
	for _, c := range pool {
		s.Chances = append(s.Chances, offpolicy.Chance{Name: c.Taken.Action, Chance: c.Chance})
		if slices.Contains(path, c.Taken) {
			s.Shown = append(s.Shown, c.Taken.Action)
		}
	}
	return s
}

// untried is the chance that the version would have done at that moment what the log
// could not have: another service or right, or a candidate that was none then.
func untried(logged, own, along *decision.Decision, led bool) float64 {
	from := own
	if led {
		from = along
	} else if !slices.Equal(own.Firmly(), logged.Firmly()) {
		return 1
	}
	tried := map[decision.Taken]bool{}
	for _, p := range logged.Draw.Positions {
		for i := range p.Chances {
			if p.Chances[i].Probability > 0 {
				tried[decision.Of(&p.Chances[i])] = true
			}
		}
	}
	within := 1.0
	for _, p := range from.Draw.Positions {
		mass := 0.0
		for i := range p.Chances {
			if tried[decision.Of(&p.Chances[i])] {
				mass += p.Chances[i].Probability
			}
		}
		within *= min(mass, 1)
	}
	return 1 - within
}

// estimate weighs what was collected.
func (w *weighing) estimate() (*Value, error) {
	v := &w.value
	var err error
	switch {
	case len(w.rounds) == 0:
	case w.reward.name == "accepted":
		v.Model = "propensity"
	default:
		if v.Explained = offpolicy.Fit(w.rounds, w.sights); v.Explained > 0 {
			v.Model = "fitted"
		}
	}
	if v.Evaluation, err = offpolicy.Evaluate(w.rounds, offpolicy.Options{}); err != nil {
		return nil, fmt.Errorf("value of version %d: %w", w.version, err)
	}
	if n := float64(len(w.rounds)); n > 0 {
		v.Tried = math.Max(0, 1-w.untried/n)
	}
	switch {
	case v.Rounds == 0:
		v.Missing = MissingRounds
	case v.Tried < leastTried:
		v.Missing, v.Enough = MissingTrials, false
	case !v.Enough:
		v.Missing = MissingOverlap
	}
	v.Reason = missingWords[v.Missing]
	return v, nil
}

var missingWords = map[Missing]string{
	MissingRounds:  "no decision was shown, and long enough ago, to be counted",
	MissingOverlap: "the log is worth too few decisions of the version's own",
	MissingTrials:  "too much of what the version would do was never tried",
}
