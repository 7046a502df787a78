package classify_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
)

// A server restores its classifiers while it starts.
func BenchmarkRestore(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var examples []classify.Example
	for i := range 11_000 {
		var words []byte
		for range 4 + random.IntN(6) {
			words = fmt.Appendf(words, "w%d ", int(random.ExpFloat64()*700))
		}
		examples = append(examples, classify.Example{Text: string(words), Intent: fmt.Sprintf("group.intent%d", i%27)})
	}
	m, err := classify.Train(examples, classify.Options{})
	if err != nil {
		b.Fatal(err)
	}
	stored, err := m.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(stored)))
	for b.Loop() {
		if err := new(classify.Model).UnmarshalBinary(stored); err != nil {
			b.Fatal(err)
		}
	}
}
