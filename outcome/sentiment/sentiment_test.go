package sentiment_test

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/rapport-cx/rapport/outcome/sentiment"
)

func TestHowATextFeels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sentiment.Label{
		"客服很耐心，问题解决了，谢谢":     sentiment.Positive,
		"水壶漏水，换了一个还是坏的，太失望了": sentiment.Negative,
		"不好用":    sentiment.Negative,
		"一点也不难用": sentiment.Positive,
		"外观漂亮，但是用了三天就坏了":         sentiment.Negative,
		"送得有点慢，不过味道非常好":          sentiment.Positive,
		"请问保修期是多久":               sentiment.Neutral,
		"":                       sentiment.Neutral,
		"The kettle is not good": sentiment.Negative,
		"It isn't bad at all":    sentiment.Positive,
		"Great kettle, but it broke and support was rude": sentiment.Negative,
		"Really helpful staff, thank you!":                sentiment.Positive,
		"Where can I see my order?":                       sentiment.Neutral,
		"服务 terrible，再也不买了":                               sentiment.Negative,
	} {
		if f := sentiment.Of(text); f.Label != want {
			t.Errorf("%q is %s (%.2f, %v), wanted %s", text, f.Label, f.Score, f.Words, want)
		}
	}
	f := sentiment.Of("屏幕不清楚")
	if len(f.Words) != 1 || f.Words[0].Span != [2]int{3, 5} || f.Words[0].Value >= 0 {
		t.Errorf("what made the score: %+v", f.Words)
	}
}

// reviews opens the file in a folder "shared" beside the repository or one of its parents.
func reviews(t *testing.T) *os.File {
	t.Helper()
	for up := "../../.."; len(up) <= len("../../../../../.."); up += "/.." {
		if file, err := os.Open(up + "/shared/data/sentiment/waimai_10k.csv"); err == nil {
			return file
		}
	}
	t.Skip("the labelled reviews (shared/data/sentiment) are not beside the repository")
	return nil
}

// TestAgainstLabelledReviews measures against reviews labelled by their writers' stars.
// Nothing of them is in the word list.
func TestAgainstLabelledReviews(t *testing.T) {
	t.Parallel()
	file := reviews(t)
	defer file.Close()
	in := csv.NewReader(file)
	in.LazyQuotes, in.FieldsPerRecord = true, -1
	var right, all, silent int
	var hit, said, is [2]int
	for n := 0; ; n++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 || len(row) < 2 {
			continue
		}
		label := 0
		if row[0] == "1" {
			label = 1
		}
		all++
		is[label]++
		f := sentiment.Of(row[1])
		if len(f.Words) == 0 {
			silent++
		}
		guess := 0
		if f.Score > 0 {
			guess = 1
		}
		said[guess]++
		if guess == label {
			right++
			hit[label]++
		}
	}
	f1 := func(k int) float64 { return 2 * float64(hit[k]) / float64(said[k]+is[k]) }
	t.Logf("%d reviews: %.2f %% right, F1 of complaints %.3f, of praise %.3f; in %d no word was known", all, 100*float64(right)/float64(all), f1(0), f1(1), silent)
	if float64(right) < .78*float64(all) {
		t.Errorf("only %d of %d", right, all)
	}
}
