package pack_test

import (
	"strings"
	"testing"
)

func TestHostileRulesAreRefusedWithTheirReasonAndPlace(t *testing.T) {
	t.Parallel()
	rule := func(text string) string {
		return action("service", `applicability: [{id: r, rule: "`+text+`", reason: {zh: 否, en: no}}]`)
	}
	for name, c := range map[string]struct{ text, at, says string }{
		"nested loops over big lists":  {rule("person.tags.all(a, person.tags.all(b, need.products.all(c, enquiry.intents.exists(d, a + b == c + d))))"), "own/rules.yaml:6:35", "steps"},
		"a giant regular expression":   {rule("need.text.matches('((a|b|c|d){1,90}){1,90}')"), "own/rules.yaml:6:54", "it repeats too much"},
		"a long regular expression":    {rule("need.text.matches('(a|b|c|d){1,900}')"), "own/rules.yaml:6:54", "program size"},
		"a literal of half a megabyte": {rule("need.text == '" + strings.Repeat("长", 1<<17) + "'"), "own/rules.yaml:6:35", "characters long; at most"},
		"a literal of a megabyte":      {rule("need.text == '" + strings.Repeat("x", 1<<20) + "'"), "own/rules.yaml:6:1", "bytes long; at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := compileWith(t, c.text)
			if len(faults) == 0 {
				t.Fatal("it is published")
			}
			if s := faults[0].String(); !strings.HasPrefix(s, c.at) || !strings.Contains(s, c.says) {
				t.Errorf("wanted %s … %s, got %.300s", c.at, c.says, s)
			}
			if len(faults[0].Caret) > 2000 {
				t.Errorf("the caret's line is %d bytes long", len(faults[0].Caret))
			}
		})
	}
}
