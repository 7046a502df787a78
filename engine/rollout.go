package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/strategy"
)

// Publication says how a version comes into force: at once for everybody, unless it
// names a time or a share.
type Publication struct {
	Note       string
	At         time.Time // later than now: by itself, then
	Canary     float64   // above 0: for this share of the customers
	Guardrails []strategy.Guardrail
	By         strategy.Actor // the zero Actor: the house by itself
}

// errNoRollouts is what an engine without Rollouts says of a canary or a schedule.
var errNoRollouts = errors.New("engine: opened without rollouts")

// rollOut begins a canary or a schedule.
func (e *Engine) rollOut(ctx context.Context, t *tenant, s strategy.Source, p Publication) (strategy.Source, error) {
	if e.Rollouts == nil {
		return s, errNoRollouts
	}
	if other, ok := e.Rollouts.Canary(t.ID); ok && other.Version != s.Number && !p.At.After(e.now()) {
		if err := e.takeBack(ctx, t, other.Version, fmt.Sprintf("version %d is tried instead", s.Number)); err != nil {
			return s, err
		}
	}
	x := strategy.Rollout{Version: s.Number, Phase: strategy.Scheduled, Share: p.Canary, Guardrails: p.Guardrails, At: p.At, Note: p.Note, By: p.By}
	deed := strategy.Dated
	if !p.At.After(e.now()) {
		x.Phase, deed = strategy.Canary, strategy.Tried
		s.State, s.At, s.Note = StateCanary, e.now(), p.Note
	} else {
		s.State, s.Note = StateScheduled, p.Note
	}
	if err := e.Store.SaveStrategy(ctx, t.ID, s); err != nil {
		return s, err
	}
	if err := e.record(ctx, t, x); err != nil {
		return s, err
	}
	return s, e.did(ctx, t, strategy.Act{Deed: deed, Version: s.Number, By: p.By, Note: p.Note})
}

// record puts a rollout into the log.
func (e *Engine) record(ctx context.Context, t *tenant, x strategy.Rollout) error {
	body, err := json.Marshal(x)
	if err != nil {
		return err
	}
	now := e.now()
	ev := event.RecordEvent(event.Put{Workspace: t.ID, Name: strategy.RolloutRecord, ID: strconv.Itoa(x.Version), UpdatedAt: now, Received: now, Body: body})
	if _, err := e.Store.Commit(ctx, Batch{Workspace: t.ID, At: now, Events: []event.Event{ev}}); err != nil {
		return fmt.Errorf("rollout of version %d: %w", x.Version, err)
	}
	return nil
}

// endRollout ends a version's canary or schedule, if it has one.
func (e *Engine) endRollout(ctx context.Context, t *tenant, number int, why string) error {
	if e.Rollouts == nil {
		return nil
	}
	x, ok := e.Rollouts.Of(t.ID, number)
	if !ok || x.Phase == strategy.Ended {
		return nil
	}
	x.Phase, x.Reason = strategy.Ended, why
	return e.record(ctx, t, x)
}

// serving is the version that a person is served: the one in force, or a canary
// whose share they are in.
func (e *Engine) serving(ctx context.Context, t *tenant, person string) (v *strategy.Version, arm string, err error) {
	v = t.current.Load()
	if v == nil {
		return nil, "", fmt.Errorf("workspace %s: %w", t.ID, ErrNoStrategy)
	}
	if e.Rollouts == nil {
		return v, "", nil
	}
	x, ok := e.Rollouts.Canary(t.ID)
	if !ok || x.Version == v.Number {
		return v, "", nil
	}
	if person == "" || !x.Has(t.ID, person) {
		return v, ArmControl, nil
	}
	v, err = e.version(ctx, t, x.Version)
	return v, ArmCanary, err
}

// The arms of a canary, as decisions name them.
const (
	ArmCanary  = "canary"
	ArmControl = "control"
)

// Rollout is how a version comes into force; ok is false when it has no rollout.
func (e *Engine) Rollout(workspace string, number int) (x strategy.Rollout, ok bool) {
	if e.Rollouts == nil {
		return x, false
	}
	return e.Rollouts.Of(workspace, number)
}

// Tend does what is due: it publishes versions whose time has come and ends
// canaries that break a guardrail. It is called every second or so; what another
// node has done already is left alone.
func (e *Engine) Tend(ctx context.Context) error {
	if e.Rollouts == nil {
		return nil
	}
	var failed error
	for _, w := range e.Workspaces() {
		t, err := e.tenant(w.ID)
		if err != nil {
			continue
		}
		for _, x := range e.Rollouts.Due(w.ID, e.now()) {
			_, err := e.Publish(ctx, w.ID, x.Version, Publication{Note: x.Note, Canary: x.Share, Guardrails: x.Guardrails, By: x.By})
			if unapproved := (*Unapproved)(nil); errors.As(err, &unapproved) {
				// Another version came into force meanwhile, and this one would change more of
				// it than was approved: it is a draft again, and says why.
				err = e.undo(ctx, w.ID, x.Version, "not published: "+unapproved.Error())
			}
			if err != nil && !errors.Is(err, ErrState) {
				failed = errors.Join(failed, fmt.Errorf("scheduled publish of version %d of %s: %w", x.Version, w.ID, err))
			}
		}
		if x, ok := e.Rollouts.Canary(w.ID); ok {
			failed = errors.Join(failed, e.guard(ctx, t, x))
		}
	}
	return failed
}

// guarded bounds how many of a canary's newest decisions its guardrails look at.
const guarded = 2000

// guard ends a canary that breaks a guardrail.
func (e *Engine) guard(ctx context.Context, t *tenant, x strategy.Rollout) error {
	if len(x.Guardrails) == 0 {
		return nil
	}
	c, err := e.count(ctx, t, x)
	if err != nil {
		return fmt.Errorf("guardrails of version %d of %s: %w", x.Version, t.ID, err)
	}
	for _, g := range x.Guardrails {
		rate, looks := c.rate(g.Metric)
		if !g.Broken(rate, looks) {
			continue
		}
		why := fmt.Sprintf("guardrail %s: %.4f of %d", g.Metric, rate, looks)
		slog.Warn("a canary has ended", "workspace", t.ID, "version", x.Version, "reason", why)
		return e.inTurn(ctx, t.ID, func(ctx context.Context, t *tenant) error {
			if now, ok := e.Rollouts.Canary(t.ID); !ok || now.Version != x.Version {
				return nil // another process has ended it meanwhile
			}
			return e.takeBack(ctx, t, x.Version, why)
		})
	}
	return nil
}

// takeBack ends a version that came into force for a share only, or not yet.
func (e *Engine) takeBack(ctx context.Context, t *tenant, number int, why string) error {
	if err := e.endRollout(ctx, t, number, why); err != nil {
		return err
	}
	s, err := e.source(ctx, t.ID, number)
	if err != nil {
		return err
	}
	s.State = StateSuperseded
	if err := e.Store.SaveStrategy(ctx, t.ID, s); err != nil {
		return err
	}
	return e.did(ctx, t, strategy.Act{Deed: strategy.TakenBack, Version: number, By: strategy.House, Note: why})
}

// undo makes a draft again of a version whose time came and that could not be published.
func (e *Engine) undo(ctx context.Context, workspace string, number int, why string) error {
	slog.Warn("a scheduled version was not published", "workspace", workspace, "version", number, "reason", why)
	return e.inTurn(ctx, workspace, func(ctx context.Context, t *tenant) error {
		if x, ok := e.Rollouts.Of(workspace, number); ok && x.Phase == strategy.Ended {
			return nil // another process has done it meanwhile
		}
		if err := e.endRollout(ctx, t, number, why); err != nil {
			return err
		}
		return e.did(ctx, t, strategy.Act{Deed: strategy.TakenBack, Version: number, By: strategy.House, Note: why})
	})
}

// counts are what came of a version's decisions.
type counts struct {
	shown, accepted, dismissed    int
	asked, handedOver, unanswered int
	followed                      map[string]*followed // by metric of the packs
}

// followed is what came of those whose time is up.
type followed struct {
	sum   float64
	looks int
}

func (c *counts) rate(metric string) (rate float64, looks int) {
	over := func(n, of int) (float64, int) { return float64(n) / float64(max(of, 1)), of }
	switch metric {
	case "accept_rate":
		return over(c.accepted, c.shown)
	case "dismiss_rate":
		return over(c.dismissed, c.shown)
	case "handover_rate":
		return over(c.handedOver, c.asked)
	}
	if f, ok := c.followed[metric]; ok {
		return f.sum / float64(max(f.looks, 1)), f.looks
	}
	return over(c.unanswered, c.asked)
}

// count looks at the newest decisions of a canary.
func (e *Engine) count(ctx context.Context, t *tenant, x strategy.Rollout) (c counts, err error) {
	workspace := t.ID
	all, err := e.Decisions(ctx, ledger.Query{Workspace: workspace, Strategy: x.Version, From: x.Since, Limit: guarded})
	if err != nil {
		return c, err
	}
	if c.followed, err = e.follows(ctx, t, x, all); err != nil {
		return c, err
	}
	for i := range all {
		var a struct {
			Enquiry string      `json:"enquiry"`
			Needs   []need.Need `json:"needs"`
		}
		if json.Unmarshal(all[i].Bytes, &a) != nil {
			continue // erased meanwhile
		}
		if a.Enquiry != "" {
			c.asked++
			status := map[need.Status]bool{}
			for _, n := range a.Needs {
				status[n.Status] = true
			}
			if status[need.Handover] {
				c.handedOver++
			}
			if status[need.Unanswered] {
				c.unanswered++
			}
		}
		came, err := e.Outcomes(ctx, workspace, all[i].ID)
		if err != nil {
			return c, err
		}
		seen := map[outcome.Kind]bool{}
		for _, o := range came {
			seen[o.Kind] = true
		}
		if seen[outcome.Impression] || seen[outcome.Accept] || seen[outcome.Dismiss] {
			c.shown++
		}
		if seen[outcome.Accept] {
			c.accepted++
		}
		if seen[outcome.Dismiss] {
			c.dismissed++
		}
	}
	return c, nil
}

// follows counts what followed of a canary's decisions, by the metrics of its packs that
// a guardrail names: of those that were shown, and so long ago that it can be told.
func (e *Engine) follows(ctx context.Context, t *tenant, x strategy.Rollout, all []ledger.Entry) (map[string]*followed, error) {
	v, err := e.version(ctx, t, x.Version)
	if err != nil {
		return nil, err
	}
	w := &weighing{e: e, workspace: t.ID, known: map[string]*acquaintance{}}
	out := map[string]*followed{}
	for i := range v.Metrics {
		m := &v.Metrics[i]
		if !slices.ContainsFunc(x.Guardrails, func(g strategy.Guardrail) bool { return g.Metric == m.ID }) {
			continue
		}
		f := &followed{}
		out[m.ID] = f
		for k := range all {
			a, err := w.acquainted(ctx, all[k].Asker)
			if err != nil {
				return nil, err
			}
			if shown := shownAt(a.of[all[k].ID]); !shown.IsZero() && m.Ripe(shown, e.now()) {
				f.sum += m.Of(a.who.History[m.Event], a.who, shown)
				f.looks++
			}
		}
	}
	return out, nil
}
