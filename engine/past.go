package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
)

// Past says which logged decisions to look at.
type Past struct {
	Since  time.Time
	People []string // ids of persons; none: everybody
	Reward string   // of an estimate: one of outcome.Rewards, or a metric of the version; "": accepted
	Limit  int      // most decisions, the newest; 0: 1,000
}

// Bounds of a look at the past.
const (
	usualPast = 1000
	MostPast  = 20_000
	pastPage  = 200
)

// relived is one logged decision, as it was answered and as a version decides it.
type relived struct {
	entry   *ledger.Entry
	enquiry string
	was     answered
	decided string // digest of what was decided then
	moment  moment
	walked
}

// answered is what a look at the past reads of an answer.
type answered struct {
	Needs   []need.Need   `json:"needs"`
	Actions []actionBrief `json:"actions"`
}

// actionBrief is an action as an answer names it.
type actionBrief struct {
	Action string          `json:"action"`
	Nature decision.Nature `json:"nature"`
	Title  string          `json:"title"`
}

// relive decides the logged past again under a version, newest first, and tells
// each decision; those that were erased are counted. Nothing is stored, learned or
// counted by it.
func (e *Engine) relive(ctx context.Context, workspace string, number int, p Past, tell func(*relived) error) (erased int, err error) {
	if _, _, err := e.versionOf(ctx, workspace, number); err != nil {
		return 0, err
	}
	if p.Limit <= 0 {
		p.Limit = usualPast
	}
	left := min(p.Limit, MostPast)
	persons := p.People
	if len(persons) == 0 {
		persons = []string{""}
	}
	for _, person := range persons {
		q := ledger.Query{Workspace: workspace, Person: person, From: p.Since, Limit: pastPage}
		for left > 0 {
			page, err := e.Store.Decisions(ctx, q)
			if err != nil {
				return erased, err
			}
			for i := range page[:min(len(page), left)] {
				r, ok, err := e.again(ctx, workspace, &page[i], number)
				if err != nil {
					return erased, err
				}
				left--
				if !ok {
					erased++
					continue
				}
				if err := tell(r); err != nil {
					return erased, err
				}
			}
			if len(page) < q.Limit {
				break
			}
			q.Before = page[len(page)-1].ID
		}
	}
	return erased, nil
}

// again decides one logged decision under a version; ok is false when there is
// nothing left of it.
func (e *Engine) again(ctx context.Context, workspace string, entry *ledger.Entry, number int) (*relived, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	var rec record
	if len(entry.Bytes) == 0 || json.Unmarshal(entry.Bytes, &rec) != nil {
		return nil, false, nil
	}
	in := rec.Inputs
	in.Strategy = number
	m, err := e.revisit(ctx, workspace, &in, nil)
	if errors.Is(err, ErrGone) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("decision %s: %w", entry.ID, err)
	}
	if number != rec.Inputs.Strategy {
		m.sources = candidate.Recorded(m.sources, rec.Inputs.Results, nil)
		in.Results = nil
	}
	r := &relived{entry: entry, enquiry: in.Enquiry.Text, decided: rec.Decided, moment: m, walked: e.walk(ctx, &in, m)}
	if err := json.Unmarshal(rec.Answer, &r.was); err != nil {
		return nil, false, fmt.Errorf("ledger entry %s: %w", entry.ID, err)
	}
	return r, true, nil
}
