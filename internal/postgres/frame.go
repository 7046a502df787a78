package postgres

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/rapport-cx/rapport/event"
)

// The event column holds what the other columns do not:
//
//	kind (1) | flags (1) | received, milliseconds (varint) | name | subject | user id |
//	anonymous id | context | body
//
// each text and JSON with its length (uvarint) before it, the body without. They are
// bytes because people's ids and names may be texts that PostgreSQL's text cannot
// hold, and because JSON must come back as it came.
const (
	flagVerified = 1 << iota
	flagDeleted
	flagBody    // the body is not nil
	flagContext // the context is not nil
)

// kindErasure marks the row that tells the nodes of an erasure: hashes of the keys
// follow, 16 bytes each.
const kindErasure = 0xff

var errDamaged = errors.New("damaged")

func appendFrame(b []byte, e *event.Event) []byte {
	flags := byte(0)
	if e.Verified {
		flags |= flagVerified
	}
	if e.Deleted {
		flags |= flagDeleted
	}
	if e.Body != nil {
		flags |= flagBody
	}
	if e.Context != nil {
		flags |= flagContext
	}
	b = append(b, byte(e.Kind), flags)
	b = binary.AppendVarint(b, e.Received.UnixMilli())
	for _, s := range [...]string{e.Name, e.Subject, e.UserID, e.AnonymousID} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Context)))
	b = append(b, e.Context...)
	return append(b, e.Body...)
}

// openFrame makes the event again. Its context and body stay in b's memory.
func openFrame(id event.ID, at int64, b []byte) (e event.Event, err error) {
	if len(b) < 3 {
		return e, errDamaged
	}
	flags := b[1]
	e = event.Event{
		ID: id, Kind: event.Kind(b[0]), Time: time.UnixMilli(at).UTC(),
		Verified: flags&flagVerified != 0, Deleted: flags&flagDeleted != 0,
	}
	received, n := binary.Varint(b[2:])
	if n <= 0 {
		return e, errDamaged
	}
	e.Received = time.UnixMilli(received).UTC()
	b = b[2+n:]
	cut := func() (s []byte) {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			err, b = errDamaged, nil
			return nil
		}
		s, b = b[k:k+int(n):k+int(n)], b[k+int(n):]
		return s
	}
	for _, s := range [...]*string{&e.Name, &e.Subject, &e.UserID, &e.AnonymousID} {
		*s = string(cut())
	}
	context := cut()
	if flags&flagContext != 0 {
		e.Context = json.RawMessage(context)
	}
	if flags&flagBody != 0 {
		e.Body = json.RawMessage(b)
	}
	return e, err
}
