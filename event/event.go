// Package event is step 1 of the flow: what happened. It reads what other
// systems and browsers send (Segment's shape, strictly decoded), corrects its
// clock, names it and refuses what cannot be trusted, telling where and why.
//
// An [Event] never changes once it has been accepted. Its [ID] follows from the
// workspace and the sender's message id, so the same message is the same event
// whenever and however often it arrives.
package event

import (
	"encoding/base32"
	"encoding/json"
	"time"
)

// ID names an event: the first 16 bytes of SHA-256 over workspace and message id.
type ID [16]byte

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// String is the event's ref, "evt_" and 26 characters.
func (id ID) String() string {
	var b [30]byte
	copy(b[:], "evt_")
	idEncoding.Encode(b[4:], id[:])
	return string(b[:])
}

// ParseID reads what String wrote.
func ParseID(ref string) (id ID, ok bool) {
	if len(ref) != 30 || ref[:4] != "evt_" {
		return id, false
	}
	n, err := idEncoding.Decode(id[:], []byte(ref[4:]))
	return id, err == nil && n == 16
}

// Kind is the call by which an event came.
type Kind uint8

// The calls of the Segment specification, and Record for what a company's own
// systems put: catalogue, knowledge, business records, preferences, merges.
const (
	Track Kind = iota + 1
	Identify
	Page
	Screen
	Group
	Alias
	Record
)

var kindNames = [...]string{Track: "track", Identify: "identify", Page: "page", Screen: "screen", Group: "group", Alias: "alias", Record: "record"}

// String is the call's name in Segment's spelling; "record" for a record.
func (k Kind) String() string {
	switch {
	case k == Batch:
		return "batch"
	case int(k) < len(kindNames):
		return kindNames[k]
	}
	return ""
}

// Event is one thing that happened, or one record that was put.
type Event struct {
	ID          ID
	Kind        Kind
	Name        string // "Repair Reported"; "Page Viewed" for page calls; for a Record its kind: item, relation, article, attribute, order, asset, case, holding, enrolment, contract, promotion, preference, merge, unmerge …
	Subject     string // a Record's own id; the group id of a group call; the previous id of an alias call
	UserID      string
	AnonymousID string
	Time        time.Time // when it happened: clock-corrected, UTC, whole milliseconds; a record's updated_at
	Received    time.Time // when it reached us, UTC, whole milliseconds
	Verified    bool      // sent by secret key, import or proven identity
	Deleted     bool      // a Record that was deleted; Body is then null
	// Body is a JSON object, compact: the properties (track, page, screen), the
	// traits (identify, group) or the record's fields. It is never changed in place.
	Body json.RawMessage
	// Context is Segment's context object, compact, or nil.
	Context json.RawMessage
}

// Properties decodes Body anew at each call; numbers are float64. A caller that
// needs them twice keeps them.
func (e *Event) Properties() map[string]any {
	if len(e.Body) == 0 {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(e.Body, &m) != nil {
		return nil
	}
	return m
}
