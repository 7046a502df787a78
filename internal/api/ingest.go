package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/scene"
)

// Call is one call of the Segment specification, in camelCase or snake_case.
type Call struct {
	Type              string         `json:"type,omitempty" enum:"track,identify,page,screen,group,alias" doc:"In a batch only."`
	MessageID         string         `json:"messageId,omitempty" doc:"Makes the call count once, however often it is sent."`
	UserID            string         `json:"userId,omitempty" maxLength:"512"`
	AnonymousID       string         `json:"anonymousId,omitempty" maxLength:"512"`
	IdentityToken     string         `json:"identity_token,omitempty" doc:"Proves userId."`
	Event             string         `json:"event,omitempty" doc:"track: its name."`
	Name              string         `json:"name,omitempty" doc:"page, screen: its name."`
	Category          string         `json:"category,omitempty"`
	GroupID           string         `json:"groupId,omitempty"`
	PreviousID        string         `json:"previousId,omitempty"`
	Properties        map[string]any `json:"properties,omitempty"`
	Traits            map[string]any `json:"traits,omitempty"`
	Context           map[string]any `json:"context,omitempty"`
	Timestamp         *time.Time     `json:"timestamp,omitempty"`
	OriginalTimestamp *time.Time     `json:"originalTimestamp,omitempty"`
	SentAt            *time.Time     `json:"sentAt,omitempty" doc:"By the sender's clock; corrects the others."`
	WriteKey          string         `json:"writeKey,omitempty" doc:"For senders that cannot set a header."`
}

// Batch is several calls in one body.
type Batch struct {
	Batch         []Call         `json:"batch" maxItems:"2500"`
	Context       map[string]any `json:"context,omitempty" doc:"Merged under each call's own."`
	SentAt        *time.Time     `json:"sentAt,omitempty"`
	IdentityToken string         `json:"identity_token,omitempty"`
	WriteKey      string         `json:"writeKey,omitempty"`
}

// Accepted tells what became of the events: they are durable, applied and visible.
type Accepted struct {
	Accepted   int        `json:"accepted"`
	Duplicates int        `json:"duplicates"`
	Rejected   []Rejected `json:"rejected"`
}

// Rejected is one faulty event of a batch.
type Rejected struct {
	Index   int    `json:"index"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Pointer string `json:"pointer,omitempty"`
}

func (s *server) ingestRoutes() {
	for _, k := range []event.Kind{event.Track, event.Identify, event.Page, event.Screen, event.Group, event.Alias, event.Batch} {
		rt := route{
			method: "POST", path: "/v1/" + k.String(), tag: "Events", who: writeKey, summary: "Take in what happened: " + k.String() + ".",
			details: "As in the Segment specification; gzip or plain, whatever the content type. 200 means: on stable storage, applied once, visible to the very next decision.",
		}
		in := reflect.TypeFor[Call]()
		if k == event.Batch {
			in = reflect.TypeFor[Batch]()
		}
		s.document(rt, in, reflect.TypeFor[Accepted]())
		s.open["POST "+rt.path] = true
		s.mux.HandleFunc("POST "+rt.path, s.ingest(k))
	}
}

// events are decoded into slices that are used again: the store keeps none of them.
var eventSlices = sync.Pool{New: func() any { s := make([]event.Event, 0, 16); return &s }}

// ingest is the hot way in: one pass over the body, one commit, one short answer.
func (s *server) ingest(kind event.Kind) http.HandlerFunc {
	limit := event.MaxCall
	if kind == event.Batch {
		limit = event.MaxBatch
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var who caller
		var err error
		named := r.Header.Get("Authorization") != ""
		if named { // a wrong key is refused before its body is read
			who, err = s.authenticate(w, r, writeKey, "")
		}
		b := buffer()
		defer release(b)
		if err == nil {
			err = read(b, w, r, limit)
		}
		if err == nil && !named {
			who, err = s.authenticate(w, r, writeKey, event.WriteKey(b.Bytes()))
		}
		if err != nil {
			s.problem(w, r, err)
			return
		}
		if r.Header.Get("Idempotency-Key") != "" {
			c := &call{caller: who, s: s, w: w, r: r, raw: b.Bytes()}
			s.once(c, func(w http.ResponseWriter) error { return s.take(w, r, kind, who, b.Bytes()) })
			return
		}
		if err := s.take(w, r, kind, who, b.Bytes()); err != nil {
			s.problem(w, r, err)
		}
	}
}

func (s *server) take(w http.ResponseWriter, r *http.Request, kind event.Kind, who caller, body []byte) error {
	pooled := eventSlices.Get().(*[]event.Event)
	defer func() {
		clear(*pooled)
		*pooled = (*pooled)[:0]
		eventSlices.Put(pooled)
	}()
	events, faults, err := event.Decode((*pooled)[:0], kind, body, s.reader(who))
	if err != nil {
		var p *event.Problem
		if kind != event.Batch && errors.As(err, &p) && p.Code != event.TooLarge {
			s.buryCalls(r.Context(), who, body, []event.Fault{{Code: p.Code, Pointer: p.Pointer}}, kind)
		}
		return err
	}
	if len(faults) > 0 {
		s.buryCalls(r.Context(), who, body, faults, kind)
	}
	*pooled = events
	duplicates := 0
	if len(events) > 0 {
		receipt, err := s.Engine.Observe(r.Context(), who.workspace.ID, events)
		if err != nil {
			return unavailable(err)
		}
		for _, d := range receipt.Duplicates {
			if d {
				duplicates++
			}
		}
	}
	accepted := len(events) - duplicates
	s.meters.accepted.Add(float64(accepted))
	if duplicates > 0 {
		s.meters.duplicate.Add(float64(duplicates))
	}
	out := append(make([]byte, 0, 96), `{"accepted":`...)
	out = strconv.AppendInt(out, int64(accepted), 10)
	out = append(out, `,"duplicates":`...)
	out = strconv.AppendInt(out, int64(duplicates), 10)
	out = append(out, `,"rejected":[`...)
	var l scene.Locale
	if len(faults) > 0 {
		l = language(r)
	}
	for i, f := range faults {
		s.meters.rejected.WithLabelValues(string(f.Code)).Inc()
		if i > 0 {
			out = append(out, ',')
		}
		text, err := json.Marshal(Rejected{f.Index, string(f.Code), sentence(l, string(f.Code), []string{"expected", ""}), f.Pointer})
		if err != nil {
			return err
		}
		out = append(out, text...)
	}
	out = append(out, "]}\n"...)
	h := w.Header()
	h["Content-Type"] = jsonKind
	h.Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out)
	return nil
}

// reader is how bodies of a caller are read.
func (s *server) reader(who caller) event.In {
	return event.In{
		Workspace: who.workspace.ID, Received: s.Clock(), Verified: who.secret, Subject: who.subject, NewID: s.ids,
		Prove: func(token string) (string, error) { return prove(who.workspace, token, s.now) },
	}
}

// unavailable says that the store did not take it; sending again is safe.
func unavailable(err error) error {
	r := refusalOf(err)
	if r.status == http.StatusInternalServerError {
		return &refusal{status: http.StatusServiceUnavailable, code: "unavailable", cause: err}
	}
	return r
}
