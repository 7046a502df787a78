package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
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

// What two persons do in one instant on two servers happens one after the other: the
// second sees what the first has done.
func TestMission_4_3_TwoServersSettleOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := openShopOn(t, sharedDatabases(t)(), "base")
	other := s.beside(t)
	budget := func(pieces int) string {
		major := strings.Replace(presents, "nature: goodwill\n", "nature: goodwill\n    impact: major\n", 1)
		return strings.Replace(major, "pieces: 40", fmt.Sprint("pieces: ", pieces), 1)
	}
	made := s.do("POST", "/v1/strategies", object{"files": object{"own/presents.yaml": budget(40)}})
	s.do("POST", fmt.Sprintf("/v1/strategies/%v/publish", made["version"]), nil)
	ann, _ := s.do("POST", "/v1/keys", object{"name": "Ann"})["key"].(string)
	bob, _ := s.do("POST", "/v1/keys", object{"name": "Bob", "roles": []string{"approver"}})["key"].(string)
	s.do("PUT", "/v1/settings", object{"two_approvers": true})
	for _, key := range []string{ann, bob} {
		for { // the other server hears of the key by itself
			if got, _ := other.call("GET", "/v1/settings", key, nil); got == 200 {
				break
			}
			if err := t.Context().Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	// atOnce sends one request to each server and counts the answers.
	type request struct {
		key, path string
		body      any
	}
	atOnce := func(here, there request) (statuses map[int]int, codes string) {
		statuses = map[int]int{}
		var mu sync.Mutex
		var both sync.WaitGroup
		start := make(chan struct{})
		for i, door := range []*shop{s, other} {
			r := []request{here, there}[i]
			both.Go(func() {
				<-start
				got, out := door.call("POST", r.path, r.key, r.body)
				mu.Lock()
				defer mu.Unlock()
				statuses[got]++
				codes += fmt.Sprint(out["code"], " ")
			})
		}
		close(start)
		both.Wait()
		return statuses, codes
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	rounds := 2
	if os.Getenv("RAPPORT_PROVE") != "" {
		rounds = 40
	}
	for round := range rounds {
		var at [2]string
		for i := range at {
			next := s.do("POST", "/v1/strategies", object{"files": object{"own/presents.yaml": budget(1000 + 10*round + i)}})
			at[i] = fmt.Sprintf("/v1/strategies/%v/", next["version"])
			if got, out := s.call("POST", at[i]+"approval", ann, object{}); got != 200 {
				t.Fatal(got, out)
			}
		}
		// Approved by one and rejected by the other server: one of them is too late.
		deeds := []string{"approve", "reject"}
		dice.Shuffle(2, func(i, k int) { deeds[i], deeds[k] = deeds[k], deeds[i] })
		if got, codes := atOnce(request{bob, at[0] + deeds[0], object{}}, request{bob, at[0] + deeds[1], object{}}); got[200] != 1 {
			t.Errorf("round %d: a request is settled %d times (%s)", round, got[200], codes)
		}
		if _, a := s.call("GET", at[0]+"approval", bob, nil); a["needed"] == true {
			if got, out := s.call("POST", at[0]+"approval", ann, object{}); got != 200 {
				t.Fatal(got, out)
			}
			if got, out := other.call("POST", at[0]+"approve", bob, object{}); got != 200 {
				t.Fatal(got, out)
			}
		}
		if got, out := other.call("POST", at[1]+"approve", bob, object{}); got != 200 {
			t.Fatal(got, out)
		}
		// Both are approved beside the version in force. Whichever comes second would
		// change something else by then, which nobody has approved.
		got, codes := atOnce(request{ann, at[0] + "publish", nil}, request{ann, at[1] + "publish", nil})
		if got[200] != 1 || !strings.Contains(codes, "approval_needed") {
			t.Errorf("round %d: published are %d of two (%s)", round, got[200], codes)
		}
		// What is in force is one version.
		inForce := 0
		for _, v := range list(s.do("GET", "/v1/strategies?limit=1000", nil), "items") {
			if v["state"] == "published" {
				inForce++
			}
		}
		if inForce != 1 {
			t.Errorf("round %d: %d versions are in force", round, inForce)
		}
	}
}
