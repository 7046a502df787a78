package signal

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// field gives the raw value of a key of a compact JSON object, nil when it has
// none. It scans instead of decoding: an evaluation looks at a handful of keys of
// up to some hundred events. Bodies were strictly validated when they came in.
func field(object []byte, key string) []byte {
	i := skipBlank(object, 0)
	if i >= len(object) || object[i] != '{' {
		return nil
	}
	for i++; i < len(object); {
		i = skipBlank(object, i)
		if i >= len(object) || object[i] != '"' {
			return nil
		}
		end := skipValue(object, i)
		name := object[i:end]
		i = skipBlank(object, end)
		if i >= len(object) || object[i] != ':' {
			return nil
		}
		i = skipBlank(object, i+1)
		end = skipValue(object, i)
		if len(name) == len(key)+2 && string(name[1:len(name)-1]) == key {
			return object[i:end]
		}
		i = skipBlank(object, end)
		if i < len(object) && object[i] == ',' {
			i++
		}
	}
	return nil
}

// elements calls yield with each element of a JSON array.
func elements(array []byte, yield func([]byte)) {
	i := skipBlank(array, 0)
	if i >= len(array) || array[i] != '[' {
		return
	}
	for i = skipBlank(array, i+1); i < len(array) && array[i] != ']'; {
		end := skipValue(array, i)
		if end == i {
			return
		}
		yield(array[i:end])
		i = skipBlank(array, end)
		if i < len(array) && array[i] == ',' {
			i = skipBlank(array, i+1)
		}
	}
}

func skipBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scalarEnds are the bytes that end a scalar which is no string.
var scalarEnds = [256]bool{',': true, ':': true, ']': true, '}': true, ' ': true, '\n': true, '\t': true, '\r': true, '"': true, '{': true, '[': true}

// skipText gives the offset behind a string, of which i is behind its first quote.
func skipText(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return len(b)
}

// skipValue gives the offset behind the value that starts at i.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipText(b, i+1)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			for i < len(b) && !scalarEnds[b[i]] {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// plain gives a raw scalar as text: a string's characters, a number or boolean as
// written, "" for null and for anything that is no scalar.
func plain(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return string(raw[1 : len(raw)-1])
		}
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case 'n', '{', '[':
		return ""
	}
	return string(raw)
}

// recordText is a record's field as text; numbers are written as JSON writes them.
func recordText(r *profile.Record, name string) string {
	switch v := r.Fields[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// thing is one item that an event speaks of.
type thing struct{ product, asset string }

// things lists the items that an event names: one, or one for each of its
// products. What the event leaves out is read from the case it names; a product
// of which the person has exactly one unit is that unit.
func things(e *event.Event, p *profile.Profile) []thing {
	base := thing{product: plain(field(e.Body, "product_id")), asset: plain(field(e.Body, "asset_id"))}
	if base.product == "" || base.asset == "" {
		if r := caseOf(e, p); r != nil {
			if product := recordText(r, "product_id"); base.product == "" {
				base.product = product
			}
			if asset := recordText(r, "asset_id"); base.asset == "" {
				base.asset = asset
			}
		}
	}
	if base.product == "" && base.asset == "" {
		var all []thing
		elements(field(e.Body, "products"), func(raw []byte) {
			t := thing{product: plain(field(raw, "product_id")), asset: plain(field(raw, "asset_id"))}
			if t != (thing{}) {
				all = append(all, t.known(p))
			}
		})
		if len(all) > 0 {
			return all
		}
	}
	return []thing{base.known(p)}
}

func (t thing) known(p *profile.Profile) thing {
	if p == nil {
		return t
	}
	assets := p.Records[evidence.Asset]
	if t.asset != "" {
		if r := assets[t.asset]; r != nil && t.product == "" {
			t.product = recordText(r, "product_id")
		}
		return t
	}
	if t.product == "" {
		return t
	}
	units, only := 0, ""
	for id, r := range assets {
		if recordText(r, "product_id") == t.product {
			units++
			only = id
		}
	}
	if units == 1 {
		t.asset = only
	}
	return t
}

func (t thing) device() string {
	if t.asset != "" {
		return t.asset
	}
	return t.product
}

func caseOf(e *event.Event, p *profile.Profile) *profile.Record {
	if p == nil {
		return nil
	}
	id := plain(field(e.Body, "case_id"))
	if id == "" {
		return nil
	}
	return p.Records[evidence.Case][id]
}

// keysOf appends to all the groups that an event belongs to, each as its key
// values in the order of by. A value that is missing stays "".
func keysOf(e *event.Event, by []string, m *Moment, all []member) []member {
	if len(by) == 0 {
		return append(all, member{event: e})
	}
	records := m.Person // what a device leaves out is read from the person's records, all else from the event
	if !slices.Contains(by, "device") {
		records = nil
	}
	for _, t := range things(e, records) {
		keys := make([]string, len(by))
		for i, name := range by {
			switch name {
			case "device":
				keys[i] = t.device()
			case "product_id":
				keys[i] = t.product
			case "asset_id":
				keys[i] = t.asset
			case "symptom":
				if m.Symptom != nil {
					keys[i] = m.Symptom(e)
				} else {
					keys[i] = plain(field(e.Body, name))
				}
			default:
				keys[i] = plain(field(e.Body, name))
			}
		}
		all = append(all, member{event: e, keys: keys, thing: t})
	}
	return all
}

// member is one event in one group.
type member struct {
	event *event.Event
	keys  []string
	thing thing
}

// Plain is a raw JSON value as text, "" when it is none or no scalar.
func Plain(raw []byte) string { return plain(raw) }

// Text is a property of an event as text, "" when it has none or it is no scalar.
func Text(e *event.Event, name string) string { return plain(field(e.Body, name)) }

// before tells the stable order of events: by time, then by id.
func before(a, b *event.Event) bool {
	if !a.Time.Equal(b.Time) {
		return a.Time.Before(b.Time)
	}
	return string(a.ID[:]) < string(b.ID[:])
}
