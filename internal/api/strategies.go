package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// Strategy is one version of a workspace's strategy.
type Strategy struct {
	Version int               `json:"version"`
	Base    int               `json:"base,omitempty"`
	Packs   []string          `json:"packs"`
	Files   map[string]string `json:"files,omitempty" doc:"Overrides by path; only when one version is read."`
	State   string            `json:"state" enum:"draft,scheduled,canary,published,superseded"`
	Current bool              `json:"current"`
	At      time.Time         `json:"at"`
	Note    string            `json:"note,omitempty"`
	Rollout *strategy.Rollout `json:"rollout,omitempty" doc:"How it came into force, when it did so for a share or by the clock."`
}

// StrategyDraft is what a new version is made of.
type StrategyDraft struct {
	Packs []string          `json:"packs,omitempty" maxItems:"50" doc:"In order; those of the base when missing."`
	Files map[string]string `json:"files,omitempty" maxProperties:"500" doc:"Overrides by path."`
	Base  int               `json:"base,omitempty" minimum:"0"`
	Note  string            `json:"note,omitempty" maxLength:"2000"`
}

// StrategyPublish says how a version comes into force.
type StrategyPublish struct {
	Note       string               `json:"note,omitempty" maxLength:"2000"`
	At         *time.Time           `json:"at,omitempty" doc:"Later than now: it is published by itself, then."`
	Canary     float64              `json:"canary,omitempty" minimum:"0" maximum:"0.99" doc:"For this share of the customers; publishing it again without a share promotes it, rolling back to the version in force takes it back."`
	Guardrails []strategy.Guardrail `json:"guardrails,omitempty" maxItems:"20" doc:"Each takes the canary back when it breaks: {metric, max or min, after}."`
}

// StrategySimulate says which of the logged past is decided again.
type StrategySimulate struct {
	Since  *time.Time `json:"since,omitempty" doc:"30 days back when missing."`
	People []string   `json:"people,omitempty" maxItems:"1000" doc:"per_… or user:…; everybody when missing."`
	Reward string     `json:"reward,omitempty" maxLength:"64" doc:"What it is valued by: accepted (when missing), dismissed, resolved, or the id of a metric of its packs."`
	Limit  int        `json:"limit,omitempty" minimum:"0" maximum:"20000" doc:"Most decisions, the newest; 1,000 when missing."`
}

// StrategyRehearse is a request as it would be sent, and how far to look ahead.
type StrategyRehearse struct {
	Request DecisionRequest `json:"request"`
	Days    int             `json:"days,omitempty" minimum:"0" maximum:"366" doc:"Days of the virtual clock; none when missing."`
}

// StrategyDifference is what two versions differ in.
type StrategyDifference struct {
	Version int                  `json:"version"`
	Against int                  `json:"against"`
	Files   []StrategyFileChange `json:"files"`
	Added   []string             `json:"actions_added"`
	Removed []string             `json:"actions_removed"`
}

// StrategyFileChange is one file that is not the same in both.
type StrategyFileChange struct {
	Path   string `json:"path"`
	Change string `json:"change" enum:"added,removed,changed"`
	Diff   string `json:"diff" doc:"Unified."`
}

// StrategyFaults are all that is wrong with a version.
type StrategyFaults struct {
	Version int             `json:"version"`
	Valid   bool            `json:"valid"`
	Faults  []StrategyFault `json:"faults"`
}

// StrategyFault is one fault with its place.
type StrategyFault struct {
	File    string            `json:"file"`
	Line    int               `json:"line"`
	Column  int               `json:"column"`
	Code    string            `json:"code" doc:"Stable name of what is wrong."`
	Message string            `json:"message" doc:"In the caller's language."`
	Caret   string            `json:"caret,omitempty" doc:"The source line and a caret under the very character."`
	Params  map[string]string `json:"params,omitempty" doc:"What stands in the message."`
}

// StrategyFile is one of the files that a version is compiled from.
type StrategyFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
	Own  bool   `json:"own" doc:"The workspace wrote it; else it comes with its pack."`
}

// StrategyMetric is something that the packs of a version measure.
type StrategyMetric struct {
	ID    string         `json:"id"`
	Title candidate.Text `json:"title"`
	Lower bool           `json:"lower_is_better,omitempty"`
}

// Pack is a pack that strategies can be made of.
type Pack struct {
	Name     string         `json:"name"`
	Title    candidate.Text `json:"title"`
	Requires []string       `json:"requires,omitempty" doc:"Packs that must stand before it."`
}

// faultList is how a compiler's error tells all faults: pack.Faults is one, which
// this edge may not know by name.
type faultList interface {
	error
	Each(func(file string, line, column int, code string, params map[string]string, said candidate.Text, caret string))
}

func (s *server) strategyRoutes() {
	add(s, route{method: "GET", path: "/v1/strategies", tag: "Strategies", who: secretKey, query: pageQuery, summary: "List versions, newest first."},
		s.strategies)
	add(s, route{method: "GET", path: "/v1/strategies/{v}", tag: "Strategies", who: secretKey, summary: "Read a version."},
		numbered(func(c *call, number int, _ *none) (Strategy, error) { return s.strategy(c, number) }))
	add(s, route{method: "POST", path: "/v1/strategies", tag: "Strategies", who: secretKey, status: http.StatusCreated, limit: 4 << 20, summary: "Make a draft from packs and overrides."},
		s.draft)
	add(s, route{method: "GET", path: "/v1/strategies/{v}/files", tag: "Strategies", who: secretKey, summary: "Read all files that a version is compiled from, those of its packs included."},
		numbered(s.files))
	add(s, route{method: "GET", path: "/v1/strategies/{v}/metrics", tag: "Strategies", who: secretKey, summary: "List what the packs of a version measure, beside what is measured anyway."},
		numbered(s.metrics))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/validate", tag: "Strategies", who: secretKey, summary: "Say all that is wrong with a version."},
		numbered(s.faultsIn))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/lint", tag: "Strategies", who: secretKey, summary: "Say what compiles and is probably wrong, in the files and by the logged past."},
		numbered(s.lint))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/publish", tag: "Strategies", who: secretKey, optional: true, summary: "Put a draft in force for the next decision."},
		numbered(s.publish))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/simulate", tag: "Strategies", who: secretKey, optional: true, summary: "Say what a version would have changed of the logged past."},
		numbered(s.simulate))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/rehearse", tag: "Strategies", who: secretKey, summary: "Say what a version would answer, and offer over the next days, beside the one in force."},
		numbered(s.rehearse))
	add(s, route{method: "GET", path: "/v1/coverage", tag: "Strategies", who: secretKey, query: []string{"version: of the strategy; the one in force when missing", "since: RFC 3339; 30 days back when missing", "limit: most decisions, the newest; 1,000 when missing, at most 20,000"}, summary: "Tell what a strategy leaves unserved, and where its actions lose their customers."},
		s.coverage)
	add(s, route{method: "GET", path: "/v1/strategies/{v}/diff", tag: "Strategies", who: secretKey, query: []string{"against: another version; the one in force when missing"}, summary: "Say what two versions differ in."},
		numbered(s.difference))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/rollback", tag: "Strategies", who: secretKey, optional: true, summary: "Put an older version in force again."},
		numbered(s.rollback))
	add(s, route{method: "GET", path: "/v1/packs", tag: "Strategies", who: secretKey, summary: "List the packs there are."},
		s.packs)
}

// numbered hands the version that a path names to what is done with it.
func numbered[I, O any](do func(c *call, number int, in *I) (O, error)) func(*call, *I) (O, error) {
	return func(c *call, in *I) (O, error) {
		n, err := number(c)
		if err != nil {
			var none O
			return none, err
		}
		return do(c, n, in)
	}
}

func (s *server) strategies(c *call, _ *none) (Page[Strategy], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[Strategy]{}, err
	}
	all, current, err := s.Engine.Strategies(c.context(), c.workspace.ID)
	if err != nil {
		return Page[Strategy]{}, err
	}
	below := 0
	if after != "" {
		if below, err = strconv.Atoi(after); err != nil {
			return Page[Strategy]{}, refuse(http.StatusBadRequest, "bad_cursor")
		}
	}
	var out []Strategy
	for i := len(all) - 1; i >= 0 && len(out) <= limit; i-- {
		if below == 0 || all[i].Number < below {
			v := s.versionOf(c, all[i], current)
			v.Files = nil
			out = append(out, v)
		}
	}
	return paged(out, limit, func(v Strategy) string { return strconv.Itoa(v.Version) }), nil
}

func (s *server) draft(c *call, in *StrategyDraft) (Strategy, error) {
	if in.Base == 0 && len(in.Packs) == 0 { // a change of what is in force
		_, current, err := s.Engine.Strategies(c.context(), c.workspace.ID)
		if err != nil {
			return Strategy{}, err
		}
		in.Base = current
	}
	v, err := s.Engine.Draft(c.context(), c.workspace.ID, strategy.Source{Packs: in.Packs, Files: in.Files, Base: in.Base, Note: in.Note}, s.actor(c))
	if err != nil {
		return Strategy{}, err
	}
	return s.versionOf(c, v, 0), nil
}

func (s *server) metrics(c *call, number int, _ *none) (Page[StrategyMetric], error) {
	own, err := s.Engine.Metrics(c.context(), c.workspace.ID, number)
	if err != nil {
		return Page[StrategyMetric]{}, refusedStrategy(err)
	}
	all := make([]StrategyMetric, len(own))
	for i := range own {
		all[i] = StrategyMetric{own[i].ID, own[i].Title, own[i].Lower}
	}
	return paged(all, max(len(all), 1), func(m StrategyMetric) string { return m.ID }), nil
}

func (s *server) faultsIn(c *call, number int, _ *none) (StrategyFaults, error) {
	out := StrategyFaults{Version: number, Valid: true, Faults: []StrategyFault{}}
	err := s.Engine.Validate(c.context(), c.workspace.ID, number)
	faults, ok := strategyFaults(err, language(c.r))
	if err != nil && !ok {
		return out, err
	}
	out.Valid, out.Faults = err == nil, append(out.Faults, faults...)
	return out, nil
}

func (s *server) lint(c *call, number int, _ *none) (Page[strategy.Finding], error) {
	all, err := s.Engine.Lint(c.context(), c.workspace.ID, number, engine.Past{Since: s.now().AddDate(0, 0, -30)})
	if err != nil {
		return Page[strategy.Finding]{}, refusedStrategy(err)
	}
	return paged(all, max(len(all), 1), func(f strategy.Finding) string { return f.File }), nil
}

func (s *server) publish(c *call, number int, in *StrategyPublish) (Strategy, error) {
	p, err := s.publication(c, number, in)
	if err != nil {
		return Strategy{}, err
	}
	p.By = s.actor(c)
	if _, err := s.Engine.Publish(c.context(), c.workspace.ID, number, p); err != nil {
		return Strategy{}, s.refusedApproval(c, err)
	}
	return s.strategy(c, number)
}

func (s *server) simulate(c *call, number int, in *StrategySimulate) (*engine.Simulation, error) {
	past := engine.Past{Since: s.now().AddDate(0, 0, -30), Limit: in.Limit, Reward: in.Reward}
	if in.Since != nil {
		past.Since = in.Since.UTC()
	}
	for _, id := range in.People {
		scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, id)
		if err != nil {
			return nil, err
		}
		past.People = append(past.People, string(scope.Person))
	}
	out, err := s.Engine.Simulate(c.context(), c.workspace.ID, number, past)
	if errors.Is(err, engine.ErrReward) {
		return nil, s.unknownReward(c, number)
	}
	if err != nil {
		return nil, refusedStrategy(err)
	}
	return out, nil
}

func (s *server) rehearse(c *call, number int, in *StrategyRehearse) (*engine.Rehearsal, error) {
	r, err := s.request(c, &in.Request)
	if err != nil {
		return nil, err
	}
	out, err := s.Engine.Rehearse(c.context(), r, number, in.Days)
	if err != nil {
		return nil, refusedStrategy(err)
	}
	return out, nil
}

func (s *server) rollback(c *call, number int, in *StrategyPublish) (Strategy, error) {
	if _, err := s.Engine.Rollback(c.context(), c.workspace.ID, number, s.actor(c), in.Note); err != nil {
		return Strategy{}, refusedStrategy(err)
	}
	return s.strategy(c, number)
}

func (s *server) packs(c *call, _ *none) (Page[Pack], error) {
	var all []Pack
	if s.Packs != nil {
		all = s.Packs()
	}
	return paged(all, max(len(all), 1), func(p Pack) string { return p.Name }), nil
}

// publication reads how a version is to come into force.
func (s *server) publication(c *call, number int, in *StrategyPublish) (engine.Publication, error) {
	p := engine.Publication{Note: in.Note, Canary: in.Canary, Guardrails: in.Guardrails}
	if in.At != nil {
		p.At = in.At.UTC()
	}
	var own []outcome.Metric
	if len(in.Guardrails) > 0 {
		var err error
		if own, err = s.Engine.Metrics(c.context(), c.workspace.ID, number); err != nil {
			return p, refusedStrategy(err)
		}
	}
	for i, g := range in.Guardrails {
		if err := g.Check(own); err != nil {
			return p, &refusal{status: http.StatusBadRequest, code: "bad_guardrail", cause: err, detail: err.Error(),
				faults: []flaw{{pointer: fmt.Sprintf("/guardrails/%d", i), code: "bad_guardrail", said: &candidate.Text{En: err.Error()}}}}
		}
	}
	return p, nil
}

func (s *server) files(c *call, n int, _ *none) (Page[StrategyFile], error) {
	v, err := s.strategy(c, n)
	if err != nil {
		return Page[StrategyFile]{}, err
	}
	texts, err := s.Engine.Files(c.context(), c.workspace.ID, n)
	if err != nil {
		return Page[StrategyFile]{}, err
	}
	all := make([]StrategyFile, 0, len(texts))
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		_, own := v.Files[path]
		all = append(all, StrategyFile{path, texts[path], own})
	}
	return paged(all, max(len(all), 1), func(f StrategyFile) string { return f.Path }), nil
}

// unknownReward names what can be asked for.
func (s *server) unknownReward(c *call, number int) error {
	choices := outcome.Rewards()
	own, err := s.Engine.Metrics(c.context(), c.workspace.ID, number)
	if err != nil {
		return refusedStrategy(err)
	}
	for i := range own {
		choices = append(choices, own[i].ID)
	}
	return faulty("/reward", "one_of", "choices", strings.Join(choices, ", "))
}

func (s *server) coverage(c *call, _ *none) (*engine.Coverage, error) {
	q := c.r.URL.Query()
	past, version := engine.Past{Since: s.now().AddDate(0, 0, -30)}, 0
	var err error
	if text := q.Get("since"); text != "" {
		if past.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, refuse(http.StatusBadRequest, "bad_timestamp")
		}
	}
	if text := q.Get("version"); text != "" {
		if version, err = strconv.Atoi(text); err != nil || version < 1 {
			return nil, refuse(http.StatusNotFound, "not_found")
		}
	}
	if text := q.Get("limit"); text != "" {
		if past.Limit, err = strconv.Atoi(text); err != nil || past.Limit < 1 || past.Limit > engine.MostPast {
			return nil, refuse(http.StatusBadRequest, "bad_limit")
		}
	}
	return s.Engine.Coverage(c.context(), c.workspace.ID, version, past)
}

func (s *server) difference(c *call, n int, _ *none) (StrategyDifference, error) {
	var against int
	var err error
	if q := c.r.URL.Query().Get("against"); q != "" {
		if against, err = strconv.Atoi(q); err != nil || against < 1 {
			return StrategyDifference{}, refuse(http.StatusNotFound, "not_found")
		}
	} else if _, against, err = s.Engine.Strategies(c.context(), c.workspace.ID); err != nil {
		return StrategyDifference{}, err
	}
	d, err := s.Engine.Compare(c.context(), c.workspace.ID, n, against)
	if err != nil {
		return StrategyDifference{}, err
	}
	out := StrategyDifference{Version: n, Against: against, Files: []StrategyFileChange{}, Added: d.Added, Removed: d.Removed}
	for _, f := range d.Files {
		change := "changed"
		switch {
		case f.Before == "":
			change = "added"
		case f.After == "":
			change = "removed"
		}
		out.Files = append(out.Files, StrategyFileChange{Path: f.Path, Change: change,
			Diff: string(diff.Diff(fmt.Sprintf("%s of version %d", f.Path, against), []byte(f.Before), fmt.Sprintf("%s of version %d", f.Path, n), []byte(f.After)))})
	}
	return out, nil
}

func number(c *call) (int, error) {
	n, err := strconv.Atoi(c.r.PathValue("v"))
	if err != nil || n < 1 {
		return 0, refuse(http.StatusNotFound, "not_found")
	}
	return n, nil
}

func (s *server) strategy(c *call, number int) (Strategy, error) {
	all, current, err := s.Engine.Strategies(c.context(), c.workspace.ID)
	if err != nil {
		return Strategy{}, err
	}
	for _, v := range all {
		if v.Number == number {
			return s.versionOf(c, v, current), nil
		}
	}
	return Strategy{}, refuse(http.StatusNotFound, "not_found")
}

func (s *server) versionOf(c *call, v strategy.Source, current int) Strategy {
	out := Strategy{Version: v.Number, Base: v.Base, Packs: v.Packs, Files: v.Files, State: v.State, Current: v.Number == current && current != 0, At: v.At, Note: v.Note}
	if out.Packs == nil {
		out.Packs = []string{}
	}
	if x, ok := s.Engine.Rollout(c.workspace.ID, v.Number); ok {
		out.Rollout = &x
	}
	return out
}

func strategyFaults(err error, l scene.Locale) (all []StrategyFault, ok bool) {
	var list faultList
	if !errors.As(err, &list) {
		return nil, false
	}
	list.Each(func(file string, line, column int, code string, params map[string]string, said candidate.Text, caret string) {
		all = append(all, StrategyFault{File: file, Line: line, Column: column, Code: code, Message: said.In(l), Caret: caret, Params: params})
	})
	return all, true
}

// String is a fault with its place and, under it, its line.
func (f *StrategyFault) String() string {
	where := f.where()
	if f.Caret != "" {
		where += "\n" + f.Caret
	}
	return where
}

func (f *StrategyFault) where() string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	}
	return f.File + ": " + f.Message
}

// refusedStrategy is why a version did not come into force, with every fault.
func refusedStrategy(err error) error {
	en, ok := strategyFaults(err, scene.English)
	if !ok {
		return err
	}
	zh, _ := strategyFaults(err, scene.Chinese)
	r := &refusal{status: http.StatusUnprocessableEntity, code: "strategy_faulty", cause: err}
	told := make([]candidate.Text, len(en))
	for i := range en {
		told[i] = candidate.Text{Zh: zh[i].String(), En: en[i].String()}
		r.faults = append(r.faults, flaw{
			pointer: "/files/" + escapePointer(en[i].File), code: "strategy_faulty",
			said: &candidate.Text{Zh: zh[i].where(), En: en[i].where()},
		})
	}
	r.said = func(l scene.Locale) string {
		lines := make([]string, len(told))
		for i := range told {
			lines[i] = told[i].In(l)
		}
		return strings.Join(lines, "\n")
	}
	return r
}
