package candidate

import (
	"fmt"
	"sync"

	"github.com/rapport-cx/rapport/journal"
)

// Shelves hold the catalogue of every workspace. They follow the log: each record
// that belongs to no person is put on its workspace's shelf before it is
// acknowledged. The zero value is ready.
type Shelves struct {
	mu sync.RWMutex
	of map[string]*Catalogue
}

// Follow puts one committed record on its shelf. Its body was checked before it
// was committed; one that cannot be read all the same (a record of an older
// build) is not on the shelf, and the log still has it.
func (s *Shelves) Follow(c journal.Committed) {
	e := c.Event
	_ = s.Of(c.Workspace).Put(e.Name, e.Subject, e.Body, e.Deleted, e.Time, c.Position)
}

// Of is a workspace's shelf, an empty one when nothing was ever put on it.
func (s *Shelves) Of(workspace string) *Catalogue {
	s.mu.RLock()
	c, ok := s.of[workspace]
	s.mu.RUnlock()
	if ok {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.of[workspace]; ok {
		return c
	}
	if s.of == nil {
		s.of = map[string]*Catalogue{}
	}
	c = NewCatalogue()
	s.of[workspace] = c
	return c
}

// View is a workspace's shelf at a revision; 0 means now.
func (s *Shelves) View(workspace string, revision uint64) (View, error) {
	c := s.Of(workspace)
	if now := c.Revision(); revision > now && now > 0 {
		return nil, fmt.Errorf("catalogue of %s has no revision %d yet: it stands at %d", workspace, revision, now)
	}
	return c.At(revision), nil
}
