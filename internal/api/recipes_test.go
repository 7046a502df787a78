package api

import (
	"strings"
	"testing"
)

func TestASentenceWithBlanksBecomesAFileAndIsReadBack(t *testing.T) {
	t.Parallel()
	d := open2(t)
	if all := d.want(200, "", "GET", "/v1/recipes", "sk_shop", "").json(t)["items"].([]any); len(all) < 20 {
		t.Errorf("%d recipes", len(all))
	}
	made := d.want(200, "", "POST", "/v1/recipes/repeated_without_offer", "sk_shop", `{"blanks":{"name":"three_looks","times":"4"}}`).json(t)
	file, _ := made["files"].(map[string]any)["own/recipe_three_looks.yaml"].(string)
	if !strings.Contains(file, "at_least: 4") || file != made["yaml"] || !strings.Contains(made["sentence"].(map[string]any)["en"].(string), "happens 4 times within 7 days") {
		t.Error(made)
	}
	wrong := d.want(400, "bad_blank", "POST", "/v1/recipes/repeated_offer", "sk_shop", `{"blanks":{"times":"many"}}`)
	if !strings.Contains(wrong.body, `"/blanks/times"`) {
		t.Error(wrong.body)
	}
	d.want(404, "not_found", "POST", "/v1/recipes/magic", "sk_shop", `{}`)
	d.want(403, "forbidden", "GET", "/v1/recipes", "wk_shop", "")
}
