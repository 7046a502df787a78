package kindred

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
)

// world is a shop whose customers say half of their sentences in words that tell nothing, and an
// embedding that understands as much of them as is asked for.
func world(seed uint64, dims int, understands float64) (examples []classify.Example, vectors [][]float32) {
	random := rand.New(rand.NewPCG(seed, 1))
	normal := func(length float64) []float32 {
		v := make([]float32, dims)
		for i := range v {
			v[i] = float32(random.NormFloat64() * length / math.Sqrt(float64(dims)))
		}
		return v
	}
	const intents, each = 6, 40
	for intent := range intents {
		center := normal(understands)
		for range each {
			words := ""
			for range 4 {
				words += fmt.Sprintf("w%d ", random.IntN(60))
			}
			if random.IntN(2) == 0 {
				words += fmt.Sprintf("own%d", intent*3+random.IntN(3))
			}
			v := normal(1)
			for i := range v {
				v[i] += center[i]
			}
			examples = append(examples, classify.Example{Text: words, Intent: fmt.Sprintf("intent.%d", intent)})
			vectors = append(vectors, v)
		}
	}
	return examples, vectors
}

func train(t *testing.T, examples []classify.Example, vectors [][]float32) *Head {
	t.Helper()
	h, err := Train(t.Context(), "m", examples, vectors, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEmbeddingsThatUnderstandHelp(t *testing.T) {
	t.Parallel()
	for _, dims := range []int{64, 700} {
		examples, vectors := world(7, dims, 1.5)
		h := train(t, examples, vectors)
		t.Logf("%d dimensions: weight %v, %+v, sure %v", dims, h.Weight, h.About, h.Sure)
		if h.Weight == 0 || h.About.Joined < h.About.Alone+0.1 {
			t.Errorf("%d dimensions do not help: %+v", dims, h.About)
		}
		l, err := h.Lean(vectors[0])
		if err != nil || l.Lifts[0].Intent != examples[0].Intent || !l.Valid() {
			t.Errorf("%v: %+v", err, l)
		}
		kept, err := h.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Unmarshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := again.Lean(vectors[0]); err != nil || fmt.Sprint(m) != fmt.Sprint(l) {
			t.Errorf("kept and read back it says %v, not %v: %v", m, l, err)
		}
		twin, err := train(t, examples, vectors).Marshal()
		if err != nil || !bytes.Equal(kept, twin) {
			t.Errorf("the same sentences give another head: %v", err)
		}
	}
}

func TestEmbeddingsThatUnderstandALittleHelpALittle(t *testing.T) {
	t.Parallel()
	examples, vectors := world(11, 64, 0.25)
	h := train(t, examples, vectors)
	t.Logf("weight %v, %+v", h.Weight, h.About)
	if h.Weight == 0 || h.About.Head > 0.9 || h.About.Joined <= max(h.About.Alone, h.About.Head) {
		t.Errorf("the two together are not better than each: %v, %+v", h.Weight, h.About)
	}
}

func TestEmbeddingsThatKnowNothingAreNotListenedTo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		examples, vectors := world(seed, 32, 0)
		if h := train(t, examples, vectors); h.Weight != 0 {
			t.Errorf("seed %d: chance is listened to: %+v", seed, h.About)
		}
		for i := range vectors {
			vectors[i] = []float32{1, 2, 3}
		}
		if h := train(t, examples, vectors); h.Weight != 0 {
			t.Errorf("one vector for everything is listened to: %+v", h.About)
		}
	}
}

func TestWhatIsReadClearlyCannotBeMoved(t *testing.T) {
	t.Parallel()
	intents := []string{"a", "b", "c"}
	for _, l := range []Lean{
		{Lifts: []Lift{{"b", MostLift}}, Rest: -MostLift},
		{Lifts: []Lift{{"b", 1e9}}},
		{Lifts: []Lift{{"b", math.Inf(1)}}},
		{Lifts: []Lift{{"b", math.NaN()}}, Rest: math.NaN()},
		{Lifts: []Lift{{"nobody", MostLift}}, Rest: math.Inf(-1)},
	} {
		margins := []float64{0.6, -0.7, -0.9}
		l.Over(intents, margins, Sure{0, 1, 1})
		if best, _ := classify.Best(margins); best != 0 {
			t.Errorf("%+v makes of it %v", l, margins)
		}
	}
}

func TestWhatIsNoEmbeddingIsSaidToBeNone(t *testing.T) {
	t.Parallel()
	examples, vectors := world(3, 16, 3)
	h := train(t, examples, vectors)
	nan := append([]float32{float32(math.NaN())}, make([]float32, 15)...)
	for _, v := range [][]float32{nil, make([]float32, 16), make([]float32, 15), nan, {}} {
		if _, err := h.Lean(v); !errors.Is(err, ErrVector) {
			t.Errorf("%v: %v", v, err)
		}
	}
	w := h.Witnesses[3]
	var own []float32
	for i, e := range examples {
		if e.Text == w.Text {
			own = vectors[i]
		}
	}
	if !w.Recognises(own) || w.Recognises(vectors[0]) || w.Recognises(nan) || w.Recognises(make([]float32, 16)) {
		t.Error("a witness takes another's embedding for its own")
	}
	vectors[9] = vectors[9][:7]
	if _, err := Train(t.Context(), "m", examples, vectors, Options{}); !errors.Is(err, ErrVector) {
		t.Errorf("embeddings of two lengths: %v", err)
	}
	if _, err := Train(t.Context(), "m", examples[:9], vectors[:9], Options{}); !errors.Is(err, ErrTooFew) {
		t.Errorf("nine sentences: %v", err)
	}
	for _, bad := range []string{"", "{}x", `{"weight":1,"dims":4,"intents":["a"],"rows":["AA=="]}`} {
		if _, err := Unmarshal([]byte(bad)); err == nil {
			t.Errorf("%q is a head", bad)
		}
	}
}
