package identity

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/rapport-cx/rapport/event"
)

// chat is a workspace with the kinds of ids of a Chinese messenger.
func chat(events ...*event.Event) *Graph {
	return observe(observe(NewGraph("w"), identifier("unionid", 0, `{"joins":true,"limit":1}`), identifier("openid", 0, `{"per_app":true}`), identifier("card", 0, `{"limit":2}`)), events...)
}

func TestAUnionIDJoinsWhatWasSeenInTwoApps(t *testing.T) {
	t.Parallel()
	shop := stating(visit("", "mini-1"), true, "unionid:U1", "openid:shop/o1")
	service := stating(visit("", "mini-2"), true, "unionid:U1", "openid:service/o7")
	login := stating(visit("u1", "mini-2"), true, "unionid:U1")
	wantPeople(t, chat(shop, service), "unionid:U1 = anon:mini-1 anon:mini-2 openid:service/o7 openid:shop/o1 unionid:U1")
	wantPeople(t, chat(login, service, shop), "user:u1 = anon:mini-1 anon:mini-2 openid:service/o7 openid:shop/o1 unionid:U1 user:u1")
}

func TestAnOpenIDNeverJoinsAcrossApps(t *testing.T) {
	t.Parallel()
	wantPeople(t, chat(stating(visit("u1", ""), true, "openid:shop/o1"), stating(visit("u2", ""), true, "openid:service/o1")),
		"user:u1 = openid:shop/o1 user:u1", "user:u2 = openid:service/o1 user:u2")
	// Without its app it may be anybody's; and visitors it does not join at all.
	wantPeople(t, chat(stating(visit("u1", ""), true, "openid:o1"), stating(visit("", "a1"), true, "openid:shop/o2"), stating(visit("", "a2"), true, "openid:shop/o2")),
		"user:u1 = user:u1", "openid:o1 = openid:o1", "openid:shop/o2 = openid:shop/o2", "anon:a1 = anon:a1", "anon:a2 = anon:a2")
}

func TestAUnionIDOfTwoUsersIsNobodys(t *testing.T) {
	t.Parallel()
	wantPeople(t, chat(stating(visit("u1", ""), true, "unionid:U1"), stating(visit("", "a1"), true, "unionid:U1"), stating(visit("u2", ""), true, "unionid:U1")),
		"user:u1 = user:u1", "user:u2 = user:u2", "unionid:U1 = anon:a1 unionid:U1")
	// Two of them are two people, whoever held the phone.
	wantPeople(t, chat(stating(visit("", "a1"), true, "unionid:U1"), stating(visit("", "a1"), true, "unionid:U2")),
		"unionid:U1 = unionid:U1", "unionid:U2 = unionid:U2", "anon:a1 = anon:a1")
}

func TestABrowserCannotClaimAnID(t *testing.T) {
	t.Parallel()
	wantPeople(t, chat(stating(visit("u1", ""), true, "unionid:U1"), stating(visit("", "thief"), false, "unionid:U1")),
		"user:u1 = unionid:U1 user:u1", "anon:thief = anon:thief")
}

func TestMoreIDsThanTheLimitAttractNobody(t *testing.T) {
	t.Parallel()
	g := chat(stating(visit("u1", ""), true, "card:1", "card:2"))
	wantPeople(t, g, "user:u1 = card:1 card:2 user:u1")
	observe(g, stating(visit("u1", ""), true, "card:3"))
	wantPeople(t, g, "user:u1 = user:u1", "card:1 = card:1", "card:2 = card:2", "card:3 = card:3")
	observe(g, identifier("card", 5, `{"limit":3}`)) // a later rule holds for the past
	wantPeople(t, g, "user:u1 = card:1 card:2 card:3 user:u1")
	observe(g, identifier("card", 4, `{"limit":1}`)) // an older one that comes late does not
	wantPeople(t, g, "user:u1 = card:1 card:2 card:3 user:u1")
}

func TestWhatAWorkspaceBlocksNamesNobody(t *testing.T) {
	t.Parallel()
	hotline := &event.Event{Kind: event.Identify, UserID: "u1", Body: json.RawMessage(`{"phone":"400 100 200"}`), Verified: true, Time: noon}
	g := chat(hotline, visit("u1", "till"), stating(visit("u1", ""), true, "card:7777"))
	wantPeople(t, g, "user:u1 = anon:till card:7777 phone:400100200 user:u1")
	observe(g, identifier("phone", 1, `{"blocked":["400-100-200"]}`), identifier("anon", 1, `{"blocked":["till"]}`), identifier("card", 1, `{"shared":true}`))
	wantPeople(t, g, "user:u1 = user:u1", "anon:till = anon:till", "card:7777 = card:7777", "phone:400100200 = phone:400100200")
	observe(g, identifier("phone", 2, `{}`))
	wantPeople(t, g, "user:u1 = phone:400100200 user:u1", "anon:till = anon:till", "card:7777 = card:7777")
}

func TestIDsOfAKindNobodyAddedAreNotTaken(t *testing.T) {
	t.Parallel()
	wantPeople(t, observe(NewGraph("w"), stating(visit("u1", ""), true, "unionid:U1")), "user:u1 = user:u1")
	if _, ok := ReadRule("Union ID", []byte(`{}`)); ok {
		t.Error("a kind that no key can be written with is taken")
	}
}

func TestIDsStandInThePersonRecordToo(t *testing.T) {
	t.Parallel()
	say := &event.Event{Kind: event.Record, Name: "person", UserID: "u1", Body: json.RawMessage(`{"external_ids":[{"type":"unionid","id":"U1"}]}`), Verified: true, Time: noon}
	wantPeople(t, chat(say), "user:u1 = unionid:U1 user:u1")
}

func TestRulesAreKeptWithTheGraph(t *testing.T) {
	t.Parallel()
	g := chat()
	var parts [][]byte
	parts = append(parts, g.Dirty())
	observe(g, stating(visit("u1", "a1"), true, "unionid:U1"), identifier("unionid", 3, `{"limit":4,"blocked":["x"]}`))
	parts = append(parts, g.Dirty())
	for name, from := range map[string][][]byte{"parts": parts, "one save": {g.Save()}} {
		h := NewGraph("w")
		if err := h.Load(from...); err != nil {
			t.Fatal(name, err)
		}
		if got, want := fmt.Sprint(h.Rules()), fmt.Sprint(g.Rules()); got != want || people(h) != people(g) {
			t.Errorf("%s: %s\n%s\nwanted %s\n%s", name, got, people(h), want, people(g))
		}
	}
	if r := g.Rules(); len(r) != 3 || r[2].Kind != "unionid" || !r[2].Joins || r[2].Limit != 4 {
		t.Errorf("%+v", r)
	}
}

func TestAGraphSavedBeforeThereWereRulesIsRead(t *testing.T) {
	t.Parallel()
	// "ri1\n" as the first version wrote it: kinds, then keys, links and statements.
	saved := observe(NewGraph("w"), visit("u1", "a1")).Save()
	at := len(magic) + 1 + len("\x04user\x04anon\x05email\x05phone")
	old := append([]byte(magic1), saved[len(magic):at]...)
	old = append(old, saved[at+1:len(saved)-4]...) // without the number of rules
	old = binary.LittleEndian.AppendUint32(old, crc32.Checksum(old, castagnoli))
	h := NewGraph("w")
	if err := h.Load(old); err != nil {
		t.Fatal(err)
	}
	wantPeople(t, h, "user:u1 = anon:a1 user:u1")
}
