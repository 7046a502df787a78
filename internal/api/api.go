// Package api is the house's front door for programs: the HTTP edge before step 1
// and after step 7. It says who is asking and what they may do, reads what they
// send strictly, hands values to engine, and puts what comes back into JSON. What
// the house knows or decides is not here.
//
// [New] gives one http.Handler for everything under one address. The outer
// contract it keeps: names and meanings in answers only grow; every refusal is an
// RFC 9457 problem document with a stable code and a sentence in the caller's
// language; a workspace sees nothing of another; the write key, which is public,
// never reads anyone's record but that of who has proven themselves.
package api

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/ingest"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/workspace"
)

// Options are the parts of the edge. Only Engine must be given.
type Options struct {
	Engine Engine
	// Shelf is a workspace's catalogue, for reading records back as they were put.
	Shelf func(workspace string) Shelf
	// Records finds whose a business record is; nil: they are read only with ?person=.
	Records Registry
	// Sources keeps where events and records come from, their dead letters and status
	// dictionaries; nil: those routes are not there.
	Sources *ingest.Hub
	// Heat counts the clicks of pages; nil: there is no heat map.
	Heat Heat
	// Topics gathers what is said in public; nil: there are no topics.
	Topics Topics
	// Webhooks keeps where messages that nobody asked for are sent; nil: no such routes.
	Webhooks Webhooks
	// Members are who works on the workspaces with a key of their own; nil: the first
	// secret key of each is the only one.
	Members *workspace.Members
	// Ready says why the server is not ready yet, nil when it is; nil asks the engine.
	Ready func() error
	// Packs lists the packs a strategy can be made of.
	Packs func() []Pack
	// PackSchema is the JSON Schema of a file of a pack.
	PackSchema func() map[string]any
	// Logins are the console's one-time links; nil: no console sessions.
	Logins *Logins
	// Static serves /console/, /demo/ and /widget.js; nil: they are not there.
	Static http.Handler
	// Clock tells the time; nil: the machine's.
	Clock func() time.Time
	// Random gives 16 unguessable bytes for ids; nil: the machine's.
	Random func() [16]byte
	// Logger takes what the operator must know; nil: slog's default.
	Logger *slog.Logger
	// Collectors are what else the operator's Prometheus reads at /metrics.
	Collectors []prometheus.Collector
	// Version is the build's, as the API document and /healthz name it.
	Version string
}

type server struct {
	Options
	mux     *http.ServeMux
	keys    atomic.Pointer[keyring]
	meters  *meters
	answers *firstAnswers
	book    *book
	open    map[string]bool                // patterns that answer any web origin
	bodies  map[string]func() *huma.Schema // of business records, by kind
	ids     func() event.ID
}

// New makes the handler for everything.
func New(o Options) http.Handler {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		o.Random = func() (b [16]byte) { _, _ = rand.Read(b[:]); return b }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Ready == nil {
		o.Ready = o.Engine.Ready
	}
	s := &server{
		Options: o, mux: http.NewServeMux(), meters: newMeters(o.Collectors),
		answers: newFirstAnswers(o.Clock), book: newBook(o.Version), open: map[string]bool{}, bodies: map[string]func() *huma.Schema{},
	}
	s.ids = func() event.ID { return event.ID(s.Random()) }
	s.ingestRoutes()
	s.importRoute()
	s.sourceRoutes()
	s.recordRoutes()
	s.decisionRoutes()
	s.conversationRoutes()
	s.webhookRoutes()
	s.firingRoutes()
	s.peopleRoutes()
	s.heatRoute()
	s.topicRoutes()
	s.refRoutes()
	s.strategyRoutes()
	s.teachingRoutes()
	s.recipeRoutes()
	s.actionRoutes()
	s.approvalRoutes()
	s.calendarRoutes()
	s.workspaceRoutes()
	s.memberRoutes()
	s.settingsRoutes()
	s.houseRoutes()
	s.documentRoute()
	s.mux.HandleFunc("/", s.elsewhere)
	return http.HandlerFunc(s.serve)
}

// Header values that never change are shared by all answers; nothing appends to them.
var (
	noSniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
	jsonKind = []string{"application/json"}
)

// serve is what every request passes: counting, headers, and the last refuge of a
// handler that fails.
func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	t := &tally{ResponseWriter: w, status: http.StatusOK}
	begun := time.Now() // wall time for the operator's histogram; no decision rests on it
	h := t.Header()
	h["X-Content-Type-Options"] = noSniff
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		h["Cache-Control"] = noStore // what is said of people rests in no cache
	}
	if r.Header.Get("Origin") != "" {
		// Until a key says otherwise any page may read the refusal.
		if _, pattern := s.mux.Handler(r); s.open[pattern] {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "Retry-After, Idempotent-Replayed, Content-Language")
		}
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			if !t.wrote {
				s.problem(t, r, refuse(http.StatusInternalServerError, "internal"))
			}
		}
		s.meters.request(r, t.status, time.Since(begun))
	}()
	s.mux.ServeHTTP(t, r)
}

// elsewhere answers what no route does: preflights, wrong methods, unknown paths.
func (s *server) elsewhere(w http.ResponseWriter, r *http.Request) {
	if s.Static != nil && (strings.HasPrefix(r.URL.Path, "/console/") || r.URL.Path == "/console" || strings.HasPrefix(r.URL.Path, "/demo/") || r.URL.Path == "/demo" || r.URL.Path == "/widget.js") {
		s.Static.ServeHTTP(w, r)
		return
	}
	var allow []string
	anyOrigin := false
	for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			allow = append(allow, m)
			anyOrigin = anyOrigin || s.open[pattern]
		}
	}
	switch {
	case len(allow) == 0:
		s.problem(w, r, refuse(http.StatusNotFound, "not_found"))
	case r.Method == http.MethodOptions:
		h := w.Header()
		h.Set("Allow", strings.Join(allow, ", "))
		if anyOrigin {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Allow-Methods", strings.Join(allow, ", "))
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding, Accept-Language, Idempotency-Key, X-Identity-Token, X-Anonymous-Id, Last-Event-ID")
			h.Set("Access-Control-Max-Age", "86400")
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.problem(w, r, refuse(http.StatusMethodNotAllowed, "method_not_allowed"))
	}
}

// problem answers with a problem document and, when it is our fault, tells the operator.
func (s *server) problem(w http.ResponseWriter, r *http.Request, err error) {
	ref := refusalOf(err)
	l := language(r)
	p := ref.in(l)
	if ref.status >= 500 {
		id := s.Random()
		p.RequestID = "req_" + event.ID(id).String()[4:]
		s.Logger.Error("request refused", "request_id", p.RequestID, "method", r.Method, "path", r.URL.Path, "code", ref.code, "error", ref.Error())
		if ref.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
	}
	if ref.status == http.StatusUnauthorized {
		// No Basic challenge: it would make a browser ask its user for a password.
		w.Header().Set("WWW-Authenticate", `Bearer realm="rapport"`)
	}
	h := w.Header()
	h.Set("Content-Language", string(l))
	h.Add("Vary", "Accept-Language")
	writeAs(w, ref.status, "application/problem+json", p)
}

func (s *server) now() time.Time { return s.Clock().UTC().Truncate(time.Millisecond) }

// localeOf is the language of a caller's answer, scene's default when none is named.
func localeOf(r *http.Request) scene.Locale {
	l, _ := accepted(r)
	return l
}

// tally remembers what was answered.
type tally struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (t *tally) WriteHeader(status int) {
	if !t.wrote {
		t.status, t.wrote = status, true
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tally) Write(b []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach Flush and deadlines.
func (t *tally) Unwrap() http.ResponseWriter { return t.ResponseWriter }
