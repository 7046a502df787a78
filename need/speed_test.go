package need_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// A plan with 150 intents: each of the packs' 26 in six trades, told apart by the trade's own word.
func wide(tb testing.TB) *need.Plan {
	tb.Helper()
	def, err := definition()
	if err != nil {
		tb.Fatal(err)
	}
	def.Subintents = nil
	var all []need.IntentDefinition
	for k, trade := range []string{"", "船", "琴", "茶", "棋", "鞋"} {
		for _, d := range def.Intents {
			one := need.IntentDefinition{Label: d.Label, Examples: map[scene.Locale][]string{}}
			if k > 0 {
				one.Label = fmt.Sprintf("%s_%d", d.Label, k)
			}
			for l, sentences := range d.Examples {
				for i, s := range sentences {
					if i%6 == k {
						one.Examples[l] = append(one.Examples[l], s+trade)
					}
				}
			}
			all = append(all, one)
		}
	}
	def.Intents = all[:min(150, len(all))]
	p, _, err := need.Compile(def, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// rows is a catalogue of many names, found by their longest stretch of letters and digits.
type rows map[string]need.Entity

func (r rows) Find(runes []rune) (found []need.Entity) {
	for i := 0; i < len(runes); i++ {
		if !text.Letter(runes[i]) {
			continue
		}
		j := i
		for j < len(runes) && text.Letter(runes[j]) {
			j++
		}
		if e, ok := r[string(runes[i:j])]; ok {
			e.Text, e.Span = string(runes[i:j]), need.Span{i, j}
			found = append(found, e)
		}
		i = j
	}
	return found
}

func manyNames() rows {
	all := rows{}
	for i := range 100_000 {
		all[fmt.Sprintf("m%d", i)] = need.Entity{Type: "product", ID: fmt.Sprint(i)}
	}
	return all
}

// BenchmarkRecogniseWide is what issue 4 asks of speed: 150 intents and a catalogue of 100,000 names.
func BenchmarkRecogniseWide(b *testing.B) {
	p, names := wide(b), manyNames()
	for _, words := range []string{
		"我的快递到哪了，顺便帮我开张发票，型号M26净化器有货吗",
		"Where is my order, can I change it now?",
		"我上个月在你们这里买的那台净化器M77，用了不到两个星期就开始有很大的噪音，风也小了很多，滤网我也换过了还是没有用，联系客服两次都说会有人回电话但是到现在都没有人打给我，我现在要么你们马上派人上门来修，要么就直接给我换一台新的，换不了的话就把钱退给我，另外上次的发票也一直没有给我，麻烦发到我的邮箱里，还有我想问一下你们那个以旧换新的活动现在还有没有，我妈家里也想买一台小一点的，三千以内有没有推荐的",
	} {
		b.Run(fmt.Sprint(len([]rune(words))), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Recognise(need.Enquiry{Text: words}, nil, scene.Scene{Time: now}, names)
			}
		})
	}
}

// Whatever is written, the spans stay inside the text, in order, and say what stands there.
func TestHostileWritingIsReadInBoundsAndInPlace(t *testing.T) {
	t.Parallel()
	p := plan(t)
	for name, words := range map[string]string{
		"ten thousand characters without a mark": strings.Repeat("我要退货还要换货", 1250),
		"a thousand commas":                      strings.Repeat(",", 1000) + "我要退货" + strings.Repeat("，", 1000),
		"a thousand short clauses":               strings.Repeat("退货，", 1000),
		"right to left":                          "أريد إلغاء طلبي، where is my parcel? מה קורה עם ההזמנה",
		"overrides of direction":                 "\u202ewhere is my parcel\u202c and \u2067cancel my order\u2069",
		"nothing between the characters":         strings.Join(strings.Split("我的快递到哪了，发票开一下", ""), "\u200b"),
		"joined emoji":                           strings.Repeat("👩‍👩‍👧‍👦🏳️‍🌈", 200) + "我要退货" + strings.Repeat("😡", 500),
		"four bytes a character":                 strings.Repeat("𠮷", 3000) + "，退款还没到账",
		"combining marks":                        "wh" + strings.Repeat("e\u0301\u0302\u0303", 400) + "re is my parcel",
		"one long word":                          strings.Repeat("a", 10000) + " refund",
		"blanks and line ends":                   strings.Repeat(" \n\t", 3000) + "cancel my order" + strings.Repeat("\r\n", 2000),
		"marks and numbers":                      strings.Repeat("1. 2) 3、", 1500) + "开发票",
		"broken bytes":                           "我要退货\xff\xfe，换\xc3货",
		"conditions in conditions":               strings.Repeat("如果没货就", 800) + "退款",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			r := p.Recognise(need.Enquiry{Text: words}, nil, scene.Scene{Time: now}, nil)
			t.Logf("%d needs in %v", len(r.Needs), time.Since(began).Round(time.Millisecond))
			runes := []rune(words)
			end := 0
			for _, n := range r.Needs {
				if n.Span == nil {
					continue
				}
				if n.Span[0] < end || n.Span[1] <= n.Span[0] || n.Span[1] > len(runes) {
					t.Fatalf("a need at %v after one that ends at %d, in a text of %d characters", *n.Span, end, len(runes))
				}
				if n.Text != string(runes[n.Span[0]:n.Span[1]]) {
					t.Errorf("at %v stands %q and not %q", *n.Span, string(runes[n.Span[0]:n.Span[1]]), n.Text)
				}
				end = n.Span[1]
				for _, e := range n.Entities {
					if e.Span[0] < 0 || e.Span[1] > len(runes) || !slices.Equal([]rune(e.Text), runes[e.Span[0]:e.Span[1]]) {
						t.Errorf("%s %q is not at %v", e.Type, e.Text, e.Span)
					}
				}
			}
		})
	}
}
