package event

import (
	"fmt"
	"strconv"
)

// Code names one way in which a body or an event can be wrong. Codes are stable:
// they stand in answers, and message catalogues are keyed by them.
type Code string

// What refuses a whole body. In a single call everything below does.
const (
	NotJSON       Code = "not_json"         // broken syntax, or something after the value
	InvalidUTF8   Code = "invalid_utf8"     // bytes that are no UTF-8
	LoneSurrogate Code = "lone_surrogate"   // \ud83d without its other half
	TooDeep       Code = "too_deep"         // more than MaxDepth levels
	TooLarge      Code = "body_too_large"   // more bytes than the call may have
	TooMany       Code = "too_many_events"  // more events than a batch may have
	NoBatch       Code = "batch_missing"    // a batch call without its array
	Mistyped      Code = "wrong_type"       // a member of another type than it must have
	DuplicateKey  Code = "duplicate_key"    // one object names a member twice
	NumberRange   Code = "number_range"     // a number beyond what a double can hold
	NoIdentity    Code = "no_identity"      // neither user id nor anonymous id
	NoName        Code = "event_missing"    // a track call without its event name
	NoGroup       Code = "group_id_missing" // a group call without its group
	NoPrevious    Code = "previous_missing" // an alias call without previous id or user id
	UnknownType   Code = "unknown_type"     // an event of a batch whose type is none of ours
	BadTime       Code = "bad_timestamp"    // no RFC 3339 time with its zone, or out of range
	BadID         Code = "bad_id"           // an id or name that is too long or holds a NUL
	EventTooLarge Code = "event_too_large"  // one event of a batch larger than a call may be
)

var sentences = map[Code]string{
	NotJSON:       "the body is not valid JSON",
	InvalidUTF8:   "the body is not valid UTF-8",
	LoneSurrogate: "an escaped surrogate stands without its other half",
	TooDeep:       "the body is nested too deeply",
	TooLarge:      "the body is too large",
	TooMany:       "the batch holds too many events",
	NoBatch:       "the batch has no array of events",
	Mistyped:      "a value has the wrong type",
	DuplicateKey:  "an object names the same member twice",
	NumberRange:   "a number is out of range",
	NoIdentity:    "neither userId nor anonymousId is given",
	NoName:        "the event has no name",
	NoGroup:       "the group has no id",
	NoPrevious:    "an alias needs userId and previousId",
	UnknownType:   "the type of the call is unknown",
	BadTime:       "a time is not RFC 3339 with a zone",
	BadID:         "an id or name is too long or holds a NUL",
	EventTooLarge: "the event is too large",
}

// String is the English sentence of a code.
func (c Code) String() string {
	if s, ok := sentences[c]; ok {
		return s
	}
	return string(c)
}

// Problem is why a whole body was refused.
type Problem struct {
	Code    Code
	Pointer string // JSON pointer (RFC 6901) to the faulty value; "" is the whole body
	Offset  int    // byte of the body where it was noticed
}

func (p *Problem) Error() string {
	s := p.Code.String() + " (byte " + strconv.Itoa(p.Offset)
	if p.Pointer != "" {
		s += ", at " + p.Pointer
	}
	return s + ")"
}

// Fault is why one event of a batch was refused; the others were taken.
type Fault struct {
	Index   int // place in the batch, from 0
	Code    Code
	Pointer string // JSON pointer from the root of the body
}

func (f Fault) Error() string {
	return fmt.Sprintf("event %d: %s (at %s)", f.Index, f.Code.String(), f.Pointer)
}
