package api

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAWorkspaceAddsKindsOfIDs(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "PUT", "/v1/identifiers/unionid", "sk_shop", `{"joins":true,"limit":1}`)
	d.want(200, "", "PUT", "/v1/identifiers/openid", "sk_shop", `{"per_app":true}`)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"anonymousId":"mini-1","event":"Product Viewed","context":{"externalIds":[{"type":"unionid","id":"U1"},{"type":"openid","app":"wx1","id":"o1"}]}}`)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"anonymousId":"mini-2","event":"Product Viewed","context":{"externalIds":[{"type":"unionid","id":"U1"},{"type":"openid","app":"wx2","id":"o1"}]}}`)
	d.want(200, "", "POST", "/v1/track", "wk_shop", `{"anonymousId":"thief","event":"Product Viewed","context":{"externalIds":[{"type":"unionid","id":"U1"}]}}`)
	for _, id := range []string{"unionid:U1", "openid:wx1%2Fo1", "openid:wx2%2Fo1", "anon:mini-2"} {
		p := d.want(200, "", "GET", "/v1/people/"+id, "sk_shop", "").json(t)
		if p["events"] != 2.0 || len(p["ids"].([]any)) != 5 {
			t.Errorf("%s: %v events of %v", id, p["events"], p["ids"])
		}
	}
	if other := d.want(200, "", "GET", "/v1/people/anon:thief", "sk_shop", "").json(t); other["events"] != 1.0 {
		t.Errorf("a browser's claim joined %v", other["ids"])
	}
	d.want(404, "", "GET", "/v1/people/unionid:U1", "sk_bank", "")
	d.set(d.now().Add(time.Second))
	d.want(200, "", "PUT", "/v1/identifiers/unionid", "sk_shop", `{"joins":true,"blocked":["U1"]}`)
	if p := d.want(200, "", "GET", "/v1/people/anon:mini-1", "sk_shop", "").json(t); len(p["ids"].([]any)) != 1 {
		t.Errorf("a blocked id still joins %v", p["ids"])
	}
	d.want(200, "", "PUT", "/v1/identifiers/phone", "sk_shop", `{"blocked":["400100200"],"limit":3}`)
	d.want(409, "identifier_fixed", "PUT", "/v1/identifiers/openid", "sk_shop", `{"joins":true,"per_app":true}`)
	d.want(400, "identifier_fixed", "PUT", "/v1/identifiers/anon", "sk_shop", `{"joins":true}`)
	d.want(400, "bad_identifier", "PUT", "/v1/identifiers/Union-ID", "sk_shop", `{}`)
	d.want(400, "body_faulty", "PUT", "/v1/identifiers/card", "sk_shop", `{"limit":-1}`)
	d.want(403, "", "PUT", "/v1/identifiers/card", "wk_shop", `{}`)
	if all := d.want(200, "", "GET", "/v1/identifiers", "sk_shop", "").json(t)["items"].([]any); len(all) != 3 {
		t.Error(all)
	}
	if one := d.want(200, "", "GET", "/v1/identifiers/unionid", "sk_shop", "").json(t); one["joins"] != true || len(one["blocked"].([]any)) != 1 {
		t.Error(one)
	}
	d.want(404, "not_found", "GET", "/v1/identifiers/card", "sk_shop", "")
}

// world is people at devices, each event bearing a secret of whoever caused it.
type world struct {
	t *testing.T
	*door
	n int
}

func secretOf(user string) string { return "secret-of-" + user + "." }

// visit is an event of a signed-in person at a device, sent by the shop's server or
// by a browser that has the person's token.
func (w *world) visit(user, device string) {
	w.t.Helper()
	w.n++
	w.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"messageId":"m%d","userId":%q,"anonymousId":%q,"event":"Order Completed","properties":{"order_id":"O-%s","note":%q}}`, w.n, user, device, secretOf(user), secretOf(user)))
}

// mustSeeOnly holds the house to it that a person sees their own secret and nobody
// else's, by every way in.
func (w *world) mustSeeOnly(user string, all []string) {
	w.t.Helper()
	mine := "X-Identity-Token: " + pass("shop", user, w.now().Add(time.Hour))
	views := map[string]string{
		"their page":     w.want(200, "", "GET", "/v1/me", "wk_shop", "", mine).body,
		"their timeline": w.want(200, "", "GET", "/v1/me/timeline?limit=1000", "wk_shop", "", mine).body,
		"their export":   w.want(200, "", "GET", "/v1/me/export", "wk_shop", "", mine).body,
		"their graph":    w.want(200, "", "GET", "/v1/me/graph", "wk_shop", "", mine).body,
		"their answer":   w.want(200, "", "POST", "/v1/decisions", "wk_shop", fmt.Sprintf(`{"user_id":%q,"identity_token":%q,"enquiry":{"text":"我的订单到哪里了"}}`, user, pass("shop", user, w.now().Add(time.Hour)))).body,
	}
	for where, body := range views {
		for _, other := range all {
			if other != user && strings.Contains(body, secretOf(other)) {
				w.t.Errorf("%s sees on %s what is %s's", user, where, other)
			}
		}
	}
	if !strings.Contains(views["their timeline"], secretOf(user)) {
		w.t.Errorf("%s does not see their own order", user)
	}
}

// mustTellNothing holds the house to it that who has proven nothing is told nothing.
func (w *world) mustTellNothing(body string) {
	w.t.Helper()
	if r := w.want(200, "", "POST", "/v1/decisions", "wk_shop", body); strings.Contains(r.body, "secret-of-") {
		w.t.Errorf("told to somebody who has proven nothing: %s asked, %s answered", body, r.body)
	}
}

func TestNobodySeesAnothersDataOnASharedPhoneOrKiosk(t *testing.T) {
	t.Parallel()
	w := &world{t: t, door: whole(t)}
	users := []string{"ann", "ben", "cleo", "dev"}
	w.visit("ann", "phone")
	w.mustTellNothing(`{"anonymous_id":"phone","enquiry":{"text":"我的订单到哪里了"}}`)
	w.mustTellNothing(`{"user_id":"ann","anonymous_id":"phone","enquiry":{"text":"我的订单到哪里了"}}`)
	w.visit("ben", "phone") // the phone is lent
	for i, user := range append(users, users...) {
		w.visit(user, "kiosk") // each logs out, the kiosk keeps its id
		if i%3 == 0 {
			w.want(200, "", "POST", "/v1/track", "wk_shop", `{"anonymousId":"kiosk","event":"Product Viewed","properties":{"product_id":"p1"}}`)
		}
		w.mustTellNothing(`{"anonymous_id":"kiosk","enquiry":{"text":"我的订单到哪里了"}}`)
	}
	for _, user := range users {
		w.mustSeeOnly(user, users)
	}
	for _, device := range []string{"phone", "kiosk"} {
		if p := w.want(200, "", "GET", "/v1/people/anon:"+device, "sk_shop", ""); strings.Contains(p.body, "secret-of-") {
			t.Errorf("the %s stands for a person: %s", device, p.body)
		}
	}
}

func TestARecycledNumberLeadsToNobodysData(t *testing.T) {
	t.Parallel()
	w := &world{t: t, door: whole(t)}
	for _, user := range []string{"old", "new"} {
		w.visit(user, "phone-of-"+user)
		w.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"`+user+`","traits":{"phone":"+86 139 0000 1111","email":"desk@example.com"}}`)
	}
	for _, key := range []string{"phone:+8613900001111", "email:desk@example.com"} {
		if p := w.want(200, "", "GET", "/v1/people/"+key, "sk_shop", ""); strings.Contains(p.body, "secret-of-") {
			t.Errorf("%s leads to %s", key, p.body)
		}
	}
	w.mustSeeOnly("old", []string{"old", "new"})
	w.mustSeeOnly("new", []string{"old", "new"})
}

func TestAliasLoopsJoinNobodyUnlessAServerSaysSo(t *testing.T) {
	t.Parallel()
	w := &world{t: t, door: whole(t)}
	loop := []string{"u1", "u2", "u3", "u4"}
	for _, user := range loop {
		w.visit(user, "device-"+user)
	}
	for range 2 {
		for i, user := range loop {
			w.want(200, "", "POST", "/v1/alias", "wk_shop", fmt.Sprintf(`{"previousId":%q,"userId":%q}`, user, loop[(i+1)%len(loop)]))
		}
	}
	for _, user := range loop {
		w.mustSeeOnly(user, loop)
	}
	// A server's word makes them one, around the loop and to itself.
	for i, user := range loop {
		w.want(200, "", "POST", "/v1/alias", "sk_shop", fmt.Sprintf(`{"previousId":%q,"userId":%q}`, user, loop[(i+1)%len(loop)]))
		w.want(200, "", "POST", "/v1/alias", "sk_shop", fmt.Sprintf(`{"previousId":%q,"userId":%q}`, user, user))
	}
	one := w.want(200, "", "GET", "/v1/people/user:u1", "sk_shop", "").json(t)["id"]
	for _, user := range loop {
		if p := w.want(200, "", "GET", "/v1/people/user:"+user, "sk_shop", "").json(t); p["id"] != one {
			t.Errorf("%s is %v, not %v", user, p["id"], one)
		}
	}
}

func TestTenThousandIDsOnOneDeviceStayApart(t *testing.T) {
	t.Parallel()
	w := &world{t: t, door: whole(t)}
	const many = 10_000
	var lines strings.Builder
	for i := range many {
		fmt.Fprintf(&lines, `{"record":"event","type":"track","messageId":"x%d","userId":"u%d","anonymousId":"lobby","event":"Order Completed","properties":{"order_id":"O-%s","note":%q}}`+"\n", i, i, secretOf(fmt.Sprint("u", i)), secretOf(fmt.Sprint("u", i)))
		fmt.Fprintf(&lines, `{"record":"event","type":"track","messageId":"y%d","userId":"robot","anonymousId":"d%d","event":"Product Viewed"}`+"\n", i, i)
	}
	if got := w.want(200, "", "POST", "/v1/import", "sk_shop", lines.String()).json(t); got["accepted"] != 2.0*many {
		t.Fatal(got)
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var some []string
	for range 12 {
		some = append(some, fmt.Sprint("u", r.IntN(many)))
	}
	for _, user := range some {
		w.mustSeeOnly(user, some)
		if p := w.want(200, "", "GET", "/v1/people/user:"+user, "sk_shop", "").json(t); p["events"] != 1.0 {
			t.Errorf("%s has %v events", user, p["events"])
		}
	}
	for _, id := range []string{"anon:lobby", "anon:d77"} {
		if p := w.want(200, "", "GET", "/v1/people/"+id, "sk_shop", "").json(t); len(p["ids"].([]any)) != 1 {
			t.Errorf("%s is %v", id, p["ids"])
		}
	}
	w.mustTellNothing(`{"anonymous_id":"lobby","enquiry":{"text":"我的订单到哪里了"}}`)
}

// Random lives at random devices, with logins, claims, aliases, addresses that pass
// from one to the next, merges that are taken back: nobody is ever shown another's.
func TestNobodyEverSeesAnothersData(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("RAPPORT_PROVE") != "" {
		rounds = 200
	}
	seed := rand.Uint64()
	t.Logf("%d worlds, seed %d", rounds, seed)
	w := &world{t: t, door: whole(t)}
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		var users []string
		for i := range 5 {
			users = append(users, fmt.Sprintf("w%d-%d", round, i))
		}
		user := func() string { return users[r.IntN(len(users))] }
		device := func() string { return fmt.Sprintf("w%d-d%d", round, r.IntN(4)) }
		for _, u := range users {
			w.visit(u, device())
		}
		for range 40 {
			w.set(w.now().Add(time.Second))
			switch r.IntN(8) {
			case 0:
				w.want(200, "", "POST", "/v1/alias", "wk_shop", fmt.Sprintf(`{"previousId":%q,"userId":%q}`, []string{user(), device()}[r.IntN(2)], user()))
			case 1:
				w.want(200, "", "POST", "/v1/identify", []string{"sk_shop", "wk_shop"}[r.IntN(2)], fmt.Sprintf(`{"userId":%q,"anonymousId":%q,"traits":{"phone":"1390000%d"}}`, user(), device(), r.IntN(3)))
			case 2:
				w.want(200, "", "POST", "/v1/track", "wk_shop", fmt.Sprintf(`{"userId":%q,"anonymousId":%q,"event":"Product Viewed"}`, user(), device()))
			case 3:
				a, b := user(), user()
				if a != b {
					ids := fmt.Sprintf(`{"ids":["user:%s","user:%s"]}`, a, b)
					w.want(200, "", "POST", "/v1/people/merge", "sk_shop", ids)
					w.set(w.now().Add(time.Second))
					w.want(200, "", "POST", "/v1/people/unmerge", "sk_shop", ids)
				}
			case 4:
				w.mustTellNothing(fmt.Sprintf(`{"user_id":%q,"anonymous_id":%q,"enquiry":{"text":"我的订单到哪里了"}}`, user(), device()))
			case 5:
				w.mustSeeOnly(user(), users)
			default:
				w.visit(user(), device())
			}
		}
		for _, u := range users {
			w.mustSeeOnly(u, users)
		}
		if t.Failed() {
			t.Fatalf("seed %d, world %d", seed, round)
		}
	}
}
