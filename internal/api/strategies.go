package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/strategy"
)

// Strategy is one version of a workspace's strategy.
type Strategy struct {
	Version int               `json:"version"`
	Base    int               `json:"base,omitempty"`
	Packs   []string          `json:"packs"`
	Files   map[string]string `json:"files,omitempty" doc:"Overrides by path; only when one version is read."`
	State   string            `json:"state" enum:"draft,published,superseded"`
	Current bool              `json:"current"`
	At      time.Time         `json:"at"`
	Note    string            `json:"note,omitempty"`
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
	Note string `json:"note,omitempty" maxLength:"2000"`
}

// StrategyFaults are all that is wrong with a version.
type StrategyFaults struct {
	Version int             `json:"version"`
	Valid   bool            `json:"valid"`
	Faults  []StrategyFault `json:"faults"`
}

// StrategyFault is one fault with its place.
type StrategyFault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Caret   string `json:"caret,omitempty" doc:"The source line and a caret under the very character."`
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
	Each(func(file string, line, column int, message, caret string))
}

func (s *server) strategyRoutes() {
	add(s, route{method: "GET", path: "/v1/strategies", tag: "Strategies", who: secretKey, query: pageQuery, summary: "List versions, newest first."}, func(c *call, _ *none) (Page[Strategy], error) {
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
				v := versionOf(all[i], current)
				v.Files = nil
				out = append(out, v)
			}
		}
		return paged(out, limit, func(v Strategy) string { return strconv.Itoa(v.Version) }), nil
	})
	add(s, route{method: "GET", path: "/v1/strategies/{v}", tag: "Strategies", who: secretKey, summary: "Read a version."}, func(c *call, _ *none) (Strategy, error) {
		number, err := number(c)
		if err != nil {
			return Strategy{}, err
		}
		return s.strategy(c, number)
	})
	add(s, route{method: "POST", path: "/v1/strategies", tag: "Strategies", who: secretKey, status: http.StatusCreated, limit: 4 << 20, summary: "Make a draft from packs and overrides."}, func(c *call, in *StrategyDraft) (Strategy, error) {
		if in.Base == 0 && len(in.Packs) == 0 { // a change of what is in force
			_, current, err := s.Engine.Strategies(c.context(), c.workspace.ID)
			if err != nil {
				return Strategy{}, err
			}
			in.Base = current
		}
		v, err := s.Engine.Draft(c.context(), c.workspace.ID, strategy.Source{Packs: in.Packs, Files: in.Files, Base: in.Base, Note: in.Note})
		if err != nil {
			return Strategy{}, err
		}
		return versionOf(v, 0), nil
	})
	add(s, route{method: "POST", path: "/v1/strategies/{v}/validate", tag: "Strategies", who: secretKey, summary: "Say all that is wrong with a version."}, func(c *call, _ *none) (StrategyFaults, error) {
		number, err := number(c)
		if err != nil {
			return StrategyFaults{}, err
		}
		out := StrategyFaults{Version: number, Valid: true, Faults: []StrategyFault{}}
		err = s.Engine.Validate(c.context(), c.workspace.ID, number)
		faults, ok := strategyFaults(err)
		if err != nil && !ok {
			return out, err
		}
		out.Valid, out.Faults = err == nil, append(out.Faults, faults...)
		return out, nil
	})
	add(s, route{method: "POST", path: "/v1/strategies/{v}/publish", tag: "Strategies", who: secretKey, optional: true, summary: "Put a draft in force for the next decision."}, func(c *call, in *StrategyPublish) (Strategy, error) {
		number, err := number(c)
		if err != nil {
			return Strategy{}, err
		}
		if _, err := s.Engine.Publish(c.context(), c.workspace.ID, number, in.Note); err != nil {
			return Strategy{}, refusedStrategy(err)
		}
		return s.strategy(c, number)
	})
	add(s, route{method: "POST", path: "/v1/strategies/{v}/rollback", tag: "Strategies", who: secretKey, optional: true, summary: "Put an older version in force again."}, func(c *call, _ *StrategyPublish) (Strategy, error) {
		number, err := number(c)
		if err != nil {
			return Strategy{}, err
		}
		if _, err := s.Engine.Rollback(c.context(), c.workspace.ID, number); err != nil {
			return Strategy{}, refusedStrategy(err)
		}
		return s.strategy(c, number)
	})
	add(s, route{method: "GET", path: "/v1/packs", tag: "Strategies", who: secretKey, summary: "List the packs there are."}, func(c *call, _ *none) (Page[Pack], error) {
		var all []Pack
		if s.Packs != nil {
			all = s.Packs()
		}
		return paged(all, max(len(all), 1), func(p Pack) string { return p.Name }), nil
	})
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
			return versionOf(v, current), nil
		}
	}
	return Strategy{}, refuse(http.StatusNotFound, "not_found")
}

func versionOf(v strategy.Source, current int) Strategy {
	out := Strategy{Version: v.Number, Base: v.Base, Packs: v.Packs, Files: v.Files, State: v.State, Current: v.Number == current && current != 0, At: v.At, Note: v.Note}
	if out.Packs == nil {
		out.Packs = []string{}
	}
	return out
}

func strategyFaults(err error) (all []StrategyFault, ok bool) {
	var list faultList
	if !errors.As(err, &list) {
		return nil, false
	}
	list.Each(func(file string, line, column int, message, caret string) {
		all = append(all, StrategyFault{file, line, column, message, caret})
	})
	return all, true
}

// refusedStrategy is why a version did not come into force, with every fault.
func refusedStrategy(err error) error {
	faults, ok := strategyFaults(err)
	if !ok {
		return err
	}
	r := &refusal{status: http.StatusUnprocessableEntity, code: "strategy_faulty", cause: err, detail: err.Error()}
	for _, f := range faults {
		place := "/files/" + escapePointer(f.File)
		r.faults = append(r.faults, flaw{pointer: place, code: "strategy_faulty", said: &candidate.Text{En: fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)}})
	}
	return r
}
