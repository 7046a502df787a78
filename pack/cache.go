package pack

import (
	"sync"

	"github.com/rapport-cx/rapport/scene"
)

type locale = scene.Locale

// Bounds of what a compiler remembers: versions by the files they were compiled
// from, for workspaces mostly run the shipped packs as they are, and classifiers
// (some megabytes each) by the sentences they were trained on, for most changes
// are to rules.
const (
	keptVersions = 32
	keptModels   = 8
)

// cache is safe for concurrent use. What is in it is immutable and shared.
type cache struct {
	mu       sync.Mutex
	versions kept[*compiled]
	byPacks  kept[*compiled] // the same, found without reading the files again
	models   kept[[]byte]
}

func (c *cache) find(digest string) (*compiled, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.versions.byKey[digest]
	return v, ok
}

// fixed finds the version of packs whose files cannot change, by their names.
func (c *cache) fixed(packs string) (*compiled, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.byPacks.byKey[packs]
	return v, ok
}

func (c *cache) keepFixed(packs string, v *compiled) {
	if packs == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byPacks.put(packs, v, keptVersions)
}

func (c *cache) keep(digest string, v *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.versions.put(digest, v, keptVersions)
}

func (c *cache) model(sentences string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.models.byKey[sentences]
}

func (c *cache) keepModel(sentences string, model []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.models.put(sentences, model, keptModels)
}

// kept forgets what was put first when it is full.
type kept[T any] struct {
	byKey map[string]T
	order []string
}

func (k *kept[T]) put(key string, v T, most int) {
	if k.byKey == nil {
		k.byKey = map[string]T{}
	}
	if _, ok := k.byKey[key]; !ok {
		k.order = append(k.order, key)
	}
	k.byKey[key] = v
	if len(k.order) > most {
		delete(k.byKey, k.order[0])
		k.order = k.order[1:]
	}
}
