package event

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// Put is a record as a company's own system gives it: a version of an item,
// relation, article, attribute, order, asset, case, holding, enrolment, contract,
// promotion, preference or merge.
type Put struct {
	Workspace   string
	Name        string // its kind
	ID          string // its own id within the kind
	UserID      string // whose it is; "" for what is nobody's (catalogue, knowledge)
	AnonymousID string // set instead of UserID when the person has no user id
	UpdatedAt   time.Time
	Received    time.Time
	Deleted     bool
	// Body is a JSON object that has passed [Check]; it is copied.
	Body []byte
}

// RecordEvent is the event that a put of a record is. Its id follows from
// workspace, kind, id, person, updated_at and body: the same put sent again is a
// duplicate, whatever its white space.
func RecordEvent(p Put) Event {
	e := Event{
		Kind: Record, Name: p.Name, Subject: p.ID, UserID: p.UserID, AnonymousID: p.AnonymousID,
		Time:     time.UnixMilli(p.UpdatedAt.UnixMilli()).UTC(),
		Received: time.UnixMilli(p.Received.UnixMilli()).UTC(),
		Verified: true, Deleted: p.Deleted,
		Body: json.RawMessage("null"),
	}
	if !p.Deleted {
		e.Body = Compact(make([]byte, 0, len(p.Body)), bytes.TrimSpace(p.Body))
	}
	b := make([]byte, 0, 256+len(e.Body))
	b = append(append(b, p.Workspace...), 0, 0, byte(Record))
	for _, s := range []string{e.Name, e.Subject, e.UserID, e.AnonymousID} {
		b = appendSized(b, s)
	}
	b = appendInt(b, int(e.Time.UnixMilli()))
	b = append(append(b, 0), e.Body...)
	e.ID = hash(b)
	return e
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }
