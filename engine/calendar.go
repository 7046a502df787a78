package engine

import (
	"context"
	"fmt"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/strategy"
)

// LoadCalendar puts a calendar of days off and make-up workdays, an iCalendar text, into
// the strategy in force: as a new version with one more file, or with that file
// replaced. Entries whose summary holds one of the words are worked. A calendar that is
// there already, day by day, changes nothing. ErrCalendar says what is wrong with one.
func (e *Engine) LoadCalendar(ctx context.Context, workspace, id, ics string, words []string, by strategy.Actor) (s strategy.Source, changed bool, err error) {
	file, err := e.Compiler.Calendar(id, ics, words)
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", ErrCalendar, err)
	}
	all, current, err := e.Strategies(ctx, workspace)
	if err != nil {
		return s, false, err
	}
	path := "calendars/" + id + ".yaml"
	waiting := 0 // a draft of the same that could not be published then
	for _, v := range all {
		switch {
		case v.Number == current && v.Files[path] == file:
			return v, false, nil
		case v.State == StateDraft && v.Base == current && v.Files[path] == file:
			waiting = v.Number
		}
	}
	note := "calendar " + id
	if waiting == 0 {
		if s, err = e.Draft(ctx, workspace, strategy.Source{Base: current, Files: map[string]string{path: file}, Note: note}, by); err != nil {
			return s, false, err
		}
		waiting = s.Number
	}
	s, err = e.Publish(ctx, workspace, waiting, Publication{Note: note, By: by})
	return s, err == nil, err
}

// ReadCalendar tells what loading a calendar would put into force, and changes nothing.
// ErrCalendar says what is wrong with it.
func (e *Engine) ReadCalendar(id, ics string, words []string) (decision.Calendar, error) {
	d, err := e.Compiler.ReadCalendar(id, ics, words)
	if err != nil {
		return d, fmt.Errorf("%w: %w", ErrCalendar, err)
	}
	return d, nil
}

// Calendars are those of the strategy in force.
func (e *Engine) Calendars(workspace string) ([]decision.Calendar, error) {
	_, v, err := e.inForce(workspace)
	if err != nil {
		return nil, err
	}
	return v.Decision.Calendars, nil
}
