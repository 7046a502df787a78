package link

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var card = []Field{
	{Name: "given_name", Swap: "name", Rare: 0.005}, {Name: "family_name", Swap: "name", Rare: 0.01}, {Name: "street"},
	{Name: "born", Kind: Digits}, {Name: "phone", Kind: Digits, Rare: 1e-5}, {Name: "province", Kind: Choice, Rare: 0.1},
}

var syllables = strings.Fields("ba be bi bo da de di do fa fi ga go ha he hi ka ke ki la le li lo ma mi mo na ni no pa pe ra ri ro sa se ta te ti va vi wo ya zu")

func word(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(syllables[r.IntN(len(syllables))])
	}
	return b.String()
}

// crowd makes people, some of whom were written down again with faults. The ids
// "12" and "12 again" are one person's.
func crowd(r *rand.Rand, people int) []Record {
	names, streets := make([]string, 60), make([]string, 300)
	for i := range names {
		names[i] = word(r, 2+r.IntN(2))
	}
	for i := range streets {
		streets[i] = word(r, 3) + " road"
	}
	var out []Record
	for i := range people {
		v := []string{
			names[r.IntN(60)], names[r.IntN(60)], streets[r.IntN(300)],
			fmt.Sprintf("%d%02d%02d", 1940+r.IntN(70), 1+r.IntN(12), 1+r.IntN(28)), fmt.Sprint(13_000_000_000 + r.IntN(999_999_999)), []string{"north", "south", "east", "west"}[r.IntN(4)],
		}
		out = append(out, Record{ID: fmt.Sprint(i), Values: v})
		if r.IntN(3) == 0 {
			w := slices.Clone(v)
			for range 2 {
				switch f := r.IntN(7); f {
				case 6:
					w[0], w[1] = w[1], w[0]
				case 5:
					w[r.IntN(5)] = ""
				default:
					w[f] = slip(r, w[f])
				}
			}
			out = append(out, Record{ID: fmt.Sprint(i, " again"), Values: w})
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func slip(r *rand.Rand, s string) string {
	if len(s) < 4 {
		return s
	}
	i := 1 + r.IntN(len(s)-2)
	switch r.IntN(3) {
	case 0:
		return s[:i] + s[i+1:]
	case 1:
		return s[:i] + s[i+1:i+2] + s[i:i+1] + s[i+2:]
	}
	return s[:i] + "7" + s[i:]
}

func person(r Record) string { return strings.TrimSuffix(r.ID, " again") }

func fitted(t *testing.T, fields []Field, records []Record, o Options) *Model {
	t.Helper()
	m, err := Fit(fields, records, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRecordsOfOnePersonFindOneAnother(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	records := crowd(rand.New(rand.NewPCG(seed, 1)), 1200)
	again := 0
	for _, r := range records {
		if strings.HasSuffix(r.ID, "again") {
			again++
		}
	}
	right, wrong := 0, 0
	for _, g := range fitted(t, card, records, Options{Sample: 30_000}).Groups() {
		for i := range g {
			for j := range i {
				if person(records[g[i]]) == person(records[g[j]]) {
					right++
				} else {
					wrong++
				}
			}
		}
	}
	f1 := 2 * float64(right) / float64(right+wrong+again)
	t.Logf("seed %d: F1 %.4f", seed, f1)
	if f1 < 0.99 {
		t.Errorf("F1 %.4f: %d of %d found, %d wrong", f1, right, again, wrong)
	}
}

func TestTheWeightsAddUpToTheScore(t *testing.T) {
	t.Parallel()
	records := crowd(rand.New(rand.NewPCG(4, 2)), 300)
	pairs := fitted(t, card, records, Options{Sample: 5_000}).Pairs(math.Inf(-1))
	if len(pairs) < 100 {
		t.Fatalf("only %d pairs", len(pairs))
	}
	for i, p := range pairs {
		sum := 0.0
		for _, w := range p.Weights {
			sum += w.Bits
		}
		if math.Abs(sum-p.Score) > 1e-9 || p.Weights[0].Field != Prior {
			t.Fatalf("%v add up to %v, the score is %v", p.Weights, sum, p.Score)
		}
		if i > 0 && p.Score > pairs[i-1].Score {
			t.Fatal("the likeliest does not come first")
		}
	}
}

func TestTheSameRecordsGiveTheSameSuggestions(t *testing.T) {
	t.Parallel()
	records := crowd(rand.New(rand.NewPCG(9, 2)), 300)
	once := fitted(t, card, records, Options{Sample: 5_000, Seed: 3}).Pairs(0)
	blind := slices.Clone(records)
	for i := range blind {
		blind[i].ID = ""
	}
	if again := fitted(t, card, blind, Options{Sample: 5_000, Seed: 3}).Pairs(0); !reflect.DeepEqual(once, again) {
		t.Error("a second fit, that sees no ids, gives something else")
	}
}

func TestAFewRecordsAreJudgedByWhatIsUsual(t *testing.T) {
	t.Parallel()
	of := func(values ...string) Record { return Record{Values: values} }
	records := []Record{
		of("lina", "moreau", "rose street", "19880412", "13812345678", "north"),
		of("lina", "moreu", "rose street", "19880412", "13812345678", "north"),
		of("lina", "moreau", "", "", "", "south"), // a namesake, for all one knows
		of("omar", "haddad", "rose street", "19700101", "13912345678", "north"),
	}
	var found [][2]int
	for _, p := range fitted(t, card, records, Options{}).Pairs(3) {
		found = append(found, [2]int{p.A, p.B})
	}
	if !slices.Equal(found, [][2]int{{0, 1}}) {
		t.Errorf("suggested %v, wanted only the first two", found)
	}
}

func TestAnUncommonNameWeighsMore(t *testing.T) {
	t.Parallel()
	records := crowd(rand.New(rand.NewPCG(7, 2)), 400)
	for i := range 80 {
		records[i].Values[1] = "wang"
	}
	records[100].Values[1], records[101].Values[1] = "quetzalcoatl", "quetzalcoatl"
	m := fitted(t, card, records, Options{Sample: 5_000})
	if common, rare := m.bits(1, equal, 0), m.bits(1, equal, 100); rare < common+3 {
		t.Errorf("a rare name weighs %.1f bits, a common one %.1f", rare, common)
	}
}

func TestNamesInTheWrongBoxesAreSeen(t *testing.T) {
	t.Parallel()
	m := &Model{fields: card, mates: mates(card)}
	records := []Record{{Values: []string{"lina", "moreau", "", "", "", ""}}, {Values: []string{"moreau", "lina", "", "", "", ""}}}
	for f := range card {
		m.columns = append(m.columns, columnOf(card[f], f, records))
	}
	levels := make([]level, len(card))
	m.compareRecords(0, 1, levels)
	if levels[0] != swapped || levels[1] != missing {
		t.Errorf("%v and %v", levels[0], levels[1])
	}
}

func TestWhatIsKnownToBeApartIsNotSuggested(t *testing.T) {
	t.Parallel()
	same := []string{"lina", "moreau", "rose street", "19880412", "13812345678", "north"}
	records := []Record{{Values: same}, {Values: same}, {Values: same}}
	m := fitted(t, card, records, Options{Apart: func(a, b int) bool { return a == 0 && b == 1 }})
	for _, p := range m.Pairs(0) {
		if p.A == 0 && p.B == 1 {
			t.Error("it was suggested again")
		}
	}
}

func TestTwoListsAreLinkedOneToOne(t *testing.T) {
	t.Parallel()
	pairs := []Pair{{A: 0, B: 9, Score: 20}, {A: 1, B: 9, Score: 15}, {A: 1, B: 8, Score: 3}}
	if got := OneToOne(pairs); len(got) != 2 || got[1].B != 8 {
		t.Errorf("%v", got)
	}
	records := []Record{{Values: []string{"lina", "moreau", "rose street", "19880412", "13812345678", "north"}}}
	records = append(records, records[0], records[0])
	records[2].Source = 1
	for _, p := range fitted(t, card, records, Options{}).Pairs(math.Inf(-1)) {
		if p.B != 2 {
			t.Errorf("%d and %d are of one list", p.A, p.B)
		}
	}
}

func TestEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x, y string
		want int
	}{{"", "", 0}, {"kitten", "sitting", 3}, {"abcd", "acbd", 1}, {"王小明", "王晓明", 1}, {"abc", "abcdef", 3}, {"a", "bcdefgh", 4}} {
		if got := edits([]rune(c.x), []rune(c.y), 3); got != c.want {
			t.Errorf("%q and %q are %d apart, wanted %d", c.x, c.y, got, c.want)
		}
	}
	if got := jaroWinkler([]rune("martha"), []rune("marhta")); math.Abs(got-0.9611) > 1e-4 {
		t.Errorf("martha and marhta are alike by %.4f", got)
	}
	long := []rune(strings.Repeat("长", 100))
	if edits(long, long[:99], 5) != 1 || jaroWinkler(long, long) != 1 {
		t.Error("long texts are not compared")
	}
}

func TestColumnsAreDescribedByWhatStandsInThem(t *testing.T) {
	t.Parallel()
	var records []Record
	for i := range 400 {
		records = append(records, Record{Values: []string{word(rand.New(rand.NewPCG(1, uint64(i))), 3), fmt.Sprint(19000101 + i), []string{"north", "south"}[i%2], fmt.Sprint("u", i, "@example.com"), word(rand.New(rand.NewPCG(2, uint64(i))), 2)}})
	}
	got := Describe([]string{"given_name", "born", "region", "mail", "surname"}, records)
	want := []Field{{Name: "given_name", Swap: "name"}, {Name: "born", Kind: Digits}, {Name: "region", Kind: Choice}, {Name: "mail", Kind: Exact}, {Name: "surname", Swap: "name"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestStrangersAreNotSuggested(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	records := slices.DeleteFunc(crowd(r, 3000), func(r Record) bool { return strings.HasSuffix(r.ID, "again") })
	m := fitted(t, card, records, Options{Sample: 30_000})
	if pairs := m.Pairs(0); len(pairs) > 3 { // chance may bring one about
		t.Errorf("of %d persons, no two of whom are one, %d pairs are suggested, first %+v", len(records), len(pairs), pairs[0])
	}
}
