// Package identity is step 2 of the flow: to whom it happened. It joins the ids
// that are one person's, keeps apart those that are not, and says whether the
// one who asks has proven who they are.
//
// What it promises: the person of a set of links does not depend on the order in
// which the links arrived; two user ids never become one person by inference, nor do two
// ids of a kind that a workspace added to join; a merge can be undone exactly, for events stay with the key they came under.
package identity

import (
	"crypto/sha256"
	"encoding/base32"
)

// Key is one id of one kind by which somebody is known: user:u1, anon:a1, email:…
type Key struct {
	Kind  string // user, anon, email, phone, or a kind the workspace added
	Value string
}

// String is "kind:value".
func (k Key) String() string { return k.Kind + ":" + k.Value }

// User and Anonymous make the two keys that events carry.
func User(id string) Key      { return Key{"user", id} }
func Anonymous(id string) Key { return Key{"anon", id} }

// PersonID is the stable name of a person, "per_…": it follows from the key that
// represents them, never from arrival order, and an older one redirects.
type PersonID string

var personEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// PersonOf is the person id that a key alone gives.
func PersonOf(workspace string, k Key) PersonID {
	h := sha256.Sum256([]byte(workspace + "\x00" + k.Kind + "\x00" + k.Value))
	return PersonID("per_" + personEncoding.EncodeToString(h[:15]))
}

// Person is who a key belongs to now.
type Person struct {
	ID   PersonID
	Keys []Key // all keys of the person, sorted; events are found under them
}

// Asker is who makes an enquiry.
type Asker struct {
	Keys   []Key // the keys named in the request, user first
	Proven bool  // a secret key vouches for them, or an identity token verified
	// Own is the anonymous key alone when Proven is false: the decision may use
	// only what happened under it.
}
