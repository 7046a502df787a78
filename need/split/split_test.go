package split_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
)

// shop is what the tests' classifier learns from: single needs, written for these tests.
var shop = map[string][]string{
	"compare":   {"A和B有什么区别", "对比这两款的参数", "两个型号哪个更好", "比较一下甲和乙的功能", "对比两种型号的功能差异", "what is the difference between the two kettles", "compare the M1 and the M2", "how do these two differ"},
	"recommend": {"推荐一款适合老人的", "家里三个人用哪个合适", "推荐适合小户型的版本", "送朋友选哪个好", "适合家庭使用的是哪款", "which one suits a small kitchen", "which one would be better for a family", "recommend something for my dad"},
	"stock":     {"还有货吗", "红色什么时候补货", "这款现在有货没有", "is it in stock", "do you have the red one in stock", "when will it be back in stock"},
	"refund":    {"我要退款", "把钱退给我", "那就退款吧", "帮我退货", "我想退掉", "refund me please", "i want my money back", "please refund it", "refund the order"},
	"exchange":  {"给我换一件", "我要换货", "换一个新的", "帮我换个尺码", "replace it", "send me a replacement", "exchange it for a new one", "please replace the broken part"},
	"track":     {"包裹到哪里了", "快递什么时候送到", "物流怎么不动了", "where is my parcel", "when will my parcel arrive", "track my delivery"},
	"invoice":   {"帮我开发票", "发票抬头怎么改", "电子发票发我邮箱", "send me an invoice", "i need the invoice for my order", "can i get a receipt"},
	"broken":    {"机器不出水了", "开不了机", "屏幕碎了一块", "插上电没有反应", "it does not turn on", "the screen is cracked", "my kettle stopped working"},
}

type world struct {
	model *classify.Model
	cues  *split.Cues
	score split.Score
}

func open(t testing.TB) world {
	t.Helper()
	var examples []classify.Example
	var texts []string
	for _, intent := range []string{"broken", "compare", "exchange", "invoice", "recommend", "refund", "stock", "track"} {
		for _, s := range shop[intent] {
			examples = append(examples, classify.Example{Text: s, Intent: intent})
			texts = append(texts, s)
		}
	}
	m, err := classify.Train(examples, classify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return world{m, split.Compile(split.Words{}, texts), func(part []rune) (int, float64) {
		return classify.Best(m.ScoreRunes(part, nil))
	}}
}

func (w world) split(s string) []split.Span {
	return split.Split(text.Normalise(s), w.score, w.cues)
}

// said writes spans as a support manager would: the words, then the need.
func (w world) said(s string) []string {
	runes := []rune(s)
	var out []string
	for _, span := range w.split(s) {
		out = append(out, string(runes[span.Start:span.End])+" → "+w.model.Intents()[span.Label])
	}
	return out
}

func TestACompoundEnquiryIsCutIntoItsNeeds(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string][]string{
		"对比A和B型号的功能差异并推荐适合家庭使用的版本":                                  {"对比A和B型号的功能差异 → compare", "推荐适合家庭使用的版本 → recommend"},
		"包裹到哪里了？另外帮我开发票":                                            {"包裹到哪里了 → track", "帮我开发票 → invoice"},
		"你好，红色还有货吗，顺便电子发票发我邮箱，谢谢":                                   {"红色还有货吗 → stock", "电子发票发我邮箱 → invoice"},
		"where is my parcel and send me an invoice":                 {"where is my parcel → track", "send me an invoice → invoice"},
		"Compare the M1 and the M2, and which one suits a family?":  {"Compare the M1 and the M2 → compare", "which one suits a family → recommend"},
		"compare A and B and recommend something for my dad":        {"compare A and B → compare", "recommend something for my dad → recommend"},
		"Hi! My kettle stopped working. Please replace it. Thanks!": {"My kettle stopped working → broken", "Please replace it → exchange"},
		"物流怎么不动了，also can I get a receipt":                          {"物流怎么不动了 → track", "can I get a receipt → invoice"},
		"refund the order and send me a replacement":                {"refund the order → refund", "send me a replacement → exchange"},
		"it does not turn on and also can i get a receipt":          {"it does not turn on → broken", "can i get a receipt → invoice"},
		"兩個型號哪個更好？還有貨嗎？":                                            {"兩個型號哪個更好 → compare", "還有貨嗎 → stock"},
	} {
		if got := w.said(enquiry); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %s\nwant %s", enquiry, strings.Join(got, " | "), strings.Join(want, " | "))
		}
	}
}

func TestAnOrdinalThatCountsIsNoListNumber(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string]string{
		"第三次问了，包裹到哪里了":                         "第三次问了",
		"第二天机器就不出水了":                           "第二天机器就不出水了",
		"第一台开不了机":                              "第一台开不了机",
		"Third time this year. Refund me.":     "Third time this year",
		"First order arrived, where is my one": "First order arrived",
		"第三，帮我开发票":                             "帮我开发票",
		"第二发票抬头怎么改":                            "发票抬头怎么改",
		"second, can i get a receipt":          "can i get a receipt",
		"first I need the invoice":             "I need the invoice",
	} {
		s := w.split(enquiry)
		if len(s) == 0 || !strings.HasPrefix(string([]rune(enquiry)[s[0].Start:s[0].End]), want) {
			t.Errorf("%s: %q does not begin with %q", enquiry, w.said(enquiry), want)
		}
	}
}

func TestAQuestionNeedsNoQuestionWord(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string]int{
		"红色什么时候补货，这款有货不": 2,
		"红色什么时候补货，这款有货没": 2,
		"包裹到哪里了，快递送不送上楼": 2,
		"红色什么时候补货，补了说一声": 1,
		"包裹到哪里了，快递送上楼就行": 1,
		"包裹到哪里了，我等着用呢不急": 1,
	} {
		if got := w.said(enquiry); len(got) != want {
			t.Errorf("%s: %q, wanted %d needs", enquiry, got, want)
		}
	}
}

func TestWhatAsksInChinese(t *testing.T) {
	t.Parallel()
	for clause, want := range map[string]bool{
		"先修还是先换": true, "是退到卡里还是退到零钱": true, "存三年还是存五年": true,
		"修了两次还是漏水": false, "换过电池还是充不进": false, "我选还是不选你别管": false, "还是老样子": false,
		"能改不": true, "送不送": true, "改好了": false,
		"检测完没有": true, "寄出去了没呀": true, "上次修完没用": false,
	} {
		if runes := []rune(clause); split.LeavesOpen(runes, 0, len(runes)) != want {
			t.Errorf("%s: asks %v, wanted %v", clause, !want, want)
		}
	}
}

func TestAVerbIsNoJoiningWord(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string]string{
		"包裹到哪里了，还有蓝色的现货吗":   "还有蓝色的现货吗",
		"包裹到哪里了，还有蓝色能补货吗":   "蓝色能补货吗",
		"包裹到哪里了，还有蓝色什么时候补货": "蓝色什么时候补货",
	} {
		if got := w.said(enquiry); len(got) != 2 || !strings.HasPrefix(got[1], want+" ") {
			t.Errorf("%s: %q, wanted %q", enquiry, got, want)
		}
	}
	for _, enquiry := range []string{"这两款送货要另外收费吗", "对比这两款的参数，来得及吗", "对比这两款的参数，还来得及不"} {
		if got := w.said(enquiry); len(got) != 1 {
			t.Errorf("%s: %q, wanted one need", enquiry, got)
		}
	}
}

func TestAConditionNeedsNoWordThatOpensIt(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string][]string{
		"红色什么时候补货，有就给我换一件":            {"红色什么时候补货 → stock", "有就给我换一件 → exchange"},
		"给我换一件，换不了我就退货":               {"给我换一件 → exchange", "换不了我就退货 → refund"},
		"红色还有货吗，不来的话给我退款":             {"红色还有货吗 → stock", "不来的话给我退款 → refund"},
		"帮我换个尺码行吗，换不成把钱退给我":           {"帮我换个尺码行吗 → exchange", "换不成把钱退给我 → refund"},
		"机器不出水了，开不了机":                 {"机器不出水了，开不了机 → broken"},
		"is it in stock or is it not": {"is it in stock or is it not → stock"},
	} {
		if got := w.said(enquiry); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, wanted %q", enquiry, got, want)
		}
	}
}

func TestAQuestionThatSaysNothingBelongsToWhatItAsksAbout(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string][]string{
		"机器不出水了，怎么办":                               {"机器不出水了，怎么办 → broken"},
		"帮我看看，开不了机":                                {"帮我看看，开不了机 → broken"},
		"插上电没有反应，是不是坏了，帮我开发票":                      {"插上电没有反应，是不是坏了 → broken", "帮我开发票 → invoice"},
		"物流怎么不动了，是不是因为下雨":                          {"物流怎么不动了，是不是因为下雨 → track"},
		"因为下周要出差，所以帮我退货":                           {"因为下周要出差，所以帮我退货 → refund"},
		"My kettle stopped working, any idea why?": {"My kettle stopped working, any idea why → broken"},
		"怎么办": {"怎么办 → "},
	} {
		if got := w.said(enquiry); len(got) != len(want) || !strings.HasPrefix(got[0], want[0]) {
			t.Errorf("%s\n got %q\nwant %q", enquiry, got, want)
		}
	}
}

func TestASingleNeedStaysWhole(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, enquiry := range []string{
		"A和B有什么区别",
		"what is the difference between the X200 and the X300",
		"I want my money back",
		"帮我退货",
		"it costs 1,200.50 and is it in stock",
		"exchange and send it back to me please",
		"when and where will my parcel arrive",
		"recommend something for my dad and me in may",
		"please track and refund the order",
	} {
		if got := w.said(enquiry); len(got) != 1 {
			t.Errorf("%s became %q", enquiry, got)
		}
	}
}

func TestAConditionNamesTheNeedThatItDependsOn(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string]struct {
		clause  string
		failing bool
	}{
		"红色还有货吗，没货的话就退款":                                    {"没货的话", false},
		"红色还有货吗？如果没有货，那就退款吧":                                {"如果没有货", false},
		"帮我换个尺码，换不了就把钱退给我":                                  {"换不了", true},
		"Is it in stock? If not, refund me please.":         {"If not", true},
		"replace it, otherwise i want my money back":        {"otherwise", true},
		"do you have it in stock? if so send me an invoice": {"if so", false},
	} {
		spans := w.split(enquiry)
		if len(spans) != 2 || spans[1].Condition == nil {
			t.Errorf("%s: %q, no condition on the second", enquiry, w.said(enquiry))
			continue
		}
		k := spans[1].Condition
		if got := string([]rune(enquiry)[k.Start:k.End]); got != want.clause || k.On != 0 || k.Failing != want.failing {
			t.Errorf("%s: condition %q on %d, failing %v", enquiry, got, k.On, k.Failing)
		}
	}
}

func TestWhatIsRuledOutIsNegated(t *testing.T) {
	t.Parallel()
	w := open(t)
	for enquiry, want := range map[string]string{
		"不想退款，给我换一件":                  "refund:true exchange:false",
		"don't refund it, replace it": "refund:true exchange:false",
		"我要换货":                        "exchange:false",
	} {
		var got []string
		for _, s := range w.split(enquiry) {
			got = append(got, fmt.Sprintf("%s:%v", w.model.Intents()[s.Label], s.Negated))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", enquiry, got)
		}
	}
}

func TestAWishStandsThoughItRulesSomethingOut(t *testing.T) {
	t.Parallel()
	w := open(t)
	const enquiry = "家里三个人用哪个合适，别推荐红色的"
	spans := w.split(enquiry)
	for _, s := range spans[:1] {
		if s.Negated {
			t.Errorf("%s: %+v", enquiry, s)
		}
	}
	last := spans[len(spans)-1]
	if len(last.Excluded) != 1 || string([]rune(enquiry)[last.Excluded[0].Start:last.Excluded[0].End]) != "别推荐红色的" {
		t.Errorf("%s rules out %v", enquiry, last.Excluded)
	}
}

func TestNothingSaidGivesNoSpan(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, s := range []string{"", "   ", "。。。！！", "你好", "Hello! Thanks.", "\u200b\ufeff"} {
		if got := w.said(s); len(got) != 0 {
			t.Errorf("%q gave %q", s, got)
		}
	}
}

func TestLongAndStrangeMessagesAreCutInBoundedWork(t *testing.T) {
	t.Parallel()
	w := open(t)
	calls := 0
	score := func(part []rune) (int, float64) {
		calls++
		if len(part) > 600 {
			t.Fatalf("a span of %d characters was scored", len(part))
		}
		return w.score(part)
	}
	for name, s := range map[string]string{
		"1,000 commas":          strings.Repeat("帮我退货，", 1000),
		"only commas":           strings.Repeat("，", 10000),
		"10,000 characters":     strings.Repeat("水", 10000),
		"emoji":                 strings.Repeat("😀👍🏽", 2000) + "我要退款",
		"right to left":         strings.Repeat("أين طلبي؟ ", 500),
		"many ands":             strings.Repeat("and ", 3000),
		"zero width everywhere": strings.Repeat("退\u200b", 3000),
	} {
		calls = 0
		spans := split.Split(text.Normalise(s), score, w.cues)
		if most := 8*len([]rune(s)) + 8; calls > most {
			t.Errorf("%s: %d scorings", name, calls)
		}
		check(t, s, spans)
	}
}

func check(t *testing.T, s string, spans []split.Span) {
	t.Helper()
	length := len([]rune(s))
	last := 0
	for i, p := range spans {
		if p.Start < last || p.End <= p.Start || p.End > length {
			t.Fatalf("span %d is [%d, %d) after %d in a text of %d: %q", i, p.Start, p.End, last, length, s)
		}
		last = p.End
		if p.Core.Start < p.Plain.Start || p.Core.End > p.Plain.End || p.Core.Start >= p.Core.End {
			t.Fatalf("core %v of [%d, %d): %q", p.Core, p.Start, p.End, s)
		}
		if k := p.Condition; k != nil && (k.Start < p.Start || k.End > p.End || k.Start >= k.End || k.On >= i || k.On < -1) {
			t.Fatalf("condition %+v of span %d [%d, %d): %q", *k, i, p.Start, p.End, s)
		}
		for _, x := range p.Excluded {
			if x.Start < p.Start || x.End > p.End || x.Start >= x.End {
				t.Fatalf("excluded %v of [%d, %d): %q", x, p.Start, p.End, s)
			}
		}
	}
}

func FuzzSplit(f *testing.F) {
	w := open(f)
	for _, s := range []string{
		"对比A和B型号的功能差异并推荐适合家庭使用的版本", "红色还有货吗，没货的话就退款", "don't refund it, replace it", "if not, refund", "否则", "如果", "的话", "就不就",
		"a.b.c, 1,2 and and and 再再并", "😀，👨‍👩‍👧 and\u200b also", "\xff\xfe。\n;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first := w.split(s)
		check(t, s, first)
		if again := w.split(s); !reflect.DeepEqual(first, again) {
			t.Fatalf("%q was cut differently the second time", s)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	w := open(b)
	var margins []float64
	score := func(part []rune) (int, float64) {
		margins = w.model.ScoreRunes(part, margins)
		return classify.Best(margins)
	}
	for name, s := range map[string]string{
		"24 characters, 2 needs": "对比A和B型号的功能差异并推荐适合家庭使用的版本",
		"English, 3 needs":       "Compare the M1 and the M2, and which one suits a family? Also send me an invoice please.",
		"10,000 characters":      strings.Repeat("物流怎么不动了，帮我退货。", 770),
		"1,000 commas":           strings.Repeat("帮我退货，", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				split.Split(text.Normalise(s), score, w.cues)
			}
		})
	}
}
