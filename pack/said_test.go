package pack

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/strategy"
)

// Every code that a fault is told by has a sentence in both languages, with the same
// blanks, and no sentence waits for a code that is gone.
func TestEveryFaultHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, pattern := range []string{
		`(?:\.fault|\bfail|\bsay|\bwrong)\((?:[^"()\n]+, )?"([a-z0-9_]+)"`, // told at once
		`code, args :?= "([a-z_]+)"`, `, "([a-z_]+)", (?:0|signal\.\w+)\}`, // chosen first
	} {
		of := regexp.MustCompile(pattern)
		files, err := filepath.Glob("*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range of.FindAllStringSubmatch(string(text), -1) {
				used[m[1]] = true
			}
		}
	}
	for code := range used {
		s, ok := sentences[code]
		if !ok || s.Zh == "" || s.En == "" {
			t.Errorf("%s has no sentence in both languages: %+v", code, s)
			continue
		}
		blanks := func(s string) []string {
			all := blank.FindAllString(s, -1)
			slices.Sort(all)
			return slices.Compact(all)
		}
		if !slices.Equal(blanks(s.Zh), blanks(s.En)) {
			t.Errorf("%s has the blanks %v in Chinese and %v in English", code, blanks(s.Zh), blanks(s.En))
		}
	}
	for code := range maps.Keys(sentences) {
		if !used[code] {
			t.Errorf("nothing is told by %s", code)
		}
	}
	if len(used) < 120 {
		t.Errorf("only %d codes are found in the sources", len(used))
	}
}

// A fault has its code, what fills its sentence, both languages, and a caret under the
// very character, whatever stands before it.
func TestAFaultIsToldInBothLanguagesWithItsCaret(t *testing.T) {
	t.Parallel()
	for _, want := range []struct {
		rule, cites, code, name, near, zh, en, under string
	}{
		{"case.overdu", "need", "rule_fact_near", "case.overdu", "case.overdue", "「case.overdu」不是规则能读的事实，是不是想写「case.overdue」？", `"case.overdu" is not a fact that a rule can read; is "case.overdue" meant?`, "case.overdu}"},
		{"case.overdue", "need.tex", "not_a_fact_near", "need.tex", "need.text", "「need.tex」不是可用的事实，是不是想写「need.text」？", `"need.tex" is not a fact; is "need.text" meant?`, "need.tex]"},
	} {
		_, _, err := (&Compiler{FS: os.DirFS("../packs")}).Compile(t.Context(), strategy.Source{Packs: []string{"base"}, Files: map[string]string{"own/a.yaml": `pack: own
actions:
  - id: gift
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 小礼物, en: A present}
    applicability: [{id: late, reason: {zh: 已经超过答应的时间, en: it is late}, rule: ` + want.rule + `}]
    reasons: [{text: {zh: 谢谢您, en: Thank you}, cites: [` + want.cites + `]}]
`}})
		var faults Faults
		if !errors.As(err, &faults) || len(faults) != 1 {
			t.Fatal(err)
		}
		f := faults[0]
		if f.Code != want.code || f.Params["name"] != want.name || f.Params["near"] != want.near || f.Text.Zh != want.zh || f.Text.En != want.en || f.Message != want.en {
			t.Errorf("%+v", f)
		}
		line, mark, _ := strings.Cut(f.Caret, "\n")
		at := 0 // columns of a terminal up to the caret
		for _, r := range strings.TrimSuffix(mark, "^") {
			at++
			if r == '　' {
				at++
			}
		}
		for i, r := range line {
			if at <= 0 {
				if !strings.HasPrefix(line[i:], want.under) {
					t.Errorf("the caret stands under %q", line[i:])
				}
				break
			}
			at--
			if wide(r) {
				at--
			}
		}
	}
}

func TestACalendarThatCannotBeReadSaysWhyInBothLanguages(t *testing.T) {
	t.Parallel()
	for ics, want := range map[string][2]string{
		"BEGIN:VEVENT\nDTSTART:20261001\nRRULE:FREQ=YEARLY\nEND:VEVENT\n":                             {"日历 cn，到第 4 行为止的那一条：它是重复日程，行业包要把每一天都写出来", "calendar cn, entry that ends in line 4: it repeats, and a pack writes its days out"},
		"BEGIN:VEVENT\r\nSUMMARY:a long\r\n  name\r\nDTSTART;VALUE=\r\n\tDATE:soon\r\nEND:VEVENT\r\n": {"日历 cn，到第 6 行为止的那一条：「soon」不是日期", `calendar cn, entry that ends in line 6: "soon" is no date`},
		"BEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\n":                                                    {"日历 cn，到第 3 行为止的那一条：「soon」不是日期", `calendar cn, entry that ends in line 3: "soon" is no date`},
		"BEGIN:VEVENT\nDTSTART:20261399\nEND:VEVENT\n":                                                {"日历 cn，到第 3 行为止的那一条：「20261399」不是日期", `calendar cn, entry that ends in line 3: "20261399" is no date`},
		"BEGIN:VCALENDAR\n": {"日历 cn：里面一条日程（VEVENT）也没有", "calendar cn: there is no entry (VEVENT) in it"},
	} {
		_, err := Calendar("cn", ics, nil)
		var u *unfit
		if !errors.As(err, &u) || u.Said().Zh != want[0] || u.Said().En != want[1] || err.Error() != want[1] {
			t.Errorf("%q: %v", ics, err)
		}
	}
}
