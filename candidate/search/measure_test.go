package search_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/candidate/search"
)

// article is one text of the measure with the questions it answers.
type article struct {
	id, lang    string
	questions   []string
	doc         int
	title, body string
}

func measured(t *testing.T) (all []article, x *search.Index) {
	t.Helper()
	text, err := os.ReadFile("testdata/knowledge.txt")
	if err != nil {
		t.Fatal(err)
	}
	x = &search.Index{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "= "):
			parts := strings.SplitN(line[2:], " ", 3)
			all = append(all, article{id: parts[0], lang: parts[1], title: parts[2]})
		case strings.HasPrefix(line, "? "):
			a := &all[len(all)-1]
			a.questions = append(a.questions, line[2:])
		default:
			all[len(all)-1].body = line
		}
	}
	for i := range all {
		all[i].doc = x.Add(search.Prepare(search.Document{Title: all[i].title, Body: all[i].body}), uint64(i+1))
	}
	return all, x
}

// The floors are a little below what was measured when they were set (see the log of
// this test); a change of the ranking that loses questions fails here. The questions
// avoid the words of their article on purpose. They were in sight when the groups of
// synonyms were written: they guard the ranking and promise nothing about others'.
func TestQuestionsInOtherWordsFindTheirArticle(t *testing.T) {
	t.Parallel()
	all, x := measured(t)
	for lang, floor := range map[string]struct{ first, three, gain float64 }{"zh": {0.68, 0.86, 0.82}, "en": {0.57, 0.76, 0.72}} {
		n, first, three, ten, gain := 0, 0, 0, 0, 0.0
		for _, a := range all {
			if a.lang != lang {
				continue
			}
			for _, q := range a.questions {
				n++
				rank := 0
				for i, h := range x.Search(search.Ask(q), uint64(len(all)), 10, func(doc int) float64 { return weight(all[doc].lang == lang) }) {
					if h.Doc == a.doc {
						rank = i + 1
					}
				}
				if rank == 0 || rank > 3 {
					t.Logf("%s %q: %s at rank %d", lang, q, a.id, rank)
				}
				if rank == 0 {
					continue
				}
				ten++
				gain += 1 / math.Log2(float64(rank)+1)
				if rank == 1 {
					first++
				}
				if rank <= 3 {
					three++
				}
			}
		}
		share := func(k int) float64 { return float64(k) / float64(n) }
		t.Logf("%s: %d questions, recall@1 %.3f, recall@3 %.3f, recall@10 %.3f, nDCG@10 %.3f", lang, n, share(first), share(three), share(ten), gain/float64(n))
		if share(first) < floor.first || share(three) < floor.three || gain/float64(n) < floor.gain {
			t.Errorf("%s: recall@1 %.3f, recall@3 %.3f, nDCG@10 %.3f are below %v", lang, share(first), share(three), gain/float64(n), floor)
		}
	}
}

func weight(own bool) float64 {
	if own {
		return 1
	}
	return 0.5
}

func TestWhatTheQuestionAskedIsMarkedInThePassage(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ question, passage, marked string }{
		{"滤芯多久换一次", "前置滤芯每半年换一次。", "滤芯 换一次"},
		{"How often are filters replaced?", "Replace the filter twice a year.", "Replace filter"},
		{"运费谁出", "退货的邮费由我们承担。", "邮费"},
		{"会不会爆炸", "可以放心使用。", ""},
	} {
		runes := []rune(x.passage)
		var got []string
		for _, m := range search.Mark(search.Ask(x.question), x.passage) {
			got = append(got, string(runes[m[0]:m[1]]))
		}
		if strings.Join(got, " ") != x.marked {
			t.Errorf("%q in %q marks %q, want %q", x.question, x.passage, got, x.marked)
		}
	}
}
