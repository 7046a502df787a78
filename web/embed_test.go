package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var unbuilt = regexp.MustCompile(`\.test\.tsx?$`)

// The committed build names the sources it was made from (scripts/sources.mjs).
func TestCommittedBuildIsMadeFromTheseSources(t *testing.T) {
	t.Parallel()
	paths := []string{"package-lock.json", "scripts/build.mjs", "scripts/sources.mjs"}
	err := filepath.WalkDir("src", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !unbuilt.MatchString(d.Name()) {
			paths = append(paths, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	var list strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(filepath.FromSlash(path))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "%s  %s\n", digest(text), path)
	}
	built, err := Dist.ReadFile("dist/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(built)) != digest([]byte(list.String())) {
		t.Error("web/dist was built from other sources than these: run `make web` and commit web/dist")
	}
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
