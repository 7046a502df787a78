package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

type packCommand struct {
	New      packNew      `cmd:"" help:"Begin a pack: a folder with rules, sentences and a test case that pass."`
	Lint     packLint     `cmd:"" help:"Say what is wrong with a pack, and what probably is."`
	Test     packTest     `cmd:"" help:"Run the test cases of a pack, in both languages."`
	Quality  packQuality  `cmd:"" help:"Say how well each intent is told from the others by its sentences."`
	Build    packBuild    `cmd:"" help:"Put a pack into one file."`
	Install  packInstall  `cmd:"" help:"Make a draft of a pack on a server, or put it in force."`
	List     packList     `cmd:"" help:"List the packs in this binary."`
	Calendar packCalendar `cmd:"" help:"Turn an iCalendar file into a calendar of a pack."`
	Schema   packSchema   `cmd:"" help:"Print the JSON Schema of a file of a pack, for editors."`
}

// brought is a pack from outside the binary: a folder of its own, or a file that
// pack build has made.
type brought struct {
	name  string
	files map[string]string // by path, the pack's name first
	packs []string          // those that it needs, and itself
}

// mostPack bounds what is read of one pack.
const mostPack = 64 << 20

func bring(from string) (*brought, error) {
	var files fs.FS
	info, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		files = os.DirFS(from)
	} else {
		z, err := zip.OpenReader(from)
		if err != nil {
			return nil, fmt.Errorf("%s is neither a folder nor a built pack: %w", from, err)
		}
		defer z.Close()
		files = z
	}
	b := &brought{files: map[string]string{}}
	size := 0
	err = fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".yaml" && path.Ext(p) != ".yml" {
			return err
		}
		text, err := readFile(files, p, mostPack-size)
		size += len(text)
		b.files[p] = string(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", from, err)
	}
	head, err := pack.Describe(b.files)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", from, err)
	}
	b.name = head.Name
	named := map[string]string{}
	for p, text := range b.files {
		named[b.name+"/"+p] = text
	}
	b.files, b.packs = named, append(slices.Clone(head.Requires), b.name)
	return b, nil
}

func readFile(files fs.FS, p string, most int) ([]byte, error) {
	f, err := files.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s: a pack is at most %d MB", p, mostPack>>20)
	}
	return text, err
}

func (b *brought) source() strategy.Source { return strategy.Source{Packs: b.packs, Files: b.files} }

type packNew struct {
	Name string `arg:"" help:"Name: small letters, digits and _."`
	Dir  string `arg:"" optional:"" help:"Folder to make; default: the name." type:"path"`
}

func (p *packNew) Run(con *console) error {
	dir := orElse(p.Dir, p.Name)
	files, err := pack.Skeleton(p.Name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("%s is there already", dir)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	con.say("made %s; try: rapport pack test %s", dir, dir)
	return nil
}

// told is an error with the faults of packs in the reader's language.
func (r reader) told(err error) error {
	var faults pack.Faults
	if errors.As(err, &faults) {
		return errors.New(faults.In(r.locale()))
	}
	return err
}

type packLint struct {
	reader `embed:""`
	Dir    string `arg:"" help:"Folder of the pack, or a built pack." type:"path"`
}

var errHarmful = errors.New("the pack should not be published as it is")

func (p *packLint) Run(ctx context.Context, con *console) error {
	b, err := bring(p.Dir)
	if err != nil {
		return p.told(err)
	}
	found, err := (&pack.Compiler{FS: packs.Files}).Lint(ctx, b.source())
	l := p.locale()
	var faults pack.Faults
	if errors.As(err, &faults) && con.json {
		for i := range faults {
			faults[i].Message = faults[i].Text.In(l)
		}
		return errors.Join(con.print(map[string]any{"faults": faults}), errHarmful)
	}
	if err != nil {
		return p.told(err)
	}
	found = slices.DeleteFunc(found, func(f strategy.Finding) bool { return !strings.HasPrefix(f.File, b.name+"/") })
	harmful := slices.ContainsFunc(found, func(f strategy.Finding) bool { return f.Severity == strategy.Harmful })
	if con.json {
		err = con.print(map[string]any{"findings": found})
	} else {
		for _, f := range found {
			fmt.Fprintf(con.out, "%s:%d:%d: %s: %s (%s)\n%s\n", f.File, f.Line, f.Column, f.Severity, f.Message.In(l), f.Check, f.Caret)
		}
		_, err = fmt.Fprintf(con.out, "%s: findings: %d\n", b.name, len(found))
	}
	if harmful {
		return errors.Join(err, errHarmful)
	}
	return err
}

type packTest struct {
	reader `embed:""`
	Dir    string `arg:"" help:"Folder of the pack, or a built pack." type:"path"`
	Heard  bool   `help:"Read the needs out of the enquiries, as serving does, instead of taking those that the cases state."`
}

func (p *packTest) Run(ctx context.Context, con *console) error {
	b, err := bring(p.Dir)
	if err != nil {
		return p.told(err)
	}
	all, err := (&pack.Compiler{FS: packs.Files}).Test(ctx, b.source(), pack.Hearing(p.Heard))
	if err != nil {
		return p.told(err)
	}
	all = slices.DeleteFunc(all, func(t pack.Trial) bool { return !strings.HasPrefix(t.File, b.name+"/") })
	failed := 0
	for i := range all {
		if len(all[i].Failed) > 0 {
			failed++
			all[i].Failed = all[i].In(p.locale())
		}
	}
	if con.json {
		err = con.print(all)
	} else {
		for _, t := range all {
			for _, why := range t.Failed {
				fmt.Fprintf(con.out, "%s:%d: %s (%s): %s\n", t.File, t.Line, t.Name, t.Locale, why)
			}
		}
		_, err = fmt.Fprintf(con.out, "%s: cases: %d, failed: %d\n", b.name, len(all), failed)
	}
	if failed > 0 {
		return errors.Join(err, fmt.Errorf("%d cases failed", failed))
	}
	return err
}

type packBuild struct {
	reader `embed:""`
	Dir    string `arg:"" help:"Folder of the pack." type:"existingdir"`
	Out    string `short:"o" help:"File to write; default: NAME.zip." placeholder:"FILE" type:"path"`
}

func (p *packBuild) Run(ctx context.Context, con *console) error {
	b, err := bring(p.Dir)
	if err != nil {
		return p.told(err)
	}
	if _, _, err := (&pack.Compiler{FS: packs.Files}).Compile(ctx, b.source()); err != nil {
		return p.told(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(b.files)) { // the same pack is the same file
		w, err := z.CreateHeader(&zip.FileHeader{Name: strings.TrimPrefix(name, b.name+"/"), Method: zip.Deflate})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, b.files[name]); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	to := orElse(p.Out, b.name+".zip")
	if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
		return err
	}
	con.say("%s: %d files, %d bytes", to, len(b.files), out.Len())
	return nil
}

type packInstall struct {
	target  `embed:""`
	From    string `arg:"" help:"Folder of the pack, or a built pack." type:"path"`
	Publish bool   `help:"Put it in force, beside the packs that are."`
	Note    string `help:"Why, for the list of versions." placeholder:"TEXT"`
}

func (p *packInstall) Run(ctx context.Context, con *console) error {
	b, err := bring(p.From)
	if err != nil {
		return err
	}
	c, err := p.open()
	if err != nil {
		return err
	}
	current, err := c.current(ctx)
	if err != nil {
		return err
	}
	names := current.Packs
	for _, name := range b.packs {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var made versionBrief
	if err := c.send(ctx, "POST", "/v1/strategies", map[string]any{"base": current.Version, "packs": names, "files": b.files, "note": p.Note}, &made); err != nil {
		return err
	}
	if p.Publish {
		if err := c.send(ctx, "POST", fmt.Sprintf("/v1/strategies/%d/publish", made.Version), map[string]any{"note": p.Note}, &made); err != nil {
			return err
		}
	}
	return con.version(made)
}

type packList struct{}

func (packList) Run(con *console) error {
	all, err := pack.List(packs.Files)
	if err != nil {
		return err
	}
	if con.json {
		return con.print(all)
	}
	for _, p := range all {
		fmt.Fprintf(con.out, "%-14s %s · %s\n", p.Name, p.Title.En, p.Title.Zh)
	}
	return nil
}

// versionBrief is a version of a strategy as it is printed.
type versionBrief struct {
	Version int               `json:"version"`
	Base    int               `json:"base,omitempty"`
	Packs   []string          `json:"packs"`
	Files   map[string]string `json:"files,omitempty"`
	State   string            `json:"state"`
	Current bool              `json:"current"`
	At      string            `json:"at"`
	Note    string            `json:"note,omitempty"`
}

func (con *console) version(v versionBrief) error {
	if con.json {
		return con.print(v)
	}
	mark := " "
	if v.Current {
		mark = "*"
	}
	_, err := fmt.Fprintf(con.out, "%s %4d  %-10s %-20s %s  %s\n", mark, v.Version, v.State, orElse(v.At, "-"), strings.Join(v.Packs, ","), v.Note)
	return err
}

// send makes a call with a JSON body.
func (c *client) send(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.do(ctx, method, path, bytes.NewReader(text), into)
}

// current is the version in force, with its files.
func (c *client) current(ctx context.Context) (v versionBrief, err error) {
	var page struct {
		Items []versionBrief `json:"items"`
	}
	if err := c.do(ctx, "GET", "/v1/strategies?limit=1000", nil, &page); err != nil {
		return v, err
	}
	for _, v := range page.Items {
		if v.Current {
			return v, c.do(ctx, "GET", fmt.Sprintf("/v1/strategies/%d", v.Version), nil, &v)
		}
	}
	return v, errors.New("no version is in force")
}

type packSchema struct{}

// Run prints the schema for an editor: # yaml-language-server: $schema=FILE
func (packSchema) Run(con *console) error { return con.print(pack.Schema()) }

type packCalendar struct {
	File  string   `arg:"" help:"iCalendar file (.ics)." type:"existingfile"`
	ID    string   `help:"Id of the calendar: rules read calendar.ID.workday." default:"holidays"`
	Works []string `help:"Words in an entry's summary that make it a workday instead of a day off." default:"班,workday"`
}

// Run prints the file of a pack.
func (p *packCalendar) Run(con *console) error {
	text, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	file, err := pack.Calendar(p.ID, string(text), p.Works)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(con.out, file)
	return err
}
