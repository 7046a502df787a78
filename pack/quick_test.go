package pack

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
)

// TestAQuickFilterSaysWhatTheRuleSays puts random rules to random events, as CEL
// reads them and on the raw text.
func TestAQuickFilterSaysWhatTheRuleSays(t *testing.T) {
	t.Parallel()
	l, err := eventLanguage()
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	literal := func() string {
		return pick(`"rules"`, `"退货"`, `"a\"b"`, `""`, `"3"`, "3", "-1", "2.5", "true", "false", "0")
	}
	property := func() string { return "event.properties." + pick("topic", "n", "flag") }
	var rule func(depth int) string
	rule = func(depth int) string {
		if depth > 0 && r.IntN(2) == 0 {
			return "(" + rule(depth-1) + pick(" && ", " || ") + rule(depth-1) + ")"
		}
		switch r.IntN(6) {
		case 4:
			return "event.topic == " + pick(`"rules"`, `"returns_policy"`, `"退货"`, `""`, `"3"`)
		case 5:
			return `event.topic in ["returns_policy", ` + pick(`"rules"`, `"true"`, `""`) + "]"
		case 0:
			return property() + " in [" + literal() + ", " + literal() + "]"
		case 1:
			return property() + pick(" < ", " <= ", " > ", " >= ") + pick("3", "2.5", "-1", "0")
		case 2:
			return literal() + " == " + property()
		}
		return property() + " == " + literal()
	}
	subjects := newTopics([]topic{{id: "returns_policy", words: []string{"return policy", "退货"}, whole: []string{"returns"}}})
	quick, passed := 0, 0
	for range 400 {
		source := rule(2)
		checked, issues := l.env.Compile(source)
		if issues != nil && issues.Err() != nil {
			t.Fatalf("%s: %v", source, issues.Err())
		}
		program, err := l.env.Program(checked)
		if err != nil {
			t.Fatal(err)
		}
		f := filter{program: program, source: source, topics: subjects}
		q := quicken(f, checked.NativeRep().Expr())
		if q == nil {
			t.Fatalf("%s is not quick", source)
		}
		quick++
		var _ signal.Quick = q
		for range 20 {
			var parts []string
			for _, name := range []string{"topic", "n", "flag"} {
				if r.IntN(4) > 0 {
					parts = append(parts, fmt.Sprintf("%q:%s", name, pick(literal(), `"\u0072ules"`, "null", `[1]`, `{"rules":3}`, "3.0", "1e0", "2.50")))
				}
			}
			for _, name := range []string{"name", "title", "path", "url"} {
				if r.IntN(4) == 0 {
					parts = append(parts, fmt.Sprintf("%q:%s", name, pick(`"Return policy"`, `"/help/returns.html"`, `"https://shop.example/help/%E9%80%80%E8%B4%A7"`, `"\u9000\u8d27"`, `""`, "null", "7")))
				}
			}
			e := &event.Event{Body: json.RawMessage("{" + strings.Join(parts, ",") + "}")}
			var values [][]byte
			var all map[string]json.RawMessage
			if err := json.Unmarshal(e.Body, &all); err != nil {
				t.Fatal(err)
			}
			for _, name := range q.Fields() {
				values = append(values, all[name])
			}
			if got, want := q.Pass(values), f.Match(e, nil); got != want {
				t.Fatalf("%s of %s: %t, CEL says %t", source, e.Body, got, want)
			} else if got {
				passed++
			}
		}
	}
	if passed < 200 {
		t.Errorf("only %d of %d passed", passed, quick*20)
	}
}
