package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/ingest"
)

// Line is one record of an import: its kind and, beside it, what a put of that
// kind or a call of the Segment specification holds.
type Line struct {
	Record    string     `json:"record" enum:"event,item,relation,article,attribute,person,order,asset,case,holding,enrolment,contract,promotion"`
	ID        string     `json:"id,omitempty"`
	Person    string     `json:"person,omitempty"`
	UpdatedAt *time.Time `json:"updated_at,omitempty"`
}

// Imported tells what became of an import. It may be sent again as a whole: what
// was taken is known.
type Imported struct {
	Lines         int            `json:"lines"`
	Accepted      int            `json:"accepted"`
	Duplicates    int            `json:"duplicates"`
	RejectedCount int            `json:"rejected_count"`
	Rejected      []RejectedLine `json:"rejected" doc:"The first thousand."`
	Stopped       *RejectedLine  `json:"stopped,omitempty" doc:"Why reading ended before the end; lines before it were taken."`
}

// RejectedLine is one line that was not taken.
type RejectedLine struct {
	Line    int    `json:"line" doc:"From 1."`
	Code    string `json:"code"`
	Message string `json:"message"`
	Column  int    `json:"column,omitempty" doc:"In characters, from 1."`
	Pointer string `json:"pointer,omitempty"`
}

const (
	importGroup  = 500     // lines committed together
	longestLine  = 1 << 20 // bytes
	mostRejected = 1000    // listed; all are counted
)

var importable = []string{"event", "item", "relation", "article", "attribute", "person", "order", "asset", "case", "holding", "enrolment", "contract", "promotion", "relationship"}

func (s *server) importRoute() {
	rt := route{
		method: "POST", path: "/v1/import", tag: "Events", who: secretKey, lines: true, summary: "Take in many records, one a line (NDJSON).",
		query: []string{
			"source: the source they are taken for; its status dictionary is used, and rejected lines are kept among its dead letters",
			"map: true: lines are foreign and go through the source's mapping",
			"dry_run: true: only check, take nothing",
		},
		details: "Streamed: plain or gzip, of any length, a line of at most 1 MB. Lines are committed in groups as they come; what was rejected is told line by line.",
	}
	s.document(rt, reflect.TypeFor[Line](), reflect.TypeFor[Imported]())
	s.mux.HandleFunc("POST "+rt.path, func(w http.ResponseWriter, r *http.Request) {
		who, err := s.authenticate(w, r, secretKey, "")
		if err != nil {
			s.problem(w, r, err)
			return
		}
		var source io.Reader = r.Body
		switch strings.ToLower(r.Header.Get("Content-Encoding")) {
		case "", "identity":
		case "gzip", "x-gzip":
			z, done, err := unzip(r.Body)
			if err != nil {
				s.problem(w, r, &refusal{status: http.StatusBadRequest, code: "encoding_broken", cause: err})
				return
			}
			defer done()
			source = z
		default:
			s.problem(w, r, refuse(http.StatusUnsupportedMediaType, "encoding_unsupported"))
			return
		}
		im := &importing{call: call{caller: who, s: s, w: w, r: r}}
		im.Rejected = []RejectedLine{}
		if err := im.options(); err != nil {
			s.problem(w, r, err)
			return
		}
		answer := func(w http.ResponseWriter) error {
			if err := im.run(source); err != nil {
				return err
			}
			write(w, http.StatusOK, im.Imported)
			return nil
		}
		if r.Header.Get("Idempotency-Key") != "" {
			s.once(&im.call, answer) // the key alone counts: the body is not kept to compare it
			return
		}
		if err := answer(w); err != nil {
			s.problem(w, r, err)
		}
	})
}

// importing is one import on its way.
type importing struct {
	call
	Imported
	events       []event.Event
	from         ingest.Definition // the source it is taken for; no name: import
	dry          bool              // nothing is taken
	foreignLines bool              // lines go through the source's mapping
	first        *ingest.Letter    // the first fault since the last letter, without what came
	letters      []ingest.Letter
	line         []byte // that is being taken
}

func (im *importing) run(source io.Reader) error {
	lines := bufio.NewReaderSize(source, 64<<10)
	patience := http.NewResponseController(im.w)
	defer func() { _ = patience.SetReadDeadline(time.Time{}) }()
	wait := func() { _ = patience.SetReadDeadline(time.Now().Add(bodyTime)) } // not every writer can
	wait()
	var long []byte
	for {
		part, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			if long = append(long, part...); len(long) <= longestLine {
				continue
			}
			im.Lines++
			im.reject(refuse(http.StatusRequestEntityTooLarge, "body_too_large", "limit", "1048576"))
			long = nil
			if err = skipLine(lines); err != nil {
				return im.ended(err)
			}
			continue
		}
		line := part
		if long != nil {
			line, long = append(long, part...), nil
		}
		if len(strings.TrimSpace(string(line))) > 0 {
			im.Lines++
			im.one(line)
			if len(im.events) >= importGroup || len(im.letters) >= importGroup {
				if err := im.commit(); err != nil {
					return err
				}
				wait()
			}
		} else if err == nil {
			im.Lines++ // an empty line counts, so that numbers are those of the file
		}
		if err != nil {
			return im.ended(err)
		}
	}
}

func skipLine(lines *bufio.Reader) error {
	for {
		if _, err := lines.ReadSlice('\n'); err != bufio.ErrBufferFull {
			return err
		}
	}
}

// ended commits the rest and, when the stream broke, says after which line.
func (im *importing) ended(err error) error {
	if failed := im.commit(); failed != nil {
		return failed
	}
	if err != io.EOF {
		r := &refusal{status: http.StatusBadRequest, code: "encoding_broken", cause: err}
		im.Stopped = &RejectedLine{Line: im.Lines + 1, Code: r.code, Message: sentence(language(im.r), r.code, nil)}
	}
	return nil
}

func (im *importing) reject(err error) {
	r := refusalOf(err)
	im.RejectedCount++
	code, args, pointer, said, column := r.code, r.args, "", "", 0
	if r.at > 0 && r.at <= len(im.line) {
		column = utf8.RuneCount(im.line[:r.at]) + 1
	}
	if len(r.faults) > 0 {
		f := r.faults[0]
		code, args, pointer = f.code, f.args, f.pointer
		if f.column > 0 {
			column = f.column
		}
		if f.said != nil {
			said = f.said.In(language(im.r))
		}
	}
	im.s.meters.rejected.WithLabelValues(code).Inc()
	if im.from.Name != "" && im.first == nil {
		f := im.s.faultOf(err)
		if f.Column == 0 {
			f.Column = column
		}
		if f.Line == 0 {
			f.Line = im.Lines
		}
		im.first = &ingest.Letter{Code: f.Code, Said: f.Said, Place: f.Place}
	}
	if len(im.Rejected) == mostRejected {
		return
	}
	if said == "" {
		said = sentence(language(im.r), code, args)
	}
	im.Rejected = append(im.Rejected, RejectedLine{im.Lines, code, said, column, pointer})
}

func (im *importing) commit() error {
	if im.dry {
		im.Accepted += len(im.events)
		clear(im.events)
		im.events = im.events[:0]
		return nil
	}
	if err := im.buryLines(); err != nil {
		return unavailable(err)
	}
	if len(im.events) == 0 {
		return nil
	}
	if im.s.Sources != nil {
		name := im.from.Name
		if name == "" {
			name = "import"
		}
		for i := range im.events {
			ingest.Stamp(&im.events[i], name)
		}
	}
	receipt, err := im.s.Engine.Observe(im.r.Context(), im.workspace.ID, im.events)
	if err != nil {
		return unavailable(err)
	}
	for _, d := range receipt.Duplicates {
		if d {
			im.Duplicates++
			im.s.meters.duplicate.Inc()
		} else {
			im.Accepted++
			im.s.meters.accepted.Inc()
		}
	}
	clear(im.events)
	im.events = im.events[:0]
	return nil
}

// options reads what the address says of an import.
func (im *importing) options() error {
	q := im.r.URL.Query()
	im.dry = q.Get("dry_run") == "true"
	name := q.Get("source")
	if name == "" || im.s.Sources == nil {
		return nil
	}
	d, ok, err := im.s.Sources.Source(im.r.Context(), im.workspace.ID, name)
	if err != nil {
		return unavailable(err)
	}
	if !ok { // whoever imports for a source declares it by that
		d = ingest.Definition{Name: name, UpdatedAt: im.s.now()}
		if im.dry {
			_, err = d.Check()
		} else {
			d, err = im.s.Sources.Declare(im.r.Context(), im.workspace.ID, d)
		}
		if err != nil {
			return definitionRefused(err)
		}
	}
	im.from = d
	if im.foreignLines = q.Get("map") == "true"; im.foreignLines && d.Map == "" {
		return &ingest.Fault{Code: "mapping_missing"}
	}
	return nil
}

// one takes one line; what is faulty of it is rejected, and kept for its source.
func (im *importing) one(line []byte) {
	before, number := im.RejectedCount, im.Lines
	form := ingest.Line
	im.line = line
	if im.foreignLines {
		form = ingest.Foreign
		im.foreign(bytes.TrimSpace(line), nil, im.s.now())
		for i := len(im.Rejected) - 1; i >= 0 && im.RejectedCount-before > len(im.Rejected)-1-i; i-- {
			im.Rejected[i].Line = number // of the file, not of the records made of it
		}
	} else if refused := im.take(line); refused != nil {
		im.reject(refused)
	}
	im.Lines, im.line = number, nil
	if im.from.Name == "" || im.dry || im.RejectedCount == before {
		return
	}
	if l := im.letter(form, bytes.TrimSpace(line), nil, im.s.now(), before); l != nil {
		l.Place.Line = number
		im.letters = append(im.letters, *l)
	}
}

// buryLines keeps the rejected lines of the group.
func (im *importing) buryLines() error {
	letters := im.letters
	im.letters = nil
	return im.s.bury(im.r.Context(), im.workspace.ID, im.from.Name, letters)
}

// stateOf translates the state that an event of a source says of a case.
func (im *importing) stateOf(events []event.Event) {
	if im.from.Name == "" {
		return
	}
	for i := range events {
		if e := &events[i]; e.Name == "Service Case Updated" {
			e.Body = im.s.stated(im.workspace.ID, im.from.Name, "case", e.Body)
		}
	}
}

// take reads one line into an event.
func (im *importing) take(line []byte) error {
	if err := event.Check(line, longestLine); err != nil {
		return err
	}
	var head struct {
		Record, ID, Person, UserID, AnonymousID string
	}
	for name, value := range event.Members(line) {
		var into *string
		switch name {
		case "record":
			into = &head.Record
		case "id":
			into = &head.ID
		case "person":
			into = &head.Person
		case "user_id", "userId":
			into = &head.UserID
		case "anonymous_id", "anonymousId":
			into = &head.AnonymousID
		default:
			continue
		}
		if json.Unmarshal(value, into) != nil {
			return faulty("/"+name, "wrong_type", "expected", "string")
		}
		if len(*into) > 512 || strings.ContainsRune(*into, 0) {
			return faulty("/"+name, "bad_id")
		}
	}
	if !slices.Contains(importable, head.Record) {
		return faulty("/record", "record_type", "choices", strings.Join(importable, ", "))
	}
	if head.Record == "event" {
		var err error
		n := len(im.events)
		if im.events, _, err = event.Decode(im.events, event.Typed, line, im.s.reader(im.caller)); err == nil {
			im.stateOf(im.events[n:])
		}
		return err
	}
	if head.ID == "" && head.Record != "relation" && head.Record != "person" {
		return faulty("/id", "missing")
	}
	body := without(line, "record", "id")
	if im.from.Name != "" && im.s.bodies[head.Record] != nil {
		body = im.s.stated(im.workspace.ID, im.from.Name, head.Record, body)
	}
	var p event.Put
	var err error
	switch head.Record {
	case "person":
		if head.ID == "" {
			head.ID = head.Person
		}
		return im.person(head.ID, head.UserID, head.AnonymousID, line)
	case "relation":
		p, err = im.s.relationPut(im.workspace.ID, body, "")
	case "item", "article", "attribute", "promotion":
		p, err = im.s.shelfPut(im.workspace.ID, head.Record, head.ID, body, "")
	default:
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		if r := im.s.validate(im.s.bodies[head.Record](), v, true); r != nil {
			return r
		}
		p, err = im.s.ownedPut(im.r.Context(), im.workspace.ID, head.Record, head.ID, body)
	}
	if err != nil {
		return err
	}
	p.Workspace, p.Received = im.workspace.ID, im.s.now()
	im.events = append(im.events, event.RecordEvent(p))
	return nil
}

// person takes what is known of somebody: an identify call in the form of a record.
func (im *importing) person(id, user, anonymous string, line []byte) error {
	updated, _, rest, err := im.s.takeApart(line, "")
	if err != nil {
		return err
	}
	if id != "" {
		if user, anonymous, err = im.s.whose(im.r.Context(), im.workspace.ID, id); err != nil {
			var r *refusal
			if errors.As(err, &r) && len(r.faults) == 1 {
				return faulty("/id", r.code)
			}
			return err
		}
	}
	if user == "" && anonymous == "" {
		return faulty("/id", "no_identity")
	}
	traits := without(rest, "record", "id", "user_id", "userId", "anonymous_id", "anonymousId", "traits")
	for name, value := range event.Members(rest) {
		if name == "traits" {
			if value[0] != '{' {
				return faulty("/traits", "wrong_type", "expected", "object")
			}
			traits = value
		}
	}
	e := event.RecordEvent(event.Put{
		Workspace: im.workspace.ID, Name: "person", UserID: user, AnonymousID: anonymous,
		UpdatedAt: updated, Received: im.s.now(), Body: traits,
	})
	e.Kind, e.Name = event.Identify, ""
	im.events = append(im.events, e)
	return nil
}

// without is an object less some of its members.
func without(object []byte, names ...string) []byte {
	out := append(make([]byte, 0, len(object)), '{')
	for name, value := range event.Members(object) {
		if slices.Contains(names, name) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			continue // a name that was read can be written
		}
		out = append(append(append(out, quoted...), ':'), value...)
	}
	return append(out, '}')
}
