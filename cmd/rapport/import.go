package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/itchyny/gojq"
	"go.yaml.in/yaml/v3"
)

type importCommand struct {
	target   `embed:""`
	Paths    []string  `arg:"" help:"NDJSON files of import records; with --map, the folder or files that the mapping names." type:"path"`
	Map      string    `help:"YAML mapping of foreign files to records, in jq." type:"existingfile" placeholder:"FILE"`
	At       time.Time `help:"Time of records whose files carry none (RFC 3339)." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`
	DryRun   bool      `help:"Map and count, send nothing."`
	Rejected string    `help:"Write refused records with their reasons to this file (NDJSON)." type:"path" placeholder:"FILE"`
}

// mapping says, in jq, what records a foreign file holds. No code of ours knows
// the format.
type mapping struct {
	Files []mappedFile `yaml:"files"`
}

type mappedFile struct {
	Path   string `yaml:"path"`   // relative to the folder given
	Format string `yaml:"format"` // json (the program sees the whole document), ndjson or csv (it sees each row as an object)
	Map    string `yaml:"map"`    // gives any number of records; $at is --at

	code *gojq.Code
}

func readMapping(path string) (*mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m mapping
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	for i := range m.Files {
		f := &m.Files[i]
		query, err := gojq.Parse(f.Map)
		if err != nil {
			return nil, fmt.Errorf("mapping %s: %s: %w", path, f.Path, err)
		}
		if f.code, err = gojq.Compile(query, gojq.WithVariables([]string{"$at"})); err != nil {
			return nil, fmt.Errorf("mapping %s: %s: %w", path, f.Path, err)
		}
	}
	return &m, nil
}

func (i *importCommand) Run(ctx context.Context, con *console) error {
	var c *client
	if !i.DryRun {
		var err error
		if c, err = i.open(); err != nil {
			return err
		}
	}
	s := &shipment{client: c, con: con, started: time.Now(), kinds: map[string]int{}}
	if i.Rejected != "" {
		f, err := os.Create(i.Rejected)
		if err != nil {
			return err
		}
		defer f.Close()
		s.rejects = f
	}
	if err := i.feed(ctx, s); err != nil {
		return err
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	return s.finish(con)
}

func (i *importCommand) feed(ctx context.Context, s *shipment) error {
	if i.Map == "" {
		for _, p := range i.Paths {
			if err := eachLine(p, func(line []byte) error { return s.add(ctx, line) }); err != nil {
				return err
			}
		}
		return nil
	}
	m, err := readMapping(i.Map)
	if err != nil {
		return err
	}
	at := any(nil)
	if !i.At.IsZero() {
		at = i.At.UTC().Format(time.RFC3339)
	}
	for _, f := range m.Files {
		path, err := i.find(f.Path)
		if err != nil {
			return err
		}
		err = f.each(path, func(input any) error {
			out := f.code.RunWithContext(ctx, input, at)
			for {
				v, ok := out.Next()
				if !ok {
					return nil
				}
				if err, bad := v.(error); bad {
					return fmt.Errorf("%s: %w", path, err)
				}
				line, err := gojq.Marshal(v)
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				if err := s.add(ctx, line); err != nil {
					return err
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// find looks for a mapped file in the folders given, or among the files given.
func (i *importCommand) find(name string) (string, error) {
	for _, p := range i.Paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			if full := filepath.Join(p, name); exists(full) {
				return full, nil
			}
		} else if filepath.Base(p) == name {
			return p, nil
		}
	}
	return "", fmt.Errorf("the mapping wants %s, which is not in %s", name, strings.Join(i.Paths, ", "))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func eachLine(path string, do func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := do(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// each hands every input of a foreign file to its program.
func (f *mappedFile) each(path string, do func(any) error) error {
	switch f.Format {
	case "json", "":
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return do(doc)
	case "ndjson":
		return eachLine(path, func(line []byte) error {
			var doc any
			if err := json.Unmarshal(line, &doc); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return do(doc)
		})
	case "csv":
		return eachRow(path, do)
	}
	return fmt.Errorf("mapping of %s: format %q is none of json, ndjson, csv", f.Path, f.Format)
}

func eachRow(path string, do func(any) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := csv.NewReader(bufio.NewReaderSize(file, 1<<20))
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: header: %w", path, err)
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err) // names the line and column
		}
		doc := make(map[string]any, len(header))
		for i, name := range header {
			doc[name] = row[i]
		}
		if err := do(doc); err != nil {
			return err
		}
	}
}

// shipment sends records in pieces and counts what became of them.
type shipment struct {
	client  *client
	con     *console
	started time.Time
	shown   time.Time
	buf     bytes.Buffer
	lines   [][2]int // of the pending records, where they start and end in buf
	kinds   map[string]int
	rejects io.Writer

	Records    int              `json:"records"`
	Accepted   int              `json:"accepted"`
	Duplicates int              `json:"duplicates"`
	Rejected   int              `json:"rejected"`
	Faults     []map[string]any `json:"faults,omitempty"` // the first twenty
}

// pieceSize is how much is sent in one request.
const pieceSize = 512 << 10

func (s *shipment) add(ctx context.Context, line []byte) error {
	var head struct {
		Record string `json:"record"`
	}
	json.Unmarshal(line, &head) // a line that is no JSON is the server's to refuse, with its place
	s.kinds[head.Record]++
	s.Records++
	start := s.buf.Len()
	s.buf.Write(line)
	s.lines = append(s.lines, [2]int{start, s.buf.Len()})
	s.buf.WriteByte('\n')
	if s.buf.Len() >= pieceSize {
		return s.flush(ctx)
	}
	return nil
}

func (s *shipment) flush(ctx context.Context) error {
	if s.buf.Len() == 0 {
		return nil
	}
	if s.client != nil {
		var receipt struct {
			Accepted   int              `json:"accepted"`
			Duplicates int              `json:"duplicates"`
			Rejected   []map[string]any `json:"rejected"`
		}
		if err := s.client.do(ctx, "POST", "/v1/import", bytes.NewReader(s.buf.Bytes()), &receipt); err != nil {
			return err
		}
		s.Accepted += receipt.Accepted
		s.Duplicates += receipt.Duplicates
		s.Rejected += len(receipt.Rejected)
		for _, r := range receipt.Rejected {
			s.refused(r)
		}
	}
	s.buf.Reset()
	s.lines = s.lines[:0]
	s.progress()
	return nil
}

func (s *shipment) refused(r map[string]any) {
	if len(s.Faults) < 20 {
		s.Faults = append(s.Faults, r)
	}
	if s.rejects == nil {
		return
	}
	if i, ok := r["index"].(float64); ok && int(i) < len(s.lines) {
		at := s.lines[int(i)]
		r["line"] = json.RawMessage(s.buf.Bytes()[at[0]:at[1]])
	}
	if text, err := json.Marshal(r); err == nil {
		s.rejects.Write(append(text, '\n'))
	}
}

func (s *shipment) progress() {
	if !s.con.terminal || time.Since(s.shown) < 100*time.Millisecond {
		return
	}
	s.shown = time.Now()
	fmt.Fprintf(s.con.err, "\r\033[K%d records, %.0f/s, %d rejected", s.Records, float64(s.Records)/time.Since(s.started).Seconds(), s.Rejected)
}

func (s *shipment) finish(con *console) error {
	if con.terminal {
		fmt.Fprint(con.err, "\r\033[K")
	}
	if con.json {
		return con.print(s)
	}
	fmt.Fprintf(con.out, "%d records in %.1f s: %d accepted, %d there already, %d rejected\n",
		s.Records, time.Since(s.started).Seconds(), s.Accepted, s.Duplicates, s.Rejected)
	for _, kind := range sortedKeys(s.kinds) {
		fmt.Fprintf(con.out, "  %-12s %d\n", kind, s.kinds[kind])
	}
	for _, f := range s.Faults {
		fmt.Fprintf(con.out, "  rejected: %v %v %v\n", f["index"], f["code"], f["message"])
	}
	if s.Rejected > 0 {
		return fmt.Errorf("%d records were rejected", s.Rejected)
	}
	return nil
}
