package need

import (
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

	nowhere, outOfScope float64 // belongings
	// lowest and unclear are the margins of the same shares: words with slips of the pen belong to nothing,
	// and may lean all the same. vague is a margin, too.
	lowest, unclear, vague float64

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

// Compile makes a plan. It trains the classifiers unless model, as an earlier call
// gave it, was trained from the same examples; newModel is what to store: model, when
// it was of use. Equal definitions without a model give equal bytes.
func Compile(def Definition, model []byte) (p *Plan, newModel []byte, err error) {
	p, err = frame(&def)
	if err != nil {
		return nil, nil, err
	}
	intents, kinds := def.examples()
	digest := digestOf(intents, kinds)
	from := open(model)
	if from != nil && from.examples != digest {
		from = nil
	}
	wordings := make(chan *wording, 1)
	go func(from *stored) { wordings <- from.wordingFor(&def, intents) }(from) // beside the classifiers: both take their time
	t, err := from.classifiers()
	if err != nil { // another definition's, another build's, or damaged
		if t, err = train(intents, kinds); err != nil {
			return nil, nil, err
		}
		from = nil
	}
	read := <-wordings
	if from == nil {
		if model, err = store(&stored{examples: digest, lists: def.lists()}, t, read); err != nil {
			return nil, nil, err
		}
	}
	return p, model, p.learn(t, read)
}

// Restore begins to make the plan that Compile makes of a definition, when its
// sentences (Examples, Outside) are left out of it: what they teach is taken from
// model, as Compile gave it for the whole definition. It does so beside its caller,
// who may be compiling the signals meanwhile; finish waits for it, and signals take
// the place of those in def. That model was of this definition, the caller must know;
// ErrStored when it was of other intents, subintents or words, of another build, or is
// damaged.
func Restore(def Definition, model []byte) (finish func(signals []signal.Definition) (*Plan, error)) {
	var (
		p    *Plan
		t    *trained
		read *wording
		errs [3]error
		work sync.WaitGroup
	)
	if from := open(model); from == nil || from.lists != def.lists() {
		errs[0] = ErrStored
	} else {
		work.Go(func() { t, errs[0] = from.classifiers() })
		work.Go(func() { read, errs[1] = from.wording(&def) })
		work.Go(func() { p, errs[2] = frame(&def) })
	}
	return func(signals []signal.Definition) (*Plan, error) {
		work.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		p.signals = slices.Clone(signals)
		return p, p.learn(t, read)
	}
}

// frame is a plan as far as it needs no sentences.
func frame(def *Definition) (*Plan, error) {
	p := &Plan{subintents: slices.Clone(def.Subintents), signals: slices.Clone(def.Signals),
		children: map[string][]int32{}, aliases: map[string]int32{}, words: newVocabulary()}
	labels := map[string]bool{}
	for _, d := range def.Intents {
		if d.Label == "" || labels[d.Label] {
			return nil, fmt.Errorf("need: intent %q is named twice or not at all", d.Label)
		}
		labels[d.Label] = true
	}
	for i, d := range p.subintents {
		if !labels[d.Parent] {
			return nil, fmt.Errorf("need: subintent %q: there is no intent %q", d.ID, d.Parent)
		}
		if slices.ContainsFunc(p.children[d.Parent], func(k int32) bool { return p.subintents[k].ID == d.ID }) {
			return nil, fmt.Errorf("need: subintent %q of %s is defined twice", d.ID, d.Parent)
		}
		p.children[d.Parent] = append(p.children[d.Parent], int32(i))
		p.subintents[i].Examples = nil // they have taught
	}
	p.compileWords(def.Words)
	return p, nil
}

// learn gives the plan what the sentences teach.
func (p *Plan) learn(t *trained, read *wording) error {
	p.intents, p.kinds = t.intents, t.kinds
	p.nowhere, p.outOfScope = p.intents.ScopeThreshold(nowhere), p.intents.ScopeThreshold(outOfScope)
	p.lowest, p.unclear, p.vague = p.intents.Threshold(nowhere), p.intents.Threshold(outOfScope), p.intents.Threshold(vague)
	p.known, p.cues = read.known, read.cues
	return p.numberKinds()
}

// trained are the classifiers of a definition.
type trained struct {
	intents *classify.Model
	kinds   *classify.Model // nil when no examples tell any two subintents apart
}

func train(intents, kinds []classify.Example) (*trained, error) {
	var t trained
	var err error
	if t.intents, err = classify.Train(intents, classify.Options{}); err != nil {
		return nil, fmt.Errorf("need: training the intents: %w", err)
	}
	if t.kinds, err = classify.Train(kinds, classify.Options{MarginsOnly: true}); err != nil && !errors.Is(err, classify.ErrTooFew) {
		return nil, fmt.Errorf("need: training the subintents: %w", err)
	}
	return &t, nil
}

// wording is what the sentences themselves teach: the words that occur in them,
// and the cues at which a compound one is cut.
type wording struct {
	known map[uint64]struct{}
	cues  *split.Cues
}

func (def *Definition) wording(intents []classify.Example) *wording {
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
	return &wording{known, split.Compile(def.splitWords(), single)}
}

// splitWords are the lists that the splitter reads a sentence with.
func (def *Definition) splitWords() split.Words {
	both := func(classes ...string) (all []string) {
		for _, c := range classes {
			all = append(append(all, def.Words[c][scene.Chinese]...), def.Words[c][scene.English]...)
		}
		return all
	}
	return split.Words{
		Negation: both("negation"), Condition: both("condition"), Greeting: both("courtesy", "greeting"), Link: both("connective", "connectives"),
	}
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
