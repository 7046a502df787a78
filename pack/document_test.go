package pack_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/decision"
)

var rewrite = flag.Bool("rewrite", false, "write the table of facts in docs/packs.md anew")

func TestEveryFactIsDocumented(t *testing.T) {
	t.Parallel()
	for page, heads := range map[string]string{"packs.md": "| fact | type | meaning | 含义 |", "packs.zh-CN.md": "| 事实 | 类型 | 含义 | meaning |"} {
		var table strings.Builder
		table.WriteString("\n" + heads + "\n|---|---|---|---|\n")
		for _, f := range decision.KnownFacts() {
			first, second := f.Title.En, f.Title.Zh
			if page == "packs.zh-CN.md" {
				first, second = second, first
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, first, second)
		}
		table.WriteString("\n")
		documented(t, "../docs/"+page, table.String())
	}
}

func documented(t *testing.T, page, table string) {
	const begin, end = "-rewrite` -->\n", "<!-- end of facts -->"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has lost the marks around its table of facts", page)
	}
	want := head + begin + table + end + tail
	if want == string(raw) {
		return
	}
	if !*rewrite {
		t.Fatalf("%s does not have the facts that rules can read; run this test with -rewrite", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The two pages say the same things: section by section, code by code.
func TestThePagesAboutPacksSayTheSame(t *testing.T) {
	t.Parallel()
	shape := func(page string) (sections, rows, blocks int) {
		text, err := os.ReadFile("../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			switch {
			case strings.HasPrefix(line, "## "):
				sections++
			case strings.HasPrefix(line, "| `"):
				rows++
			case strings.HasPrefix(line, "```"):
				blocks++
			}
		}
		return sections, rows, blocks
	}
	s, r, b := shape("packs.md")
	if zs, zr, zb := shape("packs.zh-CN.md"); zs != s || zr != r || zb != b {
		t.Errorf("in English %d sections, %d rows and %d fences; in Chinese %d, %d and %d", s, r, b, zs, zr, zb)
	}
}

func TestFactsStandInOrder(t *testing.T) {
	t.Parallel()
	all := decision.KnownFacts()
	for i := 1; i < len(all); i++ {
		if all[i-1].Name >= all[i].Name {
			t.Errorf("%s stands before %s", all[i-1].Name, all[i].Name)
		}
	}
}
