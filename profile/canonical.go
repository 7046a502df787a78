package profile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/evidence"
)

// Canonical is the profile as JSON text in which everything has its one place:
// keys sorted, events by their ids, times in milliseconds. The same set of events
// gives the same bytes. The log position is not in it, for it tells in what order
// they came.
func (p *Profile) Canonical() []byte {
	w := writers.Get().(*writer)
	defer w.leave()
	return bytes.Clone(p.canonical(w))
}

// canonical writes the profile; what it returns is w's and ends with it.
func (p *Profile) canonical(w *writer) []byte {
	w.open('{')
	w.key("person").text(string(p.Person))
	w.key("keys").open('[')
	for _, k := range p.Keys {
		w.item().text(k.String())
	}
	w.close(']')
	w.key("events").number(float64(p.Events))
	w.key("first").time(p.First)
	w.key("last").time(p.Last)
	w.key("newest").plain(p.newest.String())

	w.key("traits").open('{')
	for _, name := range sortedKeys(p.Traits) {
		t := p.Traits[name]
		w.key(name).open('{')
		w.key("at").time(t.At)
		w.key("evidence").text(string(t.Evidence))
		if t.Implied {
			w.key("implied").value(true)
		}
		w.key("value").value(t.Value)
		w.key("verified").value(t.Verified)
		w.close('}')
	}
	w.close('}')

	w.key("records").open('{')
	for _, kind := range sortedKeys(p.Records) {
		w.key(string(kind)).open('{')
		for _, id := range sortedKeys(p.Records[kind]) {
			r := p.Records[kind][id]
			w.key(id).open('{')
			w.key("created_at").time(r.CreatedAt)
			w.key("evidence").refs(r.Evidence)
			w.key("fields").value(r.Fields)
			w.key("updated_at").time(r.UpdatedAt)
			w.key("verified").value(r.Verified)
			w.close('}')
		}
		w.close('}')
	}
	w.close('}')

	w.key("history").open('{')
	for _, name := range sortedKeys(p.History) {
		w.key(name).open('[')
		for _, e := range p.History[name] {
			w.item().plain(e.ID.String())
		}
		w.close(']')
	}
	w.close('}')
	w.key("forgotten").open('{')
	for _, name := range sortedKeys(p.forgotten) {
		w.key(name).number(float64(p.forgotten[name]))
	}
	w.close('}')
	w.key("dropped").number(float64(p.dropped))

	w.key("contacts").open('[')
	for _, c := range p.Contacts {
		w.item().open('{')
		w.key("decision").text(c.Decision)
		w.key("action").text(c.Action)
		for _, step := range []struct {
			name string
			at   time.Time
		}{{"shown", c.Shown}, {"opened", c.Opened}, {"accepted", c.Accepted}, {"dismissed", c.Dismissed}, {"resolved", c.Resolved}} {
			if !step.at.IsZero() {
				w.key(step.name).time(step.at)
			}
		}
		w.key("evidence").refs(c.Evidence)
		w.close('}')
	}
	w.close(']')

	w.key("preferences").open('{')
	w.key("blocked_tags").open('[')
	for _, t := range p.Preferences.BlockedTags {
		w.item().text(t)
	}
	w.close(']')
	w.key("consent").open('{')
	for _, purpose := range sortedKeys(p.Preferences.Consent) {
		w.key(purpose).value(p.Preferences.Consent[purpose])
	}
	w.close('}')
	w.key("evidence").refs(p.Preferences.Evidence)
	w.key("personalization_off").value(p.Preferences.PersonalizationOff)
	w.close('}')

	w.key("hidden").open('{')
	for _, field := range sortedKeys(p.Hidden) {
		w.key(field).text(string(p.Hidden[field]))
	}
	w.close('}')
	w.close('}')
	return w.b
}

// Digest is SHA-256 of Canonical, in hexadecimal.
func (p *Profile) Digest() string {
	w := writers.Get().(*writer)
	defer w.leave()
	h := sha256.Sum256(p.canonical(w))
	return hex.EncodeToString(h[:])
}

// writer appends JSON. Each value is preceded by key or item, which set the commas.
type writer struct {
	b     []byte
	comma bool
}

// writers are used again: every decision names the digest of a profile, and its bytes
// are of no use after that.
var writers = sync.Pool{New: func() any { return &writer{b: make([]byte, 0, 8<<10)} }}

// widest bounds the bytes that a writer keeps for the next profile.
const widest = 1 << 20

func (w *writer) leave() {
	if cap(w.b) > widest {
		return
	}
	w.b, w.comma = w.b[:0], false
	writers.Put(w)
}

func (w *writer) open(c byte)  { w.b, w.comma = append(w.b, c), false }
func (w *writer) close(c byte) { w.b, w.comma = append(w.b, c), true }

func (w *writer) item() *writer {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
	return w
}

func (w *writer) key(name string) *writer {
	w.item().text(name)
	w.b = append(w.b, ':')
	return w
}

func (w *writer) text(s string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // never fails for a string
			w.b = append(w.b, quoted...)
			return
		}
	}
	w.plain(s)
}

// plain is a text of which it is known that nothing in it needs an escape.
func (w *writer) plain(s string) { w.b = append(append(append(w.b, '"'), s...), '"') }

func (w *writer) number(n float64) {
	if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
		w.b = strconv.AppendInt(w.b, int64(n), 10)
		return
	}
	w.b = strconv.AppendFloat(w.b, n, 'g', -1, 64)
}

func (w *writer) time(t time.Time) { w.b = strconv.AppendInt(w.b, t.UnixMilli(), 10) }

func (w *writer) refs(list []evidence.Ref) {
	w.open('[')
	for _, r := range list {
		w.item().text(string(r))
	}
	w.close(']')
}

func (w *writer) value(v any) {
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case bool:
		w.b = strconv.AppendBool(w.b, v)
	case float64:
		w.number(v)
	case string:
		w.text(v)
	case []any:
		w.open('[')
		for _, e := range v {
			w.item().value(e)
		}
		w.close(']')
	case map[string]any:
		w.open('{')
		for _, k := range sortedKeys(v) {
			w.key(k).value(v[k])
		}
		w.close('}')
	}
}
