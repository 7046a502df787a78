package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// reference says whether a text is what Check accepts, by means of encoding/json,
// which knows nothing of the scanner: slow, in several passes.
func reference(text []byte) bool {
	if !json.Valid(text) || !utf8.Valid(text) {
		return false
	}
	// Outside strings there are no backslashes, so escapes can be looked at alone.
	rest := regexp.MustCompile(`\\[^u]`).ReplaceAll(text, nil)
	rest = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`).ReplaceAll(rest, nil)
	if regexp.MustCompile(`(?i)\\ud[89a-f]`).Match(rest) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	type level struct {
		object, name bool
		seen         map[string]bool
	}
	var open []level
	value := func() {
		if n := len(open); n > 0 && open[n-1].object {
			open[n-1].name = true
		}
	}
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false // a number out of range
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, level{object: true, name: true, seen: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
			value()
		default:
			if n := len(open); n > 0 && open[n-1].object && open[n-1].name {
				name := tok.(string)
				if open[n-1].seen[name] {
					return false
				}
				open[n-1].seen[name], open[n-1].name = true, false
				continue
			}
			value()
		}
		if len(open) > MaxDepth {
			return false
		}
	}
}

var texts = []string{
	`{}`, `[]`, `null`, ` true `, `-0`, `01`, `1.`, `1e5`, `1e999`, `-`, `+1`, `.5`, `1E+2`, `""`, `"a`, `"\`, `nul`, `tru e`, ``,
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":1}}`, `{"a":1,}`, `{,}`, `[1,]`, `[1 2]`, `{"a" 1}`, `{"a":}`, `{a:1}`,
	`"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\uD83D\uDE00"`, `"\u00e9"`, `"\u12"`, `"\x"`, `"\\ud83d"`,
	"\"\xff\"", "\"\xc3\x28\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"退货\"", "\"a\tb\"", "\"\x7f\"", "\x00", "\"\x00\"", "{}\x00", "\ufeff{}",
	`{"退":1,"退":2}`, `{"":1,"":2}`, `{"aaaaaaaab":1,"aaaaaaaac":2}`, `{"aaaaaaaab":1,"aaaaaaaab":2}`, `{"a":1,"a\u0000":2}`, `{} {}`,
	"\t{ \"a\" : [ 1 , 2.5e-3 , { } , [ ] , \"x\" ] }\r\n", `"12345678"`, `"1234567\"9"`, `"1234567` + "\x1f" + `"`,
}

func TestCheckAcceptsExactlyStrictJSON(t *testing.T) {
	t.Parallel()
	all := append([]string{strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("[", 9999)}, texts...)
	for _, text := range all {
		if got, want := Check([]byte(text), 1<<20) == nil, reference([]byte(text)); got != want {
			t.Errorf("%.60q: accepted %v, the reference says %v", text, got, want)
		}
	}
}

func TestARefusalPointsAtTheFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, pointer string
		code          Code
		offset        int
	}{
		{`{"a":{"b":[1,{"c":tru}]}}`, "/a/b/1/c", NotJSON, 18},
		{`{"a/b":{"~":"` + "\xff" + `"}}`, "/a~1b/~0", InvalidUTF8, 13},
		{`{"x":["\ud800"]}`, "/x/0", LoneSurrogate, 7},
		{`{"x":1,"y":{"k":1,"k":2}}`, "/y/k", DuplicateKey, 18},
		{`{"":{"":x}}`, "//", NotJSON, 8},
		{`{"n":1e400}`, "/n", NumberRange, 5},
		{`[1,2`, "/1", NotJSON, 4},
	} {
		var p *Problem
		if err := Check([]byte(c.text), 1<<20); !errors.As(err, &p) || p.Code != c.code || p.Pointer != c.pointer || p.Offset != c.offset {
			t.Errorf("%s: %+v, want %s at %q byte %d", c.text, err, c.code, c.pointer, c.offset)
		}
	}
}

func TestAHostileObjectCostsNoQuadraticTime(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"k0":0`)
	for i := 1; i < 60000; i++ {
		b.WriteString(`,"k` + itoa(i) + `":0`)
	}
	if err := Check([]byte(b.String()+"}"), 1<<20); err != nil {
		t.Error(err)
	}
	if err := Check([]byte(b.String()+`,"k59000":0}`), 1<<20); err == nil {
		t.Error("a name that comes twice among many was accepted")
	}
}

func TestCompactKeepsWhatStandsInStrings(t *testing.T) {
	t.Parallel()
	got := string(Compact(nil, []byte("{ \"a b\" : [ 1 ,\n\t\"x \\\" y\" , \"\\\\\" ] }")))
	if want := `{"a b":[1,"x \" y","\\"]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzCheck(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ours := Check(text, 1<<20) == nil
		if ours != reference(text) {
			t.Fatalf("%q: accepted %v, the reference says %v", text, ours, !ours)
		}
		if !ours {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, text); err != nil {
			t.Fatal(err)
		}
		if got := Compact(nil, text); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("compact %q, want %q", got, want.Bytes())
		}
	})
}
