package pack_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

// compileWith compiles the base with one file of the workspace's own.
func compileWith(t *testing.T, text string) (*strategy.Version, pack.Faults) {
	t.Helper()
	v, _, err := shipped().Compile(t.Context(), strategy.Source{Number: 3, Packs: []string{"electronics"}, Files: map[string]string{"own/rules.yaml": text}})
	var faults pack.Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("a compile fails with its faults, not with %v", err)
	}
	return v, faults
}

// action is a complete action of a pack in which one line can be set.
func action(nature, line string) string {
	return `actions:
  - id: cool_down
    nature: ` + nature + `
    title: {zh: 先放凉, en: Let it cool}
    serves: [support.troubleshoot]
    ` + line + `
    reasons:
      - text: {zh: 发热, en: It is hot}
`
}

func TestAWorkspaceAddsAndReplacesWithFilesOfItsOwn(t *testing.T) {
	t.Parallel()
	v, faults := compileWith(t, action("service", "value: 2"))
	if faults != nil {
		t.Fatal(faults)
	}
	last := v.Decision.Actions[len(v.Decision.Actions)-1]
	if last.ID != "cool_down" || v.Number != 3 || v.Digest == "" || strings.Join(v.Packs, " ") != "base electronics" {
		t.Errorf("version %d of %v ends with %s", v.Number, v.Packs, last.ID)
	}
	again, _ := compileWith(t, action("service", "value: 2"))
	other, _ := compileWith(t, action("service", "value: 3"))
	if again.Digest != v.Digest || other.Digest == v.Digest {
		t.Error("the digest follows the files: equal for equal ones, another for others")
	}
	if v, faults = compileWith(t, "without: [loan_device]\n"); faults == nil {
		for _, a := range v.Decision.Actions {
			if a.ID == "loan_device" {
				t.Error("what is left out is still there")
			}
		}
	}
}

func TestWhatIsWrongIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, line, says string }{
		"a fact that does not exist": {action("service", `applicability: [{id: r, rule: "device.under_waranty", reason: {zh: 否, en: no}}]`),
			"own/rules.yaml:6:36", `"device.under_waranty" is not a fact that a rule can read; is "device.under_warranty" meant?`},
		"a key that does not exist": {action("service", "valeu: 2"), "own/rules.yaml:6:5", `"valeu" is not known here; is "value" meant?`},
		"a rule that is no condition": {action("service", `applicability: [{id: r, rule: need.intent, reason: {zh: 否, en: no}}]`),
			"own/rules.yaml:6:35", "a rule must be true or false; this one is a string"},
		"types that do not go together": {action("service", `applicability: [{id: r, rule: "device.age_months == '新'", reason: {zh: 否, en: no}}]`),
			"own/rules.yaml:6:54", "no matching overload"},
		"one language": {action("service", `treatments: [{id: t, body: {zh: 先放凉}}]`), "own/rules.yaml:6:32", `"en" is missing`},
		"a comma in braces": {action("service", `treatments: [{id: t, body: {zh: 好, en: yes, now}}]`), "own/rules.yaml:6:49",
			`"now" stands alone: inside braces a text with a comma must be put in quotes`},
		"an intent that does not exist":   {strings.Replace(action("service", "value: 1"), "support.troubleshoot", "support.trouble", 1), "own/rules.yaml:5:14", `"support.trouble" is no intent`},
		"a signal that does not exist":    {action("service", "signal: twice"), "own/rules.yaml:6:13", `there is no signal "twice"`},
		"a placeholder that is none":      {strings.Replace(action("service", "value: 1"), "en: It is hot", "en: \"It is {hot}\"", 1), "own/rules.yaml:8:9", "{hot} is no placeholder"},
		"a title that may stay open":      {strings.Replace(action("service", "value: 1"), "en: Let it cool", "en: \"Cool {order.id}\"", 1), "own/rules.yaml:4:12", "{order.id} is not always known"},
		"a factor of nought":              {action("service", "value: 0"), "own/rules.yaml:6:12", "a factor must be above 0"},
		"no YAML":                         {"actions:\n  - id: [a\n", "own/rules.yaml:1", "not YAML"},
		"an alias":                        {"actions: &a []\nsignals: *a\n", "own/rules.yaml:1:10", "anchors and aliases are not used"},
		"a right that asks for a tag":     {action("right", `eligibility: [{id: r, rule: "'vip' in person.tags", reason: {zh: 否, en: no}}]`), "own/rules.yaml:6:33", "a right may not depend on person.tags"},
		"a right that asks for a trait":   {action("right", `treatments: [{id: t, when: "person.traits.segment == 'high_net_worth'"}]`), "own/rules.yaml:6:32", "a right may not depend on person.traits.segment"},
		"a right that is weighed":         {action("right", "value: 2"), "own/rules.yaml:6:12", "a right is not weighed"},
		"a right that has a budget":       {action("right", "budgets: [gifts]"), "own/rules.yaml:6:14", "a right is not weighed, capped, budgeted"},
		"a budget that is none":           {action("goodwill", "budgets: [gifts]"), "own/rules.yaml:6:15", `there is no budget "gifts"`},
		"a budget of money without cost":  {action("goodwill", "budgets: [gifts]") + "\nbudgets: [{id: gifts, title: {zh: 礼, en: gifts}, money: {amount: 100, currency: CNY}}]", "own/rules.yaml:6:15", "the action needs a cost in it"},
		"a budget of nothing":             {action("goodwill", "value: 1") + "\nbudgets: [{id: gifts, title: {zh: 礼, en: gifts}}]", "own/rules.yaml:10:11", `either "pieces" or "money"`},
		"an end before its beginning":     {action("goodwill", "from: 2026-07-02\n    until: 2026-07-01"), "own/rules.yaml:7:12", "it ends before it begins"},
		"a day that is none":              {action("goodwill", "from: tomorrow"), "own/rules.yaml:6:11", "a day such as 2026-11-11"},
		"a time zone that is none":        {action("goodwill", "from: 2026-07-02") + "\ntimezone: Asia/Nowhere", "own/rules.yaml:10:11", `"Asia/Nowhere" is no time zone`},
		"a right that is capped":          {action("right", "cap: {shown: 1, within: 7d}"), "own/rules.yaml:6:10", "a right is not weighed"},
		"has() in place of known()":       {action("service", `applicability: [{id: r, rule: "has(person.traits.age)", reason: {zh: 否, en: no}}]`), "own/rules.yaml:6:36", "has() is not used here"},
		"safety that is for sale":         {action("sale", "safety: true"), "own/rules.yaml:2:5", "safety is a right or a service"},
		"a fallback that brings nobody":   {action("service", "fallback: true"), "own/rules.yaml:2:5", "a fallback brings a person"},
		"a pattern taken from a fact":     {action("service", `applicability: [{id: r, rule: "need.text.matches(need.intent)", reason: {zh: 否, en: no}}]`), "own/rules.yaml:6:35", "must be written in the rule"},
		"a signal without a window":       {"signals:\n  - {id: s, title: {zh: 看, en: look}, counts: {zh: 看, en: looks}, event: Page Viewed}\n", "own/rules.yaml:2:5", `"within" is missing`},
		"unasked without a need":          {strings.Replace(action("service", "unasked: {topic: tips}"), "    serves: [support.troubleshoot]\n", "", 1), "own/rules.yaml:2:5", "what is offered unasked says which needs it serves"},
		"quiet hours without quotes":      {"contact: {quiet: {from: 2200, until: \"08:00\"}}\n", "own/rules.yaml:1:25", "a time of the day such as"},
		"a cap of a channel that is none": {"contact: {caps: [{id: c, channel: pigeon, at_most: 1, within: 7d}]}\n", "own/rules.yaml:1:35", "one of conversation, webhook"},
		"duty on an eighth day":           {"duty:\n  - {id: d, name: {zh: 小林, en: Lin}, days: [8], from: \"09:00\", until: \"17:00\", zone: Asia/Shanghai}\n", "own/rules.yaml:2:45", "days are counted from Monday"},
		"a level without a trait":         {action("sale", "item: {kind: product, level: risk}"), "own/rules.yaml:6:11", "both or neither"},
		"an action that is to be absent":  {"without: [nothing_of_the_kind]\n", "own/rules.yaml:1:11", "there is no action"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := compileWith(t, c.text)
			if len(faults) == 0 {
				t.Fatal("it compiles")
			}
			for _, f := range faults {
				if s := f.String(); strings.HasPrefix(s, c.line+":") && strings.Contains(s, c.says) {
					return
				}
			}
			t.Errorf("wanted %s: … %s\ngot\n%v", c.line, c.says, faults)
		})
	}
}

func TestTheCaretStandsUnderTheVeryCharacterAfterChineseText(t *testing.T) {
	t.Parallel()
	_, faults := compileWith(t, action("service", `treatments: [{id: t, title: {zh: 先放凉, en: Cool}, when: "need.txt == '发热'"}]`))
	if len(faults) != 1 {
		t.Fatal(faults)
	}
	lines := strings.Split(faults[0].Caret, "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", faults[0].Caret)
	}
	column := func(s string) (n int) {
		for _, r := range s {
			if n++; r >= 0x1100 {
				n++
			}
		}
		return n
	}
	if mark, want := column(strings.TrimSuffix(lines[1], "^")), column(lines[0][:strings.Index(lines[0], "need.txt")]); mark != want {
		t.Errorf("the caret stands in column %d, the fault in %d:\n%s", mark, want, faults[0].Caret)
	}
	if !strings.Contains(lines[1], "　") {
		t.Errorf("a wide character is answered by a wide blank:\n%s", faults[0].Caret)
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	t.Parallel()
	_, faults := compileWith(t, action("service", `applicability: [{id: r, rule: "need.intnt == '' && device.agedays > 3", reason: {zh: 否, en: no}}]`)+`  - id: another
    nature: kindness
    title: {zh: 好, en: good}
    reasons: [{text: {zh: 好, en: good}, cites: [orders]}]
`)
	if len(faults) != 4 {
		t.Errorf("four things are wrong, told are %d:\n%v", len(faults), faults)
	}
}

func TestRulesOfUnboundedCostAreRefused(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"nested loops":          "person.tags.exists(a, person.tags.exists(b, need.products.exists(c, a + b == c)))",
		"a giant pattern":       "need.text.matches('(a{1,200}){1,200}')",
		"a very long rule":      strings.Repeat("need.danger || ", 400) + "need.danger",
		"a very deep rule":      strings.Repeat("(", 300) + "need.danger" + strings.Repeat(")", 300),
		"a pattern that is bad": "need.text.matches('(')",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, faults := compileWith(t, action("service", `applicability: [{id: r, rule: "`+rule+`", reason: {zh: 否, en: no}}]`)); len(faults) == 0 {
				t.Error("it compiles")
			}
		})
	}
}

func TestAChangeThatBreaksAPacksOwnCasesIsNotPublished(t *testing.T) {
	t.Parallel()
	_, faults := compileWith(t, "without: [replace_device]\n")
	if len(faults) == 0 || !strings.Contains(faults.Error(), "replacement.yaml") || !strings.Contains(faults.Error(), "replace_device is not offered") {
		t.Errorf("leaving out the right to a new device gives\n%v", faults)
	}
}

func TestAPackThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	_, _, err := shipped().Compile(t.Context(), strategy.Source{Packs: []string{"shipbuilding"}})
	if err == nil || !strings.Contains(err.Error(), `there is no pack "shipbuilding"`) {
		t.Errorf("got %v", err)
	}
}

func TestThePacksIntroduceThemselves(t *testing.T) {
	t.Parallel()
	all, err := pack.List(packs.Files)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range all {
		if p.Title.Zh == "" || p.Title.En == "" {
			t.Errorf("%s has no title in one of the languages", p.Name)
		}
		for _, needed := range p.Requires {
			if !names[needed] && needed != "base" {
				t.Errorf("%s stands on %s, which is not listed before it", p.Name, needed)
			}
		}
		names[p.Name] = true
	}
	if !names["base"] || !names["electronics"] {
		t.Error(names)
	}
}
