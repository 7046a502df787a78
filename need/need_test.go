package need_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

func ask(t *testing.T, words string, turns ...need.Turn) need.Recognition {
	t.Helper()
	return plan(t).Recognise(need.Enquiry{Text: words, Messages: turns}, person(""), scene.Scene{Time: now}, goods)
}

func TestMission_1_1_ACompoundEnquiryIsThreeNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words              string
		compare, recommend need.Span
		a, b               need.Span
	}{
		{"对比A和B型号的功能差异并推荐适合家庭使用的版本", need.Span{0, 12}, need.Span{13, 24}, need.Span{2, 3}, need.Span{4, 5}},
		{"Compare models A and B and recommend the version that suits a family", need.Span{0, 22}, need.Span{27, 68}, need.Span{15, 16}, need.Span{21, 22}},
		{"A和B有什么不同？推荐一款适合一家四口的", need.Span{0, 8}, need.Span{9, 20}, need.Span{0, 1}, need.Span{2, 3}},
		{"Compare A with B. Which one should I get for my family?", need.Span{0, 16}, need.Span{18, 54}, need.Span{8, 9}, need.Span{15, 16}},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			needs := ask(t, c.words).Needs
			if len(needs) != 3 {
				t.Fatalf("%d needs: %+v", len(needs), needs)
			}
			compare, recommend, decide := needs[0], needs[1], needs[2]
			if compare.Intent != "presale.compare" || compare.Origin != need.Spoken || *compare.Span != c.compare {
				t.Errorf("first %+v", compare)
			}
			at := map[string]need.Span{}
			for _, e := range compare.Entities {
				if e.Type == "product" {
					at[e.ID] = e.Span
				}
			}
			if at["A"] != c.a || at["B"] != c.b {
				t.Errorf("products at %v", at)
			}
			if recommend.Intent != "presale.recommend" || recommend.Origin != need.Spoken || *recommend.Span != c.recommend {
				t.Errorf("second %+v", recommend)
			}
			if decide.Intent != "presale.recommend" || decide.Sub() != "decide" || decide.Origin != need.Implied || decide.Span != nil {
				t.Errorf("third %+v", decide)
			}
			for _, n := range needs[1:] {
				if !reflect.DeepEqual(n.RefersTo, []string{"A", "B"}) {
					t.Errorf("%s refers to %v", n.ID, n.RefersTo)
				}
			}
		})
	}
}

func TestMission_1_4_TheSymptomHasItsOwnName(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"设备发热严重", "The device gets extremely hot", "手机烫得拿不住"} {
		needs := ask(t, words).Needs
		if len(needs) != 1 || needs[0].Intent != "support.troubleshoot" || needs[0].Sub() != "overheat" {
			t.Errorf("%s: %+v", words, needs)
		}
	}
}

func TestMission_1_4_HistoryForetellsANeed(t *testing.T) {
	t.Parallel()
	def, err := definition()
	if err != nil {
		t.Fatal(err)
	}
	def.Signals = []signal.Definition{{ID: "repaired_twice", Form: signal.Count, Event: "Repair Reported", AtLeast: 2, Within: 90 * 24 * time.Hour,
		By: []string{"device", "symptom"}, Implies: signal.Implication{Intent: "aftersale.exchange", Subintent: "same_fault_again"}}}
	p, _, err := need.Compile(def, nil)
	if err != nil {
		t.Fatal(err)
	}
	who := func(reports ...map[string]any) *profile.Profile {
		w := person("mei")
		w.History = map[string][]*event.Event{}
		for i, body := range reports {
			raw, _ := json.Marshal(body)
			w.History["Repair Reported"] = append(w.History["Repair Reported"], &event.Event{ID: event.ID{15: byte(i + 1)}, Name: "Repair Reported", Time: now.AddDate(0, 0, -80+60*i), Body: raw})
		}
		return w
	}
	e := need.Enquiry{Text: "设备发热严重"}
	code := map[string]any{"asset_id": "SN-77001", "symptom": "OVER-HEATING"}
	described := map[string]any{"asset_id": "SN-77001", "text": "充电的时候发烫"}
	r := p.Recognise(e, who(code, described), scene.Scene{Time: now}, goods)
	if len(r.Signals) != 1 || !r.Signals[0].Holds || r.Signals[0].Group["symptom"] != "overheat" {
		t.Fatalf("a code and a description of one fault: %+v", r.Signals)
	}
	if len(r.Needs) != 2 || r.Needs[1].Origin != need.Predicted || r.Needs[1].Intent != "aftersale.exchange" || !reflect.DeepEqual(r.Needs[1].Evidence, r.Signals[0].Events) || len(r.Needs[1].Evidence) != 2 {
		t.Errorf("needs %+v", r.Needs)
	}
	if r.Needs[0].Origin != need.Spoken || !reflect.DeepEqual(r.Needs[1].RefersTo, []string{"SN-77001"}) {
		t.Errorf("the device: %+v", r.Needs)
	}
	other := map[string]any{"asset_id": "SN-77001", "text": "屏幕摔碎了"}
	if r := p.Recognise(e, who(code, other), scene.Scene{Time: now}, goods); len(r.Needs) != 1 || r.Signals[0].Holds || r.Signals[0].Fault != "same:symptom" {
		t.Errorf("two different faults: %+v", r)
	}
	if r := p.Recognise(need.Enquiry{}, who(code, described), scene.Scene{Time: now}, goods); len(r.Needs) != 1 || r.Needs[0].ID != "n1" {
		t.Errorf("without a word: %+v", r.Needs)
	}
}

func TestASymptomIsKnownByCodeAliasAndDescription(t *testing.T) {
	t.Parallel()
	p := plan(t)
	for said, known := range map[string]string{
		"overheat": "overheat", "Over Heating": "overheat", "OVER_HEAT": "overheat", "机身很烫": "overheat", "it is overheating again": "overheat",
		"swollen": "swelling", "电池鼓包": "swelling", "E-0417": "e-0417", "": "",
	} {
		if got := p.SymptomOf(said); got != known {
			t.Errorf("%q is %q, wanted %q", said, got, known)
		}
	}
}

func TestWhatCanHurtIsAlwaysSeen(t *testing.T) {
	t.Parallel()
	for words, danger := range map[string]bool{
		"手机充着电突然冒烟了怎么办": true, "想问下充电宝鼓包了还能不能退": true, "谢谢，对了，插座那边着火了": true, "my power bank is swollen, can I return it": true,
		"smoke is coming out of the charger": true, "no smoke, it just doesn't turn on": false, "没有冒烟，就是开不了机": false, "烟雾报警器多少钱": false, "屏幕碎了": false,
	} {
		got := false
		for _, n := range ask(t, words).Needs {
			got = got || n.Danger
		}
		if got != danger {
			t.Errorf("%q: danger %v, wanted %v", words, got, danger)
		}
	}
}

func TestMission_1_5_WhatIsNotUnderstoodIsAskedBack(t *testing.T) {
	t.Parallel()
	r := ask(t, "xyzzy plugh qwertz")
	if len(r.Needs) != 1 || r.Needs[0].Status != need.Unanswered || r.Needs[0].Intent != "" {
		t.Errorf("nonsense: %+v", r.Needs)
	}
	for _, n := range ask(t, "那个东西弄一下").Needs {
		if n.Status == need.Clarify && (len(n.Readings) != 2 || n.Readings[0].Intent == n.Readings[1].Intent) {
			t.Errorf("two readings were expected: %+v", n)
		}
	}
	if r := ask(t, "你好，在吗"); len(r.Needs) != 0 {
		t.Errorf("a greeting is no need: %+v", r.Needs)
	}
}

func TestNumbersAreRead(t *testing.T) {
	t.Parallel()
	day := func(s string) need.Dates {
		d, _ := time.Parse(time.DateOnly, s)
		return need.Dates{From: s, To: d.AddDate(0, 0, 1).Format(time.DateOnly)}
	}
	for _, c := range []struct {
		words, kind, text string
		value             any
	}{
		{"推荐个吸尘器，一千五左右", "budget", "一千五左右", need.Budget{Min: 150000, Max: 150000, About: true, Currency: "CNY"}},
		{"预算五百以内的耳机", "budget", "五百以内", need.Budget{Max: 50000, Currency: "CNY"}},
		{"不超过2000块的手机推荐", "budget", "不超过2000块", need.Budget{Max: 200000, Currency: "CNY"}},
		{"3000-4000元的笔记本推荐一下", "budget", "3000-4000元", need.Budget{Min: 300000, Max: 400000, Currency: "CNY"}},
		{"recommend headphones under $300", "budget", "under $300", need.Budget{Max: 30000, Currency: "USD"}},
		{"a phone for around 400 euros please, what do you recommend", "budget", "around 400 euros", need.Budget{Min: 40000, Max: 40000, About: true, Currency: "EUR"}},
		{"多扣了我一百二十块五", "money", "一百二十块五", need.Money{Amount: 12050, Currency: "CNY"}},
		{"I was charged $1,299.50 twice", "money", "$1,299.50", need.Money{Amount: 129950, Currency: "USD"}},
		{"一家四口用哪个合适", "scene", "一家四口", need.People{Count: 4}},
		{"家里有五口人，推荐一台冰箱", "scene", "家里有五口人", need.People{Count: 5}},
		{"三口之家适合多大的", "scene", "三口之家", need.People{Count: 3}},
		{"which one suits a family of six", "scene", "family of six", need.People{Count: 6}},
		{"recommend one for a household of 2", "scene", "household of 2", need.People{Count: 2}},
		{"夫妻俩带两个孩子住，冰箱多大合适", "scene", "夫妻俩带两个孩子", need.People{Count: 4}},
		{"which fridge suits two adults and a kid", "scene", "two adults and a kid", need.People{Count: 3}},
		{"昨天下的单", "date", "昨天", day("2026-05-31")},
		{"上周三买的坏了", "date", "上周三", day("2026-05-27")},
		{"5月20日买的，能退吗", "date", "5月20日", day("2026-05-20")},
		{"bought on May 2nd, can I return it", "date", "May 2nd", day("2026-05-02")},
		{"deliver on 3rd of June please", "date", "3rd of June", day("2026-06-03")},
		{"2026-06-18能到吗", "date", "2026-06-18", day("2026-06-18")},
		{"用了两个星期就坏了", "duration", "两个星期", need.Quantity{Value: 2, Unit: "week"}},
		{"it broke after ten days", "duration", "ten days", need.Quantity{Value: 10, Unit: "day"}},
		{"55寸的电视有货吗", "size", "55寸", need.Quantity{Value: 55, Unit: "in"}},
		{"is there a 256GB version", "size", "256GB", need.Quantity{Value: 256, Unit: "gb"}},
		{"少了三瓶", "count", "三瓶", need.Quantity{Value: 3}},
		{"这是第三次坏了", "count", "第三次", need.Quantity{Value: 3, Unit: "time", Ordinal: true}},
		{"this is the third time it broke", "count", "third time", need.Quantity{Value: 3, Unit: "time", Ordinal: true}},
		{"推荐个给两个孩子用的平板", "person", "两个孩子", need.Quantity{Value: 2, Unit: "child"}},
		{"订单号88123456到哪了", "order_id", "88123456", nil},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			var all []need.Entity
			for _, n := range ask(t, c.words).Needs {
				for _, e := range n.Entities {
					if e.Type == c.kind && e.Text == c.text && reflect.DeepEqual(e.Value, c.value) {
						return
					}
					all = append(all, e)
				}
			}
			t.Errorf("no %s %q = %+v in %+v", c.kind, c.text, c.value, all)
		})
	}
}

func TestAPlanIsTrainedOnceForOneDefinition(t *testing.T) {
	t.Parallel()
	def, err := definition()
	if err != nil {
		t.Fatal(err)
	}
	first, model, err := need.Compile(def, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, again, err := need.Compile(def, model)
	if err != nil || !bytes.Equal(model, again) {
		t.Fatal("the stored model was not kept:", err)
	}
	words := need.Enquiry{Text: "退款三天了还没到账，顺便开下发票"}
	a := first.Recognise(words, nil, scene.Scene{Time: now}, nil)
	if b := second.Recognise(words, nil, scene.Scene{Time: now}, nil); !reflect.DeepEqual(a, b) {
		t.Errorf("trained %+v, read %+v", a, b)
	}
	def.Intents[0].Examples[scene.Chinese] = append(def.Intents[0].Examples[scene.Chinese], "换个说法再教一句")
	if _, other, err := need.Compile(def, model); err != nil || bytes.Equal(model, other) {
		t.Error("another definition needs another model:", err)
	}
	if _, mended, err := need.Compile(def, model[:len(model)/2]); err != nil || len(mended) < len(model)/2 {
		t.Error("half a model is trained anew:", err)
	}
	def.Subintents = append(def.Subintents, need.SubintentDefinition{ID: "x", Parent: "no.such"})
	if _, _, err := need.Compile(def, nil); err == nil || !strings.Contains(err.Error(), "no.such") {
		t.Error("a subintent of no intent:", err)
	}
}

func check(t *testing.T, words string, r need.Recognition) {
	t.Helper()
	runes := []rune(words)
	inside := func(s need.Span, said string) bool {
		return s[0] >= 0 && s[0] < s[1] && s[1] <= len(runes) && string(runes[s[0]:s[1]]) == said
	}
	last := 0
	for i, n := range r.Needs {
		if n.ID != fmt.Sprintf("n%d", i+1) {
			t.Fatalf("need %d is called %s", i+1, n.ID)
		}
		if n.Span != nil {
			if !inside(*n.Span, n.Text) || n.Span[0] < last {
				t.Fatalf("%q: need %s [%d,%d) %q after %d", words, n.ID, n.Span[0], n.Span[1], n.Text, last)
			}
			last = n.Span[0]
		}
		if n.Condition != nil && !strings.Contains(string(runes), n.Condition.Text) {
			t.Fatalf("%q: condition %q", words, n.Condition.Text)
		}
		for _, e := range n.Entities {
			if !inside(e.Span, e.Text) {
				t.Fatalf("%q: %s [%d,%d) %q", words, e.Type, e.Span[0], e.Span[1], e.Text)
			}
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Fatalf("%q: %v", words, err)
	}
}

func TestEveryCueIsReadInAnyCompany(t *testing.T) {
	t.Parallel()
	def, err := definition()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range def.Subintents {
		for _, cues := range d.Cues {
			for _, c := range cues {
				for _, words := range []string{c, "qzx vvb " + c + " wkk", "嗯" + c + "嗯嗯", "我要退货，" + c + "，开发票"} {
					r := ask(t, words)
					check(t, words, r)
					seen := !d.Danger || strings.Contains(words, "qzx")
					for _, n := range r.Needs {
						seen = seen || n.Danger
					}
					if !seen {
						t.Errorf("%q: nobody sees that %s can hurt", words, d.ID)
					}
				}
			}
		}
	}
}

func FuzzRecognise(f *testing.F) {
	for _, seed := range []string{"对比A和B型号的功能差异并推荐适合家庭使用的版本", "没货的话就退款", "第", "三百左右", "$", "under $", "2026-05-", "¥1.5万-2万", "一家", "a", "A\u200d和\u200bB", "\xff退款\xfe", "😀退货😡", strings.Repeat("，退款", 50), "订单#W1002 it that 前者", "5月", "1st of", "شحن؟退货", "\n\n", "冒烟", "没没没", "半半", "一一一万", "12号", "the third"} {
		f.Add(seed, "")
		f.Add("白色的呢", seed)
	}
	f.Fuzz(func(t *testing.T, words, before string) {
		if len(words) > 4000 || len(before) > 4000 {
			t.Skip()
		}
		e := need.Enquiry{Text: words, Messages: []need.Turn{{Role: "user", Text: before}, {Role: "agent", Text: words}}}
		if before == "" {
			e.Messages = nil
		}
		p := plan(t)
		r := p.Recognise(e, person("tom"), scene.Scene{Time: now, Zone: "Asia/Shanghai"}, goods)
		check(t, words, r)
		if again := p.Recognise(e, person("tom"), scene.Scene{Time: now, Zone: "Asia/Shanghai"}, goods); !reflect.DeepEqual(r, again) {
			t.Fatalf("%q: not the same twice", words)
		}
	})
}

func TestLongTextsAreReadInBoundedTime(t *testing.T) {
	t.Parallel()
	for _, words := range []string{strings.Repeat("我要退款，", 2000), strings.Repeat(",", 1000), strings.Repeat("a", 10000), strings.Repeat("\u200b", 5000) + "退款", strings.Repeat("😀", 3000), strings.Repeat("三", 5000), strings.Repeat("it ", 4000), strings.Repeat("冒烟", 4000)} {
		r := ask(t, words)
		check(t, words, r)
		if !utf8.ValidString(words) {
			t.Fatal("the test's own text")
		}
	}
}

// thousand is a shelf of a thousand names in a trie, as a catalogue would have.
type thousand map[string]need.Entity

func (s thousand) Find(runes []rune) (found []need.Entity) {
	for i := range runes {
		for n := 6; n >= 1; n-- {
			if i+n <= len(runes) {
				if e, ok := s[string(runes[i:i+n])]; ok {
					e.Span = need.Span{i, i + n}
					found = append(found, e)
					break
				}
			}
		}
	}
	return found
}

func BenchmarkRecognise(b *testing.B) {
	names := thousand{}
	for i := range 1000 {
		names[text.Plain(fmt.Sprintf("型%d号", i))] = need.Entity{Type: "product", ID: fmt.Sprint(i)}
	}
	p := plan(b)
	who := person("mei")
	for _, words := range []string{"设备发热严重", "对比A和B型号的功能差异并推荐适合家庭使用的版本", "给我妈挑个台灯，三百左右，别太亮，型7号有货吗，没货就算了", "Where is my order, can I change it?", "是", strings.Repeat("我的快递到哪了，什么时候能送到，", 12)} {
		b.Run(string([]rune(words)[:min(16, len([]rune(words)))]), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Recognise(need.Enquiry{Text: words}, who, scene.Scene{Time: now}, names)
			}
		})
	}
}
