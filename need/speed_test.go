package need_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

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
