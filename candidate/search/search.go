// Package search finds the texts of a workspace (articles, items) that answer a
// sentence. It belongs to candidate, step 5 of the flow.
//
// An [Index] is an inverted index over words and pairs of Chinese characters,
// ranked with BM25 (Robertson and Zaragoza, The Probabilistic Relevance
// Framework, 2009), the title counted thrice. It keeps every version of every
// text: a search at an old revision counts documents, lengths and frequencies as
// they stood then, so the same question at the same revision has the same scores
// for ever.
//
// An Index has no lock of its own: one writer, and readers only while it rests.
package search

import (
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/need/text"
)

const (
	k1          = 1.2
	b           = 0.75
	titleWeight = 3
	forever     = math.MaxUint64
)

// Document is one version of a text.
type Document struct {
	Title string
	Body  string
}

// Hit is a document found.
type Hit struct {
	Doc   int
	Score float64
	// Coverage is the share of the question's information (sum of inverse document
	// frequencies) that the document holds: 0 to 1. A low one is an accident of words.
	Coverage float64
}

type posting struct {
	doc uint32
	tf  float32
}

type document struct {
	from, until uint64
	length      float32
	body        string
	ends        []int32  // byte offsets in body where each sentence ends
	terms       []uint32 // of the body's sentences, one after the other
	cuts        []int32  // how many of terms belong to the sentences up to each
}

// tally is how many documents there were from a revision on, and how long together.
type tally struct {
	from   uint64
	docs   int
	length float64
}

// Index is the inverted index. The zero value is empty and ready.
type Index struct {
	terms   map[uint64]uint32
	lists   [][]posting
	docs    []document
	tallies []tally
}

// Prepared is a document cut into terms; preparing needs no lock.
type Prepared struct {
	doc    document
	keys   []uint64 // of the body's terms
	titles []uint64
}

// Prepare cuts a document into terms.
func Prepare(d Document) *Prepared {
	p := &Prepared{doc: document{body: d.Body, until: forever}}
	p.titles = Terms(nil, d.Title)
	start := 0
	for start < len(d.Body) {
		end := start + sentence(d.Body[start:])
		p.keys = Terms(p.keys, d.Body[start:end])
		p.doc.ends = append(p.doc.ends, int32(end))
		p.doc.cuts = append(p.doc.cuts, int32(len(p.keys)))
		start = end
	}
	for _, keys := range [2][]uint64{p.keys, p.titles} {
		for _, k := range keys {
			if !single(k) {
				p.doc.length++
			}
		}
	}
	return p
}

// Add puts a prepared document on the shelf from a revision on, and gives its number.
func (x *Index) Add(p *Prepared, from uint64) int {
	if x.terms == nil {
		x.terms = map[uint64]uint32{}
	}
	n := len(x.docs)
	d := p.doc
	d.from = from
	d.terms = make([]uint32, len(p.keys))
	counts := make(map[uint32]float32, len(p.keys)+len(p.titles))
	order := make([]uint32, 0, len(p.keys))
	count := func(key uint64, weight float32) uint32 {
		t, ok := x.terms[key]
		if !ok {
			t = uint32(len(x.lists))
			x.terms[key] = t
			x.lists = append(x.lists, nil)
		}
		if counts[t] == 0 {
			order = append(order, t)
		}
		counts[t] += weight
		return t
	}
	for i, key := range p.keys {
		d.terms[i] = count(key, 1)
	}
	for _, key := range p.titles {
		count(key, titleWeight)
	}
	for _, t := range order {
		x.lists[t] = append(x.lists[t], posting{uint32(n), counts[t]})
	}
	x.docs = append(x.docs, d)
	x.tally(from, 1, float64(d.length))
	return n
}

// Remove takes a document off the shelf from a revision on.
func (x *Index) Remove(doc int, from uint64) {
	d := &x.docs[doc]
	if d.until != forever {
		return
	}
	d.until = from
	x.tally(from, -1, -float64(d.length))
}

func (x *Index) tally(from uint64, docs int, length float64) {
	last := tally{from: from}
	if n := len(x.tallies); n > 0 {
		last = x.tallies[n-1]
		if last.from >= from {
			x.tallies[n-1].docs += docs
			x.tallies[n-1].length += length
			return
		}
	}
	x.tallies = append(x.tallies, tally{from, last.docs + docs, last.length + length})
}

func (x *Index) tallyAt(revision uint64) tally {
	i, found := slices.BinarySearchFunc(x.tallies, revision, func(t tally, r uint64) int {
		switch {
		case t.from < r:
			return -1
		case t.from > r:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return tally{}
	}
	return x.tallies[i]
}

// mostTerms bounds the terms of a question.
const mostTerms = 96

// Question is a text to look for, cut into distinct terms; those from own on are
// other words for them.
type Question struct {
	keys []uint64
	own  int
}

// Ask cuts a question into terms; those that every question has are left out.
func Ask(s string) Question {
	keys := Terms(make([]uint64, 0, 32), s)
	kept := keys[:0]
	for _, k := range keys {
		if len(kept) < mostTerms && !slices.Contains(kept, k) {
			kept = append(kept, k)
		}
	}
	q := Question{kept, len(kept)}
	for _, k := range kept[:q.own] {
		for _, other := range synonyms[k] {
			if len(q.keys) < mostTerms && !slices.Contains(q.keys, other) {
				q.keys = append(q.keys, other)
			}
		}
	}
	return q
}

// synonymWeight is what another word for a word of the question counts for.
const synonymWeight = 0.5

// synonyms are words that customers and companies use for the same thing, by term.
var synonyms = func() map[uint64][]uint64 {
	all := map[uint64][]uint64{}
	for _, group := range []string{
		"invoice receipt bill", "voucher coupon promo code", "repair fix mend", "broke broken faulty defective damaged smashed broken", "collect pickup courier",
		"wifi wireless network internet", "phone mobile number", "erase wipe delete", "child kid children kids", "button key", "install fit mount", "arrive deliver delivery come",
		"address street", "cancel stop undo", "refund money", "return back", "cost charge fee price pay", "change swap exchange instead", "account login sign", "smell odour", "noise noisy loud", "map dock base",
		"dispatch ship shipped", "parcel package box", "membership subscription renewal", "swollen bulging bulge", "descale limescale",
		"运费 邮费 快递费", "退款 退钱", "维修 报修 修理", "坏了 故障 损坏", "发票 收据", "优惠券 满减", "快递 包裹 物流", "取消 撤销", "换货 调换", "送达 送到 收到 到货", "登录 登陆", "噪音 声音", "会员 续费",
	} {
		var keys []uint64
		for w := range strings.FieldsSeq(group) {
			for _, k := range Terms(nil, w) {
				if !single(k) && !slices.Contains(keys, k) {
					keys = append(keys, k)
				}
			}
		}
		for _, k := range keys {
			for _, other := range keys {
				if other != k && !slices.Contains(all[k], other) {
					all[k] = append(all[k], other)
				}
			}
		}
	}
	return all
}()

// Empty tells that nothing is left to look for.
func (q Question) Empty() bool { return len(q.keys) == 0 }

type scratch struct {
	score, mass []float64
	touched     []uint32
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Search gives the best documents at a revision, best first, at most limit. weigh
// multiplies a document's score; 0 leaves it out.
func (x *Index) Search(q Question, revision uint64, limit int, weigh func(doc int) float64) []Hit {
	total := x.tallyAt(revision)
	if total.docs == 0 || len(q.keys) == 0 || limit <= 0 {
		return nil
	}
	average := total.length / float64(total.docs)
	s := scratches.Get().(*scratch)
	if len(s.score) < len(x.docs) {
		s.score, s.mass = make([]float64, len(x.docs)*5/4+16), make([]float64, len(x.docs)*5/4+16)
	}
	all := 0.0
	for i, key := range q.keys {
		list := []posting(nil)
		if t, ok := x.terms[key]; ok {
			list = x.lists[t]
		}
		df := 0
		for _, p := range list {
			if d := &x.docs[p.doc]; d.from <= revision && revision < d.until {
				df++
			}
		}
		idf := math.Log(1 + (float64(total.docs-df)+0.5)/(float64(df)+0.5))
		if single(key) {
			idf *= singleWeight
		}
		if i < q.own {
			all += idf
		} else {
			idf *= synonymWeight
		}
		if df == 0 {
			continue
		}
		for _, p := range list {
			d := &x.docs[p.doc]
			if d.from > revision || revision >= d.until {
				continue
			}
			tf := float64(p.tf)
			gain := float64(idf*tf*(k1+1)) / (tf + float64(k1*(1-b+float64(b*float64(d.length))/average)))
			if s.mass[p.doc] == 0 {
				s.touched = append(s.touched, p.doc)
			}
			s.score[p.doc] += gain
			s.mass[p.doc] += idf
		}
	}
	hits := make([]Hit, 0, min(limit, len(s.touched))+1)
	for _, doc := range s.touched {
		h := Hit{Doc: int(doc), Score: s.score[doc], Coverage: min(1, s.mass[doc]/all)}
		s.score[doc], s.mass[doc] = 0, 0
		if w := weigh(h.Doc); w > 0 {
			h.Score *= w
		} else {
			continue
		}
		if len(hits) == limit && !before(h, hits[limit-1]) {
			continue
		}
		i, _ := slices.BinarySearchFunc(hits, h, func(a, b Hit) int {
			if before(a, b) {
				return -1
			}
			return 1
		})
		hits = slices.Insert(hits, i, h)
		if len(hits) > limit {
			hits = hits[:limit]
		}
	}
	s.touched = s.touched[:0]
	scratches.Put(s)
	return hits
}

func before(a, b Hit) bool { return a.Score > b.Score || a.Score == b.Score && a.Doc < b.Doc }

const (
	widestPassage    = 3   // sentences
	longestPassage   = 240 // bytes and more: a first sentence is never cut
	passageSentences = 4096
)

// Passage is the part of a document, up to three sentences, that holds most of
// the question; the beginning when none holds any of it.
func (x *Index) Passage(doc int, q Question, revision uint64) string {
	d := &x.docs[doc]
	if len(d.ends) == 0 {
		return ""
	}
	var ids [64]uint32
	var weights [64]float64
	n, total := 0, x.tallyAt(revision)
	for _, key := range q.keys {
		if t, ok := x.terms[key]; ok && n < len(ids) && !single(key) {
			df := min(len(x.lists[t]), total.docs)
			ids[n], weights[n] = t, math.Log(1+(float64(total.docs-df)+0.5)/(float64(df)+0.5))
			n++
		}
	}
	bestFrom, bestTo, best := 0, 1, 0.0
	for from := range min(len(d.ends), passageSentences) {
		var seen uint64
		sum, term := 0.0, int32(0)
		start := int32(0)
		if from > 0 {
			term, start = d.cuts[from-1], d.ends[from-1]
		}
		for to := from; to < len(d.ends) && to < from+widestPassage; to++ {
			if to > from && int(d.ends[to]-start) > longestPassage {
				break
			}
			for ; term < d.cuts[to]; term++ {
				for i := range n {
					if ids[i] == d.terms[term] && seen&(1<<i) == 0 {
						seen |= 1 << i
						sum += weights[i]
					}
				}
			}
			// Of windows that hold as much, the shorter one says it more directly.
			if sum > best*1.0001 || sum > best*0.9999 && best > 0 && to+1-from < bestTo-bestFrom {
				best, bestFrom, bestTo = sum, from, to+1
			}
		}
	}
	start := int32(0)
	if bestFrom > 0 {
		start = d.ends[bestFrom-1]
	}
	// What follows often holds the exception to the rule: it comes along while there is room.
	for bestTo < len(d.ends) && bestTo < bestFrom+widestPassage && int(d.ends[bestTo]-start) <= longestPassage {
		bestTo++
	}
	return strings.TrimSpace(d.body[start:d.ends[bestTo-1]])
}

// sentence is the length in bytes of the first sentence of s, its mark and blanks included.
func sentence(s string) int {
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		switch r {
		case '。', '！', '？', '；', '\n':
		case '.', '!', '?', ';':
			// A point inside a number or name ends nothing.
			if end < len(s) && s[end] != ' ' && s[end] != '\n' {
				continue
			}
		default:
			continue
		}
		for end < len(s) && (s[end] == ' ' || s[end] == '\n') {
			end++
		}
		return end
	}
	return len(s)
}

// single tells a key that is one Chinese character. A character says less than a
// pair and much more often by accident, yet it is what "装" and "安装", "退给我" and
// "退款" have in common: it counts for singleWeight of a pair.
func single(key uint64) bool { return key < 1<<24 }

const singleWeight = 0.4

// Terms appends the terms of a text to keys: every word, shortened to its stem,
// every pair of neighbouring Chinese characters, and the characters that say
// something by themselves. A key is the pair or character itself or a hash of the
// word.
func Terms(keys []uint64, s string) []uint64 {
	const (
		offset = 14695981039346656037
		prime  = 1099511628211
	)
	var word [64]byte
	n := 0
	var last rune // the Han character before, 0 for none
	closeWord := func() {
		if n == 0 {
			return
		}
		if w := stem(word[:n]); !stopped[string(w)] {
			h := uint64(offset)
			for _, c := range w {
				h = (h ^ uint64(c)) * prime
			}
			keys = append(keys, h|1<<63)
		}
		n = 0
	}
	closeHan := func() { last = 0 }
	for _, r := range s {
		if r = text.Fold(r); r < 0 {
			continue
		}
		switch {
		case text.Han(r):
			closeWord()
			if !stoppedSingles[r] {
				keys = append(keys, uint64(r))
			}
			if last != 0 {
				if !stoppedPairs[[2]rune{last, r}] {
					keys = append(keys, uint64(last)<<24|uint64(r))
				}
			}
			last = r
		case text.Letter(r):
			closeHan()
			if n+utf8.UTFMax <= len(word) {
				n += utf8.EncodeRune(word[n:], r)
			}
		case r == '\'':
			// "don't" is one word, "it's" too.
			closeHan()
		default:
			closeWord()
			closeHan()
		}
	}
	closeWord()
	closeHan()
	return keys
}

// stem takes the commonest English endings away: charges, charged, charging, charge → charg.
func stem(w []byte) []byte {
	n := len(w)
	switch {
	case n > 5 && string(w[n-3:]) == "ing":
		w = w[:n-3]
	case n > 4 && string(w[n-3:]) == "ies":
		w = append(w[:n-3], 'y')
	case n > 4 && string(w[n-2:]) == "ed":
		w = w[:n-2]
	case n > 4 && string(w[n-2:]) == "es":
		w = w[:n-2]
	case n > 3 && w[n-1] == 's' && w[n-2] != 's':
		w = w[:n-1]
	}
	if n = len(w); n > 4 && w[n-1] == 'e' {
		w = w[:n-1]
	}
	// shipped → ship, cancelling → cancel: a doubled letter at the end says nothing.
	if n = len(w); n > 4 && w[n-1] == w[n-2] && w[n-1] != 's' {
		w = w[:n-1]
	}
	return w
}

// stopped are words that tell nothing about what is asked.
var stopped = func() map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields("a an the and or of to in on at for from by with is are am be was were been it its i im ive my me mine we our us you your he she they them this that these those there here do does did dont doesnt didnt can cant could will would should shall may might must have has had not no so if then than as but about into over under up down out what whats when where which who whom why how hows please pls hi hello hey thanks thank want like need get got just also any some") {
		all[w] = true
		all[string(stem([]byte(w)))] = true
	}
	return all
}()

// stoppedSingles are characters that tell nothing alone.
var stoppedSingles = func() map[rune]bool {
	all := map[rune]bool{}
	for _, r := range "的了吗呢吧啊呀哦嘛我你您他她它们是在有没不别和与跟就都也还又再很太更最要想会能可以这那个些一么怎什样哪给把被让对到着过得地来去上下里面中出用请问好之为以及或但而且如果因所从向由于将只每各自已经正现后前时候多少点说看做" {
		all[r] = true
	}
	return all
}()

var stoppedPairs = func() map[[2]rune]bool {
	all := map[[2]rune]bool{}
	for _, w := range strings.Fields("怎么 么办 如何 请问 可以 什么 我的 你们 我们 一下 能不 不能 是不 不是 这个 那个 是否 有没 没有 想问 问一 帮我 麻烦 这款 那款 一个 有什 么样 怎样 可不 为什 你好 您好 需要 现在 就是") {
		r := []rune(w)
		all[[2]rune{r[0], r[1]}] = true
	}
	return all
}()
