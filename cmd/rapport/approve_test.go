package main

import (
	"fmt"
	"strings"
	"testing"
)

// What is of major impact takes two persons, whichever server either of them asks.
func TestMission_4_3_TwoPersonsStandBehindWhatIsOfMajorImpact(t *testing.T) {
	t.Parallel()
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		s := openShopWith(t, "base")
		twoPersons(t, s, s)
	})
	t.Run("shared database", func(t *testing.T) {
		t.Parallel()
		s := openShopOn(t, sharedDatabases(t)(), "base")
		twoPersons(t, s, s.beside(t))
	})
}

func twoPersons(t *testing.T, s, other *shop) {
	as := func(at *shop, key, method, path string, body any, status int) object {
		t.Helper()
		got, out := at.call(method, path, key, body)
		if got != status {
			t.Fatalf("%s %s: %d %v, wanted %d", method, path, got, out, status)
		}
		return out
	}
	present := strings.Replace(presents, "nature: goodwill\n", "nature: goodwill\n    impact: major\n", 1)
	made := s.do("POST", "/v1/strategies", object{"files": object{"own/presents.yaml": present}})
	s.do("POST", fmt.Sprintf("/v1/strategies/%v/publish", made["version"]), nil)
	ann, _ := s.do("POST", "/v1/keys", object{"name": "Ann"})["key"].(string)
	bob, _ := s.do("POST", "/v1/keys", object{"name": "Bob", "roles": []string{"approver"}})["key"].(string)
	s.do("PUT", "/v1/settings", object{"two_approvers": true})
	for { // the other server hears of the key by itself
		if got, _ := other.call("GET", "/v1/settings", bob, nil); got == 200 {
			break
		}
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	next := as(s, ann, "POST", "/v1/strategies", object{"files": object{"own/presents.yaml": strings.Replace(present, "pieces: 40", "pieces: 4000", 1)}}, 201)
	at := func(rest string) string { return fmt.Sprintf("/v1/strategies/%v/%s", next["version"], rest) }
	for _, door := range []*shop{s, other} {
		if refused := as(door, bob, "POST", at("publish"), nil, 409); refused["code"] != "approval_needed" {
			t.Errorf("it is published by one person: %v", refused)
		}
	}
	as(s, ann, "POST", at("approval"), object{"note": "the summer sale"}, 200)
	if me := as(other, bob, "GET", at("approval"), nil, 200); me["you"] != true || me["needed"] != true {
		t.Errorf("bob is not asked: %v", me)
	}
	as(other, bob, "POST", at("approve"), object{"note": "seen"}, 200)
	as(s, ann, "POST", at("publish"), nil, 200)
	if a := s.ask("u1", "现在有什么优惠活动")["strategy"].(object); a["version"] != next["version"] {
		t.Errorf("version %v is served, wanted %v", a["version"], next["version"])
	}
	as(other, ann, "POST", fmt.Sprintf("/v1/strategies/%v/rollback", made["version"]), object{"note": "too dear"}, 200)
	acts, _ := as(other, bob, "GET", "/v1/audit", nil, 200)["items"].([]any)
	if len(acts) == 0 || acts[0].(object)["act"] != "rolled_back" {
		t.Errorf("the other server knows nothing of it: %v", acts)
	}
}
