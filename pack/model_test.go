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
		if *retrain {
			c := &pack.Compiler{FS: packs.Files}
			model, err := c.Ship(t.Context(), []string{name})
			if err != nil {
				t.Fatal(err)
			}
			if len(model) == 0 {
				continue // it adds no words to the base pack
			}
			if err := os.WriteFile(filepath.Join("..", "packs", name, "model.bin"), model, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := packs.Files.ReadFile(name + "/model.bin"); errors.Is(err, fs.ErrNotExist) {
			t.Logf("packs/%s ships no classifier; it takes the base pack's, or is trained at the first start", name)
			continue
		}
		if fits, err := (&pack.Compiler{FS: packs.Files}).Fits([]string{name}); err != nil || !fits {
			t.Errorf("packs/%s/model.bin was trained on other files (%v); run this test with -retrain", name, err)
		}
	}
}
