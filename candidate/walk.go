package candidate

import "bytes"

// walk goes through the members of an object or the elements of a list that
// [event.Check] has accepted, without decoding what nobody asks for: a view of a
// product is a name and an id among two hundred bytes that a cohort need not
// read. On a text that is broken it ends early.
type walk struct {
	src   []byte
	at    int
	named bool
	name  []byte // unescaped
	value []byte // as written
}

// members walks an object; one that is none has none.
func members(src []byte) walk { return enter(src, '{') }

// elements walks a list.
func elements(src []byte) walk { return enter(src, '[') }

func enter(src []byte, with byte) walk {
	w := walk{src: src, named: with == '{'}
	if w.blank(); w.at >= len(src) || src[w.at] != with {
		w.src = nil
		return w
	}
	w.at++
	return w
}

func (w *walk) blank() {
	for w.at < len(w.src) && w.src[w.at] <= ' ' {
		w.at++
	}
}

// next goes to the next value; false: there is none.
func (w *walk) next() bool {
	w.blank()
	if w.at < len(w.src) && w.src[w.at] == ',' {
		w.at++
		w.blank()
	}
	if w.at >= len(w.src) || w.src[w.at] == '}' || w.src[w.at] == ']' {
		return false
	}
	if w.named {
		raw, ok := w.skip()
		if !ok || raw[0] != '"' {
			return false
		}
		if w.name = raw[1 : len(raw)-1]; bytes.IndexByte(w.name, '\\') >= 0 {
			w.name = []byte(unquote(raw))
		}
		if w.blank(); w.at >= len(w.src) || w.src[w.at] != ':' {
			return false
		}
		w.at++
		w.blank()
	}
	var ok bool
	w.value, ok = w.skip()
	return ok
}

// skip goes over one value and gives it.
func (w *walk) skip() (raw []byte, ok bool) {
	from, depth := w.at, 0
	for w.at < len(w.src) {
		switch w.src[w.at] {
		case '"':
			if !w.text() {
				return nil, false
			}
		case '{', '[':
			depth++
			w.at++
			continue
		case '}', ']':
			depth--
			w.at++
		default:
			if depth > 0 {
				w.at++
				continue
			}
			for w.at < len(w.src) && w.src[w.at] > ' ' && w.src[w.at] != ',' && w.src[w.at] != '}' && w.src[w.at] != ']' {
				w.at++
			}
		}
		if depth <= 0 {
			return w.src[from:w.at], w.at > from
		}
	}
	return nil, false
}

// text goes over a text.
func (w *walk) text() bool {
	for w.at++; ; w.at += 2 {
		i := bytes.IndexByte(w.src[w.at:], '"')
		if i < 0 {
			return false
		}
		escape := bytes.IndexByte(w.src[w.at:w.at+i], '\\')
		if escape < 0 {
			w.at += i + 1
			return true
		}
		if w.at += escape; w.at+2 > len(w.src) {
			return false
		}
	}
}
