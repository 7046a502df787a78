package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/internal/llm"
	"github.com/rapport-cx/rapport/strategy"
)

// settings are what a server can be told; none is needed.
type settings struct {
	Addr string `help:"Address to listen on; change it to serve other machines." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`

	LLM llmSettings `embed:"" prefix:"llm-" envprefix:"LLM_"`
}

// llmSettings say where a language model is; without a URL none is asked.
type llmSettings struct {
	URL     string `help:"Base URL of an OpenAI-compatible endpoint that may read unclear sentences and word ours; nothing is sent anywhere without one." placeholder:"URL"`
	Key     string `help:"Its key; better set as RAPPORT_LLM_KEY than on the command line." placeholder:"KEY"`
	Model   string `help:"Name of its chat model." placeholder:"NAME"`
	Embed   string `name:"embed-model" help:"Name of its model of embeddings, by which unclear words are compared with example sentences." placeholder:"NAME"`
	Wording bool   `help:"Let it word our sentences, marked as AI generated; switch it off when it may only read." default:"true" negatable:""`
}

// endpoint is what the house may ask, each nil when it may not; cache is where embeddings
// of known sentences are kept.
func (l llmSettings) endpoint(cache string) (reader engine.Reader, embedder engine.Embedder, err error) {
	if l.URL == "" {
		return nil, nil, nil
	}
	e, err := llm.New(llm.Options{URL: l.URL, Key: l.Key, ChatModel: l.Model, EmbedModel: l.Embed, Cache: cache, Wording: l.Wording})
	if err != nil {
		return nil, nil, err
	}
	if l.Model != "" {
		reader = e
	}
	if l.Embed != "" {
		embedder = e
	}
	return reader, embedder, nil
}

type serveCommand struct {
	settings `embed:""`
	Data     string   `help:"Data folder; change it to keep the data elsewhere." default:"rapport-data" type:"path" placeholder:"DIR"`
	Database string   `help:"PostgreSQL address, for several servers on one database, instead of the data folder." placeholder:"URL"`
	Demo     bool     `help:"Add the four demo workspaces with their seed data."`
	Packs    []string `help:"Packs of the first workspace, made on an empty folder." default:"base"`
}

func (s *serveCommand) Run(ctx context.Context, con *console) error {
	return (&server{settings: s.settings, dir: s.Data, database: s.Database, demo: s.Demo, packs: s.Packs, con: con}).run(ctx)
}

type demoCommand struct {
	Start demoStart `cmd:"" default:"withargs" help:"Start the demo (the default)."`
	Keys  demoKeys  `cmd:"" help:"Print the keys of a demo."`
}

type demoStart struct {
	settings `embed:""`
	Keep     string `help:"Use this folder and keep it, instead of a temporary one." type:"path" placeholder:"DIR"`
}

func (d *demoStart) Run(ctx context.Context, con *console) error {
	dir := d.Keep
	if dir == "" {
		temporary, err := os.MkdirTemp("", "rapport-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		dir = temporary
	}
	return (&server{settings: d.settings, dir: dir, demo: true, con: con}).run(ctx)
}

type demoKeys struct {
	Data string `help:"Data folder of the demo; default: the one started last." type:"path" placeholder:"DIR"`
}

func (d *demoKeys) Run(con *console) error {
	file, err := readDemo(d.Data)
	if err != nil {
		return err
	}
	if con.json {
		return con.print(file)
	}
	fmt.Fprintln(con.out, file.URL)
	for _, w := range file.Workspaces {
		fmt.Fprintf(con.out, "%-12s write %s  secret %s\n", w.ID, w.WriteKey, w.SecretKey)
	}
	return nil
}

// server is one running server: a house and a listener.
type server struct {
	settings
	dir      string
	database string // instead of dir, but for the demo's keys
	demo     bool
	packs    []string // of the first workspace
	con      *console
	// listening, when set, is told the address once requests are served (tests).
	listening func(url string)
}

// run serves until ctx ends, then finishes what is under way.
func (s *server) run(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	url := "http://" + reachable(listener.Addr().String())
	second, embedder, err := s.LLM.endpoint(filepath.Join(s.dir, "embeddings.cache"))
	if err != nil {
		listener.Close()
		return err
	}
	fresh := !s.demo && s.database == "" && !exists(filepath.Join(s.dir, "rapport.db"))
	usual := usualGC()
	if !fresh {
		debug.SetGCPercent(loadedGC)
	}
	compiled := s.compileAhead(ctx, fresh)
	h, err := openHouseOn(ctx, memory{dir: s.dir, database: s.database, reader: second, embedder: embedder}, url)
	if err != nil {
		listener.Close()
		return err
	}
	defer h.close()
	web := &http.Server{
		Handler:           h.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	work.Go(func() error {
		<-ctx.Done()
		finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return web.Shutdown(finish)
	})
	work.Go(func() error { h.tend(ctx); return nil })
	work.Go(func() error { h.learn(ctx); return nil })
	work.Go(func() error {
		<-compiled
		if err := h.alone(ctx, "first workspaces", func(ctx context.Context) error { return s.prepare(ctx, h, url) }); err != nil {
			return err
		}
		h.open.Store(true)
		work.Go(func() error { h.mend(ctx); return nil })
		work.Go(func() error { h.engine.Serve(ctx, h.alone); return nil })
		work.Go(func() error { h.engine.KeepLikeness(ctx, h.alone); return nil })
		s.greet(h, url)
		// Opening and compiling leave more garbage than the house keeps; a server
		// at rest would hold it until traffic comes.
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
		rest()
		if s.listening != nil {
			s.listening(url)
		}
		return nil
	})
	return work.Wait()
}

// compileAhead compiles the packs of an empty folder's first workspace while the
// store opens; the compiler remembers what it has compiled. The channel is closed
// when it is done.
func (s *server) compileAhead(ctx context.Context, fresh bool) <-chan struct{} {
	done := make(chan struct{})
	if !fresh {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		_, _, _ = compiler.Compile(ctx, strategy.Source{Packs: s.packs}) // faults are told when it is published
	}()
	return done
}

// prepare makes the first workspace of an empty folder, and the demo's.
func (s *server) prepare(ctx context.Context, h *house, url string) error {
	if err := h.engine.Refresh(ctx, ""); err != nil { // another server may have made them just now
		return err
	}
	if s.demo {
		return h.seedDemo(ctx, s.dir, url, s.con)
	}
	if len(h.engine.Workspaces()) > 0 {
		return nil
	}
	w, err := h.engine.AddWorkspace(ctx, newWorkspace("default", "Default"), s.packs)
	if err != nil {
		return err
	}
	s.con.say("made workspace %q; its keys are shown this once:", w.ID)
	s.con.say("  write key        %s", w.WriteKey)
	s.con.say("  secret key       %s", w.SecretKey)
	s.con.say("  identity secret  %s", w.IdentitySecret)
	return nil
}

func (s *server) greet(h *house, url string) {
	s.con.say("")
	s.con.say("Rapport is ready at %s", url)
	s.con.say("  console   %s/console/login?token=%s   (works once)", url, h.logins.Token(h.clock()))
	if s.demo {
		s.con.say("  demo      %s/demo/", url)
		s.con.say("  keys      rapport demo keys --json")
	}
	s.con.say("  API       %s/openapi.json", url)
	s.con.say("Stop with Ctrl-C.")
}

// reachable writes a wildcard listener's address as one that can be opened here.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// secret is 160 random bits with a prefix that says what it is.
func secret(prefix string) string {
	var b [20]byte
	rand.Read(b[:])
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
