package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/ingest"
	"github.com/rapport-cx/rapport/scene"
)

// SourceDefinition is what a source is put with.
type SourceDefinition struct {
	Title     string            `json:"title,omitempty" maxLength:"200"`
	Format    string            `json:"format,omitempty" enum:"json,form,text" doc:"What a delivery is; json when missing."`
	Map       string            `json:"map,omitempty" doc:"jq: makes records of an import (objects with \"record\") or calls (with \"type\") of one delivery. It sees $headers, $at and $source. Without one a delivery is a record itself."`
	Signature *ingest.Signature `json:"signature,omitempty" doc:"How a delivery proves its sender. Without one it needs the secret key."`
	Paused    bool              `json:"paused,omitempty" doc:"Deliveries are refused with 503, which senders try again."`
}

// Source is a place that events and records come from, and how it is doing.
type Source struct {
	Name      string            `json:"name"`
	Own       bool              `json:"own" doc:"One of the house's own, which are there without saying: segment, import, records."`
	Title     string            `json:"title,omitempty"`
	Format    string            `json:"format,omitempty"`
	Map       string            `json:"map,omitempty"`
	Signature *ingest.Signature `json:"signature,omitempty" doc:"Less its secret."`
	Paused    bool              `json:"paused"`
	UpdatedAt *time.Time        `json:"updated_at,omitempty"`
	Path      string            `json:"path,omitempty" doc:"Where its deliveries are sent."`
	Status    SourceStatus      `json:"status"`
}

// SourceStatus is how a source is doing. What was taken is counted from the log.
type SourceStatus struct {
	State           string       `json:"state" enum:"waiting,ok,failing,paused" doc:"failing: the last delivery had faults."`
	Accepted        uint64       `json:"accepted" doc:"Events and records of it in the log."`
	Rate            float64      `json:"rate" doc:"A second, over the last minute."`
	LastReceivedAt  *time.Time   `json:"last_received_at"`
	NewestEventAt   *time.Time   `json:"newest_event_at"`
	LagSeconds      *float64     `json:"lag_seconds" doc:"How long what came last was on its way: between happening and arriving."`
	DeadLetters     int          `json:"dead_letters"`
	DeadLetterBytes int64        `json:"dead_letter_bytes"`
	Untranslated    int          `json:"untranslated" doc:"Records whose state nobody has translated yet."`
	LastError       *SourceError `json:"last_error"`
}

// SourceError is the newest fault of a source.
type SourceError struct {
	At      time.Time `json:"at"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Line    int       `json:"line,omitempty"`
	Column  int       `json:"column,omitempty"`
	Pointer string    `json:"pointer,omitempty"`
}

// DeadLetter is something that came and could not be taken.
type DeadLetter struct {
	ID          string     `json:"id"`
	At          time.Time  `json:"at"`
	Form        string     `json:"form" enum:"foreign,line,call" doc:"For the mapping, or a line of an import, or a call."`
	Code        string     `json:"code"`
	Message     string     `json:"message"`
	Line        int        `json:"line,omitempty"`
	Column      int        `json:"column,omitempty"`
	Pointer     string     `json:"pointer,omitempty"`
	Faults      int        `json:"faults" doc:"How many there were; the first is told."`
	Body        string     `json:"body" doc:"As it came; bytes that are no UTF-8 are shown as U+FFFD."`
	Attempts    int        `json:"attempts"`
	AttemptedAt *time.Time `json:"attempted_at,omitempty"`
}

// Playing says which dead letters are played again.
type Playing struct {
	IDs []string `json:"ids,omitempty" maxItems:"1000" doc:"All of the source when missing."`
}

// Played is what became of them.
type Played struct {
	Played     int `json:"played"`
	Taken      int `json:"taken" doc:"Letters that are settled and gone."`
	Left       int `json:"left" doc:"Letters that have faults still; they stay."`
	Accepted   int `json:"accepted" doc:"Events and records that came of them."`
	Duplicates int `json:"duplicates"`
}

// Delivered is what became of one delivery.
type Delivered struct {
	Accepted   int            `json:"accepted"`
	Duplicates int            `json:"duplicates"`
	Rejected   []RejectedLine `json:"rejected" doc:"Faulty records, line being their place among what the mapping made. The delivery is kept among the dead letters."`
}

// Trial is a delivery that is mapped and not taken.
type Trial struct {
	Body       string            `json:"body" doc:"As it would come."`
	Headers    map[string]string `json:"headers,omitempty"`
	Definition *SourceDefinition `json:"definition,omitempty" doc:"Tried instead of the source's own."`
}

// Tried is what would come of it.
type Tried struct {
	Records []json.RawMessage `json:"records"`
	Faults  []RejectedLine    `json:"faults"`
}

func (s *server) sourceRoutes() {
	if s.Sources == nil {
		return
	}
	add(s, route{method: "GET", path: "/v1/sources", tag: "Sources", who: secretKey, summary: "Where events and records come from, and how each source is doing."}, func(c *call, _ *none) (Page[Source], error) {
		all, err := s.Sources.Sources(c.context(), c.workspace.ID)
		if err != nil {
			return Page[Source]{}, unavailable(err)
		}
		out := Page[Source]{Items: []Source{}}
		for _, d := range all {
			shown, err := s.source(c, d)
			if err != nil {
				return out, err
			}
			out.Items = append(out.Items, shown)
		}
		return out, nil
	})
	add(s, route{method: "GET", path: "/v1/sources/{name}", tag: "Sources", who: secretKey, summary: "One source and how it is doing."}, func(c *call, _ *none) (Source, error) {
		d, err := s.declared(c)
		if err != nil {
			return Source{}, err
		}
		return s.source(c, d)
	})
	add(s, route{
		method: "PUT", path: "/v1/sources/{name}", tag: "Sources", who: secretKey, summary: "Declare a source: how its deliveries are proven and what is made of them.",
		details: "Faults of the mapping are told with line and column. The path of its deliveries stands in the answer.",
	}, func(c *call, in *SourceDefinition) (Source, error) {
		d := definitionOf(c.r.PathValue("name"), in)
		d.UpdatedAt = s.now()
		d, err := s.Sources.Declare(c.context(), c.workspace.ID, d)
		if err != nil {
			return Source{}, definitionRefused(err)
		}
		return s.source(c, d)
	})
	add(s, route{method: "DELETE", path: "/v1/sources/{name}", tag: "Sources", who: secretKey, status: http.StatusNoContent, summary: "Forget a source and its dead letters; what it sent stays."}, func(c *call, _ *none) (none, error) {
		d, err := s.declared(c)
		if err != nil {
			return none{}, err
		}
		if slices.Contains(ingest.Own, d.Name) {
			return none{}, faulty("/name", "source_own")
		}
		if err := s.Sources.Remove(c.context(), c.workspace.ID, d.Name); err != nil {
			return none{}, unavailable(err)
		}
		c.w.WriteHeader(http.StatusNoContent)
		return none{}, errAnswered
	})
	add(s, route{method: "POST", path: "/v1/sources/{name}/try", tag: "Sources", who: secretKey, limit: 2 << 20, summary: "Map a delivery without taking it."}, func(c *call, in *Trial) (Tried, error) {
		return s.try(c, in)
	})
	add(s, route{method: "GET", path: "/v1/sources/{name}/dead-letters", tag: "Sources", who: secretKey, query: pageQuery, summary: "What came and could not be taken, the oldest first."}, s.deadLetters)
	add(s, route{method: "DELETE", path: "/v1/sources/{name}/dead-letters/{id}", tag: "Sources", who: secretKey, status: http.StatusNoContent, summary: "Throw a dead letter away."}, func(c *call, _ *none) (none, error) {
		d, err := s.declared(c)
		if err != nil {
			return none{}, err
		}
		id := c.r.PathValue("id")
		if _, ok, err := s.Sources.Letter(c.context(), c.workspace.ID, d.Name, id); err != nil {
			return none{}, unavailable(err)
		} else if !ok {
			return none{}, refuse(http.StatusNotFound, "not_found")
		}
		if err := s.Sources.Settle(c.context(), c.workspace.ID, d.Name, []string{id}, nil); err != nil {
			return none{}, unavailable(err)
		}
		c.w.WriteHeader(http.StatusNoContent)
		return none{}, errAnswered
	})
	add(s, route{
		method: "POST", path: "/v1/sources/{name}/dead-letters/replay", tag: "Sources", who: secretKey, optional: true, summary: "Play dead letters again, after the mapping is mended.",
		details: "Each is mapped anew and taken once: what had been taken of it before is known. A letter that has faults still stays, with its newest fault.",
	}, func(c *call, in *Playing) (Played, error) { return s.play(c, in) })
	s.stateRoutes()
	s.hookRoute()
}

func definitionOf(name string, in *SourceDefinition) ingest.Definition {
	d := ingest.Definition{Name: name, Title: in.Title, Format: in.Format, Map: in.Map, Paused: in.Paused}
	if in.Signature != nil {
		copied := *in.Signature
		d.Signature = &copied
	}
	return d
}

// definitionRefused tells every fault of a definition.
func definitionRefused(err error) error {
	var faults ingest.Faults
	if !errors.As(err, &faults) {
		return unavailable(err)
	}
	r := &refusal{status: http.StatusBadRequest, code: "body_faulty", cause: err}
	for _, f := range faults {
		r.faults = append(r.faults, flawOfFault(f))
	}
	return r
}

func flawOfFault(f *ingest.Fault) flaw {
	return flaw{pointer: f.Pointer, code: f.Code, said: &candidate.Text{Zh: f.In(scene.Chinese), En: f.In(scene.English)}, line: f.Line, column: f.Column}
}

// declared finds the source a path names.
func (s *server) declared(c *call) (ingest.Definition, error) {
	d, ok, err := s.Sources.Source(c.context(), c.workspace.ID, c.r.PathValue("name"))
	if err != nil {
		return d, unavailable(err)
	}
	if !ok {
		return d, refuse(http.StatusNotFound, "not_found")
	}
	return d, nil
}

func (s *server) source(c *call, d ingest.Definition) (Source, error) {
	out := Source{Name: d.Name, Own: slices.Contains(ingest.Own, d.Name), Title: d.Title, Format: d.Format, Map: d.Map, Paused: d.Paused}
	if !out.Own {
		out.Path = "/v1/hooks/" + url.PathEscape(c.workspace.ID) + "/" + url.PathEscape(d.Name)
		out.UpdatedAt = &d.UpdatedAt
	}
	if d.Signature != nil {
		shown := *d.Signature
		shown.Secret = ""
		out.Signature = &shown
	}
	st, err := s.Sources.Status(c.context(), c.workspace.ID, d, s.now())
	if err != nil {
		return out, unavailable(err)
	}
	out.Status = SourceStatus{State: st.State, Accepted: st.Accepted, Rate: st.Rate, DeadLetters: st.Letters, DeadLetterBytes: st.LetterBytes}
	if !st.LastReceived.IsZero() {
		lag := st.Lag.Seconds()
		out.Status.LastReceivedAt, out.Status.NewestEventAt, out.Status.LagSeconds = &st.LastReceived, &st.Newest, &lag
	}
	if f := st.Fault; f != nil {
		out.Status.LastError = &SourceError{st.FailedAt, f.Code, f.In(language(c.r)), f.Line, f.Column, f.Pointer}
	}
	for _, u := range s.Sources.Watch.Untranslated(c.workspace.ID) {
		if u.Source == d.Name {
			out.Status.Untranslated += u.Count
		}
	}
	return out, nil
}

func (s *server) deadLetters(c *call, _ *none) (Page[DeadLetter], error) {
	none := Page[DeadLetter]{}
	d, err := s.declared(c)
	if err != nil {
		return none, err
	}
	limit, after, err := page(c.r)
	if err != nil {
		return none, err
	}
	all, err := s.Sources.Letters(c.context(), c.workspace.ID, d.Name, after, limit+1)
	if err != nil {
		return none, unavailable(err)
	}
	l := language(c.r)
	p := paged(all, limit, func(l ingest.Letter) string { return l.ID })
	out := Page[DeadLetter]{Items: make([]DeadLetter, len(p.Items)), NextCursor: p.NextCursor}
	for i, x := range p.Items {
		out.Items[i] = DeadLetter{
			ID: x.ID, At: x.At, Form: x.Form, Code: x.Code, Message: x.Said[string(l)], Line: x.Place.Line, Column: x.Place.Column, Pointer: x.Place.Pointer,
			Faults: x.Faults, Body: strings.ToValidUTF8(string(x.Raw), "\uFFFD"), Attempts: x.Attempts,
		}
		if !x.Attempted.IsZero() {
			out.Items[i].AttemptedAt = &x.Attempted
		}
	}
	return out, nil
}

// try maps a delivery and reads what comes of it, and takes nothing.
func (s *server) try(c *call, in *Trial) (Tried, error) {
	out := Tried{Records: []json.RawMessage{}, Faults: []RejectedLine{}}
	name := c.r.PathValue("name")
	d := ingest.Definition{Name: name}
	if in.Definition != nil {
		d = definitionOf(name, in.Definition)
		d.Signature = nil
		if _, err := d.Check(); err != nil {
			return out, definitionRefused(err)
		}
	} else {
		var err error
		if d, err = s.declared(c); err != nil {
			return out, err
		}
	}
	im := s.importer(c, d)
	headers := map[string]string{}
	for name, value := range in.Headers {
		headers[strings.ToLower(name)] = value
	}
	lines := im.foreign([]byte(in.Body), headers, s.now())
	for _, line := range lines {
		out.Records = append(out.Records, line)
	}
	out.Faults = append(out.Faults, im.Rejected...)
	return out, nil
}

// importer takes records on behalf of a source.
func (s *server) importer(c *call, d ingest.Definition) *importing {
	im := &importing{call: *c, from: d}
	im.Rejected = []RejectedLine{}
	return im
}

// foreign maps one delivery, reads each record of it, and gives the records. What is
// faulty is in Rejected and makes a letter; what is good is in events.
func (im *importing) foreign(body []byte, headers map[string]string, at time.Time) (records [][]byte) {
	seed := ingest.Seed(im.from.Name, body)
	in, err := ingest.Delivery(im.from.Format, body).Read(im.r.Context())
	if err != nil {
		im.reject(err)
		return nil
	}
	mapping, err := im.s.Sources.Mapping(im.from)
	if err != nil {
		im.reject(err)
		return nil
	}
	vars := ingest.Vars{At: at.Format(time.RFC3339Nano), Source: im.from.Name, Headers: headers}
	lines, err := mapping.Apply(im.r.Context(), in.Value, vars)
	if err != nil {
		im.reject(err)
		return nil
	}
	for i, line := range lines {
		im.Lines = i + 1
		line = ingest.WithDefaults(line, seed, i, at)
		records = append(records, line)
		if err := im.take(line); err != nil {
			im.reject(err)
		}
	}
	return records
}

// letter is the dead letter of what was rejected since from, nil when nothing was.
func (im *importing) letter(form string, raw []byte, headers map[string]string, at time.Time, from int) *ingest.Letter {
	if im.RejectedCount == from || im.first == nil {
		return nil
	}
	l := *im.first
	im.first = nil
	l.At, l.Form, l.Raw, l.Headers, l.Faults, l.Verified = at, form, bytes.Clone(raw), headers, im.RejectedCount-from, im.secret
	return &l
}

// hookRoute takes deliveries: the signature is the key.
func (s *server) hookRoute() {
	rt := route{
		method: "POST", path: "/v1/hooks/{workspace}/{name}", tag: "Sources", who: anyone, summary: "Deliver to a source.",
		details: "The delivery proves itself by the source's signature, or comes with the workspace's secret key. It is mapped, and what it says is durable, applied and visible when 200 is answered. What could not be taken is kept among the dead letters, and 200 says so: sending it again would not help. At most 1 MB, gzip or plain.",
	}
	s.document(rt, nil, reflect.TypeFor[Delivered]())
	s.mux.HandleFunc("POST "+rt.path, func(w http.ResponseWriter, r *http.Request) {
		if err := s.deliver(w, r); err != nil {
			s.problem(w, r, err)
		}
	})
}

func (s *server) deliver(w http.ResponseWriter, r *http.Request) error {
	b := buffer()
	defer release(b)
	who, d, err := s.sender(w, r)
	if err != nil {
		return err
	}
	if err := read(b, w, r, ingest.LongestInput); err != nil {
		return err
	}
	now := s.now()
	if d.Signature != nil && !who.secret {
		if !d.Signature.Verify(r.Header, b.Bytes(), now) {
			s.Sources.Came(who.workspace.ID, d.Name, now, s.faultOf(refuse(http.StatusUnauthorized, "signature_wrong")))
			return refuse(http.StatusUnauthorized, "signature_wrong")
		}
	}
	if d.Paused {
		w.Header().Set("Retry-After", "60")
		return refuse(http.StatusServiceUnavailable, "source_paused")
	}
	who.secret = true // vouched for by the signature
	c := &call{caller: who, s: s, w: w, r: r, locale: localeOf(r), status: http.StatusOK}
	im := s.importer(c, d)
	headers := ingest.HeadersOf(r.Header)
	im.foreign(b.Bytes(), headers, now)
	if err := im.commit(); err != nil {
		return err
	}
	if l := im.letter(ingest.Foreign, b.Bytes(), headers, now, 0); l != nil {
		if err := s.bury(c.context(), who.workspace.ID, d.Name, []ingest.Letter{*l}); err != nil {
			return unavailable(err)
		}
	} else {
		s.Sources.Came(who.workspace.ID, d.Name, now, nil)
	}
	write(w, http.StatusOK, Delivered{im.Accepted, im.Duplicates, im.Rejected})
	return nil
}

// sender finds whose source a delivery is for. Nobody learns here which workspaces
// and sources there are: an unknown one is refused as a wrong signature is.
func (s *server) sender(w http.ResponseWriter, r *http.Request) (who caller, d ingest.Definition, err error) {
	id, source := r.PathValue("workspace"), r.PathValue("name")
	wrong := refuse(http.StatusUnauthorized, "signature_wrong")
	signedOnly := r.Header.Get("Authorization") == ""
	if signedOnly {
		all := s.Engine.Workspaces()
		i := slices.IndexFunc(all, func(w engine.Workspace) bool { return w.ID == id })
		if i < 0 {
			return who, d, wrong
		}
		who = caller{workspace: all[i]}
	} else if who, err = s.authenticate(w, r, secretKey, ""); err != nil {
		return who, d, err
	} else if who.workspace.ID != id {
		return who, d, refuse(http.StatusNotFound, "not_found")
	}
	d, ok, err := s.Sources.Source(r.Context(), id, source)
	switch {
	case err != nil:
		return who, d, unavailable(err)
	case !ok || slices.Contains(ingest.Own, d.Name):
		if signedOnly {
			return who, d, wrong
		}
		return who, d, refuse(http.StatusNotFound, "not_found")
	case signedOnly && d.Signature == nil:
		return who, d, wrong
	}
	return who, d, nil
}

// bury keeps dead letters and notes that the source is failing.
func (s *server) bury(ctx context.Context, workspace, source string, letters []ingest.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	seed := s.Random()
	if err := s.Sources.Bury(ctx, workspace, source, event.ID(seed).String()[4:16], letters); err != nil {
		return err
	}
	last := letters[len(letters)-1]
	s.Sources.Came(workspace, source, last.At, &ingest.Fault{Code: last.Code, Said: last.Said, Place: last.Place})
	return nil
}

// faultOf is a refusal as sources keep it: in both languages, with its place.
func (s *server) faultOf(err error) *ingest.Fault {
	var own *ingest.Fault
	if errors.As(err, &own) {
		return &ingest.Fault{Place: own.Place, Code: own.Code, Said: map[string]string{string(scene.Chinese): own.In(scene.Chinese), string(scene.English): own.In(scene.English)}}
	}
	f := &ingest.Fault{Said: map[string]string{}}
	for _, l := range []scene.Locale{scene.Chinese, scene.English} {
		p := refusalOf(err).in(l)
		f.Code, f.Said[string(l)] = p.Code, p.Title
		if len(p.Errors) > 0 {
			f.Code, f.Said[string(l)] = p.Errors[0].Code, p.Errors[0].Message
			f.Pointer, f.Line, f.Column = p.Errors[0].Pointer, p.Errors[0].Line, p.Errors[0].Column
		}
	}
	return f
}

// playGroup is how many letters are committed together.
const playGroup = 100

// play takes dead letters again.
func (s *server) play(c *call, in *Playing) (Played, error) {
	var out Played
	d, err := s.declared(c)
	if err != nil {
		return out, err
	}
	one := func(letters []ingest.Letter) error {
		taken, left, err := s.playGroup(c, d, letters, &out)
		if err != nil {
			return err
		}
		out.Played += len(letters)
		out.Taken += len(taken)
		out.Left += len(left)
		return unavailableUnlessNil(s.Sources.Settle(c.context(), c.workspace.ID, d.Name, taken, left))
	}
	if len(in.IDs) > 0 {
		var letters []ingest.Letter
		for i, id := range in.IDs {
			l, ok, err := s.Sources.Letter(c.context(), c.workspace.ID, d.Name, id)
			if err != nil {
				return out, unavailable(err)
			}
			if !ok {
				return out, faulty("/ids"+pointerTo(i), "not_found")
			}
			letters = append(letters, l)
		}
		for group := range slices.Chunk(letters, playGroup) {
			if err := one(group); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	after := ""
	for {
		letters, err := s.Sources.Letters(c.context(), c.workspace.ID, d.Name, after, playGroup)
		if err != nil {
			return out, unavailable(err)
		}
		if len(letters) == 0 {
			return out, nil
		}
		after = letters[len(letters)-1].ID
		if err := one(letters); err != nil {
			return out, err
		}
	}
}

func unavailableUnlessNil(err error) error {
	if err == nil {
		return nil
	}
	return unavailable(err)
}

// playGroup takes one group of letters in one commit.
func (s *server) playGroup(c *call, d ingest.Definition, letters []ingest.Letter, out *Played) (taken []string, left []ingest.Letter, err error) {
	im := s.importer(c, d)
	now := s.now()
	for _, l := range letters {
		before := im.RejectedCount
		im.first = nil
		switch l.Form {
		case ingest.Foreign:
			im.foreign(l.Raw, l.Headers, l.At)
		case ingest.Line:
			if err := im.take(ingest.WithDefaults(l.Raw, ingest.Seed(d.Name, l.Raw), 0, l.At)); err != nil {
				im.reject(err)
			}
		case ingest.Call:
			if err := im.callAgain(l); err != nil {
				im.reject(err)
			}
		}
		if im.RejectedCount == before {
			taken = append(taken, l.ID)
			continue
		}
		l.Attempts++
		l.Attempted = now
		if f := im.first; f != nil {
			l.Code, l.Said, l.Place, l.Faults = f.Code, f.Said, f.Place, im.RejectedCount-before
		}
		left = append(left, l)
	}
	if err := im.commit(); err != nil {
		return nil, nil, err
	}
	out.Accepted += im.Accepted
	out.Duplicates += im.Duplicates
	return taken, left, nil
}

// callAgain reads a call of the Segment specification as it was read when it came.
func (im *importing) callAgain(l ingest.Letter) error {
	in := im.s.reader(im.caller)
	in.Received, in.Verified, in.Subject = l.At, l.Verified, ""
	n := 0
	in.NewID = func() event.ID {
		n++
		return event.MessageID(im.workspace.ID, l.ID+pointerTo(n))
	}
	var err error
	im.events, _, err = event.Decode(im.events, event.Typed, l.Raw, in)
	return err
}

// buryCalls keeps the faulty calls of a batch, or a single one, that came with a key.
func (s *server) buryCalls(ctx context.Context, who caller, body []byte, faults []event.Fault, kind event.Kind) {
	if s.Sources == nil {
		return
	}
	var batch struct {
		Batch []json.RawMessage `json:"batch"`
	}
	if kind == event.Batch && json.Unmarshal(body, &batch) != nil {
		return
	}
	now := s.now()
	var letters []ingest.Letter
	for _, f := range faults {
		raw := body
		if kind == event.Batch {
			if f.Index >= len(batch.Batch) {
				continue
			}
			raw = batch.Batch[f.Index]
		}
		if !who.secret && !s.Sources.MayBury(who.workspace.ID, "segment", now) {
			break
		}
		said := s.faultOf(&event.Problem{Code: f.Code, Pointer: f.Pointer})
		letters = append(letters, ingest.Letter{
			At: now, Form: ingest.Call, Raw: bytes.Clone(raw), Code: string(f.Code), Said: said.Said, Place: ingest.Place{Pointer: f.Pointer}, Faults: 1, Verified: who.secret,
		})
	}
	// The sender has its answer already; a letter that cannot be kept is told the operator.
	if err := s.bury(ctx, who.workspace.ID, "segment", letters); err != nil {
		s.Logger.Error("dead letters not kept", "workspace", who.workspace.ID, "source", "segment", "error", err)
	}
}

// forgetLetters throws away dead letters that name an erased person.
func (s *server) forgetLetters(ctx context.Context, workspace string, keys []identity.Key) error {
	if s.Sources == nil || len(keys) == 0 {
		return nil
	}
	return s.Sources.ForgetLetters(ctx, workspace, func(raw []byte) bool {
		for _, k := range keys {
			quoted, err := json.Marshal(k.Value)
			if err == nil && (bytes.Contains(raw, quoted) || len(k.Value) >= 6 && bytes.Contains(raw, []byte(k.Value))) {
				return true
			}
		}
		return false
	})
}
