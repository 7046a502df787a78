package pack

import (
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
		var head struct {
			Pack     string         `yaml:"pack"`
			Title    candidate.Text `yaml:"title"`
			Requires []string       `yaml:"requires"`
		}
		if err := yaml.Unmarshal(text, &head); err != nil {
			return nil, fmt.Errorf("pack %s: %w", folder.Name(), err)
		}
		all = append(all, Listed{head.Pack, head.Title, head.Requires})
	}
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
