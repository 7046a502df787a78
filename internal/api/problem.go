package api

import (
	"embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/ingest"
	catalogue "github.com/rapport-cx/rapport/internal/sentence"
	"github.com/rapport-cx/rapport/scene"
)

// Problem is an RFC 9457 problem document. Code is stable and meant for programs;
// Title is its sentence in the caller's language.
type Problem struct {
	Type      string  `json:"type" doc:"Where the code is explained."`
	Title     string  `json:"title" doc:"One sentence in the caller's language."`
	Status    int     `json:"status"`
	Code      string  `json:"code" doc:"Stable name of what went wrong."`
	Detail    string  `json:"detail,omitempty"`
	RequestID string  `json:"request_id,omitempty" doc:"Under which the operator finds it in the log."`
	Errors    []Fault `json:"errors,omitempty" doc:"Every faulty field of the body."`
}

// Fault is one faulty place of a body.
type Fault struct {
	Pointer string `json:"pointer" doc:"JSON pointer (RFC 6901) into the body."`
	Code    string `json:"code"`
	Message string `json:"message" doc:"One sentence in the caller's language."`
	Line    int    `json:"line,omitempty" doc:"Of the text that stands there, a mapping for example; from 1."`
	Column  int    `json:"column,omitempty" doc:"In characters, from 1."`
}

// refusal is a problem before it has a language.
type refusal struct {
	status int
	code   string
	args   []string // name, value, name, value …: what the sentence has in braces
	detail string
	said   func(scene.Locale) string // the detail, where it has a language
	at     int                       // byte of the body where it was noticed; 0: not told
	faults []flaw
	cause  error // for the log; never sent
}

// flaw is a fault before it has a language. Said is set by rooms that bring their
// own sentences.
type flaw struct {
	pointer string
	code    string
	args    []string
	said    *candidate.Text
	line    int // of a text in the body; 0: not told
	column  int
}

func (r *refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", r.status, r.code)
	for _, f := range r.faults {
		fmt.Fprintf(&b, "; %s at %q", f.code, f.pointer)
	}
	if r.cause != nil {
		b.WriteString(": " + r.cause.Error())
	}
	return b.String()
}

func (r *refusal) Unwrap() error { return r.cause }

func refuse(status int, code string, args ...string) *refusal {
	return &refusal{status: status, code: code, args: args}
}

// faulty refuses a body for one place in it.
func faulty(pointer, code string, args ...string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, args: args, faults: []flaw{{pointer: pointer, code: code, args: args}}}
}

// refusalOf maps every error that can reach the edge to a problem, in one table.
func refusalOf(err error) *refusal {
	var (
		r       *refusal
		problem *event.Problem
		faults  candidate.Faults
		foreign *ingest.Fault
	)
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &foreign):
		return &refusal{status: http.StatusBadRequest, code: "body_faulty", faults: []flaw{flawOfFault(foreign)}, cause: err}
	case errors.As(err, &problem):
		status := http.StatusBadRequest
		if problem.Code == event.TooLarge || problem.Code == event.TooMany {
			status = http.StatusRequestEntityTooLarge
		}
		r := faulty(problem.Pointer, string(problem.Code), "limit", strconv.Itoa(problem.Offset), "expected", "")
		r.status, r.cause = status, err
		r.at = problem.Offset
		return r
	case errors.As(err, &faults):
		r := &refusal{status: http.StatusBadRequest, code: "wrong_type", cause: err}
		for i := range faults {
			r.faults = append(r.faults, flaw{pointer: faults[i].Pointer, code: faults[i].Code, said: &faults[i].Message})
		}
		if len(r.faults) > 0 {
			r.code = "body_faulty"
		}
		return r
	case errors.Is(err, engine.ErrNotFound), errors.Is(err, engine.ErrNoWorkspace):
		return &refusal{status: http.StatusNotFound, code: "not_found", cause: err}
	case errors.Is(err, engine.ErrNoRelation):
		return &refusal{status: http.StatusForbidden, code: "no_relation", cause: err}
	case errors.Is(err, engine.ErrForbidden):
		return &refusal{status: http.StatusForbidden, code: "forbidden", cause: err}
	case errors.Is(err, engine.ErrGone):
		return &refusal{status: http.StatusGone, code: "account_erased", cause: err}
	case errors.Is(err, engine.ErrNoStrategy):
		return &refusal{status: http.StatusServiceUnavailable, code: "no_strategy", cause: err}
	case errors.Is(err, engine.ErrHeld):
		return &refusal{status: http.StatusConflict, code: "conversation_held", cause: err}
	case errors.Is(err, engine.ErrState):
		return &refusal{status: http.StatusConflict, code: "strategy_state", cause: err}
	}
	return &refusal{status: http.StatusInternalServerError, code: "internal", cause: err}
}

// in puts a refusal into a language.
func (r *refusal) in(l scene.Locale) Problem {
	p := Problem{
		Type: "/problems#" + r.code, Status: r.status, Code: r.code,
		Title: sentence(l, r.code, r.args), Detail: r.detail,
	}
	if r.said != nil {
		p.Detail = r.said(l)
	}
	if r.at > 0 {
		p.Detail = sentence(l, "at_byte", []string{"n", strconv.Itoa(r.at)})
	}
	for _, f := range r.faults {
		said := ""
		if f.said != nil {
			said = f.said.In(l)
		} else {
			said = sentence(l, f.code, f.args)
		}
		p.Errors = append(p.Errors, Fault{Pointer: f.pointer, Code: f.code, Message: said, Line: f.line, Column: f.column})
	}
	return p
}

//go:embed messages/*.json
var messageFiles embed.FS

// messages are the sentences of the edge.
var messages = catalogue.Read(messageFiles)

// sentence is a code's sentence with its blanks filled in; what was expected is named
// by a sentence of its own.
func sentence(l scene.Locale, code string, args []string) string {
	blanks := slices.Clone(args)
	for i := 0; i+1 < len(blanks); i += 2 {
		if blanks[i] != "expected" {
			continue
		}
		kind := "expected." + blanks[i+1]
		if _, known := messages[scene.English][kind]; !known {
			kind = "expected.other"
		}
		blanks[i+1] = messages.Say(l, kind)
	}
	return messages.Say(l, code, blanks...)
}

// language is the best of our languages that the caller accepts; English when
// they name none.
func language(r *http.Request) scene.Locale {
	if l, ok := accepted(r); ok {
		return l
	}
	return scene.English
}

func accepted(r *http.Request) (best scene.Locale, ok bool) {
	top := 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		l, known := scene.ParseLocale(tag)
		if !known {
			continue
		}
		q := 1.0
		if v, found := strings.CutPrefix(strings.TrimSpace(params), "q="); found {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				q = f
			}
		}
		if q > top {
			best, top, ok = l, q, true
		}
	}
	return best, ok
}
