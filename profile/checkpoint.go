package profile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile/click"
)

// The checkpoint form: a version, then the fields in the order of the code below.
// Numbers are varints, times milliseconds, each event but its body some thirty
// bytes. A text that repeats (names, ids of the person) is written once and then
// named by its number. An "evt_" ref is its sixteen bytes.
const checkpointVersion = 2

// MarshalBinary writes everything of the profile that folding on needs. Events are
// kept whole, at the precision of the log (milliseconds).
func (p *Profile) MarshalBinary() ([]byte, error) {
	e := encoder{b: make([]byte, 0, 512), known: map[string]uint64{}}
	e.b = append(e.b, checkpointVersion)
	e.name(string(p.Person))
	e.uint(uint64(len(p.Keys)))
	for _, k := range p.Keys {
		e.name(k.Kind)
		e.name(k.Value)
	}
	e.uint(p.Position)
	e.uint(uint64(p.Events))
	e.time(p.First)
	e.time(p.Last)
	e.b = append(e.b, p.newest[:]...)
	e.uint(uint64(p.dropped))

	e.uint(uint64(len(p.History)))
	for _, name := range sortedKeys(p.History) {
		list := p.History[name]
		e.name(name)
		e.uint(uint64(p.forgotten[name]))
		e.uint(uint64(len(list)))
		for _, ev := range list {
			e.event(ev)
		}
	}
	e.uint(uint64(len(p.Traits)))
	for _, name := range sortedKeys(p.Traits) {
		t := p.Traits[name]
		e.name(name)
		e.time(t.At)
		e.ref(t.Evidence)
		e.flags(t.Verified, t.Implied)
		e.value(t.Value)
	}
	e.uint(uint64(len(p.Records)))
	for _, kind := range sortedKeys(p.Records) {
		e.name(string(kind))
		e.uint(uint64(len(p.Records[kind])))
		for _, id := range sortedKeys(p.Records[kind]) {
			r := p.Records[kind][id]
			e.name(id)
			e.time(r.CreatedAt)
			e.time(r.UpdatedAt)
			e.flags(r.Verified, r.put != "")
			if r.put != "" {
				e.ref(r.put)
			}
			e.refs(r.Evidence)
			e.uint(uint64(len(r.told)))
			for _, name := range r.told {
				e.name(name)
			}
			e.value(r.Fields)
		}
	}
	e.uint(uint64(len(p.Contacts)))
	for _, c := range p.Contacts {
		e.name(c.Decision)
		e.name(c.Action)
		for _, t := range []time.Time{c.Shown, c.Opened, c.Accepted, c.Dismissed, c.Resolved} {
			e.time(t)
		}
		e.refs(c.Evidence)
	}
	e.flags(p.Preferences.PersonalizationOff, false)
	e.uint(uint64(len(p.Preferences.BlockedTags)))
	for _, t := range p.Preferences.BlockedTags {
		e.name(t)
	}
	e.uint(uint64(len(p.Preferences.Consent)))
	for _, purpose := range sortedKeys(p.Preferences.Consent) {
		e.name(purpose)
		e.flags(p.Preferences.Consent[purpose], false)
	}
	e.uint(uint64(len(p.Preferences.parts)))
	for _, part := range p.Preferences.parts {
		e.name(part.name)
		e.ref(part.ref)
	}
	e.refs(p.Preferences.Evidence)
	return p.watch.Append(e.b), nil
}

// UnmarshalBinary reads what MarshalBinary wrote into an empty profile. The data
// may be reused afterwards.
func (p *Profile) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || data[0] != checkpointVersion {
		return errors.New("profile: a checkpoint of another version; fold the log instead")
	}
	d := decoder{b: append([]byte(nil), data[1:]...)}
	*p = Profile{}
	p.Person = identity.PersonID(d.name())
	p.Keys = make([]identity.Key, d.count(2))
	for i := range p.Keys {
		p.Keys[i] = identity.Key{Kind: d.name(), Value: d.name()}
	}
	p.Position, p.Events = d.uint(), int(d.uint())
	p.First, p.Last = d.time(), d.time()
	copy(p.newest[:], d.take(len(p.newest)))
	p.dropped = uint32(d.uint())

	if n := d.count(3); n > 0 {
		p.History = make(map[string][]*event.Event, n)
		for range n {
			name, forgotten := d.name(), uint32(d.uint())
			if forgotten > 0 {
				if p.forgotten == nil {
					p.forgotten = map[string]uint32{}
				}
				p.forgotten[name] = forgotten
			}
			list := make([]*event.Event, d.count(minEvent))
			events := make([]event.Event, len(list))
			for i := range list {
				list[i] = &events[i]
				d.event(list[i], name)
			}
			p.History[name] = list
		}
	}
	if n := d.count(4); n > 0 {
		p.Traits = make(map[string]Trait, n)
		for range n {
			name := d.name()
			t := Trait{At: d.time(), Evidence: d.ref()}
			t.Verified, t.Implied = d.flags()
			t.Value = d.value(0)
			p.Traits[name] = t
		}
	}
	if n := d.count(2); n > 0 {
		p.Records = make(map[evidence.Kind]map[string]*Record, n)
		for range n {
			kind := evidence.Kind(d.name())
			m := make(map[string]*Record, d.count(6))
			p.Records[kind] = m
			for range d.counted {
				r := &Record{Kind: kind, ID: d.name(), CreatedAt: d.time(), UpdatedAt: d.time()}
				var put bool
				if r.Verified, put = d.flags(); put {
					r.put = d.ref()
				}
				r.Evidence = d.refs()
				if told := d.count(1); told > 0 {
					r.told = make([]string, told)
					for i := range r.told {
						r.told[i] = d.name()
					}
				}
				if r.Fields, _ = d.value(0).(map[string]any); r.Fields == nil {
					d.fail()
				}
				m[r.ID] = r
			}
		}
	}
	if n := d.count(8); n > 0 {
		p.Contacts = make([]Contact, n)
		for i := range p.Contacts {
			p.Contacts[i] = Contact{d.name(), d.name(), d.time(), d.time(), d.time(), d.time(), d.time(), d.refs()}
		}
	}
	p.Preferences.PersonalizationOff, _ = d.flags()
	for range d.count(1) {
		p.Preferences.BlockedTags = append(p.Preferences.BlockedTags, d.name())
	}
	if n := d.count(2); n > 0 {
		p.Preferences.Consent = make(map[string]bool, n)
		for range n {
			purpose := d.name()
			p.Preferences.Consent[purpose], _ = d.flags()
		}
	}
	for range d.count(2) {
		p.Preferences.parts = append(p.Preferences.parts, preferencePart{d.name(), d.ref()})
	}
	p.Preferences.Evidence = d.refs()
	var ok bool
	if p.watch, d.b, ok = click.ReadWatch(d.b); !ok {
		d.fail()
	}
	if d.bad || len(d.b) != 0 {
		person := p.Person
		*p = Profile{}
		return fmt.Errorf("profile of %q: the checkpoint is damaged; fold the log instead", string(person))
	}
	return nil
}

type encoder struct {
	b     []byte
	known map[string]uint64
}

func (e *encoder) uint(n uint64)    { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) time(t time.Time) { e.b = binary.AppendVarint(e.b, t.UnixMilli()) }

func (e *encoder) bytes(b []byte) {
	e.uint(uint64(len(b)))
	e.b = append(e.b, b...)
}

// name writes 0, length and text the first time, its number from then on.
func (e *encoder) name(s string) {
	if n, ok := e.known[s]; ok {
		e.uint(n)
		return
	}
	e.known[s] = uint64(len(e.known) + 1)
	e.uint(0)
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) flags(a, b bool) {
	var f byte
	if a {
		f |= 1
	}
	if b {
		f |= 2
	}
	e.b = append(e.b, f)
}

func (e *encoder) ref(r evidence.Ref) {
	if id, ok := event.ParseID(string(r)); ok {
		e.b = append(append(e.b, 1), id[:]...)
		return
	}
	e.b = append(e.b, 0)
	e.bytes([]byte(r))
}

func (e *encoder) refs(list []evidence.Ref) {
	e.uint(uint64(len(list)))
	for _, r := range list {
		e.ref(r)
	}
}

const minEvent = 16 + 1 + 5

const (
	eventVerified = 1 << (4 + iota)
	eventDeleted
	eventContext
)

func (e *encoder) event(ev *event.Event) {
	e.b = append(e.b, ev.ID[:]...)
	head := byte(ev.Kind) & 15
	if ev.Verified {
		head |= eventVerified
	}
	if ev.Deleted {
		head |= eventDeleted
	}
	if ev.Context != nil {
		head |= eventContext
	}
	e.b = append(e.b, head)
	e.name(ev.Subject)
	e.name(ev.UserID)
	e.name(ev.AnonymousID)
	e.time(ev.Time)
	e.b = binary.AppendVarint(e.b, ev.Received.UnixMilli()-ev.Time.UnixMilli())
	e.bytes(ev.Body)
	if ev.Context != nil {
		e.bytes(ev.Context)
	}
}

const (
	tagNull = iota
	tagFalse
	tagTrue
	tagInteger
	tagFloat
	tagText
	tagList
	tagObject
)

func (e *encoder) value(v any) {
	switch v := v.(type) {
	case bool:
		if v {
			e.b = append(e.b, tagTrue)
		} else {
			e.b = append(e.b, tagFalse)
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 && !(v == 0 && math.Signbit(v)) {
			e.b = binary.AppendVarint(append(e.b, tagInteger), int64(v))
			return
		}
		e.b = binary.LittleEndian.AppendUint64(append(e.b, tagFloat), math.Float64bits(v))
	case string:
		e.b = append(e.b, tagText)
		e.bytes([]byte(v))
	case []any:
		e.b = append(e.b, tagList)
		e.uint(uint64(len(v)))
		for _, x := range v {
			e.value(x)
		}
	case map[string]any:
		e.b = append(e.b, tagObject)
		e.uint(uint64(len(v)))
		for _, k := range sortedKeys(v) {
			e.name(k)
			e.value(v[k])
		}
	default:
		e.b = append(e.b, tagNull)
	}
}

// decoder walks bytes that may be damaged: after the first fault it is bad and
// gives zeros. It owns its bytes: bodies are slices of them.
type decoder struct {
	b       []byte
	names   []string
	counted int
	bad     bool
}

func (d *decoder) fail() { d.bad, d.b = true, nil }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many things of at least size bytes follow.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		n = 0
	}
	d.counted = int(n)
	return d.counted
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail()
		return nil
	}
	t := d.b[:n:n]
	d.b = d.b[n:]
	return t
}

func (d *decoder) time() time.Time { return time.UnixMilli(d.varint()).UTC() }

func (d *decoder) name() string {
	n := d.uint()
	if n > 0 {
		if n > uint64(len(d.names)) {
			d.fail()
			return ""
		}
		return d.names[n-1]
	}
	s := string(d.take(d.count(1)))
	d.names = append(d.names, s)
	return s
}

func (d *decoder) flags() (a, b bool) {
	f := d.take(1)
	return len(f) == 1 && f[0]&1 != 0, len(f) == 1 && f[0]&2 != 0
}

func (d *decoder) ref() evidence.Ref {
	switch tag := d.take(1); {
	case len(tag) == 0:
		return ""
	case tag[0] == 1:
		var id event.ID
		copy(id[:], d.take(len(id)))
		return evidence.Ref(id.String())
	}
	return evidence.Ref(d.take(d.count(1)))
}

func (d *decoder) refs() []evidence.Ref {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	list := make([]evidence.Ref, n)
	for i := range list {
		list[i] = d.ref()
	}
	return list
}

func (d *decoder) event(e *event.Event, name string) {
	copy(e.ID[:], d.take(len(e.ID)))
	head := d.take(1)
	if len(head) == 0 {
		return
	}
	e.Name = name
	e.Kind = event.Kind(head[0] & 15)
	e.Verified, e.Deleted = head[0]&eventVerified != 0, head[0]&eventDeleted != 0
	e.Subject, e.UserID, e.AnonymousID = d.name(), d.name(), d.name()
	at := d.varint()
	e.Time = time.UnixMilli(at).UTC()
	e.Received = time.UnixMilli(at + d.varint()).UTC()
	if body := d.take(d.count(1)); len(body) > 0 {
		e.Body = body
	}
	if head[0]&eventContext != 0 {
		if e.Context = d.take(d.count(1)); e.Context == nil {
			e.Context = []byte{}
		}
	}
}

// deepest is how far values may be nested: deeper than any accepted event.
const deepest = 256

func (d *decoder) value(depth int) any {
	tag := d.take(1)
	if len(tag) == 0 || depth > deepest {
		d.fail()
		return nil
	}
	switch tag[0] {
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagInteger:
		return float64(d.varint())
	case tagFloat:
		if b := d.take(8); b != nil {
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
	case tagText:
		return string(d.take(d.count(1)))
	case tagList:
		list := make([]any, d.count(1))
		for i := range list {
			list[i] = d.value(depth + 1)
		}
		return list
	case tagObject:
		n := d.count(2)
		m := make(map[string]any, n)
		for range n {
			k := d.name()
			m[k] = d.value(depth + 1)
		}
		return m
	case tagNull:
	default:
		d.fail()
	}
	return nil
}
