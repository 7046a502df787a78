package need

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// Plan is the need part of a published strategy: classifier, cues, symptoms,
// words, signals. It is immutable and safe for concurrent use.
type Plan struct {
	intents *classify.Model // which intent
	kinds   *classify.Model // which subintent; nil when no examples tell any two apart
	kindOf  []int32         // by label of kinds: the subintent
	cues    *split.Cues

	nowhere, outOfScope, vague float64 // margins

	subintents []SubintentDefinition
	children   map[string][]int32 // by intent: its subintents
	aliases    map[string]int32   // by folded code: the subintent
	words      *vocabulary        // meanings: see meaning
	classes    []class
	known      map[uint64]struct{} // words and pairs of Han characters of the examples
	signals    []signal.Definition

	pool sync.Pool // *scratch
}

// class is what a word makes.
type class struct {
	kind  string // type of entity
	value string // "" or the entity's value
}

// meaning of an entry of the vocabulary: a class, a cue of a subintent, a pointer.
const (
	meansClass   = iota << 24
	meansCue     = iota << 24
	meansPointer = iota << 24
	meaningMask  = 0x7f << 24
)

const modelMagic = "rapport-need-1\n"

// Compile makes a plan. It trains the classifiers unless model, as an earlier call
// gave it, was trained from the same examples; newModel is what to store. Equal
// definitions give equal bytes.
func Compile(def Definition, model []byte) (p *Plan, newModel []byte, err error) {
	p = &Plan{subintents: slices.Clone(def.Subintents), signals: slices.Clone(def.Signals),
		children: map[string][]int32{}, aliases: map[string]int32{}, words: newVocabulary()}
	labels := map[string]bool{}
	for _, d := range def.Intents {
		if d.Label == "" || labels[d.Label] {
			return nil, nil, fmt.Errorf("need: intent %q is named twice or not at all", d.Label)
		}
		labels[d.Label] = true
	}
	for i, d := range p.subintents {
		if !labels[d.Parent] {
			return nil, nil, fmt.Errorf("need: subintent %q: there is no intent %q", d.ID, d.Parent)
		}
		if slices.ContainsFunc(p.children[d.Parent], func(k int32) bool { return p.subintents[k].ID == d.ID }) {
			return nil, nil, fmt.Errorf("need: subintent %q of %s is defined twice", d.ID, d.Parent)
		}
		p.children[d.Parent] = append(p.children[d.Parent], int32(i))
	}
	p.compileWords(def.Words)
	intents, kinds := def.examples()
	sentences := make(chan wording, 1)
	go func() { sentences <- def.wording(intents) }() // beside the classifiers: both take their time
	digest := digestOf(intents, kinds)
	if !p.restore(model, digest) {
		if p.intents, err = classify.Train(intents, classify.Options{}); err != nil {
			return nil, nil, fmt.Errorf("need: training the intents: %w", err)
		}
		if p.kinds, err = classify.Train(kinds, classify.Options{}); err != nil && !errors.Is(err, classify.ErrTooFew) {
			return nil, nil, fmt.Errorf("need: training the subintents: %w", err)
		}
		if model, err = p.store(digest); err != nil {
			return nil, nil, err
		}
	}
	p.nowhere, p.outOfScope, p.vague = p.intents.Threshold(nowhere), p.intents.Threshold(outOfScope), p.intents.Threshold(vague)
	if err := p.numberKinds(); err != nil {
		return nil, nil, err
	}
	read := <-sentences
	p.known, p.cues = read.known, read.cues
	return p, model, nil
}

// wording is what the sentences themselves teach: the words that occur in them,
// and the cues at which a compound one is cut.
type wording struct {
	known map[uint64]struct{}
	cues  *split.Cues
}

func (def *Definition) wording(intents []classify.Example) wording {
	single := make([]string, len(intents))
	known := map[uint64]struct{}{}
	for i, e := range intents {
		single[i] = e.Text
		units := text.Normalise(e.Text).Runes
		for at := 0; at < len(units); {
			key, next := wordAt(units, at)
			if key != 0 {
				known[key] = struct{}{}
			}
			at = next
		}
	}
	both := func(classes ...string) (all []string) {
		for _, c := range classes {
			all = append(append(all, def.Words[c][scene.Chinese]...), def.Words[c][scene.English]...)
		}
		return all
	}
	return wording{known, split.Compile(split.Words{
		Negation: both("negation"), Condition: both("condition"), Greeting: both("courtesy", "greeting"), Link: both("connective", "connectives"),
	}, single)}
}

// Sentences lists what the classifier of intents learns from; what is no shop's matter
// is of the intent "-".
func (def *Definition) Sentences() []classify.Example {
	intents, _ := def.examples()
	return intents
}

// examples lists what the two classifiers learn from; a subintent's sentences
// teach its intent as well.
func (def *Definition) examples() (intents, kinds []classify.Example) {
	languages := []scene.Locale{scene.Chinese, scene.English}
	for _, d := range def.Intents {
		for _, l := range languages {
			for _, e := range d.Examples[l] {
				intents = append(intents, classify.Example{Text: e, Intent: d.Label})
			}
		}
	}
	for _, l := range languages {
		for _, e := range def.Outside[l] {
			intents = append(intents, classify.Example{Text: e, Intent: outside})
		}
	}
	for _, d := range def.Subintents {
		for _, l := range languages {
			for _, e := range d.Examples[l] {
				intents = append(intents, classify.Example{Text: e, Intent: d.Parent})
				kinds = append(kinds, classify.Example{Text: e, Intent: kindLabel(&d)})
			}
		}
	}
	return intents, kinds
}

// outside is the label under which the classifier learns Definition.Outside; no
// intent can be called so.
const outside = classify.Outside

func kindLabel(d *SubintentDefinition) string { return d.Parent + "/" + d.ID }

func digestOf(sets ...[]classify.Example) [32]byte {
	h := sha256.New()
	for _, set := range sets {
		for _, e := range set {
			fmt.Fprintf(h, "%q %q\n", e.Intent, e.Text)
		}
		h.Write([]byte{0})
	}
	return [32]byte(h.Sum(nil))
}

func (p *Plan) numberKinds() error {
	if p.kinds == nil {
		return nil
	}
	at := map[string]int32{}
	for i := range p.subintents {
		at[kindLabel(&p.subintents[i])] = int32(i)
	}
	for _, label := range p.kinds.Intents() {
		i, ok := at[label]
		if !ok {
			return fmt.Errorf("need: the stored model knows a subintent %q that the definition lacks", label)
		}
		p.kindOf = append(p.kindOf, i)
	}
	return nil
}

// store writes magic, digest, and both models, each with its length before it.
func (p *Plan) store(digest [32]byte) ([]byte, error) {
	out := append([]byte(modelMagic), digest[:]...)
	for _, m := range []*classify.Model{p.intents, p.kinds} {
		var b []byte
		if m != nil {
			var err error
			if b, err = m.MarshalBinary(); err != nil {
				return nil, fmt.Errorf("need: storing the model: %w", err)
			}
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return out, nil
}

// restore reads what store wrote; it says no when it is another definition's, of
// another build, or damaged: the plan is then trained anew.
func (p *Plan) restore(model []byte, digest [32]byte) bool {
	rest, ok := bytes.CutPrefix(model, append([]byte(modelMagic), digest[:]...))
	if !ok {
		return false
	}
	var read [2]*classify.Model
	for i := range read {
		if len(rest) < 4 {
			return false
		}
		n := int(binary.LittleEndian.Uint32(rest))
		if rest = rest[4:]; n > len(rest) {
			return false
		}
		if n > 0 {
			read[i] = new(classify.Model)
			if read[i].UnmarshalBinary(rest[:n]) != nil {
				return false
			}
		}
		rest = rest[n:]
	}
	if read[0] == nil || len(rest) > 0 {
		return false
	}
	p.intents, p.kinds = read[0], read[1]
	return true
}

// plurals are the names that packs give to lists of words, and what they make.
var plurals = map[string]string{
	"attributes": "attribute", "brands": "brand", "categories": "category", "channels": "channel", "carriers": "carrier",
	"colors": "color", "people": "person", "persons": "person", "places": "place", "scenes": "scene", "household": "scene", "households": "scene",
	"clothing_sizes": "size", "sizes": "size", "time_words": "date", "courses": "course", "fin_products": "fin_product",
}

var entityTypes = []string{"attribute", "brand", "category", "channel", "carrier", "color", "person", "place", "scene", "size", "date", "course", "fin_product", "symptom"}

func (p *Plan) compileWords(words map[string]map[scene.Locale][]string) {
	names := make([]string, 0, len(words))
	for name := range words {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		kind, value, _ := strings.Cut(name, ":")
		if k, ok := plurals[kind]; ok {
			kind = k
		}
		if !slices.Contains(entityTypes, kind) {
			continue
		}
		p.classes = append(p.classes, class{kind, value})
		for _, l := range []scene.Locale{scene.Chinese, scene.English} {
			for _, w := range words[name][l] {
				if kind != "color" && len([]rune(w)) == 1 {
					continue // a single character stands in many words: 包 in 包裹
				}
				p.words.add(w, meansClass|int32(len(p.classes)-1))
			}
		}
	}
	for i, d := range p.subintents {
		for _, alias := range append([]string{d.ID}, d.Aliases...) {
			if code := foldCode(alias); code != "" {
				if _, taken := p.aliases[code]; !taken {
					p.aliases[code] = int32(i)
				}
			}
		}
		for _, l := range []scene.Locale{scene.Chinese, scene.English} {
			for _, cue := range d.Cues[l] {
				p.words.add(cue, meansCue|int32(i))
			}
		}
	}
	p.compilePointers(words)
}

// foldCode is a code without case, blanks, - and _.
func foldCode(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' || r == '\n' {
			return -1
		}
		return r
	}, text.Plain(s))
}

// wordAt is a key of the word, or of the two Han characters, at i, and where the
// next begins; marks and single characters have key 0.
func wordAt(runes []rune, i int) (key uint64, next int) {
	if text.Letter(runes[i]) {
		key = 14695981039346656037
		for i < len(runes) && text.Letter(runes[i]) {
			key = (key ^ uint64(runes[i])) * 1099511628211
			i++
		}
		return key | 1, i
	}
	if text.Han(runes[i]) && i+1 < len(runes) && text.Han(runes[i+1]) {
		return (uint64(runes[i])<<21 | uint64(runes[i+1])) << 1, i + 1
	}
	return 0, i + 1
}
