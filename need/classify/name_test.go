package classify_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
)

func TestANameThatNoExampleHasIsToldByWhatItNames(t *testing.T) {
	t.Parallel()
	var examples []classify.Example
	for intent, sentences := range map[string][]string{
		"kitchen": {"宫保鸡丁", "麻婆豆腐放什么", "我想吃回锅肉", "糖醋排骨", "pizza for tonight", "i would like lasagna"},
		"clinic":  {"感冒", "肺炎要住院吗", "我有糖尿病", "湿疹", "my asthma is back", "is it pneumonia"},
		"travel":  {"杭州", "我要去成都", "到西安几点", "厦门有什么", "tickets to london", "i fly to seattle"},
	} {
		for _, s := range sentences {
			examples = append(examples, classify.Example{Text: s, Intent: intent})
		}
	}
	m := train(t, sorted(examples))
	for said, meant := range map[string]string{
		"鱼香肉丝": "kitchen", "哮喘": "clinic", "哈尔滨": "travel", "risotto": "kitchen", "migraine": "clinic", "kuala lumpur": "travel", "乌鲁木齐": "travel",
	} {
		if at, _ := classify.Best(m.Score(said, nil)); m.Intents()[at] != meant {
			t.Errorf("%q was taken for %s, not %s", said, m.Intents()[at], meant)
		}
	}
}

func TestTheListOfNamesHasEachOnceAndNoOrdinarySingleLetter(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("names.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]string{}
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		kind, names, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.Count(names, "|") != 1 {
			t.Fatalf("%.40q is not: a kind, a colon, names, a bar, names", line)
		}
		for name := range strings.FieldsFuncSeq(names, func(r rune) bool { return r == ',' || r == '|' }) {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			if len([]rune(name)) < 2 || len([]rune(name)) > 40 {
				t.Errorf("%s: %q is no name", kind, name)
			}
			kinds[name] = append(kinds[name], kind)
			if n := len(kinds[name]); n > 3 || n > 1 && kinds[name][n-2] == kind {
				t.Errorf("%q stands under %v: twice under one kind, or under more than three", name, kinds[name])
			}
		}
	}
	if len(kinds) < 5000 {
		t.Errorf("%d names", len(kinds))
	}
}
