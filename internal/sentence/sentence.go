// Package sentence holds what an edge says to people: sentences by language and code,
// read from the catalogue files that are embedded beside the code that says them.
package sentence

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rapport-cx/rapport/scene"
)

// Catalogue is the sentences of one edge, by language and code.
type Catalogue map[scene.Locale]map[string]string

// Read takes messages/en.json and messages/zh-CN.json, each an object of sentences by
// code, with blanks as {name}. It panics where one is missing or faulty: they are
// embedded, so that nothing was built.
func Read(files fs.FS) Catalogue {
	c := Catalogue{}
	for _, l := range []scene.Locale{scene.English, scene.Chinese} {
		name := "messages/" + string(l) + ".json"
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		var m map[string]string
		if err := json.Unmarshal(text, &m); err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		c[l] = m
	}
	return c
}

// Say is a code's sentence in a language, English when it has none in that one, with
// its blanks filled in (name, value, name, value …). A code without a sentence is said
// itself.
func (c Catalogue) Say(l scene.Locale, code string, blanks ...string) string {
	m, ok := c[l]
	if !ok {
		m = c[scene.English]
	}
	s, ok := m[code]
	if !ok {
		return code
	}
	for i := 0; i+1 < len(blanks); i += 2 {
		s = strings.ReplaceAll(s, "{"+blanks[i]+"}", blanks[i+1])
	}
	return s
}
