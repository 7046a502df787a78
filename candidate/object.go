package candidate

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Fault is one thing wrong with a record that was sent: where (a JSON pointer,
// RFC 6901), a stable code, and a sentence.
type Fault struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Message Text   `json:"message"`
}

// Faults are all that is wrong with one record.
type Faults []Fault

func (f Faults) Error() string {
	parts := make([]string, len(f))
	for i, fault := range f {
		at := fault.Pointer
		if at == "" {
			at = "(whole body)"
		}
		parts[i] = at + ": " + fault.Message.En
	}
	return strings.Join(parts, "; ")
}

// faultSentences holds the sentence of each code in both languages.
var faultSentences = map[string]Text{
	"invalid_json":     {"不是合法的 JSON", "is no valid JSON"},
	"invalid_utf8":     {"含有非法的 UTF-8 字节", "holds invalid UTF-8"},
	"too_deep":         {"嵌套太深", "is nested too deep"},
	"duplicate_key":    {"同一个字段出现了两次", "names the same field twice"},
	"wanted_object":    {"应为对象", "must be an object"},
	"wanted_text":      {"应为文本", "must be a text"},
	"wanted_number":    {"应为有限的数字", "must be a finite number"},
	"wanted_integer":   {"应为整数", "must be a whole number"},
	"wanted_bool":      {"应为 true 或 false", "must be true or false"},
	"wanted_list":      {"应为列表", "must be a list"},
	"wanted_time":      {"应为 RFC 3339 时间", "must be an RFC 3339 time"},
	"wanted_money":     {"金额写作 {amount, currency}，amount 为最小货币单位的整数", "must be money: {amount, currency} with amount in whole minor units"},
	"wanted_attribute": {"属性应为值、{value, unit} 或 {min, max, unit}", "must be a value, {value, unit} or {min, max, unit}"},
	"wanted_direction": {"应为 higher 或 lower", "must be higher or lower"},
	"wanted_locale":    {"应为 zh-CN 或 en", "must be zh-CN or en"},
	"min_above_max":    {"min 大于 max", "has min above max"},
	"ends_early":       {"结束时间早于开始时间", "ends before it begins"},
	"missing":          {"缺少这个字段", "is missing"},
	"negative":         {"不能为负数", "must not be negative"},
	"too_long":         {"太长", "is too long"},
	"refers_to_itself": {"不能指向自身", "must not point to itself"},
}

// kind of a JSON value.
type kind byte

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

// node is one value of a record as it was sent, with what stands inside it.
type node struct {
	kind kind
	raw  []byte   // a slice of the source
	keys []string // of an object, in the order sent
	kids []node   // of an object or list
}

const maxDepth = 16

// reading walks one body once; it keeps every fault it meets.
type reading struct {
	src    []byte
	at     int
	faults Faults
}

// step is one part of the way to a value; the way is only written out for a fault.
type step struct {
	up   *step
	name string
}

func (s *step) pointer() string {
	if s == nil {
		return ""
	}
	return s.up.pointer() + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s.name)
}

func (r *reading) fault(at *step, code string) {
	if len(r.faults) < 64 {
		r.faults = append(r.faults, Fault{at.pointer(), code, faultSentences[code]})
	}
}

// read makes the tree of a whole body. ok is false when it is no JSON at all; the
// duplicate keys it met are faults.
func (r *reading) read() (n node, ok bool) {
	if !utf8.Valid(r.src) {
		r.fault(nil, "invalid_utf8")
		return n, false
	}
	if n, ok = r.value(nil, 0); ok {
		r.blank()
		if ok = r.at == len(r.src); !ok {
			r.fault(nil, "invalid_json")
		}
	}
	return n, ok
}

func (r *reading) blank() {
	for r.at < len(r.src) && (r.src[r.at] == ' ' || r.src[r.at] == '\n' || r.src[r.at] == '\t' || r.src[r.at] == '\r') {
		r.at++
	}
}

func (r *reading) take(c byte) bool {
	r.blank()
	if r.at < len(r.src) && r.src[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reading) value(way *step, depth int) (n node, ok bool) {
	if depth > maxDepth {
		r.fault(way, "too_deep")
		return n, false
	}
	r.blank()
	start := r.at
	if start >= len(r.src) {
		r.fault(way, "invalid_json")
		return n, false
	}
	switch c := r.src[start]; {
	case c == '{':
		n.kind = object
		ok = r.object(&n, way, depth)
	case c == '[':
		n.kind = list
		ok = r.list(&n, way, depth)
	case c == '"':
		n.kind = text
		if r.at, ok = endOfText(r.src, start); !ok {
			r.fault(way, "invalid_json")
		}
	default:
		n.kind, ok = r.word(way)
	}
	n.raw = r.src[start:r.at]
	return n, ok
}

func (r *reading) object(n *node, way *step, depth int) bool {
	r.at++
	if r.take('}') {
		return true
	}
	for {
		r.blank()
		end, ok := endOfText(r.src, r.at)
		if !ok {
			r.fault(way, "invalid_json")
			return false
		}
		key := unquote(r.src[r.at:end])
		r.at = end
		here := &step{way, key}
		if !r.take(':') {
			r.fault(way, "invalid_json")
			return false
		}
		kid, ok := r.value(here, depth+1)
		if !ok {
			return false
		}
		if n.has(key) {
			r.fault(here, "duplicate_key")
		}
		n.keys, n.kids = append(n.keys, key), append(n.kids, kid)
		if r.take('}') {
			return true
		}
		if !r.take(',') {
			r.fault(way, "invalid_json")
			return false
		}
	}
}

func (r *reading) list(n *node, way *step, depth int) bool {
	r.at++
	if r.take(']') {
		return true
	}
	for {
		kid, ok := r.value(&step{way, strconv.Itoa(len(n.kids))}, depth+1)
		if !ok {
			return false
		}
		n.kids = append(n.kids, kid)
		if r.take(']') {
			return true
		}
		if !r.take(',') {
			r.fault(way, "invalid_json")
			return false
		}
	}
}

func (r *reading) word(way *step) (kind, bool) {
	start := r.at
	for r.at < len(r.src) && strings.IndexByte(" \n\t\r,]}:\"[{", r.src[r.at]) < 0 {
		r.at++
	}
	switch w := string(r.src[start:r.at]); {
	case w == "null":
		return null, true
	case w == "true" || w == "false":
		return boolean, true
	case isNumber(w):
		return number, true
	}
	r.fault(way, "invalid_json")
	return null, false
}

// isNumber tells whether w follows JSON's grammar of numbers, which is narrower than ParseFloat's.
func isNumber(w string) bool {
	digits := func() bool {
		n := 0
		for n < len(w) && w[n] >= '0' && w[n] <= '9' {
			n++
		}
		w = w[n:]
		return n > 0
	}
	w = strings.TrimPrefix(w, "-")
	if strings.HasPrefix(w, "0") {
		w = w[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(w, ".") {
		if w = w[1:]; !digits() {
			return false
		}
	}
	if w != "" && (w[0] == 'e' || w[0] == 'E') {
		if w = w[1:]; w != "" && (w[0] == '+' || w[0] == '-') {
			w = w[1:]
		}
		if !digits() {
			return false
		}
	}
	return w == ""
}

// endOfText is the offset behind the closing quote of the string that begins at
// start; ok is false for a string that does not end, a bare control character, a
// bad escape or a lone surrogate.
func endOfText(src []byte, start int) (end int, ok bool) {
	if start >= len(src) || src[start] != '"' {
		return start, false
	}
	for i := start + 1; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"':
			return i + 1, true
		case c < 0x20:
			return i, false
		case c == '\\':
			i++
			if i >= len(src) {
				return i, false
			}
			if src[i] == 'u' {
				v, ok := hex4(src, i+1)
				if !ok {
					return i, false
				}
				i += 4
				if utf16.IsSurrogate(v) {
					low, ok := hex4(src, i+3)
					if !ok || src[i+1] != '\\' || src[i+2] != 'u' || utf16.DecodeRune(v, low) == utf8.RuneError {
						return i, false
					}
					i += 6
				}
			} else if strings.IndexByte(`"\/bfnrt`, src[i]) < 0 {
				return i, false
			}
		}
	}
	return len(src), false
}

func hex4(src []byte, at int) (rune, bool) {
	if at+4 > len(src) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(src[at:at+4]), 16, 16)
	return rune(v), err == nil
}

// unquote decodes a JSON string that endOfText has accepted.
func unquote(raw []byte) string {
	if len(raw) < 2 {
		return ""
	}
	raw = raw[1 : len(raw)-1]
	plain := true
	for _, c := range raw {
		if c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 >= len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			v, _ := hex4(raw, i+1)
			i += 4
			if utf16.IsSurrogate(v) {
				low, _ := hex4(raw, i+3)
				v = utf16.DecodeRune(v, low)
				i += 6
			}
			out = utf8.AppendRune(out, v)
		default:
			out = append(out, raw[i])
		}
	}
	return string(out)
}

func (n *node) has(key string) bool { return n.field(key) != nil }

// field is the value of an object's key, nil when it is not there.
func (n *node) field(key string) *node {
	for i, k := range n.keys {
		if k == key {
			return &n.kids[i]
		}
	}
	return nil
}

func (n *node) text() string { return unquote(n.raw) }

func (n *node) number() (float64, bool) {
	f, err := strconv.ParseFloat(string(n.raw), 64)
	return f, err == nil
}
