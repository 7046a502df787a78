package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/internal/ingest"
	"github.com/rapport-cx/rapport/scene"
)

type importCommand struct {
	target   `embed:""`
	Paths    []string      `arg:"" help:"NDJSON files of import records; with --map, the folder or files that the mapping names. A name that ends in .gz is unpacked." type:"path"`
	Map      string        `help:"YAML mapping of foreign files to records, in jq." type:"existingfile" placeholder:"FILE"`
	Source   string        `help:"Source that the records come from: its status dictionary is used, and what the server refuses is kept among its dead letters, too." placeholder:"NAME"`
	At       time.Time     `help:"Time of records whose files carry none (RFC 3339); default: when the file was written." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`
	DryRun   bool          `help:"Map and count, take nothing; with --url and --key the server checks every record, too."`
	Rejected string        `help:"Write refused rows with their reasons to this file (NDJSON); default: beside the first file, when there are any." type:"path" placeholder:"FILE"`
	State    string        `help:"File that remembers how far this import is, so that it can be taken up again; default: in the cache folder." type:"path" placeholder:"FILE"`
	Restart  bool          `help:"Begin anew instead of taking an interrupted import up again."`
	Patience time.Duration `help:"How long to wait for a server that does not answer." default:"2m"`
}

// mapping says, in jq, what records foreign files hold. No code of ours knows the
// format.
type mapping struct {
	Source string       `yaml:"source"`
	Files  []mappedFile `yaml:"files"`
}

type mappedFile struct {
	Path      string            `yaml:"path"`      // relative to the folder given
	Format    string            `yaml:"format"`    // json (the program sees the whole document), ndjson or csv (it sees each row as an object)
	Encoding  string            `yaml:"encoding"`  // utf-8 (the default), gb18030, gbk, utf-16
	Delimiter string            `yaml:"delimiter"` // csv: between fields; a comma when not given, \t a tab
	Zone      string            `yaml:"zone"`      // csv: of times that name none, Asia/Shanghai for example; UTC when not given
	Columns   map[string]string `yaml:"columns"`   // csv: text, number, integer, boolean or time; with ? it may be empty
	Map       program           `yaml:"map"`       // gives any number of records; $at, $file, $line and $source are known to it

	columns ingest.Columns
	code    *ingest.Mapping
}

// program is a jq program and where it stands in its YAML file.
type program struct {
	text    string
	line    int
	literal bool // a block: its first line stands below line
}

func (p *program) UnmarshalYAML(n *yaml.Node) error {
	p.line, p.literal = n.Line, n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	return n.Decode(&p.text)
}

// compile turns a fault's place in the program into its place in the YAML file.
func (p *program) compile(path string, yamlText []byte) (*ingest.Mapping, error) {
	m, err := ingest.Compile(p.text)
	var f *ingest.Fault
	if errors.As(err, &f) {
		f.File = path
		if p.literal {
			lines := bytes.Split(yamlText, []byte("\n"))
			if p.line < len(lines) {
				first := lines[p.line]
				f.Column += len(first) - len(bytes.TrimLeft(first, " "))
			}
			f.Line += p.line
		} else {
			f.Line, f.Column = p.line+f.Line-1, 0
		}
	}
	return m, err
}

// readMapping reads a mapping and finds all its faults at once.
func readMapping(path string, l scene.Locale) (*mapping, error) {
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
	var faults []error
	for i := range m.Files {
		f := &m.Files[i]
		var err error
		if f.code, err = f.Map.compile(path, text); err != nil {
			var fault *ingest.Fault
			if errors.As(err, &fault) {
				err = fmt.Errorf("%s: %s", fault.Place, fault.In(l))
			}
			faults = append(faults, err)
		}
		if err := f.prepare(); err != nil {
			faults = append(faults, fmt.Errorf("mapping %s: %s: %w", path, f.Path, err))
		}
	}
	return &m, errors.Join(faults...)
}

func (f *mappedFile) prepare() error {
	switch f.Format {
	case "", "json", "ndjson", "csv":
	default:
		return fmt.Errorf("format %q is none of json, ndjson, csv", f.Format)
	}
	f.columns.Types = f.Columns
	if d := []rune(strings.ReplaceAll(f.Delimiter, `\t`, "\t")); len(d) == 1 {
		f.columns.Delimiter = d[0]
	} else if len(d) > 1 {
		return fmt.Errorf("delimiter %q is more than one character", f.Delimiter)
	}
	if f.Zone != "" {
		var err error
		if f.columns.Zone, err = time.LoadLocation(f.Zone); err != nil {
			return fmt.Errorf("zone: %w", err)
		}
	}
	if _, err := ingest.Encoding(f.Encoding); err != nil {
		return err
	}
	return f.columns.Check()
}

// feed is one file on its way in.
type feed struct {
	mappedFile
	full     string
	size     int64
	modified time.Time
}

func (i *importCommand) Run(ctx context.Context, con *console) error {
	debug.SetGCPercent(400) // mapping makes much garbage and keeps little
	l := i.locale()
	feeds, text, err := i.feeds(l)
	if err != nil {
		return err
	}
	s := &shipment{con: con, language: l, patience: i.Patience, source: i.Source, dry: i.DryRun, started: time.Now(), rejectsPath: i.Rejected, Kinds: map[string]int{}}
	if s.rejectsPath == "" {
		s.rejectsPath = feeds[0].full + ".rejected.ndjson"
	}
	for _, f := range feeds {
		s.total += f.size
	}
	if !i.DryRun || i.URL != "" && i.Key != "" {
		if s.client, err = i.open(); err != nil {
			return err
		}
	}
	if !i.DryRun {
		if err := s.recall(i.State, i.Restart, jobOf(s.client, i.Source, text, feeds)); err != nil {
			return err
		}
	}
	defer s.close()
	if err := i.run(ctx, s, feeds); err != nil {
		return err
	}
	return s.finish(con)
}

// feeds lists the files to read, and the text that says how.
func (i *importCommand) feeds(l scene.Locale) ([]feed, []byte, error) {
	var feeds []feed
	var text []byte
	if i.Map == "" {
		for _, p := range i.Paths {
			feeds = append(feeds, feed{mappedFile: mappedFile{Path: filepath.Base(p), Format: "ndjson"}, full: p})
		}
	} else {
		m, err := readMapping(i.Map, l)
		if err != nil {
			return nil, nil, err
		}
		if i.Source == "" {
			i.Source = m.Source
		}
		if text, err = os.ReadFile(i.Map); err != nil {
			return nil, nil, err
		}
		for _, f := range m.Files {
			full, err := i.find(f.Path)
			if err != nil {
				return nil, nil, err
			}
			feeds = append(feeds, feed{mappedFile: f, full: full})
		}
	}
	if len(feeds) == 0 {
		return nil, nil, errors.New("the mapping names no files")
	}
	for n := range feeds {
		info, err := os.Stat(feeds[n].full)
		if err != nil {
			return nil, nil, err
		}
		feeds[n].size, feeds[n].modified = info.Size(), info.ModTime()
	}
	return feeds, text, nil
}

// find looks for a mapped file in the folders given, or among the files given.
func (i *importCommand) find(name string) (string, error) {
	for _, p := range i.Paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			for _, n := range []string{name, name + ".gz"} {
				if full := filepath.Join(p, n); exists(full) {
					return full, nil
				}
			}
		} else if b := filepath.Base(p); b == name || b == name+".gz" {
			return p, nil
		}
	}
	return "", fmt.Errorf("the mapping wants %s, which is not in %s", name, strings.Join(i.Paths, ", "))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// run reads and maps on one goroutine and sends on another.
func (i *importCommand) run(ctx context.Context, s *shipment, feeds []feed) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pieces := make(chan *piece, 2)
	read := make(chan error, 1)
	from := s.state
	go func() {
		defer close(pieces)
		l := &loader{source: s.source, from: from, pieces: pieces, at: i.At}
		read <- l.load(ctx, feeds)
	}()
	for p := range pieces {
		if err := s.send(ctx, p); err != nil {
			cancel()
			for range pieces { // let the reader end
			}
			return err
		}
	}
	return <-read
}

// loader reads files and packs what they hold into pieces.
type loader struct {
	source string
	from   importState
	pieces chan<- *piece
	at     time.Time
	piece  *piece
}

func (l *loader) load(ctx context.Context, feeds []feed) error {
	for n := range feeds {
		f := &feeds[n]
		if n < l.from.File {
			continue
		}
		var from ingest.Mark
		if n == l.from.File {
			from = l.from.Mark
		}
		if err := l.file(ctx, n, f, from); err != nil {
			return fmt.Errorf("%s: %w", f.full, err)
		}
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) file(ctx context.Context, n int, f *feed, from ingest.Mark) error {
	file, err := ingest.OpenFile(f.full, f.Encoding, from)
	if err != nil {
		return err
	}
	defer file.Close()
	at := l.at
	if at.IsZero() {
		at = f.modified
	}
	vars := ingest.Vars{At: at.UTC().Format(time.RFC3339), File: filepath.Base(f.full), Source: l.source}
	source, err := file.Source(f.Format, f.columns, from)
	if err != nil {
		return err
	}
	for {
		in, err := source.Read(ctx)
		var fault *ingest.Fault
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &fault):
			l.refuse(n, fault, file.Read())
		case err != nil:
			return err
		default:
			l.take(ctx, n, f, in, vars, at, file.Read())
		}
		if l.piece.full() {
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// take maps one input and packs its records.
func (l *loader) take(ctx context.Context, n int, f *feed, in ingest.Input, vars ingest.Vars, at time.Time, read int64) {
	p := l.packing()
	lines := [][]byte{in.Raw}
	if f.code != nil {
		var err error
		vars.Line = in.Place.Line
		if lines, err = f.code.Apply(ctx, in.Value, vars); err != nil {
			var fault *ingest.Fault
			if !errors.As(err, &fault) {
				fault = &ingest.Fault{Code: "mapping_failed", Args: []string{"reason", err.Error()}}
			}
			fault.Place, fault.Raw, fault.Next = in.Place, bytes.Clone(in.Raw), in.Next
			l.refuse(n, fault, read)
			return
		}
	}
	seed := ""
	for i, line := range lines {
		if seed == "" {
			seed = ingest.Seed(fmt.Sprintf("%s:%d", in.Place.File, in.Place.Line), in.Raw)
		}
		p.add(ingest.WithDefaults(line, seed, i, at), in.Place)
	}
	p.file, p.mark, p.read = n, in.Next, read
}

func (l *loader) refuse(n int, f *ingest.Fault, read int64) {
	p := l.packing()
	p.faults = append(p.faults, f)
	p.file, p.mark, p.read = n, f.Next, read
}

func (l *loader) packing() *piece {
	if l.piece == nil {
		l.piece = &piece{kinds: map[string]int{}}
	}
	return l.piece
}

func (l *loader) flush(ctx context.Context) error {
	if l.piece == nil {
		return nil
	}
	select {
	case l.pieces <- l.piece:
		l.piece = nil
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
