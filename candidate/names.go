package candidate

import (
	"math"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
)

// names is the word list of a shelf: a trie on runes in one hash map, so that a
// name is added in a microsecond and nothing is ever rebuilt. A name's uses carry
// the revisions at which they were true.
type names struct {
	next map[uint64]uint32 // node<<21 | rune → node
	mark []uint32          // by node: 1 + index into uses, 0 for none
	uses [][]use
	// first has a bit for each rune that some name begins with: nearly all places of a text are left at once.
	first [0x20000 / 64]uint64
}

// rank orders the uses of one name: an id beats a title, a title a short form
// taken from it, a product its variants.
type rank uint8

const (
	byID rank = iota
	byTitle
	byShortForm
	ofVariant         // added to the three above
	asCategory   rank = 6
	asBrand      rank = 7
	asAttribute  rank = 8
	variantShort      = ofVariant + byShortForm
)

type use struct {
	kind        string // type of the entity: product, course, fin_product, category, attribute, brand
	id          string
	rank        rank
	from, until uint64
}

const (
	forever     = math.MaxUint64
	longestWord = 80 // runes of a name; longer ones are found by their id alone
)

// spoken is one name under which something is known.
type spoken struct {
	word string // canonical
	rank rank
}

// add makes a name point to a thing from a revision on.
func (t *names) add(word string, u use) {
	if word == "" {
		return
	}
	if t.next == nil {
		t.next, t.mark, t.uses = map[uint64]uint32{}, []uint32{0}, nil
	}
	node := uint32(0)
	for i, r := range word {
		if i == 0 && r < 0x20000 {
			t.first[r/64] |= 1 << (r % 64)
		}
		key := uint64(node)<<21 | uint64(r)
		kid, ok := t.next[key]
		if !ok {
			kid = uint32(len(t.mark))
			t.mark = append(t.mark, 0)
			t.next[key] = kid
		}
		node = kid
	}
	if t.mark[node] == 0 {
		t.uses = append(t.uses, nil)
		t.mark[node] = uint32(len(t.uses))
	}
	list := &t.uses[t.mark[node]-1]
	at, _ := slices.BinarySearchFunc(*list, u, func(a, b use) int {
		if a.rank != b.rank {
			return int(a.rank) - int(b.rank)
		}
		return strings.Compare(a.id, b.id)
	})
	*list = slices.Insert(*list, at, u)
}

// end closes the present use of a name at a revision.
func (t *names) end(word string, kind, id string, until uint64) {
	node := uint32(0)
	for _, r := range word {
		kid, ok := t.next[uint64(node)<<21|uint64(r)]
		if !ok {
			return
		}
		node = kid
	}
	if t.mark[node] == 0 {
		return
	}
	list := t.uses[t.mark[node]-1]
	for i := range list {
		if u := &list[i]; u.until == forever && u.id == id && u.kind == kind {
			u.until = until
		}
	}
}

// longest is the end of the longest name that begins at a place of the canonical
// text and is in use at a revision; ok decides on borders.
func (t *names) longest(runes []rune, start int, revision uint64, ok func(end int) bool) (end int, list []use) {
	if r := runes[start]; r >= 0 && r < 0x20000 && t.first[r/64]&(1<<(r%64)) == 0 {
		return 0, nil
	}
	node := uint32(0)
	for i := start; i < len(runes) && i < start+longestWord; i++ {
		kid, there := t.next[uint64(node)<<21|uint64(runes[i])]
		if !there {
			break
		}
		node = kid
		if m := t.mark[node]; m > 0 && inUse(t.uses[m-1], revision) && ok(i+1) {
			end, list = i+1, t.uses[m-1]
		}
	}
	return end, list
}

func inUse(list []use, revision uint64) bool {
	for i := range list {
		if list[i].from <= revision && revision < list[i].until {
			return true
		}
	}
	return false
}

// writing is a text in the form in which names are kept, with the place of each
// rune in the text as it was given.
type writing struct {
	given []rune
	runes []rune
	place []int
}

// write brings a text into that form: the plain form of package text, and blanks
// and hyphens only where they part two words ("X-100", "x 100" and "X100" are one
// name, "model A" and "A 型" too).
func write(given []rune) writing {
	w := writing{given: given, runes: make([]rune, 0, len(given)), place: make([]int, 0, len(given))}
	gap := -1
	for i, r := range given {
		if r = plain.Fold(r); r < 0 {
			continue
		}
		if gapRune(r) {
			if gap < 0 {
				gap = i
			}
			continue
		}
		if gap >= 0 && len(w.runes) > 0 && w.parted(r) {
			w.runes, w.place = append(w.runes, ' '), append(w.place, gap)
		}
		gap = -1
		w.runes, w.place = append(w.runes, r), append(w.place, i)
	}
	return w
}

func gapRune(r rune) bool {
	return r == ' ' || r == '-' || r == '_' || r == '·' || r == '\n'
}

// parted tells whether a blank before r parts two words.
func (w *writing) parted(r rune) bool {
	n := len(w.runes)
	last := w.runes[n-1]
	if !plain.Letter(last) || !plain.Letter(r) {
		return false
	}
	if digit(last) == digit(r) {
		return true
	}
	// "a 15 inch screen" is no "A15".
	lone := n == 1 || !plain.Letter(w.runes[n-2])
	return lone && (last == 'a' || last == 'i')
}

func digit(r rune) bool { return '0' <= r && r <= '9' }

// canonical is a name in the form in which it is kept.
func canonical(name string) string {
	w := write([]rune(name))
	if len(w.runes) > longestWord {
		return ""
	}
	return string(w.runes)
}

// models are the words that make a short name of a letter: A款, A 型号, model A.
var (
	modelsAfter  = []string{"型号", "款式", "款型", "版本", "型", "款", "版", "号"}
	modelsBefore = []string{"model", "type", "version", "型号", "款式"}
)

// shortForms are the names hidden in a title: "B型号" and "Model B" are called B,
// and so is "Air Purifier B".
func shortForms(word string) (short []string) {
	runes := []rune(word)
	lettered := func(s string) bool {
		for _, r := range s {
			if plain.Letter(r) {
				return true
			}
		}
		return false
	}
	for _, m := range modelsAfter {
		if s, ok := strings.CutSuffix(word, m); ok && lettered(s) {
			short = append(short, s)
			break
		}
	}
	for _, m := range modelsBefore {
		if s, ok := strings.CutPrefix(word, m); ok && lettered(s) && (s[0] == ' ' || s[0] >= 0x80 || m[0] >= 0x80 || digit(rune(s[0]))) {
			short = append(short, strings.TrimPrefix(s, " "))
			break
		}
	}
	base := runes
	if len(short) > 0 {
		base = []rune(short[0])
	}
	// A last token of one or two signs, or of letters and digits, is what people say for short.
	n := len(base)
	start := n
	for start > 0 && plain.Letter(base[start-1]) && base[start-1] < 0x80 {
		start--
	}
	mixed := slices.ContainsFunc(base[start:], digit)
	if start > 0 && start < n && !digit(base[start]) && (n-start <= 2 || mixed) {
		short = append(short, string(base[start:]))
	}
	return short
}

// titles are what an item is called.
func (it *Item) titles() []string {
	return append([]string{it.Title.Zh, it.Title.En}, it.Aliases...)
}

// spokenNames are all canonical names of an item.
func (it *Item) spokenNames() []spoken {
	var all []spoken
	base := rank(0)
	if it.VariantOf != "" {
		base = ofVariant
	}
	add := func(word string, r rank) {
		if word != "" && !slices.ContainsFunc(all, func(s spoken) bool { return s.word == word }) {
			all = append(all, spoken{word, r + base})
		}
	}
	add(canonical(it.ID), byID)
	titles := it.titles()
	for _, t := range titles {
		add(canonical(t), byTitle)
	}
	for _, t := range titles {
		for _, s := range shortForms(canonical(t)) {
			add(s, byShortForm)
		}
	}
	return all
}

// entityType is what an item of a kind is called in a need.
func entityType(kind string) string {
	switch kind {
	case "course":
		return "course"
	case "financial_product", "fin_product":
		return "fin_product"
	}
	return "product"
}

// findIn finds the names of one or several word lists in a text, and where none
// stands, what near takes for a name of the first list.
func findIn(given []rune, revision uint64, near *misspellings, lists ...*names) []need.Entity {
	if len(given) == 0 {
		return nil
	}
	w := write(given)
	guesses := near.in(&w)
	var found []need.Entity
	for i := 0; i < len(w.runes); {
		if w.runes[i] == ' ' || !w.begins(i) {
			i++
			continue
		}
		end := 0
		var uses []use
		for _, t := range lists {
			if t == nil || t.next == nil {
				continue
			}
			e, u := t.longest(w.runes, i, revision, func(end int) bool { return w.ends(i, end) })
			if e > end {
				end, uses = e, u
			}
		}
		e, ok := need.Entity{}, false
		if end > 0 {
			e, ok = entityOf(uses, revision)
			ok = ok && w.meant(i, end, lists, revision)
		}
		for len(guesses) > 0 && guesses[0].start < i {
			guesses = guesses[1:]
		}
		if to, meant, sure := lists[0].likeliest(guesses, i, revision); sure && (!ok || to > end+1 && (e.Type == "category" || e.Type == "brand" || goesOn(meant.Meant, w.runes[i:end]))) {
			e, end, ok = meant, to, true
		}
		if !ok {
			i++
			continue
		}
		from, to := w.place[i], w.place[end-1]+1
		if w.plural(i, end) {
			to++
			end++
		}
		e.Text, e.Span = string(given[from:to]), need.Span{from, to}
		found = append(found, e)
		i = w.past(end, end-i)
	}
	return found
}

// likeliest is what the longest guess at a place means. What could be two things is
// not guessed.
func (t *names) likeliest(guesses []guess, start int, revision uint64) (end int, e need.Entity, ok bool) {
	for _, g := range guesses {
		if g.start != start || ok && g.end < end {
			break
		}
		_, uses := t.longest([]rune(g.word), 0, revision, func(end int) bool { return end == len([]rune(g.word)) })
		meant, known := entityOf(uses, revision)
		switch {
		case !known:
		case !ok:
			end, e, ok = g.end, meant, true
			e.Meant = g.word
		case meant.ID != e.ID:
			return 0, need.Entity{}, false
		}
	}
	return end, e, ok
}

// goesOn tells that a name begins as another one ends: "lark 3 white" after "lark 3".
func goesOn(name string, begun []rune) bool { return strings.HasPrefix(name, string(begun)) }

// entityOf is what a name means: the best of its uses. Several things of equal
// rank are named in Value; a short form that fits several means none of them.
func entityOf(uses []use, revision uint64) (e need.Entity, ok bool) {
	var best rank
	var also []any
	for i := range uses {
		u := &uses[i]
		if u.from > revision || revision >= u.until {
			continue
		}
		if !ok {
			e, best, ok = need.Entity{Type: u.kind, ID: u.id}, u.rank, true
			continue
		}
		if u.rank > best || u.id == e.ID {
			continue
		}
		if best == byShortForm || best == variantShort {
			return e, false
		}
		if len(also) < 8 && u.kind == e.Type {
			also = append(also, u.id)
		}
	}
	if len(also) > 0 {
		e.Value = map[string]any{"also": also}
	}
	return e, ok
}

// begins tells that a word may begin at a place: "car" does not hold "ar".
func (w *writing) begins(i int) bool {
	if !plain.Letter(w.runes[i]) {
		return true
	}
	at := w.place[i]
	if at == 0 {
		return true
	}
	before := plain.Fold(w.given[at-1])
	return before != '\'' && (before < 0 || !plain.Letter(before))
}

// ends tells that a word may end at a place.
func (w *writing) ends(i, end int) bool {
	if !plain.Letter(w.runes[end-1]) {
		return true
	}
	at := w.place[end-1] + 1
	return at >= len(w.given) || !plain.Letter(plain.Fold(w.given[at])) || w.plural(i, end)
}

// plural tells that an English s stands behind the word: "laptops".
func (w *writing) plural(i, end int) bool {
	at := w.place[end-1] + 1
	return end-i >= 3 && !digit(w.runes[end-1]) && at < len(w.given) && plain.Fold(w.given[at]) == 's' && w.runes[end-1] < 0x80 &&
		plain.Letter(w.runes[end-1]) && (at+1 == len(w.given) || !plain.Letter(plain.Fold(w.given[at+1])))
}

// past is the place behind a name and the model word that belongs to a short one.
func (w *writing) past(end, length int) int {
	if length > 3 || end > len(w.runes) {
		return end
	}
	for _, m := range modelsAfter {
		if w.has(end, m) {
			return end + len([]rune(m))
		}
	}
	return end
}

func (w *writing) has(at int, word string) bool {
	for _, r := range word {
		if at >= len(w.runes) || w.runes[at] != r {
			return false
		}
		at++
	}
	return true
}

func (w *writing) hasBefore(at int, word string) bool {
	n := len([]rune(word))
	if at > n && w.runes[at-1] == ' ' {
		at--
	}
	return at >= n && w.has(at-n, word) && w.begins(at-n)
}

// noModels are signs that make a letter before them something else: a size, a
// grade, a share, a pair of gloves of a class.
const noModels = "码级股罩座轮币照证"

// meant tells that a very short name is meant as one. "a" is an article, "2" a
// count, an id all the same: they need a Chinese neighbour, a model word, or
// another short name beside them ("a or b").
func (w *writing) meant(start, end int, lists []*names, revision uint64) bool {
	digits := true
	for _, r := range w.runes[start:end] {
		digits = digits && digit(r)
	}
	marked := false
	for _, m := range modelsAfter {
		marked = marked || w.has(end, m)
	}
	for _, m := range [...]string{"model", "type", "version", "product", "item", "型号", "商品", "编号", "产品", "no.", "#", "option", "plan"} {
		marked = marked || w.hasBefore(start, m)
	}
	if digits && end-start < 5 {
		return marked
	}
	if end-start != 1 || !plain.Letter(w.runes[start]) {
		return true
	}
	if end < len(w.runes) && strings.ContainsRune(noModels, w.runes[end]) {
		return false
	}
	if w.hasBefore(start, "size") || w.hasBefore(start, "type") && w.runes[start] == 'c' {
		return false
	}
	if r := w.runes[start]; marked || r != 'a' && r != 'i' {
		return true
	}
	if start > 0 && plain.Han(w.runes[start-1]) || end < len(w.runes) && plain.Han(w.runes[end]) {
		return true
	}
	return w.beside(start, end, lists, revision)
}

// joins are the words between two things that are set against each other.
var joins = []string{" and ", " or ", " vs ", " vs. ", " versus ", "/", ",", " with ", " to ", " against ", " over ", " from "}

// beside tells that another short name stands next to this one.
func (w *writing) beside(start, end int, lists []*names, revision uint64) bool {
	short := func(i int) bool {
		if i < 0 || i >= len(w.runes) || !plain.Letter(w.runes[i]) || !w.begins(i) || !w.ends(i, i+1) {
			return false
		}
		for _, t := range lists {
			if t != nil && t.next != nil {
				if e, _ := t.longest(w.runes, i, revision, func(e int) bool { return e == i+1 }); e > 0 {
					return true
				}
			}
		}
		return false
	}
	for _, j := range joins {
		n := len([]rune(j))
		if w.has(end, j) && (short(end+n) || j == "," && w.has(end+n, " ") && short(end+n+1)) {
			return true
		}
		if start >= n && w.has(start-n, j) && short(start-n-1) {
			return true
		}
	}
	return false
}
