package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/internal/api"
	pages "github.com/rapport-cx/rapport/internal/console"
	"github.com/rapport-cx/rapport/internal/ingest"
	"github.com/rapport-cx/rapport/internal/postgres"
	"github.com/rapport-cx/rapport/internal/sqlite"
	"github.com/rapport-cx/rapport/internal/webhook"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
	"github.com/rapport-cx/rapport/profile/topic"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/treatment"
	"github.com/rapport-cx/rapport/workspace"
)

// The stores are the engine's, by shape.
var (
	_ store = (*sqlite.Store)(nil)
	_ store = (*postgres.Store)(nil)
)

// store is a memory with everything that the house keeps in one.
type store interface {
	engine.Store
	ingest.Papers
}

// memory says where a house keeps what it knows: in a folder that is its alone, or in
// a database that it shares with other houses like it.
type memory struct {
	dir      string
	database string // address of a PostgreSQL; "": the folder
	// clock tells the time; nil: the machine's. Tests bring their own.
	clock func() time.Time
	// reader is a language model that may be asked; nil: none is.
	reader engine.Reader
	// embedder gives embeddings of unclear words; nil: nobody does.
	embedder engine.Embedder
}

// house is the product put together: memory, corridor, front door.
type house struct {
	store    store
	sources  *ingest.Hub
	alone    func(ctx context.Context, job string, do func(ctx context.Context) error) error // no other house does this job meanwhile
	engine   *engine.Engine
	handler  http.Handler
	logins   *api.Logins
	stories  *stories
	loopback *http.Client
	clock    func() time.Time
	open     atomic.Bool // its first workspaces are made and seeded
}

// compiler compiles the shipped packs for every workspace of the process; what two
// of them share is compiled once.
var compiler = &pack.Compiler{FS: packs.Files}

var errNotOpen = errors.New("the first workspaces are still being made")

// kept is what the house derives from the log and keeps in memory, each part by itself.
type kept struct {
	registry *profile.Registry
	cohorts  *candidate.Cohorts
	desk     *conversation.Desk
	switches *strategy.Switches
	rollouts *strategy.Rollouts
	acts     *strategy.Acts
	members  *workspace.Members
	watch    *ingest.Watch
	heat     *click.Heat
	topics   *topic.Topics
	box      *outbox.Box
	firings  *engine.Watch // of signals
	lookout  *engine.Lookout
}

func newKept() *kept {
	return &kept{
		registry: &profile.Registry{},
		cohorts:  candidate.NewCohorts(),
		desk:     conversation.NewDesk(),
		switches: &strategy.Switches{},
		rollouts: &strategy.Rollouts{},
		acts:     &strategy.Acts{},
		members:  &workspace.Members{},
		watch:    ingest.NewWatch(treatment.States()),
		heat:     &click.Heat{},
		topics:   &topic.Topics{},
		box:      outbox.NewBox(),
		firings:  engine.NewWatch(),
		lookout:  engine.NewLookout(),
	}
}

// all are the followers of the log, in the order in which they are told.
func (k *kept) all() []journal.Follower {
	return []journal.Follower{
		k.registry,
		k.cohorts,
		k.desk,
		k.switches,
		k.rollouts,
		k.acts,
		k.members,
		k.watch,
		k.heat,
		k.topics,
		k.box,
		k.firings,
		k.lookout,
	}
}

// openHouse puts the house together over a data folder; url is where it is reached.
func openHouse(ctx context.Context, dir, url string) (*house, error) {
	return openHouseOn(ctx, memory{dir: dir}, url)
}

// openHouseOn puts the house together over a folder or a database.
func openHouseOn(ctx context.Context, m memory, url string) (*house, error) {
	shelves, kept := &candidate.Shelves{}, newKept()
	store, alone, turn, err := openStore(ctx, m, shelves, kept.all())
	if err != nil {
		return nil, err
	}
	clock := m.clock
	if clock == nil {
		clock = time.Now
	}
	courier := webhook.New(store, clock)
	h := &house{store: store, alone: alone, clock: clock, logins: api.NewLogins(), loopback: &http.Client{Timeout: 5 * time.Minute}}
	h.engine, err = engine.Open(ctx, engine.Options{
		Store:    store,
		Models:   store,
		Compiler: compiler,
		Sources:  func(workspace string) []candidate.Source { return candidate.Sources(kept.cohorts.Of(workspace)) },
		Counts:   kept.cohorts.Opens,
		Desk:     kept.desk,
		Switches: kept.switches,
		Rollouts: kept.rollouts,
		Acts:     kept.acts,
		Turn:     turn,
		Box:      kept.box,
		Courier:  courier,
		Report:   func(err error) { slog.Error("work that nobody waits for failed", "error", err) },
		Watch:    kept.firings,
		Lookout:  kept.lookout,
		Reader:   m.reader,
		Embedder: m.embedder,
		Papers:   store,
		Clock:    clock,
		Build:    build(),
	})
	if err != nil {
		store.Close()
		return nil, err
	}
	h.sources = ingest.NewHub(store, &ingest.States{Watch: kept.watch, House: h.engine, Log: store, Owners: kept.registry, Now: h.clock})
	h.stories = &stories{clock: h.clock}
	var tell []prometheus.Collector
	if lite, ok := store.(*sqlite.Store); ok {
		tell = append(tell, figures{lite.Stats})
	}
	h.handler = h.front(api.New(api.Options{
		Engine: h.engine, Records: kept.registry, Sources: h.sources, Heat: kept.heat, Topics: kept.topics, Webhooks: courier, Members: kept.members, Clock: clock,
		Shelf:      func(workspace string) api.Shelf { return shelves.Of(workspace) },
		Ready:      h.ready,
		PackSchema: pack.Schema,
		Packs:      shippedPacks,
		Logins:     h.logins,
		Static:     pages.New(),
		Version:    version,
		Collectors: tell,
	}))
	return h, nil
}

// shippedPacks introduces the packs in the binary. They are read when first asked for:
// a start has no time for the rules of packs that it does not serve.
var shippedPacks = sync.OnceValue(func() []api.Pack {
	shipped, err := pack.List(packs.Files)
	if err != nil {
		panic(err) // the files are in the binary, and the tests read them
	}
	all := make([]api.Pack, len(shipped))
	for i, p := range shipped {
		all[i] = api.Pack(p)
	}
	return all
})

// inTurn does something while no house on the same memory does the same by its name.
type inTurn = func(ctx context.Context, name string, do func(ctx context.Context) error) error

// openStore opens the memory, and says how to do a job alone in it, and how to make
// changes one after the other; nil where no other house can be.
func openStore(ctx context.Context, m memory, shelves *candidate.Shelves, followers []journal.Follower) (s store, alone, turn inTurn, err error) {
	if m.database != "" {
		pg, err := postgres.Open(ctx, postgres.Options{URL: m.database, Shelf: shelves, Followers: followers})
		if err != nil {
			return nil, nil, nil, err
		}
		return pg, pg.Alone, pg.Turn, nil
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, nil, nil, err
	}
	lite, err := sqlite.Open(ctx, sqlite.Options{Dir: m.dir, Shelf: shelves, Followers: followers})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("data folder %s: %w", m.dir, err)
	}
	return lite, func(ctx context.Context, _ string, do func(ctx context.Context) error) error { return do(ctx) }, nil, nil
}

// front puts the demo's stories before the API. It compares one path instead of
// asking a second mux, which every event would pay for.
func (h *house) front(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/demo/stories.json" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			h.stories.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// ready is nil when everything can be answered.
func (h *house) ready() error {
	if !h.open.Load() {
		return errNotOpen
	}
	return h.engine.Ready()
}

// mend puts records again whose states become known, until ctx ends.
func (h *house) mend(ctx context.Context) {
	h.sources.Run(ctx, func() []string {
		var ids []string
		for _, w := range h.engine.Workspaces() {
			ids = append(ids, w.ID)
		}
		return ids
	})
}

func (h *house) close() error {
	h.engine.Watch.Stop()
	return h.store.Close()
}

// build names the code that decides: the version, and the revision it was built from.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return version + " " + s.Value
		}
	}
	return version
}

// tendEvery is how often the house looks at the clock: a scheduled version is in
// force, and a harmful canary taken back, about as soon.
const tendEvery = time.Second

// learn learns, now and then, from what came of the decisions, until ctx ends.
func (h *house) learn(ctx context.Context) {
	tick := time.NewTicker(engine.LearnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, w := range h.engine.Workspaces() {
			if _, err := h.engine.Learn(ctx, w.ID, h.alone); err != nil && ctx.Err() == nil {
				slog.Error("nothing could be learned", "error", err)
			}
			if _, err := h.engine.LearnNeeds(ctx, w.ID, h.alone); err != nil && ctx.Err() == nil {
				slog.Error("no needs could be learned", "error", err)
			}
		}
	}
}

// tend does what is due until ctx ends.
func (h *house) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !h.open.Load() {
			continue
		}
		if err := h.engine.Tend(ctx); err != nil && ctx.Err() == nil {
			slog.Error("what was due could not be done", "error", err)
		}
	}
}
