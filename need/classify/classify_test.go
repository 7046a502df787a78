package classify_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
)

// counter is a small shop's worth of sentences, written for this test.
func counter() []classify.Example {
	var all []classify.Example
	for intent, sentences := range map[string][]string{
		"parcel": {"where is my parcel", "my parcel has not come yet", "when will the delivery arrive", "track my delivery please", "包裹到哪里了", "快递什么时候送到", "我的快递三天没动了", "物流怎么还不更新"},
		"refund": {"i want my money back", "please refund the kettle", "can i return this and get a refund", "give me a refund for the broken lamp", "我要退款", "这个水壶想退掉", "把钱退给我", "能不能申请退货"},
		"advice": {"which lamp would suit a small room", "recommend a kettle for my mother", "what would you suggest for a student", "which one is right for two people", "推荐一款适合老人的水壶", "哪个适合小房间", "给学生用推荐哪款", "两个人用买哪种好"},
	} {
		for _, s := range sentences {
			all = append(all, classify.Example{Text: s, Intent: intent})
		}
	}
	return sorted(all)
}

func sorted(all []classify.Example) []classify.Example {
	for i := range all {
		for j := i; j > 0 && all[j].Text < all[j-1].Text; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all
}

func train(t testing.TB, examples []classify.Example) *classify.Model {
	t.Helper()
	m, err := classify.Train(examples, classify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSentencesNeverSeenAreUnderstoodInBothLanguages(t *testing.T) {
	t.Parallel()
	m := train(t, counter())
	for text, want := range map[string]string{
		"has my parcel left the depot":      "parcel",
		"I'd like a refund, please":         "refund",
		"could you recommend a lamp for me": "advice",
		"快递怎么还没送到":                          "parcel",
		"那就把水壶退了吧":                          "refund",
		"推荐哪款给老人用":                          "advice",
		"推薦哪款給老人用":                          "advice",
		"ｒｅｆｕｎｄ please":                     "refund",
		"这个 kettle 我想退款":                    "refund",
	} {
		margins := m.Score(text, nil)
		at, _ := classify.Best(margins)
		if got := m.Intents()[at]; got != want {
			t.Errorf("%q was taken for %s, not %s: %.2f of %v", text, got, want, margins, m.Intents())
		}
	}
}

func TestConfidenceIsAProbabilityAndGrowsWithClarity(t *testing.T) {
	t.Parallel()
	m := train(t, counter())
	clear := m.Confidence(m.Score("where is my parcel", nil))
	vague := m.Confidence(m.Score("hello there", nil))
	if clear <= vague || clear > 1 || vague < 0 {
		t.Errorf("confidence of a clear sentence %.3f, of a vague one %.3f", clear, vague)
	}
	if got := m.Confidence(nil); got != 0 {
		t.Errorf("no margins give confidence %.3f, not 0", got)
	}
}

func TestAnExampleInOneLanguageTeachesTheOther(t *testing.T) {
	t.Parallel()
	m := train(t, []classify.Example{
		{Text: "where is my parcel", Intent: "a"}, {Text: "track the delivery", Intent: "a"}, {Text: "has the package arrived", Intent: "a"},
		{Text: "我要退款", Intent: "b"}, {Text: "把钱退给我", Intent: "b"}, {Text: "申请退钱", Intent: "b"},
	})
	for text, want := range map[string]string{"快递到哪了": "a", "reimburse me": "b", "I want my money back": "b", "包裹什么时候送到": "a"} {
		at, _ := classify.Best(m.Score(text, nil))
		if got := m.Intents()[at]; got != want {
			t.Errorf("%q was taken for %s, not %s", text, got, want)
		}
	}
}

func TestTrainingGivesTheSameBytesWhateverTheThreads(t *testing.T) {
	examples := slices.Concat(counter(), counters())
	bytesWith := func(threads int) []byte {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		b, err := train(t, examples).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if one, many := bytesWith(1), bytesWith(7); !bytes.Equal(one, many) {
		t.Error("one thread and seven give different models")
	}
}

func TestAStoredModelAnswersAsBefore(t *testing.T) {
	t.Parallel()
	m := train(t, counter())
	back := restored(t, m)
	for _, e := range counter() {
		before, after := m.Score(e.Text, nil), back.Score(e.Text, nil)
		if fmt.Sprint(before) != fmt.Sprint(after) || m.Confidence(before) != back.Confidence(after) {
			t.Errorf("%q: %v before, %v after", e.Text, before, after)
		}
	}
}

// restored is a model stored and read again; stored once more it must be the same bytes.
func restored(t *testing.T, m *classify.Model) *classify.Model {
	t.Helper()
	stored, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	back := &classify.Model{}
	if err := back.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if again, _ := back.MarshalBinary(); !bytes.Equal(stored, again) {
		t.Error("stored again, the bytes differ")
	}
	return back
}

func TestADamagedModelIsRefused(t *testing.T) {
	t.Parallel()
	stored, _ := train(t, counter()).MarshalBinary()
	for name, damage := range map[string]func([]byte) []byte{
		"one bit":       func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut off":       func(b []byte) []byte { return b[:len(b)-9] },
		"another magic": func(b []byte) []byte { b[0] = 'X'; return b },
		"newer version": func(b []byte) []byte { b[4]++; return b },
		"empty":         func([]byte) []byte { return nil },
	} {
		var m classify.Model
		if err := m.UnmarshalBinary(damage(bytes.Clone(stored))); !errors.Is(err, classify.ErrStored) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneIntentCannotBeToldApart(t *testing.T) {
	t.Parallel()
	if _, err := classify.Train([]classify.Example{{Text: "hello", Intent: "greet"}}, classify.Options{}); !errors.Is(err, classify.ErrTooFew) {
		t.Error(err)
	}
}

// raceDetector is true when the tests run under the race detector, which makes a pool forget at random.
var raceDetector bool

func TestScoringAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a pool forgets what it holds")
	}
	m := train(t, counter())
	runes := []rune("where is my parcel 包裹到哪里了")
	dst := m.ScoreRunes(runes, nil)
	if n := testing.AllocsPerRun(200, func() { dst = m.ScoreRunes(runes, dst) }); n >= 1 {
		t.Errorf("%.1f allocations a call", n)
	}
}

func FuzzScore(f *testing.F) {
	m := train(f, counter())
	f.Add("where is my parcel")
	f.Add("快递\u200b到 Ａ哪里😀了\xff")
	f.Add("'''don't' ' 're")
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range m.Score(s, nil) {
			if v != v || v > 10 || v < -10 {
				t.Errorf("%q: margin %v", s, v)
			}
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	stored, _ := train(f, counter()).MarshalBinary()
	f.Add(stored)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m classify.Model
		if m.UnmarshalBinary(b) == nil {
			m.Score("where is my parcel", nil)
		}
	})
}

// many makes n short sentences of k intents by a fixed rule: words of a made-up language, some common
// to all intents and some their own.
func many(n, k int) []classify.Example {
	common := []string{"the", "my", "please", "can", "you", "order", "it", "now", "want", "is"}
	all := make([]classify.Example, n)
	state := uint32(1)
	next := func(m int) int {
		state = state*1664525 + 1013904223
		return int(state>>8) % m
	}
	for i := range all {
		intent := i % k
		s := ""
		for w := range 4 + next(5) {
			if w%2 == 0 {
				s += common[next(len(common))] + " "
			} else {
				s += fmt.Sprintf("w%c%c%c ", 'a'+rune(intent%26), 'a'+rune(next(9)), 'a'+rune(intent/26))
			}
		}
		all[i] = classify.Example{Text: s, Intent: fmt.Sprintf("i%03d", intent)}
	}
	return all
}

func BenchmarkTrain(b *testing.B) {
	for _, size := range []struct{ examples, intents int }{{1500, 26}, {1500, 60}, {15000, 150}} {
		examples := many(size.examples, size.intents)
		b.Run(fmt.Sprintf("%dx%d", size.examples, size.intents), func(b *testing.B) {
			for b.Loop() {
				train(b, examples)
			}
		})
	}
}

func BenchmarkScore(b *testing.B) {
	for _, intents := range []int{26, 150} {
		m := train(b, many(3000, intents))
		runes := []rune("can you please tell me where my wabc order is")[:40]
		var dst []float64
		b.Run(fmt.Sprintf("40 characters, %d intents", intents), func(b *testing.B) {
			for b.Loop() {
				dst = m.ScoreRunes(runes, dst)
			}
		})
	}
}
