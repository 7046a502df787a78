package api

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rapport-cx/rapport/scene"
)

// meters are what the operator's Prometheus reads.
type meters struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	events    *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	decisions *prometheus.CounterVec
	degraded  *prometheus.CounterVec

	accepted, duplicate prometheus.Counter
	routes              sync.Map // routeStatus → *routeMeter, so that no label is looked up twice
}

type routeStatus struct {
	route  string
	status int
}

type routeMeter struct {
	count   prometheus.Counter
	seconds prometheus.Observer
}

func newMeters(more []prometheus.Collector) *meters {
	m := &meters{
		registry:  prometheus.NewRegistry(),
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rapport_http_requests_total", Help: "Requests by route and status."}, []string{"route", "status"}),
		seconds:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rapport_http_request_seconds", Help: "Time to answer by route.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"route"}),
		events:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rapport_events_total", Help: "Events and records by what became of them: accepted, duplicate."}, []string{"outcome"}),
		rejected:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rapport_events_rejected_total", Help: "Faulty events of batches and imports by reason."}, []string{"reason"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rapport_decisions_total", Help: "Decisions answered, by whether they were made for a known person."}, []string{"personalized"}),
		degraded:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rapport_sources_degraded_total", Help: "Answers made without a source, by source and reason."}, []string{"source", "reason"}),
	}
	m.accepted, m.duplicate = m.events.WithLabelValues("accepted"), m.events.WithLabelValues("duplicate")
	m.registry.MustRegister(m.requests, m.seconds, m.events, m.rejected, m.decisions, m.degraded, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(more...)
	return m
}

func (m *meters) request(r *http.Request, status int, took time.Duration) {
	route := r.Pattern
	if route == "" || route == "/" {
		route = "other"
	}
	at := routeStatus{route, status}
	meter, ok := m.routes.Load(at)
	if !ok { // as many as there are routes and statuses
		meter, _ = m.routes.LoadOrStore(at, &routeMeter{m.requests.WithLabelValues(route, strconv.Itoa(status)), m.seconds.WithLabelValues(route)})
	}
	meter.(*routeMeter).count.Inc()
	meter.(*routeMeter).seconds.Observe(took.Seconds())
}

// Health says that the process answers, and which build it is.
type Health struct {
	Status  string `json:"status" enum:"alive,ready"`
	Version string `json:"version,omitempty"`
}

func (s *server) houseRoutes() {
	add(s, route{method: "GET", path: "/healthz", tag: "House", summary: "Is the process alive?"}, func(c *call, _ *none) (Health, error) {
		return Health{Status: "alive", Version: s.Version}, nil
	})
	add(s, route{method: "GET", path: "/readyz", tag: "House", summary: "Can it answer?"}, func(c *call, _ *none) (Health, error) {
		if err := s.Ready(); err != nil {
			return Health{}, &refusal{status: http.StatusServiceUnavailable, code: "not_ready", detail: err.Error(), cause: err}
		}
		return Health{Status: "ready", Version: s.Version}, nil
	})
	s.mux.Handle("GET /metrics", promhttp.HandlerFor(s.meters.registry, promhttp.HandlerOpts{}))
	s.mux.HandleFunc("GET /problems", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = problemsPage.Execute(w, everyProblem())
	})
	s.consoleRoutes()
}

type explained struct{ Code, Chinese, English string }

// everyProblem lists all codes with their sentences.
func everyProblem() []explained {
	var all []explained
	for code, english := range messages[scene.English] {
		if strings.HasPrefix(code, "expected.") || code == "change" || strings.HasPrefix(code, "change.") || code == "at_byte" || code == "approver_nobody" || code == "member_first" {
			continue
		}
		all = append(all, explained{code, messages[scene.Chinese][code], english})
	}
	slices.SortFunc(all, func(a, b explained) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return all
}

var problemsPage = template.Must(template.New("problems").Parse(`<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Rapport</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}dt{font-family:ui-monospace,monospace;margin-top:1rem}dd{margin:0}</style>
<dl>{{range .}}<dt id="{{.Code}}">{{.Code}}</dt><dd lang="zh-CN">{{.Chinese}}</dd><dd lang="en">{{.English}}</dd>{{end}}</dl>`))
