package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"github.com/rapport-cx/rapport/event"
)

// Mapping is a compiled jq program that makes records of foreign inputs. It is safe
// for concurrent use.
type Mapping struct {
	text string
	code *gojq.Code
}

// Vars are what a program knows beside its input.
type Vars struct {
	At      string            // $at: when it came, RFC 3339; null when not known
	File    string            // $file: base name of the file, "" for a delivery
	Line    int               // $line: of the file, from 1; 0 for a delivery
	Source  string            // $source: the source's name
	Headers map[string]string // $headers: of a delivery, their names in lower case
}

var variables = []string{"$at", "$file", "$line", "$source", "$headers"}

// Bounds of one input's mapping.
const (
	mostRecords  = 10_000
	longestWork  = 2 * time.Second
	longestThing = 64 << 10 // bytes of a program
)

// Compile reads a program. Its error is a *Fault that names line and column of it.
func Compile(text string) (*Mapping, error) {
	if len(text) > longestThing {
		return nil, &Fault{Code: "mapping_long", Place: Place{Line: 1, Column: 1}}
	}
	query, err := gojq.Parse(text)
	if err != nil {
		var p *gojq.ParseError
		if !errors.As(err, &p) {
			return nil, &Fault{Code: "mapping_faulty", Args: []string{"reason", err.Error()}, Place: Place{Line: 1, Column: 1}}
		}
		// Offset is behind the token; the place to look is its beginning.
		at := max(0, min(p.Offset, len(text))-len(p.Token))
		return nil, &Fault{Code: "mapping_faulty", Args: []string{"reason", p.Error()}, Place: placeIn(text, at)}
	}
	code, err := gojq.Compile(query, gojq.WithVariables(variables))
	if err != nil {
		return nil, &Fault{Code: "mapping_faulty", Args: []string{"reason", err.Error()}, Place: placeIn(text, find(text, err.Error()))}
	}
	return &Mapping{text, code}, nil
}

func placeIn(text string, offset int) Place {
	return Place{Line: 1 + strings.Count(text[:offset], "\n"), Column: column([]byte(text), offset)}
}

// find looks for what the compiler, which gives no places, says is not defined.
func find(text, message string) int {
	_, name, ok := strings.Cut(message, "not defined: ")
	if !ok {
		return 0
	}
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			name = name[:i] // a function is named with how many arguments it had
		}
	}
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return 0
		}
		i += from
		end := i + len(name)
		whole := (i == 0 || !wordy(text[i-1])) && (end == len(text) || !wordy(text[end]))
		if whole && !commented(text, i) {
			return i
		}
		from = end
	}
}

func wordy(b byte) bool {
	return b == '_' || b == '.' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// commented tells that a byte stands behind a # of its line (a # in a text is rare
// enough in front of an undefined name).
func commented(text string, at int) bool {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	return strings.Contains(line, "#")
}

// Apply makes the records of one input, as lines of an import: JSON objects, each
// with "record"; a call of the Segment specification (with "type") may leave it out.
// Null is no record. An error is a *Fault, without a place.
func (m *Mapping) Apply(ctx context.Context, input any, v Vars) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWork)
	defer cancel()
	headers := make(map[string]any, len(v.Headers))
	for name, value := range v.Headers {
		headers[name] = value
	}
	var at any
	if v.At != "" {
		at = v.At
	}
	out := m.code.RunWithContext(ctx, input, at, v.File, v.Line, v.Source, headers)
	var lines [][]byte
	for {
		value, ok := out.Next()
		if !ok {
			return lines, nil
		}
		switch value := value.(type) {
		case error:
			var halt *gojq.HaltError
			switch {
			case errors.As(value, &halt) && halt.Value() == nil:
				return lines, nil
			case ctx.Err() != nil:
				return nil, &Fault{Code: "mapping_slow"}
			}
			return nil, &Fault{Code: "mapping_failed", Args: []string{"reason", value.Error()}}
		case nil:
		case map[string]any:
			if len(lines) == mostRecords {
				return nil, &Fault{Code: "mapping_many", Args: []string{"limit", fmt.Sprint(mostRecords)}}
			}
			if _, named := value["record"]; !named {
				if _, call := value["type"]; !call {
					return nil, &Fault{Code: "mapping_no_record"}
				}
				value["record"] = "event"
			}
			line, err := marshal(value)
			if err != nil {
				return nil, &Fault{Code: "mapping_failed", Args: []string{"reason", err.Error()}}
			}
			lines = append(lines, line)
		default:
			return nil, &Fault{Code: "mapping_no_object", Args: []string{"got", gojq.TypeOf(value)}}
		}
	}
}

// marshal writes a result; what jq can hold and JSON cannot (NaN) is a fault of the
// writer's, which makes it null.
func marshal(v any) (line []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return gojq.Marshal(v)
}

// WithDefaults completes a line so that taking it again is known: a call without a
// message id of its own gets one from seed (what stood in the source) and its place
// among the input's records, a record without a time gets at.
func WithDefaults(line []byte, seed string, index int, at time.Time) []byte {
	var record, message, when, updated bool
	call := false
	for name, value := range event.Members(line) {
		switch name {
		case "record":
			record = true
			call = string(value) == `"event"`
		case "messageId", "message_id":
			message = true
		case "timestamp", "originalTimestamp", "original_timestamp":
			when = string(value) != "null"
		case "updated_at":
			updated = string(value) != "null"
		}
	}
	switch {
	case !record:
		return line
	case call && !message && !when:
		return with(with(line, "messageId", seed+"/"+strconv.Itoa(index)), "timestamp", at.UTC().Format(time.RFC3339Nano))
	case call && !message, call && when, updated:
		return line
	case call:
		return with(line, "timestamp", at.UTC().Format(time.RFC3339Nano))
	}
	return with(line, "updated_at", at.UTC().Format(time.RFC3339Nano))
}

// with is an object with one more text member, in the place of one that was null.
func with(object []byte, name, value string) []byte {
	out := append(make([]byte, 0, len(object)+len(name)+len(value)+8), '{')
	for n, v := range event.Members(object) {
		if n == name {
			continue
		}
		out = member(out, n, v)
	}
	quoted, _ := json.Marshal(value) // a string always has a form
	return append(member(out, name, quoted), '}')
}

func member(out []byte, name string, value []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	quoted, _ := json.Marshal(name) // a string always has a form
	return append(append(append(out, quoted...), ':'), value...)
}
