package event

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
	"strconv"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may lie inside each other.
const MaxDepth = 64

// linearKeys is up to how many members duplicates are looked for one by one;
// beyond, a map is made, so that a hostile object costs no quadratic time.
const linearKeys = 24

// scanner reads one JSON text once, front to back, and accepts exactly what RFC
// 8259 calls JSON text in valid UTF-8 whose escapes make valid Unicode.
//
// There are two kinds of fault. A hard one (err) ends the reading: the text means
// nothing. A soft one (a name given twice, a number out of range) leaves the
// syntax intact: the first is kept and reading goes on, so that the other events
// of a batch can be taken.
type scanner struct {
	data   []byte
	pos    int
	depth  int
	path   [MaxDepth + 1]step // path[d] is where we are inside the value at depth d
	keys   []key              // the names of all open objects, innermost last
	spaced bool               // white space between tokens since it was last cleared
	err    *Problem
	soft   *Problem

	scratch []byte // unescaped text; grows, never moves back while a call is read
	hashed  []byte
	metas   []meta
}

// step is a member name or an index on the way to the present value.
type step struct {
	name  []byte // raw, as written
	index int    // when name is nil
}

// key is a member name for comparison: unescaped, its first 8 bytes as one number.
type key struct {
	tag  uint64
	text []byte
}

var scanners = sync.Pool{New: func() any { return &scanner{keys: make([]key, 0, 64), scratch: make([]byte, 0, 256)} }}

func scan(body []byte) *scanner {
	s := scanners.Get().(*scanner)
	s.data, s.pos, s.depth, s.spaced, s.err, s.soft = body, 0, 0, false, nil, nil
	s.keys, s.scratch, s.metas = s.keys[:0], s.scratch[:0], s.metas[:0]
	return s
}

// free gives the scanner back without holding on to the body it read.
func (s *scanner) free() {
	s.data, s.err, s.soft = nil, nil, nil
	clear(s.path[:])
	clear(s.keys[:cap(s.keys)])
	if cap(s.keys) > 4096 {
		s.keys = make([]key, 0, 64)
	}
	if cap(s.scratch) > 64<<10 {
		s.scratch = nil
	}
	scanners.Put(s)
}

// Check reads a JSON text of at most limit bytes strictly: syntax, UTF-8,
// surrogates, depth, duplicate names and numbers. It is for bodies that are
// decoded by other means afterwards. The error is a *Problem.
func Check(body []byte, limit int) error {
	if len(body) > limit {
		return &Problem{Code: TooLarge, Offset: limit}
	}
	s := scan(body)
	defer s.free()
	s.space()
	if s.value() {
		s.end()
	}
	return s.fault()
}

// fault is what stopped the reading, else the first soft fault.
func (s *scanner) fault() error {
	if s.err != nil {
		return s.err
	}
	if s.soft != nil {
		return s.soft
	}
	return nil
}

func (s *scanner) fail(c Code, at int) bool {
	if s.err == nil {
		s.err = &Problem{Code: c, Pointer: s.pointer(), Offset: at}
	}
	return false
}

func (s *scanner) note(c Code, at int) {
	if s.soft == nil {
		s.soft = &Problem{Code: c, Pointer: s.pointer(), Offset: at}
	}
}

// pointer is the JSON pointer of the present place.
func (s *scanner) pointer() string {
	var b []byte
	for d := range s.depth {
		st := s.path[d]
		if st.name == nil {
			if st.index < 0 {
				break // nothing read of it yet
			}
			b = strconv.AppendInt(append(b, '/'), int64(st.index), 10)
			continue
		}
		b = append(b, '/')
		for _, c := range unescape(nil, st.name) {
			switch c {
			case '~':
				b = append(b, "~0"...)
			case '/':
				b = append(b, "~1"...)
			default:
				b = append(b, c)
			}
		}
	}
	return string(b)
}

func (s *scanner) space() {
	d, i := s.data, s.pos
	if i < len(d) && d[i] > ' ' {
		return
	}
	for i < len(d) && (d[i] == ' ' || d[i] == '\n' || d[i] == '\t' || d[i] == '\r') {
		i++
	}
	if i != s.pos {
		s.spaced, s.pos = true, i
	}
}

// peek is the next byte, 0 at the end (a NUL in the text is no JSON either way).
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// end says whether nothing but space follows.
func (s *scanner) end() bool {
	s.space()
	if s.pos != len(s.data) {
		return s.fail(NotJSON, s.pos)
	}
	return true
}

// value reads over one value of any kind.
func (s *scanner) value() bool {
	switch c := s.peek(); {
	case c == '"':
		_, _, ok := s.text()
		return ok
	case c == '{':
		var m members
		for _, ok := s.first(&m); ok; _, ok = s.next(&m) {
			if !s.value() {
				return false
			}
		}
		return s.err == nil
	case c == '[':
		for ok := s.open(); ok; ok = s.more() {
			if !s.value() {
				return false
			}
		}
		return s.err == nil
	case c == '-' || c-'0' < 10:
		_, ok := s.number()
		return ok
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.fail(NotJSON, s.pos)
}

func (s *scanner) literal(word string) bool {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.fail(NotJSON, s.pos)
	}
	s.pos += len(word)
	return true
}

func (s *scanner) enter(st step) bool {
	if s.depth >= MaxDepth {
		return s.fail(TooDeep, s.pos)
	}
	s.path[s.depth] = st
	s.depth++
	s.pos++
	s.space()
	return true
}

// open enters an array; it and more say whether an element comes next. When they
// do not, the array was left (err is nil) or is broken.
func (s *scanner) open() bool {
	if !s.enter(step{index: -1}) {
		return false
	}
	if s.peek() == ']' {
		s.pos++
		s.depth--
		return false
	}
	s.path[s.depth-1].index = 0
	return true
}

func (s *scanner) more() bool {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		s.path[s.depth-1].index++
		return true
	case ']':
		s.pos++
		s.depth--
		return false
	}
	return s.fail(NotJSON, s.pos)
}

// members is the reading of one object: where its names begin among keys.
type members struct {
	base int
	many map[string]struct{}
}

// first enters an object; it and next give the name of the member whose value
// comes next. When ok is false the object was left (err is nil) or is broken. The
// name is unescaped and good until the object is left.
func (s *scanner) first(m *members) (name []byte, ok bool) {
	if !s.enter(step{index: -1}) {
		return nil, false
	}
	m.base = len(s.keys)
	if s.peek() == '}' {
		s.pos++
		s.depth--
		return nil, false
	}
	return s.name(m)
}

func (s *scanner) next(m *members) (name []byte, ok bool) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		return s.name(m)
	case '}':
		s.pos++
		s.depth--
		s.keys = s.keys[:m.base]
		return nil, false
	}
	return nil, s.fail(NotJSON, s.pos)
}

func (s *scanner) name(m *members) ([]byte, bool) {
	at := s.pos
	if s.peek() != '"' {
		return nil, s.fail(NotJSON, at)
	}
	raw, escaped, ok := s.text()
	if !ok {
		return nil, false
	}
	s.path[s.depth-1] = step{name: raw}
	if raw == nil {
		s.path[s.depth-1].name = []byte{}
	}
	text := raw
	if escaped {
		from := len(s.scratch)
		s.scratch = unescape(s.scratch, raw)
		text = s.scratch[from:len(s.scratch):len(s.scratch)]
	}
	s.remember(m, text, at)
	s.space()
	if s.peek() != ':' {
		return nil, s.fail(NotJSON, s.pos)
	}
	s.pos++
	s.space()
	return text, true
}

func (s *scanner) remember(m *members, text []byte, at int) {
	k := key{tag(text), text}
	if m.many != nil {
		if _, again := m.many[string(text)]; again {
			s.note(DuplicateKey, at)
		}
		m.many[string(text)] = struct{}{}
		return
	}
	for _, o := range s.keys[m.base:] {
		if o.tag == k.tag && len(o.text) == len(text) && (len(text) <= 8 || bytes.Equal(o.text, text)) {
			s.note(DuplicateKey, at)
			return
		}
	}
	s.keys = append(s.keys, k)
	if len(s.keys)-m.base > linearKeys {
		m.many = make(map[string]struct{}, 4*linearKeys)
		for _, o := range s.keys[m.base:] {
			m.many[string(o.text)] = struct{}{}
		}
	}
}

func tag(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var t uint64
	for i, c := range b {
		t |= uint64(c) << (8 * i)
	}
	return t
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text reads a string and gives what stands between its quotes, as written.
func (s *scanner) text() (raw []byte, escaped, ok bool) {
	d, start := s.data, s.pos+1
	i := start
	for {
		// Eight bytes at once: a byte that is a quote, a backslash, a control
		// character or not ASCII sets its high bit in odd. Only its lowest set
		// bit is exact (a borrow may spill upwards), and only that is used.
		for i+8 <= len(d) {
			w := binary.LittleEndian.Uint64(d[i:])
			quote, back := w^(ones*'"'), w^(ones*'\\')
			odd := (w | (w - ones*0x20) | (quote - ones) | (back - ones)) & highs
			if odd == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(odd) >> 3
			break
		}
		if i >= len(d) {
			return nil, false, s.fail(NotJSON, len(d))
		}
		c := d[i]
		switch {
		case c == '"':
			s.pos = i + 1
			return d[start:i], escaped, true
		case c == '\\':
			escaped = true
			n, code := escape(d[i:])
			if code != "" {
				return nil, false, s.fail(code, i)
			}
			i += n
		case c < 0x20:
			return nil, false, s.fail(NotJSON, i)
		case c < utf8.RuneSelf:
			i++
		default:
			// Text that is not ASCII comes in runs: stay here until one ends.
			for i < len(d) && d[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(d[i:])
				if r == utf8.RuneError && n <= 1 {
					return nil, false, s.fail(InvalidUTF8, i)
				}
				i += n
			}
		}
	}
}

// escape says how many bytes the escape at the start of b has, both halves of a
// surrogate pair included, or what is wrong with it.
func escape(b []byte) (n int, wrong Code) {
	if len(b) < 2 {
		return 0, NotJSON
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
		u, ok := hex4(b[2:])
		switch {
		case !ok:
			return 0, NotJSON
		case u < 0xd800 || u > 0xdfff:
			return 6, ""
		case u > 0xdbff || len(b) < 8 || b[6] != '\\' || b[7] != 'u':
			return 0, LoneSurrogate
		}
		if low, ok := hex4(b[8:]); !ok {
			return 0, NotJSON
		} else if low < 0xdc00 || low > 0xdfff {
			return 0, LoneSurrogate
		}
		return 12, ""
	}
	return 0, NotJSON
}

func hex4(b []byte) (u rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20-'a' < 6:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		u = u<<4 | rune(c)
	}
	return u, true
}

// unescape appends the meaning of a string that text accepted.
func unescape(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		raw = raw[i:]
		switch c := raw[1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			u, _ := hex4(raw[2:])
			raw = raw[6:]
			if u >= 0xd800 && u <= 0xdfff {
				low, _ := hex4(raw[2:])
				u = 0x10000 + (u-0xd800)<<10 + (low - 0xdc00)
				raw = raw[6:]
			}
			dst = utf8.AppendRune(dst, u)
			continue
		default:
			dst = append(dst, c)
		}
		raw = raw[2:]
	}
}

// number reads a number; whole says that it is written as a plain integer.
func (s *scanner) number() (whole, ok bool) {
	d, i := s.data, s.pos
	if d[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(d) && d[i]-'0' < 10 {
			i++
		}
		return i > from
	}
	if i < len(d) && d[i] == '0' {
		i++
	} else if !digits() {
		return false, s.fail(NotJSON, i)
	}
	whole = true
	if i < len(d) && d[i] == '.' {
		whole = false
		if i++; !digits() {
			return false, s.fail(NotJSON, i)
		}
	}
	exponent := false
	if i < len(d) && d[i]|0x20 == 'e' {
		whole, exponent = false, true
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if !digits() {
			return false, s.fail(NotJSON, i)
		}
	}
	// A double ends at 1.8e308; only an exponent or very many digits get there.
	if exponent || i-s.pos > 300 {
		if _, err := strconv.ParseFloat(string(d[s.pos:i]), 64); err != nil {
			s.note(NumberRange, s.pos)
		}
	}
	s.pos = i
	return whole, true
}

// Compact appends a JSON text without the white space between its tokens. The
// text must have passed [Check].
func Compact(dst, text []byte) []byte {
	for len(text) > 0 {
		switch c := text[0]; c {
		case ' ', '\n', '\t', '\r':
			text = text[1:]
		case '"':
			i := 1
			for text[i] != '"' {
				if text[i] == '\\' {
					i++
				}
				i++
			}
			dst = append(dst, text[:i+1]...)
			text = text[i+1:]
		default:
			dst = append(dst, c)
			text = text[1:]
		}
	}
	return dst
}

// Members gives the members of an object that has passed [Check], in their order:
// names unescaped, values as written. Both share the text and end with the call.
func Members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := scan(object)
		defer s.free()
		s.space()
		if s.peek() != '{' {
			return
		}
		var m members
		for name, ok := s.first(&m); ok; name, ok = s.next(&m) {
			at, text := s.pos, string(name)
			if !s.value() || !yield(text, object[at:s.pos]) {
				return
			}
		}
	}
}
