package pack

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
)

// Listed is a pack as it introduces itself.
type Listed struct {
	Name     string
	Title    candidate.Text
	Requires []string // packs that must stand before it in a strategy
}

// List tells which packs there are, one folder each with a pack.yaml in it, by name.
func List(files fs.FS) ([]Listed, error) {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("list of packs: %w", err)
	}
	var all []Listed
	for _, folder := range folders {
		text, err := fs.ReadFile(files, folder.Name()+"/pack.yaml")
		if err != nil {
			continue // a folder of something else
		}
		p, err := describe(text)
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", folder.Name(), err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func describe(text []byte) (p Listed, err error) {
	var head struct {
		Pack     string         `yaml:"pack"`
		Title    candidate.Text `yaml:"title"`
		Requires []string       `yaml:"requires"`
	}
	err = yaml.Unmarshal(text, &head)
	return Listed{head.Pack, head.Title, head.Requires}, err
}

// Describe tells which pack files are, by their paths below its folder.
func Describe(files map[string]string) (Listed, error) {
	text, ok := files["pack.yaml"]
	if !ok {
		return Listed{}, errors.New("there is no pack.yaml")
	}
	p, err := describe([]byte(text))
	switch {
	case err != nil:
		return p, fmt.Errorf("pack.yaml: %w", err)
	case !identifier.MatchString(p.Name):
		return p, fmt.Errorf("pack.yaml: \"pack: %s\" is no name: small letters, digits and _", p.Name)
	}
	return p, nil
}

// skeleton is the pack that a new one begins as: NAME stands for its name.
//
//go:embed skeleton
var skeleton embed.FS

// Skeleton gives the files of a new pack that compiles and whose test case passes.
func Skeleton(name string) (map[string]string, error) {
	if !identifier.MatchString(name) {
		return nil, fmt.Errorf("%q is no name of a pack: small letters, digits and _", name)
	}
	files := map[string]string{}
	err := fs.WalkDir(skeleton, "skeleton", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := skeleton.ReadFile(p)
		files[strings.TrimPrefix(p, "skeleton/")] = strings.ReplaceAll(string(text), "NAME", name)
		return err
	})
	return files, err
}
