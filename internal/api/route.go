package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// none is the body of a call that has none.
type none struct{}

// route is one operation: how it is called and what stands in the API document.
type route struct {
	method, path string
	tag          string
	summary      string
	details      string
	who          access
	limit        int      // bytes of the body; 0: 256 kB
	query        []string // "name: what it does"
	status       int      // 0: 200
	raw          bool     // only check the body; the handler reads it
	quick        bool     // read the body directly and ask the schema only about faults and unknown members
	optional     bool     // the body may be left out
	free         bool     // the body may have members of the caller's own
	lines        bool     // the body is one JSON value a line
	stream       string   // content type of an answer that is no JSON value
}

// call is one request on its way through a handler.
type call struct {
	caller
	s      *server
	w      http.ResponseWriter
	r      *http.Request
	locale scene.Locale // what the caller accepts; "" when they do not say
	raw    []byte       // the body as it came, decompressed; good until the handler returns
	status int
}

func (c *call) context() context.Context { return c.r.Context() }

const usualLimit = 256 << 10

// add registers a route whose body is an I and whose answer is an O. The document
// is made from the same two types. A handler that has answered by itself (a
// stream) gives errAnswered.
func add[I, O any](s *server, rt route, handle func(c *call, in *I) (O, error)) {
	in, out := reflect.TypeFor[I](), reflect.TypeFor[O]()
	if rt.limit == 0 {
		rt.limit = usualLimit
	}
	if rt.status == 0 {
		rt.status = http.StatusOK
	}
	schema := s.document(rt, in, out)
	pattern := rt.method + " " + rt.path
	s.open[pattern] = rt.who == writeKey || rt.who == oneself
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r, locale: localeOf(r), status: rt.status}
		var err error
		if rt.who != anyone {
			if c.caller, err = s.authenticate(w, r, rt.who, ""); err != nil {
				s.problem(w, r, err)
				return
			}
		}
		b := buffer()
		defer release(b)
		var body I
		if said(in) {
			if err = read(b, w, r, rt.limit); err == nil {
				c.raw = b.Bytes()
				err = s.parse(c.raw, schema, &body, rt)
			}
			if err != nil {
				s.problem(w, r, err)
				return
			}
		}
		if rt.method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" {
			s.once(c, func(w http.ResponseWriter) error {
				c.w = w
				return respond(c, &body, handle)
			})
			return
		}
		if err := respond(c, &body, handle); err != nil {
			s.problem(w, r, err)
		}
	})
}

var errAnswered = errors.New("answered")

func respond[I, O any](c *call, in *I, handle func(c *call, in *I) (O, error)) error {
	out, err := handle(c, in)
	switch {
	case err == errAnswered:
		return nil
	case err != nil:
		return err
	}
	write(c.w, c.status, out)
	return nil
}

// parse reads a body strictly into a value and tells every faulty field at once.
func (s *server) parse(body []byte, schema func() *huma.Schema, into any, rt route) error {
	if len(bytes.TrimSpace(body)) == 0 {
		if rt.optional {
			return nil
		}
		return refuse(http.StatusBadRequest, "body_missing")
	}
	if err := event.Check(body, rt.limit); err != nil {
		return err
	}
	if rt.raw {
		return nil
	}
	if rt.quick {
		// A member that the type does not have may be a slip of the pen: the schema tells.
		known := json.NewDecoder(bytes.NewReader(body))
		known.DisallowUnknownFields()
		if known.Decode(into) == nil {
			return nil
		}
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return &refusal{status: http.StatusBadRequest, code: "not_json", cause: err}
	}
	if r := s.validate(schema(), v, rt.free); r != nil {
		return r
	}
	if err := json.Unmarshal(body, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return faulty("/"+strings.ReplaceAll(wrong.Field, ".", "/"), "wrong_type", "expected", "other")
		}
		return &refusal{status: http.StatusBadRequest, code: "wrong_type", args: []string{"expected", "other"}, cause: err}
	}
	return nil
}

// validate compares a value with a schema; nil when it fits. Members that the
// schema does not know are left alone, for the contract may grow on the other side,
// but for those that look like a slip of the pen in a known one; not in a free body.
func (s *server) validate(schema *huma.Schema, v any, free bool) *refusal {
	res := &huma.ValidateResult{}
	huma.Validate(s.book.spec().Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, res)
	r := &refusal{status: http.StatusBadRequest, code: "body_faulty"}
	for _, err := range res.Errors {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			if f, ok := flawOf(d.Location, d.Message); ok {
				r.faults = append(r.faults, f)
			}
		}
	}
	if !free {
		r.faults = s.misspelt(r.faults, schema, v, "")
	}
	if len(r.faults) == 0 {
		return nil
	}
	return r
}

// misspelt adds the members of a value whose names are unknown and nearly those of
// known ones that are not there.
func (s *server) misspelt(faults []flaw, schema *huma.Schema, v any, at string) []flaw {
	if schema != nil && schema.Ref != "" {
		schema = s.book.spec().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	if schema == nil {
		return faults
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			faults = s.misspelt(faults, schema.Items, v[i], at+"/"+strconv.Itoa(i))
		}
	case map[string]any:
		var absent []string
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			if _, there := v[name]; !there {
				absent = append(absent, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			place := at + "/" + escapePointer(name)
			switch member, known := schema.Properties[name]; {
			case known:
				faults = s.misspelt(faults, member, v[name], place)
			case len(schema.Properties) > 0:
				if meant := text.Nearest(name, absent); meant != "" {
					faults = append(faults, flaw{pointer: place, code: "misspelt", args: []string{"meant", meant}})
				}
			default:
				if each, is := schema.AdditionalProperties.(*huma.Schema); is {
					faults = s.misspelt(faults, each, v[name], place)
				}
			}
		}
	}
	return faults
}

// flawOf reads a finding of the schema library, which speaks English only, as a
// code of ours and a JSON pointer.
func flawOf(location, message string) (f flaw, ok bool) {
	f.pointer = pointerOf(location)
	has := func(prefix string) bool { return strings.HasPrefix(message, prefix) }
	switch {
	case has("unexpected property"):
		return f, false
	case has("expected required property "):
		name, _, _ := strings.Cut(strings.TrimPrefix(message, "expected required property "), " to be present")
		f.pointer += "/" + escapePointer(name)
		f.code = "missing"
	case has("expected value to be one of "):
		f.code = "one_of"
		f.args = []string{"choices", strings.Trim(strings.TrimPrefix(message, "expected value to be one of "), `"`)}
	case has("expected number >"), has("expected number <"), has("expected number to be a multiple"):
		f.code = "bad_number"
	case has("expected length >="):
		f.code = "too_short"
	case has("expected length <="):
		f.code = "too_long"
	case has("expected array length >="), has("expected object with at least"):
		f.code = "too_few"
	case has("expected array length <="), has("expected object with at most"):
		f.code = "too_many"
	case has("expected string to be RFC 3339"):
		f.code = "bad_timestamp"
	case has("expected string to match"), has("expected string to be"):
		f.code = "pattern"
	default:
		f.code = "wrong_type"
		f.args = []string{"expected", strings.TrimPrefix(message, "expected ")}
	}
	return f, true
}

// pointerOf turns "items[3].tags" into "/items/3/tags".
func pointerOf(location string) string {
	if location == "" {
		return ""
	}
	var b strings.Builder
	for part := range strings.SplitSeq(location, ".") {
		name, rest, indexed := strings.Cut(part, "[")
		if name != "" {
			b.WriteString("/" + escapePointer(name))
		}
		for indexed {
			var index string
			index, rest, _ = strings.Cut(rest, "]")
			b.WriteString("/" + index)
			_, rest, indexed = strings.Cut(rest, "[")
		}
	}
	return b.String()
}

func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
