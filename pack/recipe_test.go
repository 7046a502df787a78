package pack_test

import (
	"testing"

	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/strategy/recipe"
)

func TestEveryRecipeIsAStrategyThatCanBePublished(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, one := range recipe.All() {
		made, faults := one.Make(map[string]string{"name": one.ID, "event": `it's a "thing"`})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		files[made.Path] = made.YAML
	}
	v, _, err := shipped().Compile(t.Context(), strategy.Source{Packs: []string{"electronics"}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, a := range v.Decision.Actions {
		for _, one := range recipe.All() {
			if a.ID == one.ID+"_then" && a.Signal == one.ID {
				found++
			}
		}
	}
	if found != len(recipe.All()) {
		t.Errorf("%d of %d recipes are in force", found, len(recipe.All()))
	}
}
