package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rapport-cx/rapport/workspace"
)

// Shelf of models: what was learned is kept whole, under a number of its own that
// the decisions which used it name.
type Shelf interface {
	// SavePapers writes papers, all or none, replacing those of the same kind and id.
	SavePapers(ctx context.Context, workspace string, papers []workspace.Paper) error
	// Paper reads one; ok is false when there is none.
	Paper(ctx context.Context, workspace, kind, id string) (p workspace.Paper, ok bool, err error)
}

const (
	modelPaper  = "model." // and the model's name; its papers' ids are versions
	newestModel = "newest" // the paper that names the newest version
	keepModels  = 4        // old ones that stay in memory for replays
)

// note is what is told of a model beside it: which one it is, and what it rests on.
type note interface {
	Learned | Foreseen
	number() uint64
}

// kind is one kind of model: M is the model, N what is told of it.
type kind[M any, N note] struct {
	name string
	told string // under which a paper holds the note
	// read makes a model of its text. errFormat: a build made it that is not this one.
	read func(text []byte, version uint64) (*M, error)
	// version is what read was told.
	version func(*M) uint64
}

// errFormat says that a model's text is of another build.
var errFormat = errors.New("another build made it")

func (k *kind[M, N]) paper() string { return modelPaper + k.name }

func paperOf(version uint64) string { return fmt.Sprintf("%010d", version) }

// keeper holds a workspace's models of one kind: the one in use, and old ones that
// replays ask for.
type keeper[M any, N note] struct {
	current atomic.Pointer[M]
	mu      sync.Mutex
	old     []*M // the newest last
}

// of gives the version that a decision rested on; 0 is none. ErrGone: it is not kept,
// or cannot be read by this build.
func (s *keeper[M, N]) of(ctx context.Context, k *kind[M, N], shelf Shelf, workspace string, version uint64) (*M, error) {
	if version == 0 || shelf == nil {
		return nil, nil
	}
	if m := s.current.Load(); m != nil && k.version(m) == version {
		return m, nil
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.old, func(m *M) bool { return k.version(m) == version })
	if i >= 0 {
		defer s.mu.Unlock()
		return s.old[i], nil
	}
	s.mu.Unlock()
	_, text, ok, err := k.open(ctx, shelf, workspace, version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s model %d: %w", k.name, version, ErrGone)
	}
	m, err := k.read(text, version)
	switch {
	case errors.Is(err, errFormat):
		return nil, fmt.Errorf("%s model %d: %w: %w", k.name, version, err, ErrGone)
	case err != nil:
		return nil, fmt.Errorf("%s model %d: %w", k.name, version, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.old = append(s.old, m); len(s.old) > keepModels {
		s.old = s.old[1:]
	}
	return m, nil
}

// catchUp brings the newest model into use, which another process may have learned. One
// that this build cannot read is not used: the next to be learned takes its place.
func (s *keeper[M, N]) catchUp(ctx context.Context, k *kind[M, N], shelf Shelf, workspace string) error {
	if shelf == nil {
		return nil
	}
	newest, err := k.newest(ctx, shelf, workspace)
	if err != nil || newest.number() == 0 {
		return err
	}
	if m := s.current.Load(); m != nil && k.version(m) >= newest.number() {
		return nil
	}
	m, err := s.of(ctx, k, shelf, workspace, newest.number())
	if errors.Is(err, errFormat) {
		return nil
	}
	if err != nil {
		return err
	}
	s.current.Store(m)
	return nil
}

// newest reads which version is the newest; number 0: nothing was learned.
func (k *kind[M, N]) newest(ctx context.Context, shelf Shelf, workspace string) (n N, err error) {
	p, ok, err := shelf.Paper(ctx, workspace, k.paper(), newestModel)
	if err != nil || !ok {
		return n, err
	}
	if err := json.Unmarshal(p.Body, &n); err != nil {
		return n, fmt.Errorf("newest %s model: %w", k.name, err)
	}
	return n, nil
}

// open reads a version's paper.
func (k *kind[M, N]) open(ctx context.Context, shelf Shelf, workspace string, version uint64) (n N, text []byte, ok bool, err error) {
	p, ok, err := shelf.Paper(ctx, workspace, k.paper(), paperOf(version))
	if err != nil || !ok {
		return n, nil, ok, err
	}
	var body map[string]json.RawMessage
	if err = json.Unmarshal(p.Body, &body); err == nil {
		err = json.Unmarshal(body[k.told], &n)
	}
	if err != nil {
		return n, nil, false, fmt.Errorf("%s model %d: %w", k.name, version, err)
	}
	return n, body["model"], true, nil
}

// save keeps a model, and makes it the newest.
func (k *kind[M, N]) save(ctx context.Context, shelf Shelf, ws string, n N, text []byte) error {
	pointer, err := json.Marshal(n)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]json.RawMessage{k.told: pointer, "model": text})
	if err != nil {
		return err
	}
	return shelf.SavePapers(ctx, ws, []workspace.Paper{
		{Kind: k.paper(), ID: paperOf(n.number()), Body: body}, {Kind: k.paper(), ID: newestModel, Body: pointer},
	})
}

// exclusively runs a job that no other process on the same store runs meanwhile.
type exclusively = func(ctx context.Context, job string, do func(ctx context.Context) error) error

// learnKind runs the job that makes a new model of a kind, and brings into use what is
// newest then, whoever learned it.
func learnKind[M any, N note](ctx context.Context, e *Engine, t *tenant, k *kind[M, N], s *keeper[M, N], job string, alone exclusively, learn func(ctx context.Context, before N, now time.Time) (N, []byte, error)) (learned bool, err error) {
	err = alone(ctx, job+" "+t.ID, func(ctx context.Context) error {
		if t.current.Load() == nil {
			return nil
		}
		before, err := k.newest(ctx, e.Models, t.ID)
		if err != nil {
			return err
		}
		next, text, err := learn(ctx, before, e.now())
		if err != nil || text == nil {
			return err
		}
		learned = true
		return k.save(ctx, e.Models, t.ID, next, text)
	})
	if err != nil {
		return false, err
	}
	return learned, s.catchUp(ctx, k, e.Models, t.ID)
}
