// Package cluster stands behind need, step 4 of the flow: of sentences that no intent was found for, it
// puts together those that speak of the same thing, and names the words that they have in common.
//
//	for _, g := range cluster.Group(sentences, examples, cluster.Options{}) {
//		fmt.Println(g.Words, len(g.Members), g.People) // [engraving] 14 9
//	}
//
// Sentences are compared by the cosine of their words and pairs of Han characters, each weighing the
// more the rarer it is in sentences that are understood, and joined by average linkage along chains of
// nearest neighbours (Murtagh, 1983). The same sentences give the same groups.
package cluster

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/need/text"
)

// Sentence is one sentence and whose it is.
type Sentence struct {
	Text string
	Who  string // people are counted by it
}

// Options say what a group is; the zero value is right.
type Options struct {
	Alike     float64 // least average cosine of two groups that become one; default 0.17
	Sentences int     // fewest sentences of a group, default 3
	People    int     // fewest people of a group, default 2
}

// Most is how many different sentences are compared; what is behind them is left out.
const Most = 2000

// Cluster is sentences that speak of one thing.
type Cluster struct {
	Members []int    // places in what was given, the most typical first
	Words   []string // that say of what, the most telling first; at most three
	People  int
}

// Group finds the groups, those of the most people first. known are sentences that are understood.
func Group(sentences []Sentence, known []string, o Options) []Cluster {
	if o.Alike <= 0 {
		o.Alike = 0.17
	}
	if o.Sentences <= 0 {
		o.Sentences = 3
	}
	if o.People <= 0 {
		o.People = 2
	}
	b := newBench(sentences, known)
	var out []Cluster
	for _, of := range b.link(o.Alike) {
		c := Cluster{}
		people := map[string]bool{}
		for _, u := range b.typical(of) {
			for _, i := range b.unique[u].at {
				c.Members = append(c.Members, i)
				people[sentences[i].Who] = true
			}
		}
		c.People = len(people)
		if len(c.Members) < o.Sentences || c.People < o.People {
			continue
		}
		if c.Words = b.words(of, sentences, o.People); len(c.Words) > 0 {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Cluster) int {
		return cmp.Or(b.People-a.People, len(b.Members)-len(a.Members), a.Members[0]-b.Members[0])
	})
	return out
}

// bench is what is worked on: each different sentence once.
type bench struct {
	unique []one
	known  map[string]int // in how many known sentences a feature is
	total  int
	alike  []float32 // cosines, unique × unique
}

type one struct {
	runes []rune
	at    []int // in what was given
	value map[string]float64
}

func newBench(sentences []Sentence, known []string) *bench {
	b := &bench{known: map[string]int{}, total: len(known)}
	for _, k := range known {
		for f := range features(text.Normalise(k).Runes) {
			b.known[f]++
		}
	}
	at := map[string]int{}
	for i, s := range sentences {
		runes := text.Normalise(s.Text).Runes
		plain := string(runes)
		u, there := at[plain]
		if !there {
			if len(b.unique) == Most {
				continue
			}
			u = len(b.unique)
			at[plain] = u
			b.unique = append(b.unique, one{runes: runes, value: features(runes)})
		}
		b.unique[u].at = append(b.unique[u].at, i)
	}
	b.weigh()
	b.compare()
	return b
}

// weight is how much a feature tells: next to nothing when many known sentences have it.
func (b *bench) weight(f string) float64 {
	return math.Log(float64(b.total+2) / float64(b.known[f]+1))
}

// lonely is what a feature of one sentence alone counts for: it tells nothing of the others, and a
// short sentence is full of such pairs.
const lonely = 0.35

// weigh gives every feature of every sentence its value, each sentence scaled to length one.
func (b *bench) weigh() {
	in := map[string]int{}
	for u := range b.unique {
		for f := range b.unique[u].value {
			in[f]++
		}
	}
	for u := range b.unique {
		v := b.unique[u].value
		names := slices.Sorted(maps.Keys(v))
		square := 0.0
		for _, f := range names {
			if v[f] = b.weight(f); in[f] == 1 {
				v[f] *= lonely
			}
			square += float64(v[f] * v[f])
		}
		for _, f := range names {
			v[f] /= math.Sqrt(max(square, 1e-30))
		}
	}
}

// features are words and pairs of Han characters.
func features(runes []rune) map[string]float64 {
	v := map[string]float64{}
	for i := 0; i < len(runes); {
		if text.Letter(runes[i]) {
			end := i
			for end < len(runes) && (text.Letter(runes[end]) || runes[end] == '\'') {
				end++
			}
			v[stem(string(runes[i:end]))] = 1
			i = end
			continue
		}
		if text.Han(runes[i]) && i+1 < len(runes) && text.Han(runes[i+1]) {
			v[string(runes[i:i+2])] = 1
		}
		i++
	}
	return v
}

// stem takes the commonest endings off an English word, so that "engraved" and
// "engraving" are one.
func stem(w string) string {
	w = strings.TrimSuffix(strings.TrimSuffix(w, "'s"), "'")
	for _, end := range []string{"ings", "ing", "ies", "ed", "es", "s", "e"} {
		if base, ok := strings.CutSuffix(w, end); ok && utf8.RuneCountInString(base) >= 3 && !strings.HasSuffix(w, "ss") {
			return base
		}
	}
	return w
}

func (b *bench) compare() {
	n := len(b.unique)
	b.alike = make([]float32, n*n)
	postings := map[string][]int{}
	for u := range b.unique {
		for f := range b.unique[u].value {
			postings[f] = append(postings[f], u)
		}
	}
	sums := make([]float64, n*n)
	for _, f := range slices.Sorted(maps.Keys(postings)) { // in one order, so that sums round alike
		with := postings[f]
		for i, u := range with {
			for _, w := range with[:i] {
				sums[u*n+w] += float64(b.unique[u].value[f] * b.unique[w].value[f])
			}
		}
	}
	for u := range n {
		for w := range u {
			b.alike[u*n+w], b.alike[w*n+u] = float32(sums[u*n+w]), float32(sums[u*n+w])
		}
	}
}

// link joins sentences, and then groups, whose average likeness is the largest, and gives the groups.
func (b *bench) link(least float64) [][]int {
	n := len(b.unique)
	like := slices.Clone(b.alike)
	groups := make([][]int, n)
	for u := range groups {
		groups[u] = []int{u}
	}
	var chain []int
	for next := 0; next < n; {
		if groups[next] == nil {
			next++
			continue
		}
		before := -1
		switch len(chain) {
		case 0:
			chain = append(chain, next)
		case 1:
		default:
			before = chain[len(chain)-2]
		}
		a := chain[len(chain)-1]
		near, best := -1, float32(least)
		for c := range n {
			if c == a || groups[c] == nil {
				continue
			}
			if v := like[a*n+c]; v > best || v == best && c == before {
				near, best = c, v
			}
		}
		switch {
		case near < 0: // nobody is near enough to the only one of the chain, nor will be
			chain = chain[:0]
			next++
		case near == before:
			x, y := len(groups[a]), len(groups[near])
			for c := range n {
				if c != a && c != near && groups[c] != nil {
					v := (like[a*n+c]*float32(x) + like[near*n+c]*float32(y)) / float32(x+y)
					like[a*n+c], like[c*n+a] = v, v
				}
			}
			groups[a] = append(groups[a], groups[near]...)
			groups[near] = nil
			chain = chain[:len(chain)-2]
		default:
			chain = append(chain, near)
		}
	}
	var all [][]int
	for _, g := range groups {
		if g != nil {
			slices.Sort(g)
			all = append(all, g)
		}
	}
	return all
}

// typical are the sentences of a group, those first that are most like the others.
func (b *bench) typical(of []int) []int {
	n := len(b.unique)
	near := map[int]float64{}
	for _, u := range of {
		for _, w := range of {
			if u != w {
				near[u] += float64(b.alike[u*n+w]) * float64(len(b.unique[w].at))
			}
		}
	}
	out := slices.Clone(of)
	slices.SortFunc(out, func(a, c int) int { return cmp.Or(cmp.Compare(near[c], near[a]), a-c) })
	return out
}

// Bounds of words.
const (
	mostWords  = 3
	longestHan = 4    // characters of a Chinese word that is found
	telling    = 2.5  // least weight: about one known sentence in twelve has it
	commonness = 0.34 // least share of the group's sentences that have it
)

// words are what the sentences of a group have in common and others have not, told by several people.
func (b *bench) words(of []int, sentences []Sentence, people int) []string {
	type word struct {
		text  string
		in    []int // of the group
		score float64
		// What stands before and behind it; an end of a sentence is another one each time.
		// What has always the same neighbour is a piece of a longer word: 语怎 of 英语怎么说.
		left, right map[rune]bool
	}
	found := map[string]*word{}
	meet := func(u, start, end int, weight float64) {
		runes := b.unique[u].runes
		t := string(runes[start:end])
		w := found[t]
		if w == nil {
			w = &word{text: t, score: weight, left: map[rune]bool{}, right: map[rune]bool{}}
			found[t] = w
		}
		before, behind := rune(-1-u), rune(-1-u)
		if start > 0 && text.Han(runes[start-1]) {
			before = runes[start-1]
		}
		if end < len(runes) && text.Han(runes[end]) {
			behind = runes[end]
		}
		w.left[before], w.right[behind] = true, true
		if k := len(w.in); k == 0 || w.in[k-1] != u {
			w.in = append(w.in, u)
		}
	}
	for _, u := range of {
		runes := b.unique[u].runes
		for i := 0; i < len(runes); {
			if text.Letter(runes[i]) {
				end := i
				for end < len(runes) && (text.Letter(runes[end]) || runes[end] == '\'') {
					end++
				}
				if w := string(runes[i:end]); strings.ContainsFunc(w, func(r rune) bool { return r < '0' || r > '9' }) {
					meet(u, i, end, b.weight(stem(w)))
				}
				i = end
				continue
			}
			least := math.Inf(1)
			for end := i + 2; end <= min(len(runes), i+longestHan) && text.Han(runes[end-1]) && text.Han(runes[end-2]); end++ {
				least = min(least, b.weight(string(runes[end-2:end])))
				meet(u, i, end, least)
			}
			i++
		}
	}
	var all []*word
	for _, t := range slices.Sorted(maps.Keys(found)) {
		w := found[t]
		who := map[string]bool{}
		for _, u := range w.in {
			for _, i := range b.unique[u].at {
				who[sentences[i].Who] = true
			}
		}
		share := float64(len(w.in)) / float64(len(of))
		if len(who) < people || share < commonness || w.score < telling || len(w.left) < 2 || len(w.right) < 2 {
			continue
		}
		w.score *= share * math.Sqrt(float64(utf8.RuneCountInString(t)))
		all = append(all, w)
	}
	slices.SortStableFunc(all, func(a, c *word) int { return cmp.Compare(c.score, a.score) })
	var out []string
	for _, w := range all {
		// A word and its parts, or its other forms, are one.
		if !slices.ContainsFunc(out, func(o string) bool {
			return strings.Contains(o, w.text) || strings.Contains(w.text, o) || stem(o) == stem(w.text) || overlap(o, w.text)
		}) {
			out = append(out, w.text)
		}
		if len(out) == mostWords {
			break
		}
	}
	return out
}

// overlap tells whether one Chinese word goes on where the other ends: 能刻 and 刻字.
func overlap(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if !text.Han(x[0]) || !text.Han(y[0]) {
		return false
	}
	for k := 1; k < min(len(x), len(y)); k++ {
		if slices.Equal(x[len(x)-k:], y[:k]) || slices.Equal(y[len(y)-k:], x[:k]) {
			return true
		}
	}
	return false
}
