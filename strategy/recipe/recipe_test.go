package recipe_test

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/strategy/recipe"
)

func TestARecipeIsReadBackFromWhatItMade(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	texts := []string{"Product Viewed", "看了又看", `a "quoted" \ event`, "it's, so: #1", "[x] & <y>", "«way»", "~", "-", "yes", "12", "\\u0041"}
	for _, one := range recipe.All() {
		for range 60 {
			blanks := map[string]string{}
			for _, b := range one.Blanks {
				switch b.Kind {
				case recipe.Name:
					blanks[b.ID] = "r" + strconv.Itoa(r.IntN(1000))
				case recipe.Number:
					blanks[b.ID] = strconv.Itoa(b.Least + r.IntN(b.Most-b.Least+1))
				case recipe.Choice:
					blanks[b.ID] = b.Choices[r.IntN(len(b.Choices))].ID
				case recipe.Intent:
					blanks[b.ID] = []string{"presale.recommend", "support.troubleshoot/overheat"}[r.IntN(2)]
				default:
					blanks[b.ID] = texts[r.IntN(len(texts))]
				}
			}
			made, faults := one.Make(blanks)
			if len(faults) > 0 {
				t.Fatalf("%s of %v: %v", one.ID, blanks, faults)
			}
			if strings.Contains(made.Sentence.En, " 1 days") || strings.Contains(made.Sentence.En, " 1 times") {
				t.Fatalf("%s of %v: %s", one.ID, blanks, made.Sentence.En)
			}
			again, ok := recipe.Read(made.Path, made.YAML)
			if !ok || again.Recipe != one.ID || !maps.Equal(again.Blanks, blanks) || again.Sentence != made.Sentence {
				t.Fatalf("%s of %v is read as %v %s %v\n%s", one.ID, blanks, ok, again.Recipe, again.Blanks, made.YAML)
			}
		}
	}
	if n := len(recipe.All()); n < 20 {
		t.Errorf("%d recipes", n)
	}
}

func TestAFileThatWasChangedByHandIsNoRecipe(t *testing.T) {
	t.Parallel()
	one, _ := recipe.Find("repeated_without_offer")
	made, faults := one.Make(nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, changed := range []string{made.YAML + "# more\n", strings.Replace(made.YAML, "shown: 1", "shown: 2", 1), strings.Replace(made.YAML, `event: "Product Viewed"`, `event: "Page Viewed"`, 1)} {
		if _, ok := recipe.Read(made.Path, changed); ok {
			t.Errorf("read as a recipe:\n%s", changed)
		}
	}
	if want := "When “Product Viewed” happens 3 times within 7 days without “Order Completed”, offer “Help with choosing” to everybody at their next visit, at most once a month."; made.Sentence.En != want {
		t.Error(made.Sentence.En)
	}
}

func TestAWrongBlankIsNamed(t *testing.T) {
	t.Parallel()
	one, _ := recipe.Find("repeated_offer")
	_, faults := one.Make(map[string]string{"times": "1", "name": "My Rule", "who": "nobody", "event": "a {b}", "colour": "red"})
	named := map[string]bool{}
	for _, f := range faults {
		named[f.Blank] = f.Message.Zh != "" && f.Message.En != ""
	}
	if len(faults) != 5 || !named["times"] || !named["name"] || !named["who"] || !named["event"] || !named["colour"] {
		t.Error(faults)
	}
}
