package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/scene"
)

// everything reads a source to its end: what it gave as JSON, and its faults.
func everything(t testing.TB, s Source) (given []string, faults []*Fault) {
	t.Helper()
	m, err := Compile(`{record: "event", got: .}`)
	if err != nil {
		t.Fatal(err)
	}
	for range 1 << 20 {
		in, err := s.Read(context.Background())
		var f *Fault
		switch {
		case err == io.EOF:
			return given, faults
		case errors.As(err, &f):
			faults = append(faults, f)
		case err != nil:
			t.Fatal(err)
		default:
			lines, err := m.Apply(context.Background(), in.Value, Vars{})
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, fmt.Sprintf("%d %s", in.Place.Line, strings.TrimSuffix(strings.TrimPrefix(string(lines[0]), `{"got":`), `,"record":"event"}`)))
		}
	}
	t.Fatal("the source does not end")
	return nil, nil
}

func places(faults []*Fault) string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Place.String()+" "+f.Code)
	}
	return strings.Join(all, "\n")
}

func TestAFaultyLineIsToldWithItsPlaceAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for _, c := range []struct {
		name   string
		source func(text string) Source
		text   string
		given  string
		faults string
	}{
		{"a line that is no JSON", lined, "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", `1 {"a":1}|3 {"a":3}`, "f:2:6 /a not_json"},
		{"text behind the value", lined, "{} x\n[1]", `2 [1]`, "f:1:4 not_json"},
		{"Chinese before the fault counts characters", lined, "{\"名\":\"张三\",}\n", "", "f:1:11 /名 not_json"},
		{"a member named twice", lined, "{\"a\":1,\"a\":2}\n", "", "f:1:8 /a duplicate_key"},
		{"too deep", lined, deep + "\n1\n", "2 1", "f:1:65 " + strings.Repeat("/0", 64) + " too_deep"},
		{"too long", lined, "\"" + strings.Repeat("x", LongestInput) + "\"\n2\n", "2 2", "f:1 line_long"},
		{"bytes that are no UTF-8", lined, "\"\xff\"\n2\n", "2 2", "f:1:2 invalid_utf8"},
		{"long numbers keep their digits", lined, "{\"id\":900719925474099312345}\n", `1 {"id":900719925474099312345}`, ""},
		{"empty lines count", lined, "\n\n1\r\n", "3 1", ""},
		{"a byte order mark", lined, "\xef\xbb\xbf{\"a\":1}\n", `1 {"a":1}`, ""},
		{"no line feed at the end", lined, "1\n2", "1 1|2 2", ""},

		{"a table", tabled(Columns{}), "a,b\n1,x\n\"2\",\"y,\"\"z\"\"\"\n", `2 {"a":"1","b":"x"}|3 {"a":"2","b":"y,\"z\""}`, ""},
		{"a row over two lines", tabled(Columns{}), "a,b\n1,\"x\ny\"\n2,z\n", `2 {"a":"1","b":"x\ny"}|4 {"a":"2","b":"z"}`, ""},
		{"a row with fields too many and too few", tabled(Columns{}), "a,b\n1\n1,2,3\n1,2\n", `4 {"a":"1","b":"2"}`, "f:2 csv_fields\nf:3 csv_fields"},
		{"a quote inside a field", tabled(Columns{}), "a,b\n中文x\"y,1\n3,4\n", `3 {"a":"3","b":"4"}`, "f:2:4 csv_quote"},
		{"a quote that is never closed", tabled(Columns{}), "a,b\n\"1,2\n3,4\n5,6\n", `3 {"a":"3","b":"4"}|4 {"a":"5","b":"6"}`, "f:2 csv_open"},
		{"a quote that closes rows later", tabled(Columns{}), "a,b\n\"1,2\n3,4\n5,\"6\n7,8\n", `3 {"a":"3","b":"4"}|5 {"a":"7","b":"8"}`, "f:2 csv_open\nf:4 csv_open"},
		{"types", tabled(Columns{Types: map[string]string{"n": "number", "i": "integer", "b": "boolean", "t": "time", "s": "text?"}}),
			"n,i,b,t,s\n1.5,12345678901234567890,yes,2026-10-01 08:00:00 UTC,\n0x1,1,yes,2026-10-01,x\n1,1.5,yes,2026-10-01,x\n1,1,maybe,2026-10-01,x\n1,1,no,01.10.2026,x\n1,1,no,2026/10/1 8:05,x\n",
			`2 {"b":true,"i":12345678901234567890,"n":1.5,"s":null,"t":"2026-10-01T08:00:00Z"}|7 {"b":false,"i":1,"n":1,"s":"x","t":"2026-10-01T00:05:00Z"}`,
			"f:3:1 /n column_type\nf:4:2 /i column_type\nf:5:3 /b column_type\nf:6:4 /t column_type"},
		{"a column nobody declared", tabled(Columns{Types: map[string]string{"a": "text"}}), "a,b\n1,2\n", `2 {"a":"1"}`, "f:1:2 column_unknown"},
		{"a column that is missing", tabled(Columns{Types: map[string]string{"a": "text", "c": "text"}}), "a,b\n1,2\n", "", "f:1 column_missing"},
		{"a column named twice", tabled(Columns{}), "a,b,a\n1,2,3\n", "", "f:1:3 column_twice"},
		{"a table of another delimiter", tabled(Columns{Delimiter: ';'}), "a;b\n\"1;2\";3\n", `2 {"a":"1;2","b":"3"}`, ""},
		{"bytes that are no UTF-8 in a table", tabled(Columns{}), "a,b\n1,\xc4\xe3\n3,4\n", `3 {"a":"3","b":"4"}`, "f:2:3 invalid_utf8"},
		{"a row too long", tabled(Columns{}), "a,b\n1," + strings.Repeat("x", LongestInput) + "\n3,4\n", `3 {"a":"3","b":"4"}`, "f:2 line_long"},
		{"a broken document tells line and column", func(s string) Source { return Document([]byte(s), "f") }, "{\n \"a\": 1,\n \"b\": nul\n}", "", "f:3:10 not_json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			given, faults := everything(t, c.source(c.text))
			if got := strings.Join(given, "|"); got != c.given {
				t.Errorf("given %s\nwanted %s", got, c.given)
			}
			if got := places(faults); got != c.faults {
				t.Errorf("faults\n%s\nwanted\n%s", got, c.faults)
			}
			for _, f := range faults {
				zh, en := f.In(scene.Chinese), f.In(scene.English)
				if zh == f.Code || en == f.Code || zh == en || strings.ContainsAny(zh+en, "{}") {
					t.Errorf("%s is said as %q and %q", f.Code, zh, en)
				}
			}
		})
	}
}

func lined(text string) Source { return NDJSON(strings.NewReader(text), "f", Mark{}) }

func tabled(c Columns) func(string) Source {
	c.Zone = time.FixedZone("", 8*3600)
	return func(text string) Source { return CSV(strings.NewReader(text), nil, "f", c, Mark{}) }
}

// Reading may be broken off behind any input: what comes after is the same.
func TestReadingIsTakenUpAgainAtAnyMark(t *testing.T) {
	t.Parallel()
	table := "a,b\n1,\"x\ny\"\n2,z\n\"open,1\n3,\xff\n4,5\n\n6\n7,8"
	text := "{\"a\":1}\n\nnope\n2\n{}\n"
	for name, open := range map[string]func(from Mark) Source{
		"csv": func(from Mark) Source {
			return CSV(strings.NewReader(table[from.Offset:]), strings.NewReader(table), "f", Columns{}, from)
		},
		"ndjson": func(from Mark) Source { return NDJSON(strings.NewReader(text[from.Offset:]), "f", from) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type step struct {
				said string
				next Mark
			}
			walk := func(from Mark) (all []step) {
				s := open(from)
				for {
					in, err := s.Read(context.Background())
					var f *Fault
					switch {
					case err == io.EOF:
						return all
					case errors.As(err, &f):
						all = append(all, step{f.Place.String() + f.Code, f.Next})
					case err != nil:
						t.Fatal(err)
					default:
						all = append(all, step{fmt.Sprint(in.Place, in.Value), in.Next})
					}
				}
			}
			whole := walk(Mark{})
			if len(whole) < 4 {
				t.Fatalf("only %d steps", len(whole))
			}
			for i, s := range whole {
				if got, want := fmt.Sprint(walk(s.next)), fmt.Sprint(whole[i+1:]); got != want {
					t.Errorf("behind %s:\n%s\nwanted\n%s", s.said, got, want)
				}
			}
		})
	}
}

func TestAMappingsFaultsAreToldWithTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, place string }{
		{"an open brace", "{a: 1", "1:6"},
		{"a stray token", "{\n  a: .b,\n  c: .d |\n}", "4:1"},
		{"a function that is not there", "# foo is not there\n{a: foo(.b)}", "2:5"},
		{"a variable that is not there", ".a |\n .b + $nobody", "2:7"},
		{"an open text", "{a: \"x}", "1:8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Compile(c.text)
			var f *Fault
			if !errors.As(err, &f) {
				t.Fatalf("no fault: %v", err)
			}
			if got := fmt.Sprintf("%d:%d", f.Line, f.Column); got != c.place {
				t.Errorf("%s: told at %s, wanted %s", f.In(scene.English), got, c.place)
			}
		})
	}
}

func TestAMappingMakesRecordsAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want, code string }{
		{"several records", `.[] | {record: "event", n: .}`, `{"n":1,"record":"event"} {"n":2,"record":"event"}`, ""},
		{"null is none", `.[] | if . == 1 then null else {type: "track", n: .} end`, `{"n":2,"record":"event","type":"track"}`, ""},
		{"none at all", `empty`, ``, ""},
		{"a number is no record", `.[]`, "", "mapping_no_object"},
		{"an object that is no record", `{a: 1}`, "", "mapping_no_record"},
		{"a failure", `.a`, "", "mapping_failed"},
		{"an error of its own", `error("nobody knows \(.[0])")`, "", "mapping_failed"},
		{"without end", `def f: f; f`, "", "mapping_slow"},
		{"without number", `range(1e9) | {record: "event"}`, "", "mapping_many"},
		{"what the environment holds is not there", `{record: "event", env: ($ENV | length)}`, `{"env":0,"record":"event"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := Compile(c.text)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := m.Apply(context.Background(), []any{1, 2}, Vars{})
			var f *Fault
			if errors.As(err, &f) != (c.code != "") || f != nil && f.Code != c.code {
				t.Fatalf("%v, wanted %q", err, c.code)
			}
			if got := string(bytes.Join(lines, []byte(" "))); got != c.want {
				t.Errorf("%s, wanted %s", got, c.want)
			}
		})
	}
}

func TestALineIsCompletedSoThatTakingItAgainIsKnown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		`{"record":"event","event":"X"}`:                                  `{"record":"event","event":"X","messageId":"s/3","timestamp":"2026-10-01T00:00:00Z"}`,
		`{"record":"event","messageId":"m"}`:                              `{"record":"event","messageId":"m","timestamp":"2026-10-01T00:00:00Z"}`,
		`{"record":"event","timestamp":"2026-10-01T00:00:00Z"}`:           `{"record":"event","timestamp":"2026-10-01T00:00:00Z"}`,
		`{"record":"order","id":"1","updated_at":null}`:                   `{"record":"order","id":"1","updated_at":"2026-10-01T00:00:00Z"}`,
		`{"record":"order","id":"1","updated_at":"2026-01-01T00:00:00Z"}`: `{"record":"order","id":"1","updated_at":"2026-01-01T00:00:00Z"}`,
		`{"no":"record"}`: `{"no":"record"}`,
	} {
		if got := string(WithDefaults([]byte(in), "s", 3, at)); got != want {
			t.Errorf("%s\nbecame %s\nwanted %s", in, got, want)
		}
	}
}

// Whatever a file holds, reading ends, each byte is passed once, and no fault is
// without its place and its two sentences.
func FuzzFiles(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n\"x\ny\",3\n\"open\n"), true)
	f.Add([]byte("{\"a\":1}\n\nx\n"), false)
	f.Add([]byte("\xef\xbb\xbfa,\"b\"\r\n\xff,\r\n"), true)
	f.Fuzz(func(t *testing.T, text []byte, csv bool) {
		var s Source = NDJSON(bytes.NewReader(text), "f", Mark{})
		if csv {
			s = CSV(bytes.NewReader(text), nil, "f", Columns{Types: map[string]string{"a": "number", "b": "text?"}}, Mark{})
		}
		var last Mark
		for n := 0; ; n++ {
			if n > 2*len(text)+4 {
				t.Fatal("reading does not end")
			}
			in, err := s.Read(context.Background())
			if err == io.EOF {
				return
			}
			next, line := in.Next, in.Place.Line
			var fault *Fault
			if errors.As(err, &fault) {
				next, line = fault.Next, fault.Line
				if fault.In(scene.English) == fault.Code || fault.In(scene.Chinese) == fault.Code {
					t.Fatalf("no sentence for %s", fault.Code)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if line < 1 || next.Offset < last.Offset || next.Offset > int64(len(text)) || next.Line < last.Line {
				t.Fatalf("line %d, from %v to %v of %d bytes", line, last, next, len(text))
			}
			last = next
		}
	})
}
