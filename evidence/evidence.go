// Package evidence names the records that prove a statement. It stands beside
// the flow: every room hands evidence on, none may invent it.
//
// A [Ref] is self-describing text ("evt_…", "order:1001", "item:A@17"); it can be
// opened by whoever may see it (GET /v1/refs/{ref}) and it never changes its
// meaning: what a ref opened onto when a decision was made, it opens onto later.
package evidence

import (
	"strings"
	"time"
)

// Kind says what sort of record a ref opens onto.
type Kind string

// The kinds, a closed list that is only ever appended to.
const (
	Event      Kind = "event"
	Order      Kind = "order"
	Asset      Kind = "asset"
	Case       Kind = "case"
	Holding    Kind = "holding"
	Enrolment  Kind = "enrolment"
	Contract   Kind = "contract"
	Promotion  Kind = "promotion"
	Trait      Kind = "trait"
	Tag        Kind = "tag"
	Signal     Kind = "signal"
	Item       Kind = "item"
	Relation   Kind = "relation"
	Article    Kind = "article"
	Alert      Kind = "alert"
	Rule       Kind = "rule"
	Model      Kind = "model"
	Cohort     Kind = "cohort"
	Decision   Kind = "decision"
	Preference Kind = "preference"
	// Relationship is what one person is to another; Relation is between items.
	Relationship Kind = "relationship"
)

// Ref names one record. Events are "evt_" and 26 characters of base32; everything
// else is "kind:id" with an optional "@revision". Characters of a foreign id that
// would not survive in a URL path are written as ~XX (hexadecimal bytes).
type Ref string

// Make builds the ref of a record that is not an event. A revision of 0 means
// "as it is now" and is left out.
func Make(kind Kind, id string, revision uint64) Ref {
	var b strings.Builder
	b.Grow(len(kind) + len(id) + 24)
	b.WriteString(string(kind))
	b.WriteByte(':')
	escape(&b, id)
	if revision > 0 {
		b.WriteByte('@')
		writeUint(&b, revision)
	}
	return Ref(b.String())
}

// Kind tells what the ref opens onto; "" when it is not a ref.
func (r Ref) Kind() Kind {
	if strings.HasPrefix(string(r), "evt_") {
		return Event
	}
	if strings.HasPrefix(string(r), "dec_") {
		return Decision
	}
	kind, _, ok := strings.Cut(string(r), ":")
	if !ok {
		return ""
	}
	return Kind(kind)
}

// ID gives the record's own id and its revision (0 when none is named). For an
// event or a decision the id is the ref itself.
func (r Ref) ID() (id string, revision uint64) {
	_, rest, ok := strings.Cut(string(r), ":")
	if !ok {
		return string(r), 0
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if n, ok := readUint(rest[i+1:]); ok {
			return unescape(rest[:i]), n
		}
	}
	return unescape(rest), 0
}

// Record is a ref as it is shown: when it happened and one sentence about it in
// the reader's language.
type Record struct {
	Kind    Kind      `json:"kind"`
	Ref     Ref       `json:"ref"`
	At      time.Time `json:"at"`
	Summary string    `json:"summary"`
}

const hexDigits = "0123456789ABCDEF"

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

func escape(b *strings.Builder, id string) {
	for i := 0; i < len(id); i++ {
		if c := id[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('~')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
}

func unescape(s string) string {
	if strings.IndexByte(s, '~') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '~' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func writeUint(b *strings.Builder, n uint64) {
	var buf [20]byte
	i := len(buf)
	for {
		i--
		buf[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			break
		}
	}
	b.Write(buf[i:])
}

func readUint(s string) (uint64, bool) {
	if s == "" || len(s) > 19 {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}
