package api

import (
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// book is the API document, made from the Go types that serve the requests: the schema
// that a body is checked against and the one that is published are one value. Its
// pages are noted while routes are added, and written, in that order, when somebody
// first needs one: a start has no time for them, and most requests need none.
type book struct {
	pages []func(*huma.OpenAPI)
	spec  func() *huma.OpenAPI // safe for concurrent use once all pages are noted
}

func newBook(version string) *book {
	b := &book{}
	b.spec = sync.OnceValue(func() *huma.OpenAPI {
		spec := newSpec(version)
		for _, write := range b.pages {
			write(spec)
		}
		return spec
	})
	return b
}

// schemaOf notes a page that makes a schema, and says how to read it there.
func (b *book) schemaOf(write func(*huma.OpenAPI) *huma.Schema) func() *huma.Schema {
	var made *huma.Schema
	b.pages = append(b.pages, func(spec *huma.OpenAPI) { made = write(spec) })
	return func() *huma.Schema {
		b.spec()
		return made
	}
}

func newSpec(version string) *huma.OpenAPI {
	if version == "" {
		version = "0"
	}
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Rapport", Version: version,
			Description: "Gives each customer their own service adviser, and proves why. Times are RFC 3339, money is {amount, currency} in minor units, refusals are RFC 9457 problem documents.",
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"write_key":      {Type: "http", Scheme: "basic", Description: "The workspace's write key as user name, empty password. As Bearer, too."},
				"secret_key":     {Type: "http", Scheme: "bearer", Description: "The workspace's secret key."},
				"identity_token": {Type: "apiKey", In: "header", Name: "X-Identity-Token", Description: "HS256 JWT with sub and exp, signed with the workspace's identity secret."},
			},
		},
		Tags: []*huma.Tag{
			{Name: "Events"}, {Name: "Sources"}, {Name: "Catalogue"}, {Name: "Records"}, {Name: "Decisions"}, {Name: "Conversations"},
			{Name: "People"}, {Name: "Oneself"}, {Name: "Evidence"}, {Name: "Strategies"}, {Name: "Workspaces"}, {Name: "House"},
		},
	}
}

// schemaName keeps types of one name in different rooms apart.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	room := path.Base(t.PkgPath())
	if t.PkgPath() == "" || room == "api" || t.Name() == "" || room == "engine" {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

var placeholder = regexp.MustCompile(`\{([a-z_]+)(\.\.\.)?\}`)

// document puts a route into the API document and gives the schema of its body, nil
// when it has none.
func (s *server) document(rt route, in, out reflect.Type) func() *huma.Schema {
	return s.book.schemaOf(func(spec *huma.OpenAPI) *huma.Schema { return describe(spec, rt, in, out) })
}

// describe writes the page of a route.
func describe(spec *huma.OpenAPI, rt route, in, out reflect.Type) *huma.Schema {
	schemas := spec.Components.Schemas
	op := &huma.Operation{
		Method: rt.method, Path: placeholder.ReplaceAllString(rt.path, "{$1}"), OperationID: operationID(rt),
		Summary: rt.summary, Description: rt.details, Tags: []string{rt.tag}, Responses: map[string]*huma.Response{},
	}
	switch rt.who {
	case writeKey:
		op.Security = []map[string][]string{{"write_key": {}}, {"secret_key": {}}}
	case secretKey:
		op.Security = []map[string][]string{{"secret_key": {}}}
	case oneself:
		op.Security = []map[string][]string{{"write_key": {}, "identity_token": {}}}
	}
	for _, m := range placeholder.FindAllStringSubmatch(rt.path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, q := range rt.query {
		name, does, _ := strings.Cut(q, ": ")
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Description: does, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	if rt.method == http.MethodPost {
		op.Parameters = append(op.Parameters, &huma.Param{Name: "Idempotency-Key", In: "header", Description: "The first answer is given again for 24 hours.", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	var schema *huma.Schema
	if said(in) {
		schema = schemas.Schema(in, true, op.OperationID+"Body")
		open(schemas, in)
		kind := "application/json"
		if rt.lines {
			kind = "application/x-ndjson"
		}
		op.RequestBody = &huma.RequestBody{Required: !rt.optional, Content: map[string]*huma.MediaType{kind: {Schema: schema}}}
	}
	answer := &huma.Response{Description: "The answer."}
	kind := "application/json"
	if rt.stream != "" {
		kind = rt.stream
	}
	media := &huma.MediaType{}
	if said(out) {
		media.Schema = schemas.Schema(out, true, op.OperationID+"Answer")
	}
	answer.Content = map[string]*huma.MediaType{kind: media}
	status := rt.status
	if status == 0 {
		status = http.StatusOK
	}
	op.Responses[strconv.Itoa(status)] = answer
	op.Responses["default"] = &huma.Response{
		Description: "Why it was refused.",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "")}},
	}
	spec.AddOperation(op)
	return schema
}

// said tells whether a route says anything in a body of this type.
func said(t reflect.Type) bool { return t != nil && t != reflect.TypeFor[none]() }

// open lets the objects of a body have members that are not known here.
func open(schemas huma.Registry, t reflect.Type) {
	for _, schema := range schemas.Map() {
		if closed, is := schema.AdditionalProperties.(bool); is && !closed {
			schema.AdditionalProperties = true
		}
	}
}

func operationID(rt route) string {
	var b strings.Builder
	b.WriteString(strings.ToLower(rt.method))
	for part := range strings.FieldsFuncSeq(strings.TrimPrefix(rt.path, "/v1"), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// documentRoute serves the document, written once.
func (s *server) documentRoute() {
	text := sync.OnceValue(func() []byte {
		b, err := json.Marshal(s.book.spec())
		if err != nil {
			panic(err)
		}
		return b
	})
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/openapi+json")
		h.Set("Access-Control-Allow-Origin", "*")
		_, _ = w.Write(text())
	})
}
