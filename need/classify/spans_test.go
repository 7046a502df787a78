package classify_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/text"
)

// Parts of a message mean what they mean when they are read by themselves, wherever they are cut: between
// words, inside of an idiom, beside a name, in one language or two.
func TestPartsOfATextMeanWhatTheyMeanAlone(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	said := map[string][]string{
		"refund":  {"我要退款", "把钱退给我", "i want my money back", "please refund the order", "那就退款吧"},
		"track":   {"快递什么时候送到北京", "包裹到哪里了", "where is my parcel", "when will it arrive in london", "物流怎么不动了"},
		"stock":   {"红色什么时候补货", "这款现在有货吗", "do you have the red one in stock", "is it back in stock"},
		"invoice": {"帮我开发票", "电子发票发我邮箱", "can i get a receipt", "send me an invoice please"},
	}
	var all []string
	for _, intent := range []string{"invoice", "refund", "stock", "track"} {
		all = append(all, said[intent]...)
	}
	for name, copies := range map[string]int{"few examples": 1, "many examples": 110} {
		var examples []classify.Example
		for k := range copies {
			for _, intent := range []string{"invoice", "refund", "stock", "track"} {
				for _, s := range said[intent] {
					examples = append(examples, classify.Example{Text: s + strings.Repeat(" 谢谢", k%2) + fmt.Sprint(" ", k), Intent: intent})
				}
			}
		}
		m, err := classify.Train(examples, classify.Options{MarginsOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		spans := m.Spans()
		for range 200 {
			var words strings.Builder
			for range 1 + random.IntN(9) {
				words.WriteString(all[random.IntN(len(all))])
				words.WriteString([]string{"，", ", ", " and ", "并", "", " ", "\n", "'"}[random.IntN(8)])
			}
			runes := text.Normalise(words.String()).Runes
			var starts, ends []int
			for at := random.IntN(3); at < len(runes); {
				stop := at + 1 + random.IntN(12)
				for stop < len(runes) && random.IntN(8) > 0 && text.Letter(runes[stop]) {
					stop++ // mostly not inside of a word, as splitters do
				}
				starts, ends = append(starts, at), append(ends, min(stop, len(runes)))
				at = stop + random.IntN(3)
			}
			if len(starts) == 0 {
				continue
			}
			insideWord := func(i int) bool {
				return i > 0 && i < len(runes) && (text.Letter(runes[i-1]) || runes[i-1] == '\'') && (text.Letter(runes[i]) || runes[i] == '\'')
			}
			spans.Begin(runes, starts, ends, 6)
			for last := range ends {
				for first := last; first >= 0 && first > last-7; first-- {
					part := runes[starts[first]:ends[last]]
					if insideWord(starts[first]) || insideWord(ends[last]) {
						continue
					}
					label, margin := spans.Best(first, last)
					alone, its := spans.Score(part)
					if math.Abs(margin-its) > 1e-4 {
						t.Fatalf("%s, %q in %q: %s %.6f, by itself %s %.6f", name, string(part), string(runes), m.Intents()[label], margin, m.Intents()[alone], its)
					}
				}
			}
			spans.End()
		}
	}
}
