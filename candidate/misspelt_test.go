package candidate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/need/text"
)

func misspelled(t testing.TB) *shop {
	return newShop(t).
		put("item", "kettle-a", `{"title":{"zh":"云杉电热水壶","en":"Spruce Kettle"},"category":"kitchen/kettle"}`).
		put("item", "bed-sheet", `{"title":{"zh":"纯棉四季床单","en":"Cotton bed sheet"}}`).
		put("item", "lamp-100", `{"title":{"zh":"晨光台灯 X-100","en":"Daybreak Lamp X-100"},"attributes":{"brand":"Haldenberg"}}`).
		put("item", "lamp-200", `{"title":{"zh":"晨光台灯 X-200","en":"Daybreak Lamp X-200"},"category":"台灯"}`).
		put("item", "laptop", `{"title":{"zh":"轻羽笔记本","en":"Featherlight 14"}}`).
		put("item", "mug", `{"title":{"zh":"早安杯","en":"Mug"}}`).
		put("item", "fan", `{"title":{"zh":"风扇","en":"Fan"}}`)
}

func TestANameWithASlipIsGuessedAndMarked(t *testing.T) {
	t.Parallel()
	v := misspelled(t).At(0)
	for sentence, want := range map[string]string{
		"云山电热水壶还有货吗":                           "kettle-a", // another character of the same sound
		"云杉电热水胡多少钱":                            "kettle-a",
		"云杉电水壶多少钱":                             "kettle-a", // one missing
		"云杉电热热水壶多少钱":                           "kettle-a", // one doubled
		"云杉热电水壶多少钱":                            "kettle-a", // two swapped
		"yunshandianreshuihu 多少钱":              "kettle-a",
		"how much is yun shan dian re shui hu": "kettle-a",
		"is the Featherlite 14 any good":       "", // two slips
		"is the Fetherlight 14 any good":       "laptop",
		"is the Featherlihgt 14 any good":      "laptop",
		"is the Feather light 14 any good":     "laptop",
		"the Sprucce Kettle please":            "kettle-a",
		"the spruce ketle please":              "kettle-a",
		"轻雨笔记本能上网吗":                            "laptop",
		"清语笔记本能上网吗":                            "laptop", // n and ng, several at once
		"造安杯多少钱":                               "mug",
	} {
		found := find(v, sentence)
		if want == "" {
			for _, e := range found {
				if e.Meant != "" {
					t.Errorf("%q: guessed %+v", sentence, e)
				}
			}
			continue
		}
		if len(found) != 1 || found[0].ID != want || found[0].Meant == "" {
			t.Errorf("%q: wanted a guess of %s, found %+v", sentence, want, found)
		}
	}
}

func TestWhatIsWrittenRightIsNoGuess(t *testing.T) {
	t.Parallel()
	v := misspelled(t).At(0)
	for _, sentence := range []string{"云杉电热水壶还有货吗", "Spruce Kettle please", "a Featherlight 14 and a mug", "晨光台灯X-100和X-200哪个好"} {
		found := find(v, sentence)
		if len(found) == 0 {
			t.Errorf("%q names nothing", sentence)
		}
		for _, e := range found {
			if e.Meant != "" {
				t.Errorf("%q: %+v stands there as it is written", sentence, e)
			}
		}
	}
}

func TestWhatIsAnotherThingIsNotGuessed(t *testing.T) {
	t.Parallel()
	v := misspelled(t).At(0)
	for _, sentence := range []string{
		"有没有纯棉四季床垫",                  // another character, another thing
		"晨光台灯X-300有货吗",               // a digit is never mended
		"Daybreak Lamp X-300 please", // nor in English
		"疯山的风景怎么样",                   // two characters are too few
		"can I have a fun day",       // three letters too
		"my cattle is sprucing up",
		"封闪",
	} {
		for _, e := range find(v, sentence) {
			if e.Meant != "" {
				t.Errorf("%q: guessed %+v", sentence, e)
			}
		}
	}
	if found := find(v, "is the fetherlight 14 any good"); len(found) != 1 || found[0].Meant != "Featherlight 14" || found[0].Text != "fetherlight 14" {
		t.Errorf("it is told as the catalogue writes it: %+v", found)
	}
	// What could be two things is none.
	two := newShop(t).
		put("item", "1", `{"title":{"en":"Marlowe chair"}}`).
		put("item", "2", `{"title":{"en":"Marlone chair"}}`).At(0)
	if found := find(two, "the Marloe chair please"); len(found) != 0 {
		t.Errorf("two chairs could be meant: %+v", found)
	}
}

func TestAGuessFollowsTheShelf(t *testing.T) {
	t.Parallel()
	s := misspelled(t)
	before := s.Revision()
	s.drop("item", "kettle-a")
	if found := find(s.At(0), "云山电热水壶还有货吗"); len(found) > 0 && found[0].Meant != "" {
		t.Errorf("guessed what is no longer for sale: %+v", found)
	}
	if found := find(s.At(before), "云山电热水壶还有货吗"); len(found) != 1 || found[0].ID != "kettle-a" {
		t.Errorf("an older view: %+v", found)
	}
}

// Of every long name, any single slip is undone, and whatever is found stands in the text.
func TestAnySingleSlipIsUndone(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	letters := "abcdefghijklmnopqrstuvwxyz"
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	s := newShop(t)
	var titles []string
	for i := range 300 {
		titles = append(titles, word(6+r.IntN(5))+" "+word(4+r.IntN(5)))
		s.put("item", fmt.Sprint("i", i), fmt.Sprintf(`{"title":{"en":%q}}`, titles[i]))
	}
	v := s.At(0)
	for i, title := range titles {
		at := 1 + r.IntN(len(title)-1)
		if title[at] == ' ' {
			at--
		}
		slip := ""
		switch r.IntN(3) {
		case 0:
			slip = title[:at] + title[at+1:]
		case 1:
			slip = title[:at] + string(letters[r.IntN(26)]) + title[at+1:]
		case 2:
			slip = title[:at] + string(letters[r.IntN(26)]) + title[at:]
		}
		if slip == title || slip == title+"s" || at == 0 { // a plural is no slip
			continue
		}
		sentence := "do you have the " + slip + " in stock"
		found := find(v, sentence)
		if len(found) != 1 || found[0].ID != fmt.Sprint("i", i) || found[0].Meant == "" {
			t.Errorf("%q for %q: %+v", slip, title, found)
		}
	}
}

func BenchmarkFindWithGuessesIn100000Names(b *testing.B) {
	v := shopOf100000Names(b).At(0)
	sentence := text.Normalise(strings.Repeat("我上个月买的那台净化器到现在还没有人来修，麻烦看一下，另外发票也没有，", 6)).Runes
	b.ReportAllocs()
	for b.Loop() {
		v.Find(sentence)
	}
}
