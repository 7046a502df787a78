package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// lines gives the lines of a text with their numbers and ends.
type lines struct {
	r    *bufio.Reader
	at   Mark // behind the line given last
	long []byte
}

func newLines(r io.Reader, from Mark) *lines {
	return &lines{r: bufio.NewReaderSize(r, 256<<10), at: from}
}

var errLong = errors.New("the line is too long")

// read gives the next line with its line feed, good until the next read; errLong for
// one that is longer than an input may be, of which it gives the beginning.
func (l *lines) read() ([]byte, error) {
	part, err := l.r.ReadSlice('\n')
	line := part
	if err == bufio.ErrBufferFull {
		l.long = append(l.long[:0], part...)
		size := int64(len(part))
		for err == bufio.ErrBufferFull {
			part, err = l.r.ReadSlice('\n')
			size += int64(len(part))
			if len(l.long) <= LongestInput {
				l.long = append(l.long, part...)
			}
		}
		line = l.long
		if size > LongestInput {
			l.at.Offset += size
			l.at.Line++
			if err != nil && err != io.EOF {
				return nil, err
			}
			return line[:256], errLong
		}
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(line) == 0 {
		return nil, io.EOF
	}
	l.at.Offset += int64(len(line))
	l.at.Line++
	return line, nil
}

// bom is the mark that some exports begin with.
var bom = []byte("\xef\xbb\xbf")

// NDJSON reads a JSON value a line. Empty lines count, so that numbers are those of
// the file. offset and line say where to begin: [Input.Next] and [Place.Line] of the
// last input that was taken, zero for the beginning.
func NDJSON(r io.Reader, file string, from Mark) Source {
	return &ndjson{newLines(r, from), file}
}

type ndjson struct {
	*lines
	file string
}

func (s *ndjson) Read(context.Context) (Input, error) {
	for {
		line, err := s.read()
		if err != nil && err != errLong {
			return Input{}, err
		}
		if s.at.Line == 1 {
			line = bytes.TrimPrefix(line, bom)
		}
		place := Place{File: s.file, Line: s.at.Line}
		if err == errLong {
			return Input{}, &Fault{Place: place, Code: "line_long", Args: []string{"limit", strconv.Itoa(LongestInput)}, Raw: slices.Clone(line), Next: s.at}
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		v, f := decode(line)
		if f != nil {
			f.File, f.Line, f.Raw, f.Next = s.file, s.at.Line, slices.Clone(line), s.at
			return Input{}, f
		}
		return Input{v, line, place, s.at}, nil
	}
}

// Document reads one JSON value that is the whole text.
func Document(text []byte, file string) Source { return &document{text, file, false} }

type document struct {
	text []byte
	file string
	done bool
}

func (s *document) Read(context.Context) (Input, error) {
	if s.done {
		return Input{}, io.EOF
	}
	s.done = true
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(s.text, bom)))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		at := int(d.InputOffset())
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = int(syntax.Offset) - 1
		}
		at = max(0, min(at, len(s.text)))
		place := placeIn(string(s.text), at)
		place.File = s.file
		return Input{}, &Fault{Place: place, Code: "not_json", Next: s.end()}
	}
	return Input{v, s.text, Place{File: s.file, Line: 1}, s.end()}, nil
}

func (s *document) end() Mark {
	return Mark{int64(len(s.text)), bytes.Count(s.text, []byte("\n"))}
}

// Columns say what the columns of a CSV file hold.
type Columns struct {
	// Types by column: text, number, integer, boolean, time. A type that ends in ?
	// may be empty, which is null. With Types a column that is not among them is a
	// fault of the header (and left out), a missing one ends the file; without, every
	// column is text.
	Types map[string]string
	// Delimiter between fields; 0 is a comma.
	Delimiter rune
	// Zone is that of times which name none; nil is UTC.
	Zone *time.Location
}

// Check finds a type that is none.
func (c Columns) Check() error {
	for name, kind := range c.Types {
		if !slices.Contains([]string{"text", "number", "integer", "boolean", "time"}, strings.TrimSuffix(kind, "?")) {
			return fmt.Errorf("column %q: %q is none of text, number, integer, boolean, time (with ? when it may be empty)", name, kind)
		}
	}
	return nil
}

// CSV reads the rows of a table, each an object by the names of the header. A row may
// span lines where a field is quoted. r begins at from; head is the same table from
// its beginning, for its header, when from is not that.
func CSV(r io.Reader, head io.Reader, file string, c Columns, from Mark) Source {
	s := &table{lines: newLines(r, from), file: file, columns: c}
	if c.Delimiter == 0 {
		s.columns.Delimiter = ','
	}
	if from.Offset > 0 {
		s.header = newLines(head, Mark{})
	}
	s.feed = &feed{}
	s.csv = csv.NewReader(s.feed)
	s.csv.Comma = s.columns.Delimiter
	s.csv.ReuseRecord = true
	s.csv.FieldsPerRecord = -1
	return s
}

// table is a CSV file. encoding/csv reads the fields, one row at a time, so that a
// quote that is never closed costs its own line and not the rest of the file.
type table struct {
	*lines
	file    string
	columns Columns
	header  *lines // of the file's beginning, when reading is taken up in its midst
	names   []string
	types   []string // beside names; "" is text
	leave   []bool   // columns that no type names
	feed    *feed
	csv     *csv.Reader
	row     []byte
	span    []held // the lines of the row, when it spans several
	back    []held // lines of a row that had no end, to be read again each by itself
	faults  []*Fault
	broken  error
}

// held is a line that was read already.
type held struct {
	text []byte
	at   Mark  // behind it
	err  error // errLong, or nil
}

// feed hands the csv reader one row.
type feed struct{ row []byte }

func (f *feed) Read(p []byte) (int, error) {
	if len(f.row) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.row)
	f.row = f.row[n:]
	return n, nil
}

// longestRow bounds how many lines one row may span.
const longestRow = 1000

// text gives one row as it stands, with the line it begins at and the mark behind it.
func (s *table) text(from *lines) (row []byte, line int, next Mark, err error) {
	read := func() (held, error) {
		if len(s.back) > 0 {
			h := s.back[0]
			s.back = s.back[1:]
			return h, h.err
		}
		l, err := from.read()
		return held{l, from.at, err}, err
	}
	s.span = nil
	first, err := read()
	if err != nil || !s.open(first.text, false) {
		return first.text, first.at.Line, first.at, err
	}
	parts := []held{{slices.Clone(first.text), first.at, nil}}
	size := len(first.text)
	for {
		more, err := read()
		if err != nil && err != io.EOF && err != errLong {
			return nil, 0, first.at, err
		}
		if err == nil {
			parts = append(parts, held{slices.Clone(more.text), more.at, nil})
			size += len(more.text)
		}
		if err != nil || size > LongestInput || len(parts) > longestRow {
			// No end in sight: the first line is faulty, the others are read for themselves.
			if err == errLong {
				parts = append(parts, held{slices.Clone(more.text), more.at, err})
			}
			s.back = append(parts[1:], s.back...)
			return parts[0].text, parts[0].at.Line, parts[0].at, errOpen
		}
		if !s.open(more.text, true) {
			s.row = s.row[:0]
			for _, p := range parts {
				s.row = append(s.row, p.text...)
			}
			s.span = parts
			return s.row, parts[0].at.Line, more.at, nil
		}
	}
}

var errOpen = errors.New("a quote is never closed")

// open tells whether a quoted field goes on behind the end of a line, given whether
// one does at its beginning.
func (s *table) open(line []byte, quoted bool) bool {
	if !quoted && bytes.IndexByte(line, '"') < 0 {
		return false
	}
	begins := !quoted // a field begins here
	for i := 0; i < len(line); {
		r, n := rune(line[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(line[i:])
		}
		switch {
		case quoted && r == '"':
			if i+1 < len(line) && line[i+1] == '"' {
				n = 2
			} else {
				quoted = false
			}
		case quoted:
		case r == '"' && begins:
			quoted = true
		}
		begins = !quoted && r == s.columns.Delimiter
		i += n
	}
	return quoted
}

func (s *table) fault(line int, code string, args ...string) *Fault {
	return &Fault{Place: Place{File: s.file, Line: line}, Code: code, Args: args}
}

// fields reads a row's fields.
func (s *table) fields(row []byte, line int) ([]string, *Fault) {
	if !utf8.Valid(row) {
		at := 0
		for at < len(row) {
			r, n := utf8.DecodeRune(row[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		f := s.fault(line+bytes.Count(row[:at], []byte("\n")), "invalid_utf8")
		f.Column = column(row, at)
		return nil, f
	}
	s.feed.row = row
	all, err := s.csv.Read()
	if err != nil || len(s.feed.row) > 0 {
		f := s.fault(line, "csv_quote")
		var p *csv.ParseError
		if errors.As(err, &p) {
			l := lineOf(row, p.Line-p.StartLine)
			f.Line = line + p.Line - p.StartLine
			f.Column = utf8.RuneCount(l[:min(max(p.Column-1, 0), len(l))]) + 1
		}
		s.restart()
		return nil, f
	}
	return all, nil
}

// restart gives the csv reader a clean buffer after a row it could not read.
func (s *table) restart() {
	s.feed.row = nil
	s.csv = csv.NewReader(s.feed)
	s.csv.Comma, s.csv.ReuseRecord, s.csv.FieldsPerRecord = s.columns.Delimiter, true, -1
}

func lineOf(text []byte, n int) []byte {
	for range n {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

// begin reads the header.
func (s *table) begin() error {
	from := s.lines
	if s.header != nil {
		from = s.header
	}
	row, line, next, err := s.text(from)
	if err == io.EOF {
		return io.EOF
	}
	if err != nil && err != errOpen && err != errLong {
		return err
	}
	bad := func(f *Fault) error {
		f.Raw, f.Next = slices.Clone(row[:min(len(row), 4096)]), next
		s.broken = io.EOF
		return f
	}
	if err != nil {
		return bad(s.fault(line, "csv_header"))
	}
	row = bytes.TrimPrefix(row, bom)
	names, f := s.fields(row, line)
	if f != nil {
		return bad(f)
	}
	s.names = slices.Clone(names)
	s.types, s.leave = make([]string, len(names)), make([]bool, len(names))
	for i, name := range s.names {
		name = strings.TrimSpace(name)
		s.names[i] = name
		at := func(code string) *Fault {
			f := s.fault(line, code, "column", name)
			f.Column, f.Next = i+1, next
			return f
		}
		if slices.Contains(s.names[:i], name) {
			return bad(at("column_twice"))
		}
		if s.columns.Types == nil {
			continue
		}
		kind, known := s.columns.Types[name]
		if !known {
			s.leave[i] = true
			if s.header == nil { // told once, not at each resumption
				s.faults = append(s.faults, at("column_unknown"))
			}
		}
		s.types[i] = kind
	}
	for _, name := range sorted(s.columns.Types) {
		if !slices.Contains(s.names, name) {
			return bad(s.fault(line, "column_missing", "column", name))
		}
	}
	s.header = nil
	return nil
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *table) Read(context.Context) (Input, error) {
	if s.broken != nil {
		return Input{}, s.broken
	}
	if s.names == nil {
		if err := s.begin(); err != nil {
			return Input{}, err
		}
	}
	if len(s.faults) > 0 {
		f := s.faults[0]
		s.faults = s.faults[1:]
		return Input{}, f
	}
	for {
		row, line, next, err := s.text(s.lines)
		refuse := func(f *Fault) (Input, error) {
			f.Raw, f.Next = slices.Clone(bytes.TrimRight(row, "\r\n")), next
			return Input{}, f
		}
		switch err {
		case nil:
		case errLong:
			return refuse(s.fault(line, "line_long", "limit", strconv.Itoa(LongestInput)))
		case errOpen:
			return refuse(s.fault(line, "csv_open"))
		default:
			return Input{}, err
		}
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		all, f := s.fields(row, line)
		if f == nil && len(all) != len(s.names) {
			f = s.fault(line, "csv_fields", "got", strconv.Itoa(len(all)), "want", strconv.Itoa(len(s.names)))
		}
		if f != nil && len(s.span) > 0 {
			// A quote that was left open has swallowed the lines up to the next one:
			// the first is faulty, the others are read for themselves.
			row, next = s.span[0].text, s.span[0].at
			s.back = append(s.span[1:], s.back...)
			f = s.fault(line, "csv_open")
		}
		if f != nil {
			return refuse(f)
		}
		doc := make(map[string]any, len(all))
		for i, name := range s.names {
			if s.leave[i] {
				continue
			}
			v, ok := s.value(s.types[i], all[i])
			if !ok {
				f := s.fault(line, "column_type", "column", name, "type", strings.TrimSuffix(s.types[i], "?"), "got", shorten(all[i]))
				f.Column = i + 1
				f.Pointer = "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
				return refuse(f)
			}
			doc[name] = v
		}
		return Input{doc, bytes.TrimRight(row, "\r\n"), Place{File: s.file, Line: line}, next}, nil
	}
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// value reads a field by its column's type.
func (s *table) value(kind, text string) (any, bool) {
	if kind == "" {
		return text, true
	}
	kind, optional := strings.CutSuffix(kind, "?")
	if optional && strings.TrimSpace(text) == "" {
		return nil, true
	}
	switch kind {
	case "number":
		t := strings.TrimSpace(text)
		if n, err := strconv.ParseFloat(t, 64); err == nil && n-n == 0 && decimal(t) {
			return n, true
		}
	case "integer":
		t := strings.TrimSpace(text)
		if n, err := strconv.Atoi(t); err == nil {
			return n, true
		}
		if n, ok := new(big.Int).SetString(t, 10); ok && len(t) < 80 {
			return n, true
		}
	case "boolean":
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true", "yes", "y", "1", "是":
			return true, true
		case "false", "no", "n", "0", "否":
			return false, true
		}
	case "time":
		if t, ok := ParseTime(text, s.columns.Zone); ok {
			return t.UTC().Format(time.RFC3339Nano), true
		}
	case "text":
		return text, optional || text != ""
	}
	return nil, false
}

// decimal tells that a number is written in decimal, which ParseFloat does not ask.
func decimal(s string) bool { return !strings.ContainsAny(s, "xXpP_nNiI") }

// layouts are how exports write times, those with a zone first.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006/1/2 15:04:05", "2006/1/2 15:04", "2006-01-02", "2006/1/2",
	"2006年1月2日 15:04:05", "2006年1月2日",
}

// ParseTime reads the usual ways to write a time: RFC 3339 and its relatives with or
// without a zone, dates, seconds or milliseconds since 1970.
func ParseTime(text string, zone *time.Location) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			if name, offset := t.Zone(); strings.HasSuffix(layout, "MST") && offset == 0 && name != "UTC" && name != "GMT" {
				return time.Time{}, false // a zone's letters say no offset
			}
			return t, t.Year() >= 1970 && t.Year() < 10000
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
	case len(text) == 10:
		return time.Unix(n, 0).UTC(), true
	case len(text) == 13:
		return time.UnixMilli(n).UTC(), true
	}
	return time.Time{}, false
}
