package pack

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

var (
	braces    = regexp.MustCompile(`\{([^}]+)\}`)
	oneOfMany = regexp.MustCompile(`\b1 (more |[a-z]+ )?(days|months|times|orders|lessons|people|things|minutes|hours|positions|years)\b|\b1 [a-z]+ are\b`)
	manyOfOne = regexp.MustCompile(`\b[02] (more |)(day|month|time|order|lesson|person|thing|minute|hour|position|year)\b`)
)

// Every counted sentence of the shipped packs, in English, with none, one and two of it.
func TestCountsAreSaidRightly(t *testing.T) {
	t.Parallel()
	counted := 0
	var check func(file string, n *yaml.Node, l *language)
	check = func(file string, n *yaml.Node, l *language) {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "en" && child.Kind == yaml.ScalarNode {
				for _, name := range l.unmatched(child.Value) {
					t.Errorf("%s:%d: {%s} has no word for one: %s", file, child.Line, name, child.Value)
				}
				if strings.Contains(child.Value, "|") {
					counted++
				}
				for _, number := range []string{"0", "1", "2"} {
					said := braces.ReplaceAllStringFunc(child.Value, func(s string) string {
						name, forms := candidate.Blank(s[1 : len(s)-1])
						if _, isCount := l.types[name]; isCount && l.types[name] == "int" || forms != "" {
							return candidate.Counted(number, forms)
						}
						return "X"
					})
					if oneOfMany.MatchString(said) || manyOfOne.MatchString(said) || strings.ContainsAny(said, "{|}") {
						t.Errorf("%s:%d: with %s: %s", file, child.Line, number, said)
					}
				}
			}
			check(file, child, l)
		}
	}
	c := &Compiler{FS: packs.Files}
	names, err := fs.ReadDir(packs.Files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range names {
		if !d.IsDir() {
			continue
		}
		files, faults := c.files(strategy.Source{Packs: []string{d.Name()}})
		read := readAll(files, &faults)
		l, err := speak(read.facts())
		if err != nil || len(faults) > 0 {
			t.Fatal(err, faults)
		}
		for _, f := range files {
			var root yaml.Node
			if err := yaml.Unmarshal([]byte(f.text), &root); err != nil {
				t.Fatal(err)
			}
			check(f.path, &root, l)
		}
	}
	if counted < 10 {
		t.Errorf("only %d counted sentences were seen", counted)
	}
	if got := candidate.Counted("21", "day|days"); got != strconv.Itoa(21)+" days" {
		t.Error(got)
	}
}

func TestWordsForOneAndForManyAreChecked(t *testing.T) {
	t.Parallel()
	c := &Compiler{FS: packs.Files}
	file := func(en string) strategy.Source {
		return strategy.Source{Number: 2, Packs: []string{"base"}, Files: map[string]string{"own/x.yaml": "actions:\n  - id: x\n    nature: service\n    title: {zh: 甲, en: A}\n    reasons: [{text: {zh: 乙, en: \"" + en + "\"}}]\n"}}
	}
	for en, wrong := range map[string]string{
		"{orders.count|time|times} in all": "", "{orders.count|time} in all": "the words for one and for many", "{brand|x|y}": "is no whole number", "{nobody|x|y}": "",
	} {
		_, err := c.Lint(t.Context(), file(en))
		if strings.HasPrefix(en, "{nobody") {
			wrong = "is no"
		}
		if (err != nil) != (wrong != "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", en, err)
		}
	}
	found, err := c.Lint(t.Context(), file("You came {orders.count} times"))
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, f := range found {
		seen = seen || f.Check == strategy.Plural
	}
	if !seen {
		t.Errorf("“1 times” is not seen: %v", found)
	}
}
