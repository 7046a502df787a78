package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/rapport-cx/rapport/strategy"
)

// Difference is what two versions differ in.
type Difference struct {
	Version int
	Against int
	Files   []FileDifference
	Added   []string // actions
	Removed []string
}

// FileDifference is a file of the packs that is not the same in both.
type FileDifference struct {
	Path   string
	Before string // "" when it is new
	After  string // "" when it is gone
}

// Compare gives the difference between two versions, files of the packs included.
func (e *Engine) Compare(ctx context.Context, workspace string, number, against int) (*Difference, error) {
	a, err := e.source(ctx, workspace, against)
	if err != nil {
		return nil, err
	}
	b, err := e.source(ctx, workspace, number)
	if err != nil {
		return nil, err
	}
	d := &Difference{Version: number, Against: against, Files: []FileDifference{}}
	d.Added, d.Removed = []string{}, []string{}
	before, after := e.Compiler.Files(a), e.Compiler.Files(b)
	for path, text := range before {
		if after[path] != text {
			d.Files = append(d.Files, FileDifference{path, text, after[path]})
		}
	}
	for path, text := range after {
		if _, ok := before[path]; !ok {
			d.Files = append(d.Files, FileDifference{Path: path, After: text})
		}
	}
	slices.SortFunc(d.Files, func(x, y FileDifference) int { return cmp.Compare(x.Path, y.Path) })
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, err
	}
	old, errOld := e.version(ctx, t, against)
	now, errNow := e.version(ctx, t, number)
	if errOld != nil || errNow != nil {
		return d, nil // one that does not compile has no actions to compare
	}
	ids := func(v *strategy.Version) (all []string) {
		for i := range v.Decision.Actions {
			all = append(all, v.Decision.Actions[i].ID)
		}
		return all
	}
	was, is := ids(old), ids(now)
	for _, id := range is {
		if !slices.Contains(was, id) {
			d.Added = append(d.Added, id)
		}
	}
	for _, id := range was {
		if !slices.Contains(is, id) {
			d.Removed = append(d.Removed, id)
		}
	}
	return d, nil
}
