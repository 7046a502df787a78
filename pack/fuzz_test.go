package pack

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever text comes as a pack: it compiles or its faults say where, and each
// caret stands within its line.
func FuzzLoad(f *testing.F) {
	f.Add("actions:\n  - id: a\n    nature: service\n    title: {zh: 好, en: good}\n    reasons: [{text: {zh: 好, en: good}}]\n")
	f.Add("signals:\n  - {id: s, title: {zh: 看, en: look}, counts: {zh: 看, en: looks}, event: Page Viewed, within: 3d, where: \"event.properties.topic == '退货'\"}\n")
	f.Add("intents:\n  - {intent: order.place, title: {zh: 买, en: buy}, examples: {zh: [买], en: [buy]}}\nproblems: [order.*]\n")
	f.Add("a: &a [*a]\n")
	f.Add("actions: [{id: a, nature: right, title: {zh: \"{device}\", en: \"{x\"}, applicability: [{id: r, rule: \"known(a.b.c) && has(x)\", reason: {}}]}]")
	f.Add("draw: {temperature: .nan, floor: 1e400}\ntraits: {age: int, 年: int}\n")
	f.Add("\ufeff---\n...\n---\n")
	f.Add("lexicon: {color: {zh: [红, !!binary aGk=], en: [red]}}\nattributes: [{name: w, label: 重}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		var faults Faults
		files := []packFile{newFile("own/rules.yaml", []byte(text))}
		made := readAll(files, &faults).compile()
		if len(faults) == 0 && made == nil {
			t.Fatal("neither compiled nor faulty")
		}
		if v, ok := open("own/tests/a.yaml", text, &faults); ok {
			v.list(func(v value) { readCase(v) })
		}
		lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
		for _, fault := range faults.sorted() {
			if fault.Line < 0 || fault.Line > len(lines)+1 {
				t.Fatalf("a fault in line %d of %d: %s", fault.Line, len(lines), fault)
			}
			if !utf8.ValidString(fault.String()) && utf8.ValidString(text) {
				t.Fatalf("a fault that is not UTF-8: %q", fault)
			}
			if fault.Caret != "" && !strings.HasSuffix(fault.Caret, "^") {
				t.Fatalf("a caret without a mark: %q", fault.Caret)
			}
		}
	})
}
