package classify

import (
	"math/rand/v2"
	"testing"
)

// What the processor is told by hand gives the bits that plain Go gives: a model must not depend on where
// it was trained.
func TestEveryProcessorTrainsTheSameModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2026, 1))
	numbers := func(n int) []float32 {
		all := make([]float32, n)
		for i := range all {
			all[i] = float32(random.NormFloat64()) * [...]float32{1, 1e-20, 1e9, 0}[random.IntN(4)]
		}
		return all
	}
	for features := range 40 {
		w, value, step := numbers(30*lanes), numbers(features), [lanes]float32(numbers(lanes))
		index := make([]int32, features)
		for i := range index {
			index[i] = random.Int32N(30)
		}
		var plain, fast [lanes]float32
		plainSums(&plain, w, index, value)
		rowSums(&fast, w, index, value)
		if plain != fast {
			t.Errorf("%d features sum up to %v, and plainly to %v", features, fast, plain)
		}
		moved := append([]float32(nil), w...)
		plainMoves(moved, index, value, &step)
		moveRows(w, index, value, &step)
		for i := range w {
			if w[i] != moved[i] {
				t.Errorf("%d features move weight %d to %v, and plainly to %v", features, i, w[i], moved[i])
			}
		}
	}
}
