package api

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// A merge that is taken back leaves everybody's view as it was, and as
// it is in a house that was never told of it.
func TestAMergeThatIsTakenBackLeavesEveryViewAsItWas(t *testing.T) {
	t.Parallel()
	rounds := 8
	if os.Getenv("RAPPORT_PROVE") != "" {
		rounds = 10_000
	}
	seed := rand.Uint64()
	t.Logf("%d merges, seed %d", rounds, seed)
	told, anew := whole(t), whole(t)
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		users := []string{fmt.Sprintf("m%d-a", round), fmt.Sprintf("m%d-b", round)}
		both := func(method, path, key, body string) {
			t.Helper()
			told.want(200, "", method, path, key, body)
			anew.want(200, "", method, path, key, body)
		}
		for i := range 3 + r.IntN(6) {
			at := noon.Add(-time.Duration(r.IntN(3000)) * time.Hour).Format(time.RFC3339)
			user, device := users[(i+r.IntN(2))%2], fmt.Sprintf("m%d-d%d", round, r.IntN(3))
			switch r.IntN(4) {
			case 0:
				both("POST", "/v1/identify", "sk_shop", fmt.Sprintf(`{"messageId":"m%d-%d","timestamp":%q,"userId":%q,"anonymousId":%q,"traits":{"household_size":%d,"tags":["t%d"]}}`, round, i, at, user, device, 1+r.IntN(5), r.IntN(3)))
			case 1:
				both("PUT", fmt.Sprintf("/v1/records/case/m%d-%d", round, r.IntN(3)), "sk_shop", fmt.Sprintf(`{"person":"user:%s","status":"open","kind":"repair","updated_at":%q}`, user, at))
			default:
				both("POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"messageId":"m%d-%d","timestamp":%q,"userId":%q,"anonymousId":%q,"event":"Repair Reported","properties":{"product_id":"p%d","case_id":"m%d-%d"}}`, round, i, at, user, device, r.IntN(3), round, r.IntN(3)))
			}
		}
		for _, u := range users { // each is somebody
			both("POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"messageId":"m%d-%s","timestamp":"2026-04-01T00:00:00Z","userId":%q,"event":"Product Viewed","properties":{"product_id":"p1"}}`, round, u, u))
		}
		views := func(d *door) (out string) {
			t.Helper()
			for _, u := range users {
				for _, view := range []string{"", "/timeline?limit=100", "/graph", "/relations"} {
					out += jsonOf(unstated(d.want(200, "", "GET", "/v1/people/user:"+u+view, "sk_shop", "").json(t))) + "\n"
				}
			}
			return out
		}
		before := views(told)
		first := r.IntN(2)
		ids := fmt.Sprintf(`{"ids":["user:%s","user:%s"]}`, users[first], users[1-first])
		told.set(told.now().Add(time.Millisecond))
		told.want(200, "", "POST", "/v1/people/merge", "sk_shop", ids)
		if views(told) == before {
			t.Fatalf("seed %d round %d: the merge changed nothing", seed, round)
		}
		told.set(told.now().Add(time.Millisecond))
		told.want(200, "", "POST", "/v1/people/unmerge", "sk_shop", ids)
		told.set(noon) // the views tell how long ago things were
		if after := views(told); after != before {
			t.Fatalf("seed %d round %d: before\n%s\nafter\n%s", seed, round, before, after)
		}
		if other := views(anew); other != before {
			t.Fatalf("seed %d round %d: built without the merge\n%s\nwith it taken back\n%s", seed, round, other, before)
		}
	}
}

// unstated is a view without the two statements themselves, which stay in the history
// of the person under whose id they were filed.
func unstated(view map[string]any) map[string]any {
	delete(view, "events")
	delete(view, "last_seen")
	items, _ := view["items"].([]any)
	view["items"] = slices.DeleteFunc(items, func(i any) bool {
		name := i.(map[string]any)["event"]
		return name == "merge" || name == "unmerge"
	})
	return view
}
