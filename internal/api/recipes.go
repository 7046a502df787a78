package api

import (
	"maps"
	"net/http"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/strategy/recipe"
)

// RecipeBlanks is what is filled into a recipe.
type RecipeBlanks struct {
	Blanks map[string]string `json:"blanks,omitempty" maxProperties:"50" doc:"By id of the blank; one that is missing is as usual."`
}

// RecipeMade is a recipe with its blanks filled in, as files of a strategy.
type RecipeMade struct {
	Recipe   string            `json:"recipe"`
	Blanks   map[string]string `json:"blanks"`
	Sentence candidate.Text    `json:"sentence"`
	YAML     string            `json:"yaml"`
	Files    map[string]string `json:"files" doc:"For POST /v1/strategies."`
}

func recipeOf(m recipe.Made) RecipeMade {
	return RecipeMade{Recipe: m.Recipe, Blanks: m.Blanks, Sentence: m.Sentence, YAML: m.YAML, Files: map[string]string{m.Path: m.YAML}}
}

func (s *server) recipeRoutes() {
	const tag = "Strategies"
	add(s, route{method: "GET", path: "/v1/recipes", tag: tag, who: secretKey, summary: "List the sentences with blanks that rules can be made of."}, func(*call, *none) (Page[recipe.Recipe], error) {
		all := recipe.All()
		return paged(all, len(all), func(r recipe.Recipe) string { return r.ID }), nil
	})
	add(s, route{method: "POST", path: "/v1/recipes/{id}", tag: tag, who: secretKey, summary: "Fill a sentence in: the file of a strategy that it makes. Nothing is kept.", details: "The blank that is wrong is named by the pointer of its error."}, func(c *call, in *RecipeBlanks) (RecipeMade, error) {
		r, ok := recipe.Find(c.r.PathValue("id"))
		if !ok {
			return RecipeMade{}, refuse(http.StatusNotFound, "not_found")
		}
		made, faults := r.Make(in.Blanks)
		if len(faults) == 0 {
			return recipeOf(made), nil
		}
		wrong := &refusal{status: http.StatusBadRequest, code: "bad_blank"}
		for i := range faults {
			wrong.faults = append(wrong.faults, flaw{pointer: "/blanks/" + escapePointer(faults[i].Blank), code: "bad_blank", said: &faults[i].Message})
		}
		return RecipeMade{}, wrong
	})
	add(s, route{method: "GET", path: "/v1/strategies/{v}/recipes", tag: tag, who: secretKey, summary: "Read the recipes of a version back, each with its blanks."}, numbered(func(c *call, n int, _ *none) (Page[RecipeMade], error) {
		v, err := s.strategy(c, n)
		if err != nil {
			return Page[RecipeMade]{}, err
		}
		var all []RecipeMade
		for _, path := range slices.Sorted(maps.Keys(v.Files)) {
			if made, ok := recipe.Read(path, v.Files[path]); ok {
				all = append(all, recipeOf(made))
			}
		}
		return paged(all, max(len(all), 1), func(m RecipeMade) string { return m.Recipe }), nil
	}))
	add(s, route{method: "GET", path: "/v1/packs/schema", tag: tag, who: secretKey, summary: "The JSON Schema of a file of a pack, for editors."}, func(*call, *none) (map[string]any, error) {
		if s.PackSchema == nil {
			return nil, refuse(http.StatusNotFound, "not_found")
		}
		return s.PackSchema(), nil
	})
}
