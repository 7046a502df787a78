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
	const page, begin, end = "../docs/packs.md", "-rewrite` -->\n", "<!-- end of facts -->"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n| fact | type | meaning | 含义 |\n|---|---|---|---|\n")
	for _, f := range decision.KnownFacts() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, f.Title.En, f.Title.Zh)
	}
	table.WriteString("\n")
	head, rest, ok := strings.Cut(string(raw), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/packs.md has lost the marks around its table of facts")
	}
	want := head + begin + table.String() + end + tail
	if want == string(raw) {
		return
	}
	if !*rewrite {
		t.Fatal("docs/packs.md does not have the facts that rules can read; run this test with -rewrite")
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
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
