package pack_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
)

func TestEveryShippedPackIsValidByTheSchemaOfEditors(t *testing.T) {
	t.Parallel()
	schema := ofSchema(t)
	n := 0
	err := fs.WalkDir(packs.Files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".yaml" || strings.Contains(p, "/tests/") {
			return err
		}
		text, err := fs.ReadFile(packs.Files, p)
		if err != nil {
			return err
		}
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			return err
		}
		n++
		for _, wrong := range invalid(schema, v, "") {
			t.Errorf("%s%s", p, wrong)
		}
		return nil
	})
	if err != nil || n < 5 {
		t.Fatal(n, err)
	}
}

func TestTheSchemaRefusesWhatTheReaderRefuses(t *testing.T) {
	t.Parallel()
	schema := ofSchema(t)
	for text, at := range map[string]string{
		"actoins: []": "/actoins", "actions: [{id: A B}]": "/actions/0", "draw: {floor: much}": "/draw/floor", "budgets: [{id: b, title: {zh: 一}}]": "/budgets/0/title",
		"signals: [{id: s, form: often}]": "/signals/0/form", "actions: [{id: a, nature: right, title: {zh: 一, en: one}, reasons: [{text: {zh: 一, en: one}, why: x}]}]": "/actions/0/reasons/0/why",
		"contact: {quiet: never}": "/contact/quiet", "contact: {caps: [{id: c, at_most: 1, within: 7 days}]}": "/contact/caps/0/within",
	} {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(invalid(schema, v, ""), "\n")
		if !strings.Contains(all, at) {
			t.Errorf("%s: wanted a fault at %s, got %s", text, at, all)
		}
	}
}

func ofSchema(t *testing.T) map[string]any {
	t.Helper()
	text, err := json.Marshal(pack.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// invalid checks a value by the words of JSON Schema that ours uses.
func invalid(schema map[string]any, v any, at string) (all []string) {
	say := func(format string, args ...any) { all = append(all, at+": "+fmt.Sprintf(format, args...)) }
	if ways, ok := schema["anyOf"].([]any); ok {
		for _, way := range ways {
			if len(invalid(way.(map[string]any), v, at)) == 0 {
				return nil
			}
		}
		say("fits none of %d ways", len(ways))
		return all
	}
	if among, ok := schema["enum"].([]any); ok {
		for _, one := range among {
			if one == v {
				return nil
			}
		}
		say("%v is not among %v", v, among)
	}
	kind := map[bool]string{true: "string", false: "null"}[v != nil]
	switch x := v.(type) {
	case map[string]any:
		kind = "object"
		properties, _ := schema["properties"].(map[string]any)
		for name, child := range x {
			if of, ok := properties[name].(map[string]any); ok {
				all = append(all, invalid(of, child, at+"/"+name)...)
			} else if of, ok := schema["additionalProperties"].(map[string]any); ok {
				all = append(all, invalid(of, child, at+"/"+name)...)
			} else if schema["additionalProperties"] == false {
				all = append(all, at+"/"+name+": is not known")
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				say("%s is missing", name)
			}
		}
	case []any:
		kind = "array"
		for i, child := range x {
			if of, ok := schema["items"].(map[string]any); ok {
				all = append(all, invalid(of, child, fmt.Sprintf("%s/%d", at, i))...)
			}
		}
	case bool:
		kind = "boolean"
	case int, float64:
		kind = "number"
	case string:
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
			say("%q does not match %s", x, p)
		}
	}
	switch want := schema["type"].(type) {
	case string:
		if want != kind && (want != "integer" || kind != "number") {
			say("is %s, not %s", kind, want)
		}
	case []any:
		fits := false
		for _, w := range want {
			fits = fits || w == kind
		}
		if !fits {
			say("is %s, not one of %v", kind, want)
		}
	}
	return all
}
