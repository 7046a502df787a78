package text_test

import (
	"testing"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/need/text"
)

func TestEveryKeyboardGivesTheSamePlainForm(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"對比Ａ和B　型號":            "对比a和b 型号",
		"Ｈｅｌｌｏ，ＷＯＲＬＤ！":        "hello,world!",
		"我要退貨\u200b，謝謝":       "我要退货,谢谢",
		"don’t  “stop”":       "don't \"stop\"",
		" \u202eabc\u202c\t ": "abc",
		"first \n second":     "first\nsecond",
		"a\xffb":              "a\ufffdb",
		"❤️👍🏽":                "❤👍🏽",
		"退 款":                 "退 款",
		"":                    "",
	} {
		if got := text.Plain(written); got != want {
			t.Errorf("%q became %q, not %q", written, got, want)
		}
	}
}

func TestASpanOfThePlainFormIsASpanOfTheOriginal(t *testing.T) {
	t.Parallel()
	original := []rune("你好　　，我要\u200b退貨")
	n := text.Normalise(string(original))
	for i := range n.Runes {
		if string(n.Runes[i:i+2]) == "退货" {
			from, to := n.Source(i, i+2)
			if got := string(original[from:to]); got != "退貨" {
				t.Errorf("got %q", got)
			}
			return
		}
	}
	t.Errorf("退货 is not in %q", string(n.Runes))
}

func TestAPhraseStandsByItselfWhereNoWordGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, phrase string
		want         bool
	}{
		{"where is lin's parcel", "lin", true},
		{"berlin, and in line", "lin", false},
		{"berlin and lin", "lin", true},
		{"order o-12", "o-12", true},
		{"order o-123", "o-12", false},
		{"order—o-12…", "o-12", true},
		{"file_12", "12", false},
		{"我妈妈的订单12号", "妈妈", true},
		{"给lin买的", "lin", true},
		{"anything", "", false},
	} {
		if got := text.Stands(c.text, c.phrase); got != c.want {
			t.Errorf("%q in %q: %t", c.phrase, c.text, got)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add("對比Ａ和B　型號\u200d👨‍👩‍👧\xff\xfe")
	f.Add(" \n \n ")
	f.Fuzz(func(t *testing.T, s string) {
		n := text.Normalise(s)
		if len(n.Runes) != len(n.Origin) || n.Length != utf8.RuneCountInString(s) {
			t.Fatalf("%d runes, %d origins, length %d", len(n.Runes), len(n.Origin), n.Length)
		}
		last := -1
		for _, o := range n.Origin {
			if o <= last || o >= n.Length {
				t.Fatalf("origin %d after %d, length %d", o, last, n.Length)
			}
			last = o
		}
		if again := text.Plain(string(n.Runes)); again != string(n.Runes) {
			t.Fatalf("%q is not plain: %q", string(n.Runes), again)
		}
	})
}

func BenchmarkNormalise(b *testing.B) {
	const s = "对比A和B型号的功能差异并推荐适合家庭使用的版本，还有運費誰出？"
	for b.Loop() {
		text.Normalise(s)
	}
}
