package pack

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/strategy"
)

// modelFile is where a pack keeps what its words teach, together with those of the
// packs before it: the trained classifier, and a [reading] of the files it was trained
// on. An empty server is ready at once by it, for most of a pack is sentences. It is
// made by [Compiler.Ship] and of no use as soon as one of those files has other bytes.
const modelFile = "model.bin"

const shippedMagic = "rapport-pack-1\n"

// shipped is a pack's modelFile: magic, length of the reading in 4 bytes, the reading as
// JSON, the model as the need room stores it.
type shipped struct {
	reading
	model []byte
}

// reading is what files say in the sections that teach the need room, without the
// sentences.
type reading struct {
	// Words are the files that say nothing else, Mixed those that say other things as
	// well, in the order they are read; Digest is that of them all.
	Words, Mixed     []string
	Digest           string
	Intents          []string
	Subintents       []need.SubintentDefinition
	Lexicon          map[string]map[locale][]string
	Titles, Symptoms map[string]candidate.Text
}

// shipped finds what the source's last pack brings, or the pack before it: one that
// adds no words needs none of its own. It is nil when there is none.
func (c *Compiler) shipped(s strategy.Source) *shipped {
	if c.FS == nil {
		return nil
	}
	for _, name := range slices.Backward(packsOf(s)) {
		if !identifier.MatchString(name) {
			return nil
		}
		if b, err := fs.ReadFile(c.FS, name+"/"+modelFile); err == nil {
			return openShipped(b)
		}
	}
	return nil
}

func openShipped(b []byte) *shipped {
	rest, ok := bytes.CutPrefix(b, []byte(shippedMagic))
	if !ok || len(rest) < 4 {
		return nil
	}
	n := int(binary.LittleEndian.Uint32(rest))
	if rest = rest[4:]; n > len(rest) {
		return nil
	}
	s := &shipped{model: rest[n:]}
	if json.Unmarshal(rest[:n], &s.reading) != nil {
		return nil
	}
	return s
}

// Ship gives the bytes of the modelFile of the last of the packs; none when it adds no
// words to the packs before it. It trains the classifier, whatever the packs ship now.
func (c *Compiler) Ship(ctx context.Context, packs []string) ([]byte, error) {
	all := packsOf(strategy.Source{Packs: packs})
	r, def, err := c.reading(packs)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("training of the packs %v: %w", all, err)
	}
	if !slices.ContainsFunc(slices.Concat(r.Words, r.Mixed), func(p string) bool { return strings.HasPrefix(p, all[len(all)-1]+"/") }) {
		return nil, nil
	}
	_, model, err := need.Compile(*def, nil)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	out := binary.LittleEndian.AppendUint32([]byte(shippedMagic), uint32(len(b)))
	return slices.Concat(out, b, model), nil
}

// Fits tells whether what packs ship says what reading them anew says, so that they
// are compiled by it. Only the classifier is not trained again.
func (c *Compiler) Fits(packs []string) (bool, error) {
	s := strategy.Source{Packs: packs}
	fresh, def, err := c.reading(packs)
	if err != nil {
		return false, err
	}
	files, _ := c.files(s)
	there := c.shipped(s)
	return there != nil && reflect.DeepEqual(there.reading, *fresh) && need.Taught(*def, there.model) && there.compile(files) != nil, nil
}

// reading reads packs for what they ship, and gives the definition it stands for.
func (c *Compiler) reading(packs []string) (*reading, *need.Definition, error) {
	files, faults := c.files(strategy.Source{Packs: packs})
	read := newContent(&faults)
	var r reading
	for _, v := range openAll(files, &faults) {
		switch words, others := v.says(); {
		case words && others:
			r.Mixed = append(r.Mixed, v.path)
		case words:
			r.Words = append(r.Words, v.path)
		}
		read.read(v)
	}
	if read.compile(); len(faults) > 0 {
		return nil, nil, faults.sorted()
	}
	r.Digest = digestOf(r.among(files))
	for i := range read.need.Intents {
		r.Intents = append(r.Intents, read.need.Intents[i].Label)
	}
	for _, d := range read.need.Subintents {
		d.Examples = nil
		r.Subintents = append(r.Subintents, d)
	}
	r.Lexicon, r.Titles, r.Symptoms = read.need.Words, read.titles, read.symptoms
	return &r, &read.need, nil
}

// among are the files of the reading.
func (r *reading) among(files []packFile) (ours []packFile) {
	for _, f := range files {
		if slices.Contains(r.Words, f.path) || slices.Contains(r.Mixed, f.path) {
			ours = append(ours, f)
		}
	}
	return ours
}

// compile compiles files without reading the words in them; nil when they are not
// those of the reading, when others teach words as well, and when anything is wrong:
// they must then be read whole.
func (s *shipped) compile(files []packFile) *compiled {
	if s == nil || digestOf(s.among(files)) != s.Digest {
		return nil
	}
	def := need.Definition{Subintents: s.Subintents, Words: s.Lexicon}
	for _, label := range s.Intents {
		def.Intents = append(def.Intents, need.IntentDefinition{Label: label})
	}
	restored := need.Restore(def, s.model)
	var faults Faults
	c := newContent(&faults)
	c.wordless, c.need, c.titles, c.symptoms = true, def, s.Titles, s.Symptoms
	rest := slices.DeleteFunc(slices.Clone(files), func(f packFile) bool { return slices.Contains(s.Words, f.path) })
	for _, v := range openAll(rest, &faults) {
		if words, _ := v.says(); words && !slices.Contains(s.Mixed, v.path) {
			return nil
		}
		c.read(v)
	}
	made := c.compile()
	if len(faults) > 0 {
		return nil
	}
	var err error
	if made.version.Need, err = restored(c.need.Signals); err != nil {
		return nil
	}
	made.shipped = true
	return made
}

// says tells whether a file teaches the need room, and whether it says other things.
func (v value) says() (words, others bool) {
	if v.node.Kind != yaml.MappingNode {
		return false, true
	}
	for i := 0; i < len(v.node.Content); i += 2 {
		if _, ok := wordSections[v.node.Content[i].Value]; ok {
			words = true
		} else {
			others = true
		}
	}
	return words, others
}

var wordSections = (&content{}).wordSections()
