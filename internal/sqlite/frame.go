package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// A row of the log is
//
//	crc32c of what follows (4) | format (1) | definitions | end (1) | frames
//
// A definition gives a workspace, a key or a name the number by which frames speak
// of it, in the very row where the number is used first: the log explains itself.
// A frame is one event:
//
//	 0  4 length of the frame, itself included
//	 4 16 event id
//	20  4 workspace number
//	24  4 key number; 0: the event belongs to no person
//	28  4 number of the anonymous key that stood beside the user key; 0: none
//	32  8 position of the key's previous event; 0: this is the first
//	40  8 newest event time among the key's previous events, in milliseconds
//	48  8 event time, milliseconds since 1970
//	56  8 received, milliseconds since 1970
//	64  1 kind
//	65  1 flags
//	66  2 name number; 0: the name follows
//	68  4 length of the context
//	72  1 who: how the event's user and anonymous id are told
//	73    [name] [subject] [user id] [anonymous id] context body
//
// The chain of previous positions is the person index. It costs nothing at a
// commit and nothing behind it, where an index by person costs 13 to 21 µs an
// event and grows; what it costs is one read of a row an event when a history is
// folded anew, and rows are cut at 8 kB (twenty events) to bound that
// read: 0.6 ms for 30 events, where rows of 64 kB took 2 ms and saved nothing at commits. The newest earlier
// time lets a timeline, which goes by event time, stop walking early and be exact.
type frame []byte

const (
	rowFormat  = 1
	rowHeader  = 5
	headerSize = 73

	// A row is cut when it has this many events or bytes.
	rowEvents = 1<<positionBits - 1
	rowBytes  = 8 << 10

	positionBits = 12

	flagVerified = 1 << 0
	flagDeleted  = 1 << 1
	flagErased   = 1 << 2
	flagSubject  = 1 << 3
	flagBody     = 1 << 4 // the body is not nil
	flagContext  = 1 << 5 // the context is not nil

	userIsKey  = 1 << 0
	userInline = 1 << 1
	anonIsKey  = 1 << 2
	anonBeside = 1 << 3
	anonInline = 1 << 4
)

// never is older than every event time.
const never = math.MinInt64

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errDamaged = errors.New("damaged")
)

func makePosition(seq int64, index int) uint64 { return uint64(seq)<<positionBits | uint64(index+1) }

func splitPosition(p uint64) (seq int64, index int) {
	return int64(p >> positionBits), int(p&(1<<positionBits-1)) - 1
}

func (f frame) id() event.ID      { return event.ID(f[4:20]) }
func (f frame) workspace() uint32 { return binary.LittleEndian.Uint32(f[20:]) }
func (f frame) key() uint32       { return binary.LittleEndian.Uint32(f[24:]) }
func (f frame) beside() uint32    { return binary.LittleEndian.Uint32(f[28:]) }
func (f frame) previous() uint64  { return binary.LittleEndian.Uint64(f[32:]) }
func (f frame) newest() int64     { return int64(binary.LittleEndian.Uint64(f[40:])) }
func (f frame) time() int64       { return int64(binary.LittleEndian.Uint64(f[48:])) }
func (f frame) received() int64   { return int64(binary.LittleEndian.Uint64(f[56:])) }
func (f frame) kind() event.Kind  { return event.Kind(f[64]) }
func (f frame) flags() byte       { return f[65] }
func (f frame) name() uint16      { return binary.LittleEndian.Uint16(f[66:]) }
func (f frame) who() byte         { return f[72] }

// parts is what follows the header.
type parts struct{ name, subject, user, anon, context, body []byte }

// parts cuts the frame. Frames come from rows whose checksum held, so lengths are
// trusted here.
func (f frame) parts() (p parts) {
	rest := []byte(f[headerSize:])
	if f.name() == 0 {
		p.name, rest = cutBytes(rest)
	}
	if f.flags()&flagSubject != 0 {
		p.subject, rest = cutBytes(rest)
	}
	if f.who()&userInline != 0 {
		p.user, rest = cutBytes(rest)
	}
	if f.who()&anonInline != 0 {
		p.anon, rest = cutBytes(rest)
	}
	n := binary.LittleEndian.Uint32(f[68:])
	p.context, p.body = rest[:n:n], rest[n:]
	return p
}

func cutBytes(b []byte) (head, rest []byte) {
	n, k := binary.Uvarint(b)
	return b[k : k+int(n)], b[k+int(n):]
}

// link is what the writer knows of an event beside the event itself.
type link struct {
	workspace, key, beside uint32
	name                   uint16
	who                    byte
	previous               uint64
	newest                 int64
}

// appendFrame writes one event.
func appendFrame(b []byte, e *event.Event, l link) []byte {
	start := len(b)
	le := binary.LittleEndian
	flags := byte(0)
	if e.Verified {
		flags |= flagVerified
	}
	if e.Deleted {
		flags |= flagDeleted
	}
	if e.Subject != "" {
		flags |= flagSubject
	}
	if e.Body != nil {
		flags |= flagBody
	}
	if e.Context != nil {
		flags |= flagContext
	}
	var h [headerSize]byte
	copy(h[4:], e.ID[:])
	le.PutUint32(h[20:], l.workspace)
	le.PutUint32(h[24:], l.key)
	le.PutUint32(h[28:], l.beside)
	le.PutUint64(h[32:], l.previous)
	le.PutUint64(h[40:], uint64(l.newest))
	le.PutUint64(h[48:], uint64(e.Time.UnixMilli()))
	le.PutUint64(h[56:], uint64(e.Received.UnixMilli()))
	h[64] = byte(e.Kind)
	h[65] = flags
	le.PutUint16(h[66:], l.name)
	le.PutUint32(h[68:], uint32(len(e.Context)))
	h[72] = l.who
	b = append(b, h[:]...)
	if l.name == 0 {
		b = appendText(b, e.Name)
	}
	if e.Subject != "" {
		b = appendText(b, e.Subject)
	}
	if l.who&userInline != 0 {
		b = appendText(b, e.UserID)
	}
	if l.who&anonInline != 0 {
		b = appendText(b, e.AnonymousID)
	}
	b = append(b, e.Context...)
	b = append(b, e.Body...)
	le.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// frameSize is at least what appendFrame will write.
func frameSize(e *event.Event) int {
	return headerSize + len(e.Name) + len(e.Subject) + len(e.UserID) + len(e.AnonymousID) + len(e.Context) + len(e.Body) + 4*binary.MaxVarintLen32
}

// peek makes the event of a frame without copying its context and body: they are
// good while the row is. The caller may read words.
func (f frame) peek(d *words, key, beside identity.Key) event.Event {
	p := f.parts()
	e := event.Event{
		ID:       f.id(),
		Kind:     f.kind(),
		Name:     d.nameOf[f.name()],
		Time:     time.UnixMilli(f.time()).UTC(),
		Received: time.UnixMilli(f.received()).UTC(),
		Verified: f.flags()&flagVerified != 0,
		Deleted:  f.flags()&flagDeleted != 0,
	}
	if f.name() == 0 {
		e.Name = string(p.name)
	}
	if len(p.subject) > 0 {
		e.Subject = string(p.subject)
	}
	switch who := f.who(); {
	case who&userIsKey != 0:
		e.UserID = key.Value
	case who&userInline != 0:
		e.UserID = string(p.user)
	}
	switch who := f.who(); {
	case who&anonIsKey != 0:
		e.AnonymousID = key.Value
	case who&anonBeside != 0:
		e.AnonymousID = beside.Value
	case who&anonInline != 0:
		e.AnonymousID = string(p.anon)
	}
	if f.flags()&flagContext != 0 {
		e.Context = json.RawMessage(p.context)
	}
	if f.flags()&flagBody != 0 {
		e.Body = json.RawMessage(p.body)
	}
	return e
}

// own gives an event's context and body memory of their own.
func own(e *event.Event) {
	n := len(e.Context)
	b := make([]byte, n+len(e.Body))
	copy(b, e.Context)
	copy(b[n:], e.Body)
	if e.Context != nil {
		e.Context = b[:n:n]
	}
	if e.Body != nil {
		e.Body = b[n:]
	}
}

// empty is the frame of an erased event: its place, time and id, and nothing that
// it said.
func (f frame) empty() frame {
	b := append(frame(nil), f[:headerSize]...)
	if f.name() == 0 {
		b = appendText(b, "")
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[28:], 0)
	binary.LittleEndian.PutUint32(b[68:], 0)
	b[65] = flagErased
	b[72] = 0
	return b
}

// Definitions.
const (
	defineEnd       = 0
	defineWorkspace = 1
	defineKey       = 2
	defineName      = 3
)

func appendDefinition(b []byte, kind byte, number, workspace uint32, keyKind, value string) []byte {
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(number))
	if kind == defineKey {
		b = binary.AppendUvarint(b, uint64(workspace))
		b = binary.AppendUvarint(b, uint64(len(keyKind)))
		b = append(b, keyKind...)
	}
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// definition is one entry of a dictionary.
type definition struct {
	kind              byte
	number, workspace uint32
	keyKind, value    []byte
}

// definitions reads entries up to the end mark and returns what follows it.
func definitions(b []byte, each func(d definition) error) (rest []byte, err error) {
	uvarint := func() uint64 {
		v, k := binary.Uvarint(b)
		if k <= 0 {
			err, b = errDamaged, nil
			return 0
		}
		b = b[k:]
		return v
	}
	bytes := func() []byte {
		n := uvarint()
		if err != nil || n > uint64(len(b)) {
			err, b = errDamaged, nil
			return nil
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	for {
		if len(b) == 0 {
			return nil, errDamaged
		}
		d := definition{kind: b[0]}
		b = b[1:]
		if d.kind == defineEnd {
			return b, nil
		}
		d.number = uint32(uvarint())
		if d.kind == defineKey {
			d.workspace = uint32(uvarint())
			d.keyKind = bytes()
		}
		d.value = bytes()
		if err != nil {
			return nil, err
		}
		if err := each(d); err != nil {
			return nil, err
		}
	}
}

// rowBuilder collects the events of one row.
type rowBuilder struct {
	definitions []byte
	frames      []byte
	n           int
}

func (r *rowBuilder) reset() { r.definitions, r.frames, r.n = r.definitions[:0], r.frames[:0], 0 }

// body is the row as it is stored, in memory of its own.
func (r *rowBuilder) body() []byte {
	b := make([]byte, rowHeader, rowHeader+len(r.definitions)+1+len(r.frames))
	b[4] = rowFormat
	b = append(b, r.definitions...)
	b = append(b, defineEnd)
	b = append(b, r.frames...)
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

// openRow checks a row and gives its definitions to each (which may be nil) and
// back its frames.
func openRow(seq int64, body []byte, each func(d definition) error) (frames []byte, err error) {
	if len(body) < rowHeader || binary.LittleEndian.Uint32(body) != crc32.Checksum(body[4:], castagnoli) {
		return nil, fmt.Errorf("log row %d: checksum: %w", seq, errDamaged)
	}
	if body[4] != rowFormat {
		return nil, fmt.Errorf("log row %d: format %d is not known to this build", seq, body[4])
	}
	if each == nil {
		each = func(definition) error { return nil }
	}
	if frames, err = definitions(body[rowHeader:], each); err != nil {
		return nil, fmt.Errorf("log row %d: definitions: %w", seq, err)
	}
	return frames, nil
}

// next cuts the first frame off.
func next(frames []byte) (f frame, rest []byte, err error) {
	if len(frames) < headerSize {
		return nil, nil, errDamaged
	}
	n := binary.LittleEndian.Uint32(frames)
	if n < headerSize || uint64(n) > uint64(len(frames)) {
		return nil, nil, errDamaged
	}
	return frame(frames[:n:n]), frames[n:], nil
}
