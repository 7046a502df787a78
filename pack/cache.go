package pack

import (
	"sync"

	"github.com/rapport-cx/rapport/scene"
)

type locale = scene.Locale

// cached bounds how many compiled versions are remembered by what they were
// compiled from: workspaces mostly run the shipped packs as they are.
const cached = 32

// cache finds a version compiled from the same files. Versions are immutable, so
// workspaces share one.
type cache struct {
	mu    sync.Mutex
	byKey map[string]*compiled
	order []string
}

func (c *cache) find(digest string) (*compiled, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.byKey[digest]
	return v, ok
}

func (c *cache) keep(digest string, v *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]*compiled{}
	}
	if _, ok := c.byKey[digest]; !ok {
		c.order = append(c.order, digest)
	}
	c.byKey[digest] = v
	if len(c.order) > cached {
		delete(c.byKey, c.order[0])
		c.order = c.order[1:]
	}
}
