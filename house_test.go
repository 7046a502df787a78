package rapport_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rapport-cx/rapport"

// doors says which rooms a room may import. A room's own sub-packages follow its
// line and are open to it. The reason stands in docs/architecture.md.
var doors = map[string][]string{
	"evidence":     {},
	"scene":        {},
	"event":        {},
	"ledger":       {},
	"workspace":    {"event", "journal"}, // its members follow the log
	"journal":      {"event", "identity", "ledger"},
	"identity":     {"event"},
	"conversation": {"event", "journal", "identity"},             // its desk follows the log
	"outbox":       {"event", "journal", "identity", "profile"},  // its box follows the log
	"profile":      {"event", "journal", "identity", "evidence"}, // its registry of records follows the log
	"need":         {"event", "profile", "scene", "evidence"},
	"candidate":    {"event", "journal", "need", "profile", "scene", "evidence"}, // its shelf and its cohorts follow the log
	"decision":     {"candidate", "need", "profile", "scene", "evidence"},
	"treatment":    {"decision", "candidate", "need", "scene", "evidence"},
	"outcome":      {"treatment", "decision", "event", "candidate", "profile"},                                // its metrics have titles and read what followed
	"strategy":     {"need", "candidate", "decision", "treatment", "outcome", "event", "evidence", "journal"}, // its switches follow the log
	"pack":         {"strategy", "event", "identity", "profile", "need", "candidate", "decision", "treatment", "outcome", "scene", "evidence", "packs"},
	"engine":       {"strategy", "event", "identity", "profile", "need", "candidate", "decision", "treatment", "outcome", "scene", "evidence", "ledger", "journal", "workspace", "conversation", "outbox"},
}

var nouns = []string{"strategy", "event", "identity", "profile", "need", "candidate", "decision", "treatment", "outcome", "scene", "evidence", "ledger", "journal", "workspace", "conversation", "outbox"}

// adapters keep the house's memory; edges open it to the outside. Neither knows the other.
var adapters = []string{"internal/sqlite", "internal/postgres", "internal/storage"}

func mayImport(from, to string) bool {
	room, _, _ := strings.Cut(from, "/")
	toRoom, _, _ := strings.Cut(to, "/")
	switch {
	case from == "cmd/rapport" || strings.HasPrefix(from, "cmd/rapport/"), from == "bench" || strings.HasPrefix(from, "bench/"):
		return true
	case room == "internal":
		if isAdapter(from) {
			return slices.Contains(nouns, toRoom) || isAdapter(to)
		}
		return !isAdapter(to) && toRoom != "pack" && toRoom != "cmd"
	case room == "web" || room == "packs":
		return false
	case room == "examples" || room == "lab":
		return slices.Contains(nouns, toRoom)
	}
	allowed, known := doors[room]
	return known && (room == toRoom || slices.Contains(allowed, toRoom))
}

func isAdapter(path string) bool {
	return slices.ContainsFunc(adapters, func(a string) bool { return path == a || strings.HasPrefix(path, a+"/") })
}

type source struct {
	dir  string // slash path below the module root
	name string
	ast  *ast.File
	fset *token.FileSet
	test bool
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{filepath.ToSlash(filepath.Dir(path)), name, f, fset, strings.HasSuffix(name, "_test.go")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d Go files seen: the house test does not see the house", len(all))
	}
	return all
}

func TestRoomsOpenOnlyOntoTheirDoors(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.dir == "." {
			continue
		}
		for _, imp := range s.ast.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			to, ours := strings.CutPrefix(path, module+"/")
			if ours && !mayImport(s.dir, to) {
				t.Errorf("%s: room %q may not open onto %q; the plan of the doors is in docs/architecture.md", s.fset.Position(imp.Pos()), s.dir, to)
			}
			if strings.HasPrefix(path, "cel.dev/") && s.dir != "pack" && !strings.HasPrefix(s.dir, "pack/") {
				t.Errorf("%s: the rule library is known to pack alone; a compiled rule leaves it as an interface of the room that walks it", s.fset.Position(imp.Pos()))
			}
		}
	}
}

func TestEveryPackageSaysWhatItDoes(t *testing.T) {
	documented, seen := map[string]int{}, map[string]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		seen[s.dir] = s.ast.Name.Name
		if s.ast.Doc != nil {
			documented[s.dir]++
			if text := s.ast.Doc.Text(); s.ast.Name.Name != "main" && !strings.HasPrefix(text, "Package "+s.ast.Name.Name+" ") {
				t.Errorf("%s/%s: the package comment begins with %q", s.dir, s.name, "Package "+s.ast.Name.Name+" ")
			}
		}
	}
	for dir, name := range seen {
		if documented[dir] != 1 {
			t.Errorf("%s (package %s): %d package comments, wanted one", dir, name, documented[dir])
		}
	}
}

func TestNoRoomWithoutAName(t *testing.T) {
	nameless := []string{"common", "util", "utils", "types", "models", "helpers", "helper", "logic", "misc", "base", "shared", "lib"}
	for _, s := range sources(t) {
		if slices.Contains(nameless, s.ast.Name.Name) {
			t.Errorf("%s: %q is no noun of the trade; give the thing its room or its name", s.dir, s.ast.Name.Name)
		}
	}
}

// The house speaks of itself only: no path of a machine, no registry host.
func TestNothingOfThisMachineIsCommitted(t *testing.T) {
	banned := []string{"proxy.golang" + ".org", "registry.npmjs" + ".org", "/home" + "/", "/root" + "/"}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "*.mod", "Makefile", ".ci/*", "web/package.json", "web/package-lock.json", "scripts/*"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				continue
			}
			for _, b := range banned {
				if strings.Contains(string(text), b) {
					t.Errorf("%s holds %q", f, b)
				}
			}
		}
	}
}

// The map of the house shows every room, and none that is gone.
func TestTheMapShowsEveryRoom(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Rooms and doors")
	table, _, _ = strings.Cut(table, "\n## ")
	shown := map[string]bool{}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		rooms, inner, _ := strings.Cut(cells[1], "(+")
		quoted := func(s string) (names []string) {
			for i, part := range strings.Split(s, "`") {
				if i%2 == 1 {
					names = append(names, part)
				}
			}
			return names
		}
		for _, room := range quoted(rooms) {
			shown[room] = true
			for _, sub := range quoted(inner) {
				shown[room+"/"+sub] = true
			}
		}
	}
	there := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test && s.dir != "." {
			there[s.dir] = true
		}
	}
	for dir := range there {
		if !shown[dir] {
			t.Errorf("docs/architecture.md does not show %s", dir)
		}
	}
	for room := range shown {
		if !there[room] {
			t.Errorf("docs/architecture.md shows %s, which is not there", room)
		}
	}
}
