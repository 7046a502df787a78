package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/internal/ingest"
)

// StateWord translates one state of a source.
type StateWord struct {
	Source string `json:"source" maxLength:"64"`
	Kind   string `json:"kind,omitempty" maxLength:"64" doc:"order, case, asset, holding, enrolment or contract; every kind when missing."`
	Value  string `json:"value" minLength:"1" maxLength:"200" doc:"As the source writes it."`
	State  string `json:"state" maxLength:"64" doc:"A state that the house can tell a customer; GET /v1/states lists them."`
}

// Dictionary is what a source's states mean.
type Dictionary struct {
	Words []ingest.Word `json:"words" maxItems:"1000"`
}

// Translated says what came of words.
type Translated struct {
	Words   int `json:"words"`
	Applied int `json:"applied" doc:"Records that were put again in the state they are in; each is a record of the log."`
}

// KnownStates are the states that the house can tell a customer.
type KnownStates struct {
	States []string `json:"states"`
}

func (s *server) stateRoutes() {
	add(s, route{method: "GET", path: "/v1/states", tag: "Sources", who: secretKey, summary: "The states that the house can tell a customer."}, func(c *call, _ *none) (KnownStates, error) {
		return KnownStates{s.Sources.Known()}, nil
	})
	add(s, route{
		method: "GET", path: "/v1/states/untranslated", tag: "Sources", who: secretKey, summary: "States of sources that nobody has translated, with how many records wait for each.",
		details: "Such a record's status reads as unknown in rules, and the customer is told that it is there, never the foreign word.",
	}, func(c *call, _ *none) (Page[ingest.Untranslated], error) {
		all, err := s.Sources.States.Untranslated(c.context(), c.workspace.ID)
		if err != nil {
			return Page[ingest.Untranslated]{Items: []ingest.Untranslated{}}, unavailable(err)
		}
		return Page[ingest.Untranslated]{Items: all}, nil
	})
	add(s, route{method: "POST", path: "/v1/states/resolve", tag: "Sources", who: secretKey, summary: "Say what a source's state means; records that wait for it are put again."}, func(c *call, in *StateWord) (Translated, error) {
		if in.Kind == "" {
			in.Kind = "*"
		}
		return s.translate(c, in.Source, []ingest.Word{{Kind: in.Kind, Value: in.Value, State: in.State}}, func(string) string { return "" })
	})
	add(s, route{method: "GET", path: "/v1/sources/{name}/states", tag: "Sources", who: secretKey, summary: "A source's status dictionary."}, func(c *call, _ *none) (Dictionary, error) {
		return Dictionary{s.Sources.Dictionary(c.workspace.ID, c.r.PathValue("name"))}, nil
	})
	add(s, route{
		method: "PUT", path: "/v1/sources/{name}/states", tag: "Sources", who: secretKey, limit: 1 << 20, summary: "Put a source's status dictionary as a whole.",
		details: "Words that are left out mean nothing any more. Each change is a record of the log; records already taken are put again in the state they are in now.",
	}, func(c *call, in *Dictionary) (Translated, error) {
		name := c.r.PathValue("name")
		words := slices.Clone(in.Words)
		for i := range words {
			if words[i].Kind == "" {
				words[i].Kind = "*"
			}
			words[i].Value = ingest.Normal(words[i].Value)
		}
		given := len(words)
		var changed []ingest.Word
		had := s.Sources.Dictionary(c.workspace.ID, name)
		for _, w := range had {
			if !slices.ContainsFunc(words[:given], func(n ingest.Word) bool { return n.Kind == w.Kind && n.Value == w.Value }) {
				changed = append(changed, ingest.Word{Kind: w.Kind, Value: w.Value})
			}
		}
		at := func(i string) string { return "/words/" + i }
		if err := s.checkWords(name, words, at); err != nil {
			return Translated{}, err
		}
		for _, w := range words {
			if !slices.Contains(had, w) {
				changed = append(changed, w)
			}
		}
		n, err := s.Sources.Define(c.context(), c.workspace.ID, name, changed)
		if err != nil {
			return Translated{}, unavailable(err)
		}
		return Translated{len(changed), n}, nil
	})
}

func (s *server) checkWords(source string, words []ingest.Word, at func(index string) string) error {
	r := &refusal{status: http.StatusBadRequest, code: "body_faulty"}
	bad := func(i int, member, code string, args ...string) {
		r.faults = append(r.faults, flaw{pointer: at(strings.TrimPrefix(pointerTo(i), "/")) + "/" + member, code: code, args: args})
	}
	if source == "" {
		r.faults = append(r.faults, flaw{pointer: "/source", code: "missing"})
	}
	known := s.Sources.Known()
	for i, w := range words {
		if w.Kind != "*" && s.bodies[w.Kind] == nil {
			bad(i, "kind", "bad_kind")
		}
		if strings.TrimSpace(w.Value) == "" || len(w.Value) > 512 || strings.ContainsAny(w.Value, "\x00\x1f") {
			bad(i, "value", "bad_id")
		}
		if !slices.Contains(known, w.State) {
			bad(i, "state", "one_of", "choices", strings.Join(known, ", "))
		}
	}
	if len(r.faults) > 0 {
		return r
	}
	return nil
}

func (s *server) translate(c *call, source string, words []ingest.Word, at func(string) string) (Translated, error) {
	if err := s.checkWords(source, words, at); err != nil {
		return Translated{}, err
	}
	n, err := s.Sources.Define(c.context(), c.workspace.ID, source, words)
	if err != nil {
		return Translated{}, unavailable(err)
	}
	return Translated{len(words), n}, nil
}
