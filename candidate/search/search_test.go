package search_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/candidate/search"
)

func all(int) float64 { return 1 }

func TestTheTitleCountsMoreThanTheBody(t *testing.T) {
	t.Parallel()
	var x search.Index
	x.Add(search.Prepare(search.Document{Title: "发票", Body: "在订单页申请。"}), 1)
	x.Add(search.Prepare(search.Document{Title: "订单", Body: "发票在这里申请。"}), 2)
	hits := x.Search(search.Ask("怎么开发票"), 2, 5, all)
	if len(hits) != 2 || hits[0].Doc != 0 {
		t.Errorf("%+v", hits)
	}
}

func TestEnglishEndings(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{"charge", "charges", "charged", "charging"}, {"battery", "batteries"}, {"return", "returns", "Returned", "returning"}} {
		first := search.Terms(nil, words[0])
		for _, w := range words[1:] {
			if got := search.Terms(nil, w); !reflect.DeepEqual(got, first) {
				t.Errorf("%q and %q are two words", words[0], w)
			}
		}
	}
	if !search.Ask("what is the").Empty() {
		t.Error("words that tell nothing are looked for")
	}
}

func TestAnOldRevisionKeepsItsScores(t *testing.T) {
	t.Parallel()
	var x search.Index
	for i := range 20 {
		x.Add(search.Prepare(search.Document{Title: fmt.Sprint("article ", i), Body: "Postage is free. " + strings.Repeat("More words here. ", i)}), uint64(i+1))
	}
	q := search.Ask("free postage")
	then := x.Search(q, 10, 30, all)
	if len(then) != 10 {
		t.Fatalf("%d documents at the tenth revision", len(then))
	}
	x.Remove(3, 21)
	for i := range 20 {
		x.Add(search.Prepare(search.Document{Body: "postage postage"}), uint64(30+i))
	}
	if now := x.Search(q, 10, 30, all); !reflect.DeepEqual(now, then) {
		t.Errorf("the past changed: %+v, then %+v", then, now)
	}
	for _, h := range x.Search(q, 49, 99, all) {
		if h.Doc == 3 {
			t.Error("a removed document is found")
		}
	}
}

func TestThePassageHoldsTheAnswer(t *testing.T) {
	t.Parallel()
	var x search.Index
	body := "Our shop opened in 1998. We love what we do. Delivery takes two days. Return postage is paid by the buyer unless the goods are faulty. Call us any time."
	x.Add(search.Prepare(search.Document{Title: "About returns", Body: body}), 1)
	if got := x.Passage(0, search.Ask("who pays the return postage"), 1); !strings.HasPrefix(got, "Return postage is paid by the buyer") {
		t.Errorf("%q", got)
	}
	if got := x.Passage(0, search.Ask("zebra"), 1); !strings.HasPrefix(got, "Our shop opened") {
		t.Errorf("without a match: %q", got)
	}
}

func FuzzSearch(f *testing.F) {
	f.Add("退货。运费谁出？3.5 kg! don't", "运费 weigh")
	f.Add("\xff。\xfe", "\xff")
	f.Fuzz(func(t *testing.T, body, question string) {
		var x search.Index
		x.Add(search.Prepare(search.Document{Title: question, Body: body}), 1)
		q := search.Ask(question)
		for _, h := range x.Search(q, 1, 3, all) {
			if h.Coverage <= 0 || h.Coverage > 1.000001 {
				t.Fatalf("coverage %v", h.Coverage)
			}
		}
		if p := x.Passage(0, q, 1); !strings.Contains(body, p) {
			t.Fatalf("passage %q is not in the body", p)
		}
	})
}
