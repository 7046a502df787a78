package api

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestPersonsWhoLookLikeOneAreSuggestedAndNeverMergedUnasked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, shut := wholeIn(t, dir)
	say := func(user, traits string) {
		t.Helper()
		d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"`+user+`","traits":`+traits+`}`)
	}
	say("card-1", `{"name":"Nadia Okafor","phone":"+49 151 2345 6789","birthday":"1988-04-12","address":{"street":"12 Elm Row","city":"Leeds"}}`)
	say("shop-77", `{"firstName":"Nadja","lastName":"Okafor","phone":"0151 23456789","birthday":"1988-04-12"}`)
	say("tw", `{"name":"Omar Haddad","email":"omar@example.com","birthday":"1970-01-01"}`)
	say("tw2", `{"name":"Omar Haddad","email":"omar@example.com","birthday":"1970-01-01"}`)
	say("son", `{"name":"Yusuf Haddad","email":"omar@example.com","birthday":"2001-05-05"}`) // the family's mailbox
	say("other", `{"name":"Nadia Petrova","phone":"+49 151 9999 0000","birthday":"1991-01-30"}`)

	list := func() []any {
		t.Helper()
		return d.want(200, "", "GET", "/v1/people/suggestions", "sk_shop", "", "Accept-Language: zh-CN").json(t)["items"].([]any)
	}
	items := list()
	if len(items) != 2 {
		t.Fatalf("%d suggestions: %v", len(items), items)
	}
	find := func(user string) map[string]any {
		t.Helper()
		for _, i := range list() {
			for _, p := range i.(map[string]any)["people"].([]any) {
				for _, k := range p.(map[string]any)["ids"].([]any) {
					if k.(map[string]any)["value"] == user {
						return i.(map[string]any)
					}
				}
			}
		}
		return nil
	}
	nadia, omar := find("card-1"), find("tw")
	if nadia == nil || find("shop-77") == nil || omar == nil || find("son") != nil || find("other") != nil {
		t.Fatalf("suggested: %v", items)
	}
	sum, said := 0.0, ""
	for _, w := range nadia["why"].([]any) {
		w := w.(map[string]any)
		sum += w["bits"].(float64)
		said += w["text"].(string)
	}
	if math.Abs(sum-nadia["score"].(float64)) > 1e-9 || !strings.Contains(said, "电话号码相同") || !strings.Contains(said, "出生日期相同") {
		t.Errorf("why: %v add up to %v, the score is %v", said, sum, nadia["score"])
	}
	for _, user := range []string{"card-1", "shop-77", "tw", "tw2"} {
		if ids := d.want(200, "", "GET", "/v1/people/user:"+user, "sk_shop", "").json(t)["ids"].([]any); strings.Count(jsonOf(ids), `"user"`) != 1 {
			t.Errorf("%s was merged by a suggestion: %v", user, ids)
		}
	}
	path := func(s map[string]any, verdict string) string {
		return "/v1/people/suggestions/" + s["id"].(string) + "/" + verdict
	}
	d.want(403, "", "GET", "/v1/people/suggestions", "wk_shop", "")
	d.want(403, "", "POST", path(nadia, "accept"), "wk_shop", "")
	d.want(404, "not_found", "POST", path(nadia, "accept"), "sk_bank", "")

	d.set(d.now().Add(time.Second))
	joined := d.want(200, "", "POST", path(nadia, "accept"), "sk_shop", "").json(t)
	if text := jsonOf(joined["ids"]); !strings.Contains(text, "card-1") || !strings.Contains(text, "shop-77") {
		t.Errorf("after the accept: %v", joined)
	}
	d.want(404, "not_found", "POST", path(nadia, "accept"), "sk_shop", "")
	d.want(200, "", "POST", path(omar, "reject"), "sk_shop", "")
	for range 2 {
		if open := list(); len(open) != 0 {
			t.Errorf("suggested again: %v", open)
		}
		again := d.want(200, "", "POST", "/v1/people/suggestions", "sk_shop", "").json(t)
		if len(again["items"].([]any)) != 0 || again["complete"] != true {
			t.Errorf("found again: %v", again)
		}
		// What was decided stands in the log: a restart changes nothing.
		shut()
		d, shut = wholeIn(t, dir)
	}
	// A merge can be taken back, and the pair is not suggested again either.
	d.set(d.now().Add(time.Minute))
	d.want(200, "", "POST", "/v1/people/unmerge", "sk_shop", `{"ids":["user:card-1","user:shop-77"]}`)
	if again := d.want(200, "", "POST", "/v1/people/suggestions", "sk_shop", "").json(t); len(again["items"].([]any)) != 0 {
		t.Errorf("found again: %v", again)
	}
	shut()
}

func TestSuggestionsComeInPagesAndForgetWhoWasErased(t *testing.T) {
	t.Parallel()
	d := whole(t)
	for _, who := range []string{"ada lindqvist", "bela szabo", "chike eze"} {
		for _, at := range []string{"a", "b"} {
			name, _, _ := strings.Cut(who, " ")
			d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"`+name+at+`","traits":{"name":"`+who+`","email":"`+name+`@example.com","phone":"`+strings.Repeat(string(name[1]%10+'0'), 9)+`"}}`)
		}
	}
	first := d.want(200, "", "GET", "/v1/people/suggestions?limit=2", "sk_shop", "").json(t)
	if len(first["items"].([]any)) != 2 || first["open"] != 3.0 || first["compared"] != 6.0 {
		t.Fatal(first)
	}
	rest := d.want(200, "", "GET", "/v1/people/suggestions?limit=2&cursor="+first["next_cursor"].(string), "sk_shop", "").json(t)
	if len(rest["items"].([]any)) != 1 || rest["next_cursor"] != nil {
		t.Fatal(rest)
	}
	d.want(400, "bad_cursor", "GET", "/v1/people/suggestions?cursor=AAAA", "sk_shop", "")
	d.want(200, "", "DELETE", "/v1/people/user:belaa", "sk_shop", "")
	if left := d.want(200, "", "GET", "/v1/people/suggestions", "sk_shop", ""); strings.Contains(left.body, "bela@") && strings.Contains(left.body, "belaa") {
		t.Error("an erased person is still suggested")
	}
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
