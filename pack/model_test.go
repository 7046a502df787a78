package pack_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

var retrain = flag.Bool("retrain", false, "write the classifiers of the shipped packs anew")

// A pack may ship the classifier that its sentences train, so that an empty server
// is ready at once. One that was trained on other sentences is of no use:
//
//	go test ./pack -run TestShippedClassifiersAreFresh -retrain
func TestShippedClassifiersAreFresh(t *testing.T) {
	t.Parallel()
	folders, err := fs.ReadDir(packs.Files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		name := folder.Name()
		if !folder.IsDir() {
			continue
		}
		shipped, err := packs.Files.ReadFile(name + "/model.bin")
		if errors.Is(err, fs.ErrNotExist) && !*retrain {
			t.Logf("packs/%s ships no classifier; it is trained at the first start", name)
			continue
		}
		c := &pack.Compiler{FS: packs.Files}
		_, s, err := c.Compile(t.Context(), strategy.Source{Packs: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Model) == 0 && len(shipped) > 0 {
			continue // compiled with what the pack ships
		}
		if !*retrain {
			t.Errorf("packs/%s/model.bin was trained on other sentences; run this test with -retrain", name)
			continue
		}
		if err := os.WriteFile(filepath.Join("..", "packs", name, "model.bin"), s.Model, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
