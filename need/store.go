package need

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/scene"
)

// What the sentences of a definition teach is stored as: magic, the digest of the
// sentences, the digest of the lists they are read with, and four blocks, each with
// its length in 4 bytes before it: the classifier of intents, that of subintents
// (empty when there is none), the known words (varints: how much greater a key is than
// the one before), the cues of the splitter; at last a SHA-256 of the last two blocks,
// for the classifiers bring their own sums.
const storedMagic = "rapport-need-2\n"

// ErrStored is returned by Restore when the model is of no use for the definition.
var ErrStored = errors.New("need: the stored model is not of this definition, of another build, or damaged")

// stored is the stored form, opened but not read.
type stored struct {
	examples, lists [sha256.Size]byte
	blocks          [4][]byte
	sum             [sha256.Size]byte
}

func store(s *stored, t *trained, read *wording) (model []byte, err error) {
	for i, m := range []*classify.Model{t.intents, t.kinds} {
		if m == nil {
			continue
		}
		if s.blocks[i], err = m.MarshalBinary(); err != nil {
			return nil, fmt.Errorf("need: storing the model: %w", err)
		}
	}
	s.blocks[2], s.blocks[3] = read.stored()
	s.sum = s.sumOfWording()
	out := slices.Concat([]byte(storedMagic), s.examples[:], s.lists[:])
	for _, b := range s.blocks {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return append(out, s.sum[:]...), nil
}

func (s *stored) sumOfWording() [sha256.Size]byte {
	h := sha256.New()
	h.Write(s.blocks[2])
	h.Write(s.blocks[3])
	return [sha256.Size]byte(h.Sum(nil))
}

// stored is the wording as blocks.
func (w *wording) stored() (known, cues []byte) {
	before := uint64(0)
	for _, key := range slices.Sorted(maps.Keys(w.known)) {
		known = binary.AppendUvarint(known, key-before)
		before = key
	}
	return known, w.cues.AppendLearned(nil)
}

// Taught tells whether model is of these sentences and says what they say when they are
// read anew by this build; only the classifiers are not trained again.
func Taught(def Definition, model []byte) bool {
	from := open(model)
	if from == nil || from.lists != def.lists() {
		return false
	}
	intents, kinds := def.examples()
	known, cues := def.wording(intents).stored()
	if from.examples != digestOf(intents, kinds) || !bytes.Equal(from.blocks[2], known) || !bytes.Equal(from.blocks[3], cues) {
		return false
	}
	_, err := from.classifiers()
	return err == nil
}

// open takes a stored form apart; nil when it is none.
func open(model []byte) *stored {
	rest, ok := bytes.CutPrefix(model, []byte(storedMagic))
	var s stored
	for _, digest := range []*[sha256.Size]byte{&s.examples, &s.lists} {
		if ok = ok && len(rest) >= len(digest); !ok {
			return nil
		}
		rest = rest[copy(digest[:], rest):]
	}
	for i := range s.blocks {
		if len(rest) < 4 {
			return nil
		}
		n := int(binary.LittleEndian.Uint32(rest))
		if rest = rest[4:]; n > len(rest) {
			return nil
		}
		s.blocks[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) != len(s.sum) {
		return nil
	}
	copy(s.sum[:], rest)
	return &s
}

// classifiers reads the classifiers, side by side.
func (s *stored) classifiers() (*trained, error) {
	if s == nil {
		return nil, ErrStored
	}
	var read [2]*classify.Model
	one := func(i int) error {
		if len(s.blocks[i]) == 0 {
			return nil
		}
		read[i] = new(classify.Model)
		return read[i].UnmarshalBinary(s.blocks[i])
	}
	second := make(chan error, 1)
	go func() { second <- one(1) }()
	err := errors.Join(one(0), <-second)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStored, err)
	}
	if read[0] == nil {
		return nil, ErrStored
	}
	return &trained{read[0], read[1]}, nil
}

// wording reads what the sentences themselves teach; the lists of the definition must
// be those it was stored with.
func (s *stored) wording(def *Definition) (*wording, error) {
	if s.sum != s.sumOfWording() {
		return nil, ErrStored
	}
	cues, err := split.Restore(def.splitWords(), s.blocks[3])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStored, err)
	}
	known := make(map[uint64]struct{}, len(s.blocks[2])/4) // of about four bytes each
	key := uint64(0)
	for b := s.blocks[2]; len(b) > 0; {
		more, width := binary.Uvarint(b)
		if width <= 0 {
			return nil, ErrStored
		}
		key, b = key+more, b[width:]
		known[key] = struct{}{}
	}
	return &wording{known, cues}, nil
}

// wordingFor is the stored wording where it fits the definition, else that of the
// sentences.
func (s *stored) wordingFor(def *Definition, intents []classify.Example) *wording {
	if s != nil && s.lists == def.lists() {
		if read, err := s.wording(def); err == nil {
			return read
		}
	}
	return def.wording(intents)
}

// digestOf names sets of examples.
func digestOf(sets ...[]classify.Example) (digest [sha256.Size]byte) {
	h := sha256.New()
	var b []byte
	for _, set := range sets {
		for _, e := range set {
			b = appendText(appendText(b[:0], e.Intent), e.Text)
			h.Write(b)
		}
		h.Write([]byte{0}) // no text is so short
	}
	return [sha256.Size]byte(h.Sum(digest[:0]))
}

// lists names what a definition says beside its sentences: labels and words.
func (def *Definition) lists() (digest [sha256.Size]byte) {
	var b []byte
	for i := range def.Intents {
		b = appendText(b, def.Intents[i].Label)
	}
	b = append(b, 0)
	for i := range def.Subintents {
		b = appendText(b, kindLabel(&def.Subintents[i]))
	}
	for _, class := range slices.Sorted(maps.Keys(def.Words)) {
		b = appendText(append(b, 0), class)
		for _, l := range []scene.Locale{scene.Chinese, scene.English} {
			b = append(b, 0)
			for _, w := range def.Words[class][l] {
				b = appendText(b, w)
			}
		}
	}
	return sha256.Sum256(b)
}

// appendText writes a text with its length, one more so that none is 0, before it.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s)+1)), s...)
}
