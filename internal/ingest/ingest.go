// Package ingest is the edge before step 1 (event) for what other systems keep in
// shapes of their own: it reads their files and deliveries, maps them in jq to the
// records of an import, translates their words for a state, and keeps what could not
// be taken until it can.
//
// A [Source] gives one [Input] after the other, each with its place. A [Mapping]
// makes records of it. What cannot be read or mapped is a [Fault] with that place,
// told in the caller's language, and reading goes on behind it. The server's part is
// the [Hub]: the definitions of a workspace's sources, their dead letters and how they
// are doing; and the [Watch], which follows the log for what is counted from it and for
// states nobody has translated yet.
//
// It keeps three promises. Nothing is dropped in silence: an input is taken, known
// already, or a fault with its place. Reading may be broken off and taken up again at
// any [Input.Next]. A foreign state that no dictionary knows never reaches a customer.
package ingest

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/sentence"
	"github.com/rapport-cx/rapport/scene"
)

// Source is where foreign inputs come from: a file, a delivery, later a stream or a
// table.
type Source interface {
	// Read gives the next input, io.EOF behind the last one. A *Fault is one input
	// that cannot be read: reading may go on behind it. Any other error ends it.
	Read(ctx context.Context) (Input, error)
}

// Input is one thing a source gave.
type Input struct {
	Value any    // what a mapping sees: nil, bool, json.Number, string, []any, map[string]any
	Raw   []byte // as it stood in the source; good until the next Read
	Place Place
	Next  Mark // behind it: where reading may be taken up again
}

// Mark is a place between two inputs; zero is the beginning.
type Mark struct {
	Offset int64 `json:"offset"` // bytes in front of it
	Line   int   `json:"line"`   // lines in front of it
}

// Place is where something stands in a source; zero fields are not known.
type Place struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`   // from 1
	Column  int    `json:"column,omitempty"` // in characters, from 1
	Pointer string `json:"pointer,omitempty"`
}

func (p Place) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Column > 0 {
		fmt.Fprintf(&b, ":%d", p.Column)
	}
	if p.Pointer != "" {
		b.WriteString(" " + p.Pointer)
	}
	return b.String()
}

// Fault is one input, or one definition, that cannot be used, and where it goes wrong.
type Fault struct {
	Place
	Code string            // stable; the catalogues are keyed by it
	Args []string          // name, value, name, value …: what the sentence has in braces
	Raw  []byte            // the input, as far as it was read
	Said map[string]string // by locale: a sentence that is in no catalogue here
	Next Mark              // as [Input.Next]
}

func (f *Fault) Error() string { return f.Place.String() + ": " + f.In(scene.English) }

// In is the fault's sentence in a language.
func (f *Fault) In(l scene.Locale) string {
	if said, ok := f.Said[string(l)]; ok {
		return said
	}
	return sentences.Say(l, f.Code, f.Args...)
}

//go:embed messages/*.json
var messageFiles embed.FS

var sentences = sentence.Read(messageFiles)

// LongestInput bounds one input, in bytes.
const LongestInput = 1 << 20

// decode reads one JSON value strictly: depth, UTF-8, doubled names and numbers are
// held to what a call may have. Numbers stay as they are written, so that long ids
// keep their last digits.
func decode(raw []byte) (any, *Fault) {
	if err := event.Check(raw, LongestInput); err != nil {
		p, ok := err.(*event.Problem)
		if !ok {
			return nil, &Fault{Code: "not_json"}
		}
		return nil, &Fault{Code: string(p.Code), Place: Place{Line: 1 + strings.Count(string(raw[:min(p.Offset, len(raw))]), "\n"), Column: column(raw, p.Offset), Pointer: p.Pointer}}
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, &Fault{Code: "not_json"}
	}
	return v, nil
}

// column is the character of its line, from 1, at which a byte of a text stands.
func column(text []byte, offset int) int {
	before := text[:min(offset, len(text))]
	if i := strings.LastIndexByte(string(before), '\n'); i >= 0 {
		before = before[i+1:]
	}
	return utf8.RuneCount(before) + 1
}
