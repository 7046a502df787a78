package need_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/scene"
)

// wordless is a definition without its sentences.
func wordless(def need.Definition) need.Definition {
	intents := make([]need.IntentDefinition, len(def.Intents))
	for i, d := range def.Intents {
		intents[i].Label = d.Label
	}
	kinds := make([]need.SubintentDefinition, len(def.Subintents))
	for i, d := range def.Subintents {
		d.Examples = nil
		kinds[i] = d
	}
	def.Intents, def.Subintents, def.Outside, def.Signals = intents, kinds, nil, nil
	return def
}

// A server that starts on what its packs ship never sees their sentences. It must
// read every enquiry as the one that was trained on them.
func TestARestoredReaderIsTheTrainedOne(t *testing.T) {
	t.Parallel()
	def, err := definition()
	if err != nil {
		t.Fatal(err)
	}
	def.Signals = []signal.Definition{{ID: "twice", Form: signal.Count, Event: "Repair Reported", AtLeast: 2, Within: time.Hour}}
	trained, model, err := need.Compile(def, nil)
	if err != nil {
		t.Fatal(err)
	}
	bare := wordless(def)
	restored, err := need.Restore(bare, model)(def.Signals)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(trained, restored) {
		t.Error("something that the sentences teach is not stored")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	all := def.Sentences()
	joints := []string{"，", "。", "，另外", " and ", ", also ", "，然后不要", " but don't ", ""}
	many := 1000
	if os.Getenv("RAPPORT_PROVE") != "" {
		many = 100_000
	}
	for range many {
		var words []rune
		for range 1 + random.IntN(3) {
			s := []rune(all[random.IntN(len(all))].Text)
			from := random.IntN(len(s)/2 + 1)
			words = append(append(words, s[from:]...), []rune(joints[random.IntN(len(joints))])...)
		}
		e := need.Enquiry{Text: string(words)}
		a, b := trained.Recognise(e, nil, scene.Scene{Time: now}, goods), restored.Recognise(e, nil, scene.Scene{Time: now}, goods)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%q:\ntrained  %+v\nrestored %+v", e.Text, a, b)
		}
	}

	bare.Words = map[string]map[scene.Locale][]string{"negation": {scene.Chinese: {"休要"}}}
	if _, err := need.Restore(bare, model)(nil); !errors.Is(err, need.ErrStored) {
		t.Error("restored with other words than it was trained with:", err)
	}
	for _, n := range []int{0, 10, 100, len(model) / 2, len(model) - 40, len(model) - 1} {
		if _, err := need.Restore(wordless(def), model[:n])(nil); !errors.Is(err, need.ErrStored) {
			t.Errorf("restored from %d bytes of %d: %v", n, len(model), err)
		}
	}
	damaged := append([]byte(nil), model...)
	for range 12 {
		at := random.IntN(len(damaged))
		damaged[at] ^= 0x20
		if _, err := need.Restore(wordless(def), damaged)(nil); err == nil && at >= 47 {
			t.Errorf("restored from a model whose byte %d of %d is damaged", at, len(model))
		}
		damaged[at] ^= 0x20
	}
}
