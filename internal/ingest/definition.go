package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Definition is one source of a workspace, as its owner declares it.
type Definition struct {
	Name      string     `json:"name"`
	Title     string     `json:"title,omitempty"`
	Format    string     `json:"format,omitempty"` // json, form, text
	Map       string     `json:"map,omitempty"`    // jq; "" takes lines of an import as they are
	Signature *Signature `json:"signature,omitempty"`
	Paused    bool       `json:"paused,omitempty"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// Own are the sources that every workspace has: calls of the Segment specification,
// imports, and records put one by one.
var Own = []string{"segment", "import", "records"}

var sourceName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

var formats = []string{"json", "form", "text"}

// Faults are all that is wrong with a definition.
type Faults []*Fault

func (f Faults) Error() string {
	all := make([]string, len(f))
	for i, one := range f {
		all[i] = one.Error()
	}
	return strings.Join(all, "; ")
}

// Check fills in the defaults and finds every fault: names, signature, and the
// mapping with line and column. The mapping is nil when there is none.
func (d *Definition) Check() (*Mapping, error) {
	var faults Faults
	if !sourceName.MatchString(d.Name) {
		faults = append(faults, &Fault{Place: Place{Pointer: "/name"}, Code: "source_name"})
	} else if slices.Contains(Own, d.Name) {
		faults = append(faults, &Fault{Place: Place{Pointer: "/name"}, Code: "source_own"})
	}
	if d.Format == "" {
		d.Format = "json"
	}
	if !slices.Contains(formats, d.Format) {
		faults = append(faults, &Fault{Place: Place{Pointer: "/format"}, Code: "source_format", Args: []string{"choices", strings.Join(formats, ", ")}})
	}
	if d.Signature != nil {
		faults = append(faults, d.Signature.check()...)
	}
	var m *Mapping
	if strings.TrimSpace(d.Map) != "" {
		var err error
		if m, err = Compile(d.Map); err != nil {
			var f *Fault
			if !errors.As(err, &f) {
				return nil, err
			}
			f.Pointer = "/map"
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return m, nil
}

// Delivery is what a webhook sends: one input, or one that cannot be read.
func Delivery(format string, body []byte) Source { return &delivery{format, body, false} }

type delivery struct {
	format string
	body   []byte
	done   bool
}

func (d *delivery) Read(context.Context) (Input, error) {
	if d.done {
		return Input{}, io.EOF
	}
	d.done = true
	next := Mark{int64(len(d.body)), bytes.Count(d.body, []byte("\n"))}
	var v any
	var f *Fault
	switch d.format {
	case "text":
		v = string(bytes.ToValidUTF8(d.body, []byte("\uFFFD")))
	case "form":
		values, err := url.ParseQuery(string(d.body))
		if err != nil {
			f = &Fault{Code: "form_broken"}
			break
		}
		form := make(map[string]any, len(values))
		for name, all := range values {
			form[name] = all[0]
			if len(all) > 1 {
				list := make([]any, len(all))
				for i, one := range all {
					list[i] = one
				}
				form[name] = list
			}
		}
		v = form
	default:
		v, f = decode(d.body)
	}
	if f != nil {
		f.Raw, f.Next = d.body, next
		return Input{}, f
	}
	return Input{Value: v, Raw: d.body, Next: next}, nil
}

// HeadersOf are the headers a mapping may read: small, and nothing that proves anyone.
func HeadersOf(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		lower := strings.ToLower(name)
		if len(values) == 0 || len(values[0]) > 512 || len(out) == 64 ||
			lower == "authorization" || lower == "cookie" || strings.Contains(lower, "signature") || strings.Contains(lower, "token") || strings.Contains(lower, "hmac") {
			continue
		}
		out[lower] = values[0]
	}
	return out
}

// Seed names a delivery by its source and its bytes, so that one sent again is known.
func Seed(source string, body []byte) string {
	sum := sha256.Sum256(append([]byte(source+"\x00"), body...))
	return fmt.Sprintf("%s-%s", source, hex.EncodeToString(sum[:16]))
}
