package classify

import (
	"math"
	"slices"

	"github.com/rapport-cx/rapport/need/text"
)

// A feature is known by a hash: its kind in the four upper bits and 60 bits of its characters; nothing
// else of it is kept. Two of a million features share a hash with a probability of 4e-7, which costs
// one wrong weight.
type feature = uint64

// Kinds of features. Their numbers are part of the stored model: append only.
const (
	kindWord feature = iota + 1
	kindWordPair
	kindGram
	kindHan
	kindHanPair
	kindEdge
	kindFirst
	kindStem
	kindConcept
	kindConceptPair
	kindTogether
	kindName
	kindNameNear
	kinds
)

// voiceOf says in which voice a kind of features speaks: whole words and characters, the pieces of words,
// what the words mean.
var voiceOf = [kinds]uint8{kindGram: 1, kindConcept: 2, kindConceptPair: 2, kindTogether: 2, kindName: 2, kindNameNear: 2}

const voices = 3

// lengths gives what the features of each voice are multiplied by so that the whole has length one, from
// the square of each voice's own length. The larger evenness, 0 to 1, the less a voice gains by being
// many: at 1 all are of one length.
func lengths(square [voices]float64, evenness float64) (factor [voices]float64) {
	whole := 0.0
	for v, s := range square {
		if s > 0 {
			factor[v] = math.Pow(s, -evenness/2)
			whole += float64(s * float64(factor[v]*factor[v]))
		}
	}
	for v := range factor {
		factor[v] /= math.Sqrt(max(whole, 1e-30))
	}
	return factor
}

// evennessOf is the evenness of voices for n examples of so many intents. Pieces of words are ten times as
// many as words; where few examples speak they would have the say over what the words mean (10 examples an
// intent, evenness 0 to 0.5: 76.7 to 77.5 and 78.8 to 79.7 %; 80 to 140: unchanged to 0.2 more; above 400, 0.35 less,
// so none there; on training parts).
func evennessOf(n, intents int) float64 {
	return 0.5 * max(0, 1-float64(n)/float64(intents)/400)
}

// kindWeight multiplies the weight of every feature of a kind. Pieces of words are many and say the
// same thing several times: at 0.5 they help the words without drowning them; pairs and single Han
// characters gain a little (base pack, cross-validated: 82.8 to 83.5 %; public training parts unchanged
// within 0.1). Concepts that occur in one text, in whatever order and distance, say most where there are
// few examples (10 an intent: 73.0 to 75.8 and 70.2 to 70.7 %, all: 91.0 to 91.6 and 88.5 to 88.7 %, on
// training parts); which stands right before which then adds little. What is named, and next to what: Chinese
// domains 93.3 to 94.4 %, 64 intents 89.6 to 89.8 and, 10 an intent, 75.0 to 75.6 %, 77 of a bank unchanged.
var kindWeight = [kinds]float64{
	kindWord: 1, kindWordPair: 1.3, kindGram: 0.5, kindHan: 1.2, kindHanPair: 1, kindEdge: 1,
	kindFirst: 1, kindStem: 1, kindConcept: 1, kindConceptPair: 0.5, kindTogether: 1, kindName: 1.2, kindNameNear: 0.6,
}

// longestGram is the number of characters of the longest piece of a word, its edges counted.
const longestGram = 5

// together is the number of concepts before one in the text that it is paired with.
const together = 10

func mix(h uint64, r rune) uint64 {
	h = (h ^ uint64(r)) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

func seed(kind feature) uint64 { return mix(0x9e3779b97f4a7c15, rune(kind)) }

func tag(kind feature, h uint64) feature { return h>>4 | kind<<60 }

// noted is a feature and the stretch of the text that it rests on.
type noted struct {
	feature
	from, to int32
}

// stretch is a half-open range of a plain text.
type stretch struct{ from, to int32 }

// spelling is a word of a text.
type spelling struct {
	stretch
	hash  uint64
	apart bool // Han characters stand between it and the word before
}

// reading is what is found in a text, with repetitions: features that rest on a stretch of it and are found
// wherever it stands, and the words of which those are made that tell how a text begins and ends.
type reading struct {
	notes []noted
	words []spelling
	// whole are the stretches of several words or characters that were taken for one thing, with what stands
	// beside a name: a part of the text that begins or ends inside of one has to be read by itself.
	whole []stretch
}

func (r *reading) note(f feature, from, to int) {
	r.notes = append(r.notes, noted{f, int32(from), int32(to)})
}

// featuresOf appends to dst the features of a plain text, with repetitions: words and pairs of
// neighbouring words, the pieces of 2 to 5 characters of each word with its edges marked, single Han
// characters and neighbouring pairs of them, what a text begins and ends with. A mixed text gives
// both. A word counts once more without its English ending, and what is named by its kind. Punctuation counts as a Han character does: "哪个好？" and "这个好。" differ by it.
func (r *reading) featuresOf(runes []rune, dst []feature) []feature {
	r.read(runes)
	for _, n := range r.notes {
		dst = append(dst, n.feature)
	}
	return endsOf(runes, 0, len(runes), r.words, dst)
}

// endsOf appends to dst what tells how the part of a text from one place to another begins and ends; words
// are those that stand in it whole, or the first two and the last of them.
func endsOf(runes []rune, from, to int, words []spelling, dst []feature) []feature {
	if from >= to {
		return dst
	}
	if c := runes[from]; text.Han(c) {
		dst = append(dst, tag(kindEdge, mix(seed(kindEdge), c)))
	}
	if c := runes[to-1]; text.Han(c) {
		dst = append(dst, tag(kindEdge, mix(seed(kindEdge+1), c)))
	}
	if len(words) == 0 {
		return dst
	}
	dst = append(dst, tag(kindFirst, words[0].hash))
	if len(words) > 1 {
		before := words[0].hash
		if words[1].apart {
			before = 0
		}
		dst = append(dst, tag(kindFirst, mix(before, 1)^words[1].hash>>1))
	}
	if last := &words[len(words)-1]; int(last.to) >= to-1 {
		dst = append(dst, tag(kindFirst, mix(last.hash, 2)))
	}
	return dst
}

// read finds the features of a plain text, but for those of its ends.
func (r *reading) read(runes []rune) {
	const edge = '\x02'
	r.notes, r.words, r.whole = r.notes[:0], r.words[:0], r.whole[:0]
	var word, before uint64 // hash of the previous word
	var han rune            // the previous Han character or mark
	hanAt, wordAt := 0, 0   // where they stand
	var stems [3]uint64     // of the last three words
	var stemAt [3]int
	type concept struct {
		id uint16
		at int32
	}
	var recent [together]concept // the last concepts, in a ring
	meanings := 0
	known, hanFree := concepts(), 0
	meant := func(ids []uint16, from, to int) {
		for _, id := range ids {
			r.note(tag(kindConcept, mix(seed(kindConcept), rune(id))), from, to)
		}
		if len(ids) == 0 {
			return
		}
		id := ids[0]
		for back := 1; back <= min(meanings, together); back++ {
			other := recent[(meanings-back)%together]
			if other.id == id {
				continue
			}
			begin := min(int(other.at), from)
			if back == 1 {
				r.note(tag(kindConceptPair, mix(mix(seed(kindConceptPair), rune(other.id)), rune(id))), begin, to)
			}
			r.note(tag(kindTogether, mix(mix(seed(kindTogether), rune(min(id, other.id))), rune(max(id, other.id)))), begin, to)
		}
		recent[meanings%together] = concept{id, int32(from)}
		meanings++
	}
	for i := 0; i < len(runes); {
		c := runes[i]
		if c == ' ' || c == '\n' {
			i++
			continue
		}
		if !text.Letter(c) {
			r.note(tag(kindHan, mix(seed(kindHan), c)), i, i+1)
			if han != 0 {
				r.note(tag(kindHanPair, mix(mix(seed(kindHanPair), han), c)), hanAt, i+1)
			}
			han, hanAt = c, i
			if text.Han(c) {
				word, stems = 0, [3]uint64{}
				if i >= hanFree {
					if n, ids := known.han(runes, i); n > 0 {
						meant(ids, i, i+n)
						if hanFree = i + n; n > 1 {
							r.whole = append(r.whole, stretch{int32(i), int32(i + n)})
						}
					}
				}
			}
			i++
			continue
		}
		j := wordEnd(runes, i)
		han = 0
		begin := wordAt
		before, word, wordAt = word, seed(kindWord), i
		for _, c := range runes[i:j] {
			word = mix(word, c)
		}
		r.words = append(r.words, spelling{stretch{int32(i), int32(j)}, word, before == 0})
		root := stem(runes[i:j])
		r.note(tag(kindWord, word), i, j)
		r.note(tag(kindStem, root), i, j)
		stems, stemAt = [3]uint64{root, stems[0], stems[1]}, [3]int{i, stemAt[0], stemAt[1]}
		meant(known.of(wordStep(0, root)), i, j)
		if stems[1] != 0 {
			if ids := known.of(wordStep(wordStep(0, stems[1]), root)); ids != nil {
				meant(ids, stemAt[1], j)
				r.whole = append(r.whole, stretch{int32(stemAt[1]), int32(j)})
			}
		}
		if stems[2] != 0 {
			if ids := known.of(wordStep(wordStep(wordStep(0, stems[2]), stems[1]), root)); ids != nil {
				meant(ids, stemAt[2], j)
				r.whole = append(r.whole, stretch{int32(stemAt[2]), int32(j)})
			}
		}
		if before != 0 {
			r.note(tag(kindWordPair, mix(before^word>>1, 0)), begin, j)
		}
		for s := i - 1; s < j; s++ {
			g := mix(seed(kindGram), at(runes, s, i, j, edge))
			for e := s + 1; e <= j && e < s+longestGram; e++ {
				g = mix(g, at(runes, e, i, j, edge))
				r.note(tag(kindGram, g), i, j)
			}
		}
		i = j
	}
	r.namesIn(runes)
}

// stem is the hash of a word without its commonest English endings: "charged", "charging", "charges"
// and "charge" are one.
func stem(word []rune) uint64 {
	for _, ending := range endings {
		if len(word) > len(ending)+2 && slices.Equal(word[len(word)-len(ending):], ending) {
			word = word[:len(word)-len(ending)]
			break
		}
	}
	n := len(word)
	if n > 3 && word[n-1] == word[n-2] {
		n--
	}
	h := seed(kindStem)
	for _, c := range word[:n-1] {
		h = mix(h, c)
	}
	if n > 2 && word[n-1] == 'i' {
		return mix(h, 'y')
	}
	return mix(h, word[n-1])
}

var endings = [][]rune{[]rune("ing"), []rune("ed"), []rune("es"), []rune("ly"), []rune("s"), []rune("e")}

func at(runes []rune, k, from, to int, edge rune) rune {
	if k < from || k >= to {
		return edge
	}
	return runes[k]
}

// bagOf appends to dst the features of a plain text, each once and in order. How often a feature
// occurs in one sentence says nothing more: counting it changed no accuracy by more than noise.
func (r *reading) bagOf(runes []rune, dst []feature) []feature {
	from := len(dst)
	dst = r.featuresOf(runes, dst)
	part := dst[from:]
	slices.Sort(part)
	return dst[:from+len(slices.Compact(part))]
}
