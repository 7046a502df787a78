package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// Limits of Segment's specification, in bytes and events.
const (
	MaxCall        = 32 << 10
	MaxBatch       = 500 << 10
	MaxBatchEvents = 2500
	// MaxID bounds ids and event names, so that keys and metrics stay small.
	MaxID = 512
)

// In is what the reader of a body knows besides the body.
type In struct {
	Workspace string
	Received  time.Time
	// Verified: a secret key or an import vouches for the ids in the body.
	Verified bool
	// Subject is the user id that the caller has proven by other means; events
	// under that user id are verified. "" when none.
	Subject string
	// Prove checks an identity token that stands in the body (identity_token) and
	// gives the user id it proves. Its error refuses the body. nil: tokens in the
	// body are not read.
	Prove func(token string) (subject string, err error)
	// NewID makes an unguessable id for an event that names neither a message id
	// nor a time of its own.
	NewID func() ID
}

// Two ways to be read; an Event never has these kinds.
const (
	Batch Kind = 255 // a body that carries several calls
	Typed Kind = 254 // a single call that names its kind itself in "type"; track when it does not
)

// Decode reads the body of one call strictly and appends its events to dst.
//
// A body that cannot be trusted as a whole (syntax, UTF-8, depth, size; in a
// single call any fault) is refused with a *Problem and dst comes back as it was.
// A faulty event of a batch is told in faults, in the order of the batch; the
// others are taken. The events hold nothing of body.
func Decode(dst []Event, kind Kind, body []byte, in In) (events []Event, faults []Fault, err error) {
	limit := MaxCall
	if kind == Batch {
		limit = MaxBatch
	}
	if len(body) > limit {
		return dst, nil, &Problem{Code: TooLarge, Offset: limit}
	}
	s := scan(body)
	defer s.free()
	r := reading{scanner: s, in: in, received: in.Received.UnixMilli()}
	from := len(dst)
	s.space()
	if kind == Batch {
		events, faults, err = r.batch(dst)
	} else {
		events, err = r.single(dst, kind)
	}
	if err != nil {
		return dst[:from], nil, err
	}
	subject := in.Subject
	if r.token != "" && in.Prove != nil {
		if subject, err = in.Prove(r.token); err != nil {
			return dst[:from], nil, err
		}
	}
	for i := range events[from:] {
		e := &events[from+i]
		e.Verified = in.Verified || subject != "" && e.UserID == subject
	}
	return events, faults, nil
}

// WriteKey finds the writeKey that the body of a call or batch carries, for
// senders that cannot set a header. It is "" when there is none or the body is
// broken (Decode then says how).
func WriteKey(body []byte) string {
	s := scan(body)
	defer s.free()
	s.space()
	if s.peek() != '{' {
		return ""
	}
	var m members
	for name, ok := s.first(&m); ok; name, ok = s.next(&m) {
		if string(name) == "writeKey" || string(name) == "write_key" {
			if s.peek() != '"' {
				return ""
			}
			raw, _, ok := s.text()
			if !ok || len(raw) > MaxID {
				return ""
			}
			return string(unescape(nil, raw))
		}
		if !s.value() {
			return ""
		}
	}
	return ""
}

// reading is one body being read.
type reading struct {
	*scanner
	in       In
	received int64
	token    string
}

// text is a string or whole number of the body, as written.
type text struct {
	raw     []byte
	escaped bool
	set     bool // the member was there, be it null
}

// part is an object of the body.
type part struct {
	raw    []byte
	spaced bool // has white space between its tokens
	set    bool
}

// call is one call as it is written, before it means anything.
type call struct {
	kind                                       Kind
	messageID, userID, anonymousID             text
	name, title, category, groupID, previousID text
	properties, traits, context                part
	times                                      stamps
	seenTimestamp, seenOriginal, seenSent      bool
	rawTimestamp                               []byte // as written, for the hash
}

// meta is what an event of a batch still waits for until the batch is read.
type meta struct {
	times stamps
	index int
}

func (r *reading) single(dst []Event, kind Kind) ([]Event, error) {
	if r.peek() != '{' {
		if r.value() && r.end() {
			r.fail(Mistyped, 0)
		}
		return dst, r.fault()
	}
	c := call{kind: kind}
	if kind == Typed {
		c.kind = Track
	}
	if !r.call(&c, kind == Typed, false) || !r.end() || r.soft != nil {
		return dst, r.fault()
	}
	e, p := r.event(&c)
	if p != nil {
		return dst, p
	}
	at, ok := c.times.correct(r.received)
	if !ok {
		return dst, &Problem{Code: BadTime, Pointer: "/timestamp"}
	}
	e.Time = time.UnixMilli(at).UTC()
	return append(dst, e), nil
}

func (r *reading) batch(dst []Event) ([]Event, []Fault, error) {
	var (
		from    = len(dst)
		faults  []Fault
		times   stamps
		context part
		found   bool
		seen    struct{ sent, context bool }
	)
	if r.peek() != '{' {
		if r.value() && r.end() {
			r.fail(Mistyped, 0)
		}
		return dst, nil, r.fault()
	}
	var m members
	for name, ok := r.first(&m); ok; name, ok = r.next(&m) {
		switch string(name) {
		case "batch":
			if r.peek() != '[' {
				r.note(Mistyped, r.pos)
				ok = r.value()
				break
			}
			found = true
			dst, faults, ok = r.events(dst)
		case "sentAt", "sent_at":
			ok = r.time(&times.sent, &times.hasSent, &seen.sent, nil)
		case "context":
			if seen.context {
				r.note(DuplicateKey, r.pos)
			}
			seen.context = true
			ok = r.part(&context)
		case "identity_token", "identityToken":
			ok = r.readToken()
		default:
			ok = r.value()
		}
		if !ok {
			break
		}
	}
	if r.err != nil || !r.end() || r.soft != nil {
		return dst[:from], nil, r.fault()
	}
	if !found {
		return dst[:from], nil, &Problem{Code: NoBatch, Pointer: "/batch"}
	}
	// What stands beside the array may come after it, so it is applied last.
	kept := dst[:from]
	for i := range dst[from:] {
		e, m := &dst[from+i], &r.metas[i]
		if !m.times.hasSent {
			m.times.sent, m.times.hasSent = times.sent, times.hasSent
		}
		at, ok := m.times.correct(r.received)
		if !ok {
			faults = insertFault(faults, Fault{Index: m.index, Code: BadTime, Pointer: "/batch/" + itoa(m.index) + "/timestamp"})
			continue
		}
		e.Time = time.UnixMilli(at).UTC()
		if context.raw != nil {
			e.Context = mergeContext(context.compact(), e.Context)
		}
		kept = append(kept, *e)
	}
	return kept, faults, nil
}

func (r *reading) events(dst []Event) ([]Event, []Fault, bool) {
	var faults []Fault
	n := 0
	for ok := r.open(); ok; ok = r.more() {
		if n == MaxBatchEvents {
			return dst, nil, r.fail(TooMany, r.pos)
		}
		// The batch's own faults are kept apart from those of its events.
		outer := r.soft
		r.soft = nil
		mark, start := len(r.scratch), r.pos
		c := call{}
		if r.peek() != '{' {
			r.note(Mistyped, r.pos)
			if !r.value() {
				return dst, nil, false
			}
		} else if !r.call(&c, true, true) {
			return dst, nil, false
		}
		p := r.soft
		r.soft = outer
		if p == nil && r.pos-start > MaxCall {
			p = &Problem{Code: EventTooLarge, Pointer: r.pointer(), Offset: start}
		}
		if p == nil {
			var e Event
			if e, p = r.event(&c); p == nil {
				dst = append(dst, e)
				r.metas = append(r.metas, meta{c.times, n})
			}
		}
		if p != nil {
			faults = append(faults, Fault{Index: n, Code: p.Code, Pointer: p.Pointer})
		}
		r.scratch = r.scratch[:mark]
		n++
	}
	return dst, faults, r.err == nil
}

func insertFault(faults []Fault, f Fault) []Fault {
	i := len(faults)
	for i > 0 && faults[i-1].Index > f.Index {
		i--
	}
	faults = append(faults, Fault{})
	copy(faults[i+1:], faults[i:])
	faults[i] = f
	return faults
}

// call reads one call's object. Members that mean nothing to us are checked and
// passed over.
func (r *reading) call(c *call, typed, batched bool) bool {
	var m members
	for name, ok := r.first(&m); ok; name, ok = r.next(&m) {
		switch string(name) {
		case "type":
			if typed {
				ok = r.kind(c)
			} else {
				ok = r.value()
			}
		case "messageId", "message_id":
			ok = r.text1(&c.messageID, false)
		case "userId", "user_id":
			ok = r.text1(&c.userID, true)
		case "anonymousId", "anonymous_id":
			ok = r.text1(&c.anonymousID, true)
		case "event":
			ok = r.text1(&c.name, false)
		case "name":
			ok = r.text1(&c.title, false)
		case "category":
			ok = r.text1(&c.category, false)
		case "groupId", "group_id":
			ok = r.text1(&c.groupID, true)
		case "previousId", "previous_id":
			ok = r.text1(&c.previousID, true)
		case "properties":
			ok = r.part(&c.properties)
		case "traits":
			ok = r.part(&c.traits)
		case "context":
			ok = r.part(&c.context)
		case "timestamp":
			ok = r.time(&c.times.timestamp, &c.times.hasTimestamp, &c.seenTimestamp, &c.rawTimestamp)
		case "originalTimestamp", "original_timestamp":
			ok = r.time(&c.times.original, &c.times.hasOriginal, &c.seenOriginal, &c.rawTimestamp)
		case "sentAt", "sent_at":
			ok = r.time(&c.times.sent, &c.times.hasSent, &c.seenSent, nil)
		case "identity_token", "identityToken":
			if batched {
				ok = r.value()
			} else {
				ok = r.readToken()
			}
		default:
			ok = r.value()
		}
		if !ok {
			return false
		}
	}
	return r.err == nil
}

func (r *reading) kind(c *call) bool {
	var t text
	at := r.pos
	if !r.text1(&t, false) {
		return false
	}
	switch string(t.raw) {
	case "track":
		c.kind = Track
	case "identify":
		c.kind = Identify
	case "page":
		c.kind = Page
	case "screen":
		c.kind = Screen
	case "group":
		c.kind = Group
	case "alias":
		c.kind = Alias
	default:
		r.note(UnknownType, at)
	}
	return true
}

// text1 reads a string; null is as good as absent, and a whole number is read as
// its digits where senders are known to put numeric ids.
func (r *reading) text1(t *text, numeric bool) bool {
	at := r.pos
	if t.set {
		r.note(DuplicateKey, at) // once in camelCase, once in snake_case
	}
	t.set = true
	switch c := r.peek(); {
	case c == '"':
		raw, escaped, ok := r.text()
		if !ok {
			return false
		}
		if len(raw) > MaxID || escaped && bytes.Contains(raw, []byte(`\u0000`)) {
			r.note(BadID, at)
		}
		t.raw, t.escaped = raw, escaped
		return true
	case c == 'n':
		return r.literal("null")
	case numeric && (c == '-' || c-'0' < 10):
		whole, ok := r.number()
		if !ok {
			return false
		}
		if !whole || r.pos-at > MaxID {
			r.note(Mistyped, at)
		}
		t.raw = r.data[at:r.pos]
		return true
	}
	r.note(Mistyped, at)
	return r.value()
}

func (r *reading) readToken() bool {
	if r.peek() != '"' {
		if r.peek() != 'n' {
			r.note(Mistyped, r.pos)
		}
		return r.value()
	}
	raw, _, ok := r.text()
	if ok && r.in.Prove != nil {
		r.token = string(unescape(nil, raw))
	}
	return ok
}

// part reads an object and remembers where it stands; null is as good as absent.
func (r *reading) part(p *part) bool {
	if p.set {
		r.note(DuplicateKey, r.pos)
	}
	p.set = true
	at := r.pos
	if c := r.peek(); c != '{' {
		if c != 'n' {
			r.note(Mistyped, at)
		}
		return r.value()
	}
	outer := r.spaced
	r.spaced = false
	if !r.value() {
		return false
	}
	p.raw, p.spaced = r.data[at:r.pos], r.spaced
	r.spaced = outer
	return true
}

// compact is the part without white space; it may share the body's bytes.
func (p part) compact() []byte {
	if p.spaced {
		return Compact(make([]byte, 0, len(p.raw)), p.raw)
	}
	return p.raw
}

func (r *reading) time(ms *int64, has, seen *bool, raw *[]byte) bool {
	at := r.pos
	if *seen {
		r.note(DuplicateKey, at)
	}
	*seen = true
	switch r.peek() {
	case 'n':
		return r.literal("null")
	case '"':
		written, escaped, ok := r.text()
		if !ok {
			return false
		}
		if escaped {
			written = unescape(nil, written)
		}
		if *ms, *has = parseTime(written); !*has {
			r.note(BadTime, at)
		}
		if raw != nil && *raw == nil {
			*raw = written
		}
		return true
	}
	r.note(BadTime, at)
	return r.value()
}

func (r *reading) wrong(c Code, member string) *Problem {
	return &Problem{Code: c, Pointer: r.pointer() + member, Offset: r.pos}
}

// event gives a call its meaning; its time is set by the caller.
func (r *reading) event(c *call) (e Event, p *Problem) {
	if len(c.userID.raw) == 0 && len(c.anonymousID.raw) == 0 && (c.kind != Alias || len(c.previousID.raw) == 0) {
		return e, r.wrong(NoIdentity, "/userId")
	}
	e = Event{Kind: c.kind, Received: time.UnixMilli(r.received).UTC()}
	var name, subject text
	fixed, body := "", c.properties
	switch c.kind {
	case Track:
		if name = c.name; len(name.raw) == 0 {
			return e, r.wrong(NoName, "/event")
		}
	case Page:
		fixed = "Page Viewed"
	case Screen:
		fixed = "Screen Viewed"
	case Identify:
		body = c.traits
	case Group:
		body = c.traits
		if subject = c.groupID; len(subject.raw) == 0 {
			return e, r.wrong(NoGroup, "/groupId")
		}
	case Alias:
		body = part{}
		if subject = c.previousID; len(subject.raw) == 0 || len(c.userID.raw) == 0 {
			return e, r.wrong(NoPrevious, "/previousId")
		}
	default:
		return e, r.wrong(UnknownType, "/type")
	}

	// All texts of the event are one string and its objects one slice: two
	// allocations an event.
	mark := len(r.scratch)
	from := mark
	add := func(t text) (n int) {
		before := len(r.scratch)
		if t.escaped {
			r.scratch = unescape(r.scratch, t.raw)
		} else {
			r.scratch = append(r.scratch, t.raw...)
		}
		return len(r.scratch) - before
	}
	nName, nSubject, nUser, nAnonymous := add(name), add(subject), add(c.userID), add(c.anonymousID)
	all := string(r.scratch[from:])
	r.scratch = r.scratch[:mark]
	cut := func(n int) (s string) { s, all = all[:n], all[n:]; return s }
	e.Name, e.Subject, e.UserID, e.AnonymousID = cut(nName), cut(nSubject), cut(nUser), cut(nAnonymous)
	if fixed != "" {
		e.Name = fixed
	}

	if c.kind == Page || c.kind == Screen {
		e.Body = viewBody(c, body.compact())
		if c.context.raw != nil {
			e.Context = bytes.Clone(c.context.compact())
		}
	} else {
		e.Body, e.Context = keep(body, c.context)
	}
	e.ID = r.id(c, &e)
	return e, nil
}

var emptyObject = json.RawMessage("{}")

// keep copies both objects, compact, into one slice.
func keep(body, context part) (b, c json.RawMessage) {
	if body.raw == nil && context.raw == nil {
		return emptyObject, nil
	}
	buf := make([]byte, 0, len(body.raw)+len(context.raw))
	put := func(p part) []byte {
		from := len(buf)
		if p.spaced {
			buf = Compact(buf, p.raw)
		} else {
			buf = append(buf, p.raw...)
		}
		return buf[from:len(buf):len(buf)]
	}
	b = emptyObject
	if body.raw != nil {
		b = put(body)
	}
	if context.raw != nil {
		c = put(context)
	}
	return b, c
}

// viewBody is the properties of a page or screen call with name and category of
// the call, and path, url and title of context.page, where they are not there yet.
func viewBody(c *call, properties []byte) json.RawMessage {
	if properties == nil {
		properties = emptyObject
	}
	has := objectMembers(properties)
	out := make([]byte, 0, len(properties)+len(c.title.raw)+len(c.category.raw)+32)
	out = append(out, properties[:len(properties)-1]...)
	put := func(name string, quoted []byte) {
		if _, there := has[name]; there || len(quoted) <= 2 {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, name...)
		out = append(out, '"', ':')
		out = append(out, quoted...)
	}
	quote := func(t text) []byte {
		if len(t.raw) == 0 {
			return nil
		}
		return append(append([]byte{'"'}, t.raw...), '"')
	}
	put("name", quote(c.title))
	put("category", quote(c.category))
	if c.context.raw != nil {
		page := objectMembers(objectMembers(c.context.raw)["page"])
		for _, name := range [...]string{"path", "url", "title"} {
			if v := page[name]; len(v) > 0 && v[0] == '"' {
				put(name, v)
			}
		}
	}
	return append(out, '}')
}

// objectMembers are the members of an object that has passed the scanner, as
// written; nil when it is no object.
func objectMembers(object []byte) map[string][]byte {
	if len(object) == 0 || object[0] != '{' {
		return nil
	}
	s := scan(object)
	defer s.free()
	all := map[string][]byte{}
	var m members
	for name, ok := s.first(&m); ok; name, ok = s.next(&m) {
		at := s.pos
		if !s.value() {
			return all
		}
		all[string(name)] = object[at:s.pos]
	}
	return all
}

// mergeContext is the batch's context under the event's own, member by member, as
// in the Segment specification.
func mergeContext(batch, own []byte) json.RawMessage {
	if own == nil {
		return bytes.Clone(batch)
	}
	has := objectMembers(own)
	s := scan(batch)
	defer s.free()
	out := append(make([]byte, 0, len(batch)+len(own)), own[:len(own)-1]...)
	var m members
	for name, ok := s.first(&m); ok; name, ok = s.next(&m) {
		key, at := s.path[s.depth-1].name, s.pos
		if !s.value() {
			break
		}
		if _, there := has[string(name)]; there {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), key...), '"', ':')
		out = append(out, batch[at:s.pos]...)
	}
	return append(out, '}')
}

// id names the event: after its message id, else after what it says if it names
// its own time, else anew.
func (r *reading) id(c *call, e *Event) ID {
	b := append(r.hashed[:0], r.in.Workspace...)
	b = append(b, 0)
	switch {
	case len(c.messageID.raw) > 0:
		if c.messageID.escaped {
			b = unescape(b, c.messageID.raw)
		} else {
			b = append(b, c.messageID.raw...)
		}
	case c.rawTimestamp != nil:
		// A message id never begins with a NUL (BadID), so the two never meet.
		b = append(b, 0, byte(e.Kind))
		b = appendSized(b, e.Name)
		b = appendSized(b, e.Subject)
		b = appendSized(b, e.UserID)
		b = appendSized(b, e.AnonymousID)
		b = appendSized(b, string(c.rawTimestamp))
		b = appendSized(b, string(e.Body))
		b = append(b, e.Context...)
	default:
		return r.in.NewID()
	}
	r.hashed = b
	return hash(b)
}

// MessageID is the id of the event with that message id in a workspace.
func MessageID(workspace, messageID string) ID {
	return hash(append(append(append(make([]byte, 0, len(workspace)+len(messageID)+1), workspace...), 0), messageID...))
}

func hash(b []byte) (id ID) {
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}

// appendSized appends a text so that two different lists of texts never become
// the same bytes.
func appendSized(b []byte, s string) []byte {
	n := len(s)
	return append(append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), s...)
}

func itoa(n int) string {
	return string(appendInt(nil, n))
}
