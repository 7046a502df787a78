package candidate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

var opening = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// shop is a shelf that a test fills record by record.
type shop struct {
	t testing.TB
	*candidate.Catalogue
	position uint64
}

func newShop(t testing.TB) *shop {
	return &shop{t: t, Catalogue: candidate.NewCatalogue()}
}

func (s *shop) put(kind, id, body string) *shop {
	s.t.Helper()
	s.position++
	if err := s.Put(kind, id, []byte(body), false, opening.Add(time.Duration(s.position)*time.Minute), s.position); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func (s *shop) drop(kind, id string) *shop {
	s.t.Helper()
	s.position++
	if err := s.Put(kind, id, []byte("null"), true, opening.Add(time.Duration(s.position)*time.Minute), s.position); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func find(v candidate.View, sentence string) []need.Entity {
	return v.Find(text.Normalise(sentence).Runes)
}

func named(entities []need.Entity) string {
	s := ""
	for _, e := range entities {
		if s != "" {
			s += " "
		}
		s += e.Type + ":" + e.ID
	}
	return s
}

func TestNamesInASentence(t *testing.T) {
	t.Parallel()
	v := newShop(t).
		put("item", "kettle-a", `{"kind":"product","title":{"zh":"云杉电热水壶 A型号","en":"Spruce Kettle Model A"},"category":"kitchen/kettle"}`).
		put("item", "B", `{"kind":"product","title":{"zh":"云杉电热水壶二代","en":"Spruce Kettle 2"},"aliases":["大白壶"],"category":"kitchen/kettle"}`).
		put("item", "lamp-x100", `{"title":{"zh":"台灯 X-100","en":"Desk Lamp X-100"},"category":"lamp","attributes":{"brand":"Halden"}}`).
		put("item", "lamp-x100-w", `{"title":{"zh":"台灯 X-100","en":"Desk Lamp X-100 white"},"variant_of":"lamp-x100"}`).
		put("item", "c-10", `{"kind":"course","title":{"zh":"少儿编程启蒙课","en":"Coding for Kids"}}`).
		put("item", "31", `{"title":{"zh":"滤芯","en":"filter cartridge"}}`).
		put("attribute", "battery_life", `{"label":{"zh":"续航","en":"battery life"},"unit":"h","better":"higher"}`).
		At(0)
	for sentence, want := range map[string]string{
		"对比A和B型号的功能差异并推荐适合家庭使用的版本": "product:kettle-a product:B attribute:",
		"對比Ａ和Ｂ型號":                               "product:kettle-a product:B",
		"A款和B款哪个好":                              "product:kettle-a product:B",
		"compare A and B please":                "product:kettle-a product:B",
		"what is the difference between a or b": "product:kettle-a product:B",
		"Is there a lamp for a child?":          "category:lamp",
		"is a model like that in stock":         "",
		"do you have model A":                   "product:kettle-a",
		"ABC和CAR":                               "",
		"it's a bargain":                        "",
		"大白壶的续航":                                "product:B attribute:battery_life",
		"x100 有货吗":                              "product:lamp-x100",
		"X 100有货吗":                              "product:lamp-x100",
		"how long is the battery life of the desk lamp x-100?": "attribute:battery_life product:lamp-x100",
		"any kettles left":               "category:kitchen/kettle",
		"Halden 的台灯":                     "brand:Halden",
		"少儿编程启蒙课还有名额吗":                   "course:c-10",
		"我买了31个":                         "",
		"item 31 please":                 "product:31",
		"B码的衣服":                          "",
		"do you sell USB type c":         "",
		"台灯X-100保修多久":                    "product:lamp-x100 attribute:warranty",
		"Which has the better warranty?": "attribute:warranty",
	} {
		if got := named(find(v, sentence)); got != want {
			t.Errorf("%q names %q, wanted %q", sentence, got, want)
		}
	}
	e := find(v, "对比A和B型号的功能差异")
	if e[0].Text != "a" || e[0].Span != (need.Span{2, 3}) || e[1].Text != "b" || e[1].Span != (need.Span{4, 5}) {
		t.Errorf("places in the text: %+v", e)
	}
}

func TestOneNameForSeveralThings(t *testing.T) {
	t.Parallel()
	s := newShop(t).
		put("item", "mug-2", `{"title":"早安杯"}`).
		put("item", "mug-1", `{"title":"早安杯"}`).
		put("item", "phone-pa", `{"title":{"en":"Slate PA"}}`).
		put("item", "tablet-pa", `{"title":{"en":"Board PA"}}`)
	e := find(s.At(0), "早安杯多少钱")
	if len(e) != 1 || e[0].ID != "mug-1" || fmt.Sprint(e[0].Value) != "map[also:[mug-2]]" {
		t.Errorf("two mugs of one title: %+v", e)
	}
	if got := named(find(s.At(0), "how much is the PA")); got != "" {
		t.Errorf("a short form of two products must mean neither, got %q", got)
	}
}

func TestTheShelfKeepsItsVersions(t *testing.T) {
	t.Parallel()
	s := newShop(t).
		put("item", "fan", `{"title":{"zh":"风扇"},"price":{"amount":19900,"currency":"CNY"}}`).
		put("item", "fan", `{"title":{"zh":"落地扇"},"price":{"amount":17900,"currency":"CNY"}}`).
		put("relation", "r1", `{"from":"product:blade","type":"accessory_of","to":"fan"}`).
		drop("item", "fan").
		drop("relation", "r1")
	then, later, gone := s.At(1), s.At(3), s.At(0)
	if it, ok := then.Item("fan"); !ok || it.Price.Amount != 19900 || it.Ref() != "item:fan@1" {
		t.Errorf("at the first revision: %+v", it)
	}
	if it, ok := later.Item("fan"); !ok || it.Price.Amount != 17900 {
		t.Errorf("at the third revision: %+v", it)
	}
	if _, ok := gone.Item("fan"); ok {
		t.Error("a deleted item is still on the shelf")
	}
	if named(find(then, "风扇")) != "product:fan" || named(find(later, "风扇")) != "" || named(find(later, "落地扇")) != "product:fan" || named(find(gone, "落地扇")) != "" {
		t.Error("names do not follow the versions")
	}
	if len(later.RelatedTo("product:fan")) != 1 || len(later.Related("blade")) != 1 || len(gone.RelatedTo("fan")) != 0 {
		t.Error("relations do not follow the versions")
	}
	before, err := json.Marshal(then.Search("风扇", 5))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		s.put("item", fmt.Sprint("fan-", i), `{"title":{"zh":"大风扇"}}`)
	}
	if after, _ := json.Marshal(then.Search("风扇", 5)); string(after) != string(before) {
		t.Errorf("an old view changed: %s, then %s", before, after)
	}
}

func TestANewPriceKeepsTheWords(t *testing.T) {
	t.Parallel()
	s := newShop(t).put("item", "fan", `{"title":{"zh":"落地扇"},"price":{"amount":19900,"currency":"CNY"}}`)
	for i := range 30 {
		s.put("item", "fan", fmt.Sprintf(`{"title":{"zh":"落地扇"},"price":{"amount":%d,"currency":"CNY"},"available":%t}`, 10000+i, i%2 == 0))
	}
	for revision, price := range map[uint64]int64{1: 19900, 2: 10000, 31: 10029} {
		found := s.At(revision).Search("落地扇", 5)
		if len(found) != 1 || found[0].Item.Price.Amount != price {
			t.Errorf("at %d: %+v", revision, found)
		}
	}
}

func TestAnOlderRecordNeverOverwrites(t *testing.T) {
	t.Parallel()
	c := candidate.NewCatalogue()
	for i, r := range []struct {
		title string
		at    time.Time
	}{{"新款水壶", opening.AddDate(0, 0, 2)}, {"旧款水壶", opening}} {
		if err := c.Put("item", "k", fmt.Appendf(nil, `{"title":{"zh":%q}}`, r.title), false, r.at, uint64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if it, _ := c.At(0).Item("k"); it.Title.Zh != "新款水壶" || c.Revision() != 2 {
		t.Errorf("title %q at %d", it.Title.Zh, c.Revision())
	}
}

func TestFaultsOfARecord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, body, want string }{
		"price in decimals":     {"item", `{"price":199.5}`, "/price wanted_money"},
		"price of half a cent":  {"item", `{"price":{"amount":1.5,"currency":"CNY"}}`, "/price/amount wanted_integer"},
		"several at once":       {"item", `{"title":7,"aliases":["a",2],"attributes":{"x":{"min":3,"max":1},"y/z":{"from":1}}}`, "/aliases/1 wanted_text /attributes/x min_above_max /attributes/y~1z wanted_attribute /title wanted_text"},
		"same field twice":      {"item", `{"attributes":{"x":1,"x":2}}`, "/attributes/x duplicate_key"},
		"its own variant":       {"item", `{"variant_of":"me"}`, "/variant_of refers_to_itself"},
		"no object":             {"item", `[1]`, " wanted_object"},
		"cut off":               {"item", `{"title":"x"`, " invalid_json"},
		"bad bytes":             {"item", "{\"title\":\"\xff\"}", " invalid_utf8"},
		"lone surrogate":        {"item", `{"title":"\ud800"}`, "/title invalid_json"},
		"relation without ends": {"relation", `{"type":"accessory_of"}`, "/from missing /to missing"},
		"which way is better":   {"attribute", `{"better":"more"}`, "/better wanted_direction"},
		"article never valid":   {"article", `{"title":"退货","valid_from":"2026-02-01","valid_until":"2026-01-01"}`, "/valid_until ends_early"},
		"article's language":    {"article", `{"title":"Rückgabe","lang":"de"}`, "/lang wanted_locale"},
		"a step without words":  {"article", `{"title":"t","steps":[{"basic":true}]}`, "/steps/0 wanted_text"},
	} {
		known, err := candidate.Check(c.kind, "me", []byte(c.body))
		var faults candidate.Faults
		if !known || !errors.As(err, &faults) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for i, f := range faults {
			if i > 0 {
				got += " "
			}
			got += f.Pointer + " " + f.Code
			if f.Message.Zh == "" || f.Message.En == "" {
				t.Errorf("%s: %s has no sentence", name, f.Code)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, wanted %q", name, got, c.want)
		}
	}
	it, err := candidate.DecodeItem("p", []byte(`{"title":"x","colour_code":7}`))
	if err != nil || string(it.Body) != `{"title":"x","colour_code":7}` {
		t.Errorf("an unknown field is kept: %s %v", it.Body, err)
	}
}

func TestAttributeValues(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"4-6"`:                              "4–6",
		`"4–6人"`:                             "4–6 人",
		`"1,200 mAh"`:                        "1200–1200 mAh",
		`"约 3.5kg"`:                          "3.5–3.5 kg",
		`"13 Pro"`:                           "words",
		`"2026-01-15"`:                       "words",
		`{"value":45,"unit":"mm"}`:           "45–45 mm",
		`{"min":4,"max":6,"unit":"persons"}`: "4–6 persons",
		`7`:                                  "7–7",
		`{"value":"4-6","unit":"人"}`:         "4–6 人",
		`["红","白"]`:                          "words",
		`{"zh":"冬季","en":"winter"}`:          "冬季 / winter",
	} {
		it, err := candidate.DecodeItem("p", fmt.Appendf(nil, `{"attributes":{"x":%s}}`, body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		v, ok := it.Value("x")
		got := "words"
		if v.Numeric {
			got = fmt.Sprintf("%v–%v", v.Min, v.Max)
			if v.Unit != "" {
				got += " " + v.Unit
			}
		}
		if v.Said != nil {
			got = v.Said.Zh + " / " + v.Said.En
		}
		if !ok || got != want {
			t.Errorf("%s reads as %q, wanted %q", body, got, want)
		}
	}
}

func TestArticlesInBothLanguages(t *testing.T) {
	t.Parallel()
	v := newShop(t).
		put("article", "returns-zh", `{"title":"退货规则","lang":"zh-CN","body":"商品签收后七天内可以无理由退货。退回的运费由买家承担。质量问题的运费由我们承担，退款在收货后三天内到账。","tags":["policy.rule"]}`).
		put("article", "returns-en", `{"title":"Returning goods","lang":"en","body":"You may return goods within seven days of delivery. Return postage is paid by the buyer. If the goods are faulty we pay the postage."}`).
		put("article", "descale", `{"title":"如何除垢","body":"水壶用久了会有水垢。","steps":[{"text":"倒入白醋","basic":true},"煮沸后静置一小时"]}`).
		put("article", "autumn", `{"title":"国庆退货延长","body":"国庆期间退货期限延长到十五天。","valid_from":"2026-09-28","valid_until":"2026-10-08"}`).
		put("article", "bike-en", `{"title":"Adjusting the saddle","lang":"en","body":"Loosen the bolt."}`).
		At(0)
	got := v.Articles("退货的运费谁出", scene.Chinese, opening, 3)
	if len(got) == 0 || got[0].Article.ID != "returns-zh" || got[0].Passage != "商品签收后七天内可以无理由退货。退回的运费由买家承担。质量问题的运费由我们承担，退款在收货后三天内到账。" {
		t.Errorf("postage of a return: %+v", got)
	}
	for _, f := range got {
		if f.Article.ID == "autumn" {
			t.Error("an article is found before it is valid")
		}
	}
	if got := v.Articles("国庆还能退货吗", scene.Chinese, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), 1); len(got) != 1 || got[0].Article.ID != "autumn" {
		t.Errorf("in its time: %+v", got)
	}
	if got := v.Articles("who pays the postage for returned goods?", scene.English, opening, 1); len(got) != 1 || got[0].Article.ID != "returns-en" {
		t.Errorf("in English: %+v", got)
	}
	if got := v.Articles("怎么 adjust saddle", scene.Chinese, opening, 1); len(got) != 1 || got[0].Article.ID != "bike-en" {
		t.Errorf("the other language is better than nothing: %+v", got)
	}
}

func TestReadersSeeWholeRecordsWhileTheShelfIsFilled(t *testing.T) {
	t.Parallel()
	s := newShop(t).put("item", "seed", `{"title":"种子"}`)
	first := s.At(0)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				v := s.At(0)
				for _, e := range find(v, "对比风扇7和风扇12") {
					if it, ok := v.Item(e.ID); !ok || it.Title.Zh == "" {
						t.Errorf("%s is named and not on the shelf", e.ID)
						return
					}
				}
				if named(find(first, "风扇7")) != "" {
					t.Error("an old view sees a new item")
					return
				}
			}
		})
	}
	for i := range 400 {
		s.put("item", fmt.Sprint("fan", i), fmt.Sprintf(`{"title":{"zh":"风扇%d"}}`, i))
	}
	close(done)
	readers.Wait()
}

func FuzzFind(f *testing.F) {
	s := newShop(f).
		put("item", "A", `{"title":{"zh":"空调 A 型","en":"Cooler A"}}`).
		put("item", "x-9", `{"title":{"zh":"耳机X-9","en":"X-9 earphones"},"aliases":["小九"]}`).
		put("attribute", "noise", `{"label":{"zh":"噪音","en":"noise"}}`)
	v := s.At(0)
	for _, seed := range []string{"A和x 9的噪音", "a or x-9", "𠮷A🙂小九", "\u202ea\u200b和", "型号A--  b", "9 9 9 9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sentence string) {
		runes := []rune(sentence)
		end := 0
		for _, e := range v.Find(runes) {
			if e.Span[0] < end || e.Span[1] <= e.Span[0] || e.Span[1] > len(runes) || e.Text != string(runes[e.Span[0]:e.Span[1]]) {
				t.Fatalf("entity %+v of %q", e, sentence)
			}
			end = e.Span[1]
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"title":{"zh":"壶"},"price":{"amount":1,"currency":"CNY"},"attributes":{"a":{"min":1,"max":2,"unit":"人"},"b":"4-6"}}`, `{"steps":[{"text":"\ud83d\ude00"}],"title":"t"}`, `{"from":"a","type":"b","to":"c","weight":1e400}`, `{"a":01}`, "{\"\\u0061\":1,\"a\":2}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []string{"item", "relation", "attribute", "article", "promotion"} {
			known, err := candidate.Check(kind, "id", body)
			if !known {
				t.Fatal(kind)
			}
			if err == nil && !json.Valid(body) {
				t.Fatalf("%q is taken for JSON", body)
			}
			if err == nil {
				s := newShop(t)
				s.put(kind, "id", string(body))
				if got, ok := s.Stored(kind, "id", 0); !ok || string(got.Body) != string(body) {
					t.Fatalf("stored %q as %q", body, got.Body)
				}
			}
		}
	})
}

// shopOf100000Names sells 50,000 things, each of a Chinese and an English name.
func shopOf100000Names(b *testing.B) *shop {
	s := newShop(b)
	r := rand.New(rand.NewPCG(1, 2))
	han := []rune("云杉白鹭青松晨光远山流水明月清风长河落日电热壶风扇台灯耳机键盘手环冰箱净化器")
	for i := range 50000 {
		name := make([]rune, 4+r.IntN(6))
		for j := range name {
			name[j] = han[r.IntN(len(han))]
		}
		s.put("item", fmt.Sprintf("sku-%d", i), fmt.Sprintf(`{"title":{"zh":%q,"en":"Thing %d"}}`, string(name), i))
	}
	return s
}

func BenchmarkFindIn100000Names(b *testing.B) {
	v := shopOf100000Names(b).At(0)
	sentence := text.Normalise("对比sku-77和Thing 4711的功能差异并推荐适合家庭使用的版本，最好有货").Runes
	b.ReportAllocs()
	for b.Loop() {
		v.Find(sentence)
	}
}

func BenchmarkPutItem(b *testing.B) {
	c := candidate.NewCatalogue()
	i := 0
	for b.Loop() {
		i++
		body := fmt.Appendf(nil, `{"kind":"product","title":{"zh":"晨光电热壶%d","en":"Kettle %d"},"category":"kettle","price":{"amount":19900,"currency":"CNY"},"attributes":{"capacity":{"value":1.7,"unit":"L"},"power":{"value":1800,"unit":"W"},"persons":"4-6"}}`, i, i)
		if err := c.Put("item", fmt.Sprint("k", i), body, false, opening, uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkArticlesAmong1000(b *testing.B) {
	s := newShop(b)
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"退货", "运费", "保修", "发票", "积分", "换货", "地址", "充电", "电池", "登录", "密码", "会员", "优惠", "快递", "签收", "维修", "屏幕", "声音", "课程", "退款"}
	fill := []string{"可以在订单页面申请", "我们会在三天内处理", "请保留好凭证", "需要提供照片", "以页面显示为准", "客服会与您联系", "不影响正常使用", "请先确认商品完好"}
	for i := range 1000 {
		body := ""
		for range 8 {
			body += words[r.IntN(len(words))] + words[r.IntN(len(words))] + fill[r.IntN(len(fill))] + "。"
		}
		s.put("article", fmt.Sprint("a", i), fmt.Sprintf(`{"title":%q,"body":%q}`, words[r.IntN(len(words))]+words[r.IntN(len(words))]+"说明", body))
	}
	v := s.At(0)
	b.ReportAllocs()
	for b.Loop() {
		v.Articles("退货的运费谁来承担，退款几天到账", scene.Chinese, opening, 3)
	}
}

func TestManyZerosAreGrouped(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{"299": "299", "5699": "5699", "10000": "10,000", "500000": "500,000", "1234567.50": "1,234,567.50", "-20000": "-20,000"} {
		if got := candidate.Grouped(digits); got != want {
			t.Errorf("%s is written %s, want %s", digits, got, want)
		}
	}
}
