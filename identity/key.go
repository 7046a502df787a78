package identity

import (
	"cmp"
	"strings"

	"github.com/rapport-cx/rapport/event"
)

// Compare orders keys by kind, then by value, both as bytes.
func (k Key) Compare(o Key) int {
	if c := cmp.Compare(k.Kind, o.Kind); c != 0 {
		return c
	}
	return cmp.Compare(k.Value, o.Value)
}

// Zero tells that k names nobody.
func (k Key) Zero() bool { return k.Value == "" }

// ParseKey reads "kind:value" as people are named in paths and merge records.
// Without a kind, or with one that is not of lower-case letters, digits and
// underscores, ok is false: whether such a text is a user id or an anonymous one
// only the caller can try.
func ParseKey(text string) (k Key, ok bool) {
	kind, value, found := strings.Cut(text, ":")
	if !found || kind == "" || len(kind) > 32 || value == "" {
		return Key{}, false
	}
	for i := 0; i < len(kind); i++ {
		if c := kind[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return Key{}, false
		}
	}
	return Key{kind, value}.normal(), true
}

// normal gives addresses the one form under which they are compared.
func (k Key) normal() Key {
	switch k.Kind {
	case "email":
		k.Value = strings.ToLower(strings.TrimSpace(k.Value))
	case "phone":
		k.Value = strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '+' {
				return r
			}
			return -1
		}, k.Value)
	}
	return k
}

// placeholders are what programs send when they know nobody. They stand for many
// people, so they are no key and link nothing.
var placeholders = map[string]bool{
	"-1": true, "null": true, "(null)": true, "nil": true, "none": true, "undefined": true, "unknown": true,
	"anonymous": true, "anon": true, "guest": true, "visitor": true, "nobody": true, "empty": true, "default": true,
	"n/a": true, "na": true, "nan": true, "true": true, "false": true, "[object object]": true, "{}": true, "[]": true, `""`: true, "''": true,
	"user": true, "user_id": true, "userid": true, "anonymous_id": true, "anonymousid": true, "not_set": true, "(not set)": true,
	"匿名": true, "未知": true, "游客": true, "访客": true,
}

// Blocked tells that an id is a placeholder and names nobody: empty, 0, -1, null,
// anonymous, guest, an all-zero or all-F UUID and their like, in any case and
// between any blanks.
func Blocked(id string) bool {
	id = strings.TrimSpace(id)
	if id == "" {
		return true
	}
	if allOf(id, '0', '0') || len(id) >= 32 && allOf(id, 'f', 'F') {
		return true
	}
	if len(id) > 16 { // no placeholder is longer
		return false
	}
	var lower [16]byte
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return placeholders[string(lower[:len(id)])]
}

// allOf tells that a text is of one digit (a or b), whatever separates the digits.
func allOf(id string, a, b byte) bool {
	seen := false
	for i := 0; i < len(id); i++ {
		switch c := id[i]; c {
		case a, b:
			seen = true
		case '-', '{', '}', '.', ':':
		default:
			return false
		}
	}
	return seen
}

// KeyOf is the key under which an event stays for good: its user id, else its
// anonymous id; the zero Key when it names nobody (a record of the catalogue).
func KeyOf(e *event.Event) Key {
	if !Blocked(e.UserID) {
		return User(e.UserID)
	}
	if !Blocked(e.AnonymousID) {
		return Anonymous(e.AnonymousID)
	}
	return Key{}
}
