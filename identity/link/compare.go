package link

import (
	"strings"
	"unicode"
)

// level says how two values of a field agree.
type level uint8

const (
	equal   level = iota
	oneEdit       // one letter wrong, missing, too many, or two changed places
	twoEdits
	near      // much alike
	alike     // somewhat alike
	swapped   // it stands in the other field of its group
	different // nothing in common
	missing   // one of the two does not say: no weight
	levels
)

var levelNames = [...]string{"equal", "one_edit", "two_edits", "close", "alike", "swapped", "different", "missing"}

func (l level) String() string { return levelNames[l] }

// column holds the values of one field, each text once.
type column struct {
	of     []int32 // by record; -1: missing
	texts  [][]rune
	counts []int32
	stated int
	equals float64   // pairs of records that state the same
	pairs  float64   // pairs of records that state something
	weight []float64 // by value: bits of being equal, as fitted
	cache  map[uint64]level
}

func columnOf(f Field, at int, records []Record) column {
	c := column{of: make([]int32, len(records)), cache: map[uint64]level{}}
	number, sources, both := map[string]int32{}, map[int]float64{}, map[[2]int32]float64{}
	for i := range records {
		v := normal(f.Kind, records[i].Values[at])
		if v == "" {
			c.of[i] = -1
			continue
		}
		n, known := number[v]
		if !known {
			n = int32(len(c.texts))
			number[v] = n
			c.texts = append(c.texts, []rune(v))
			c.counts = append(c.counts, 0)
		}
		c.of[i] = n
		c.counts[n]++
		c.stated++
	}
	for i := range records {
		if n := c.of[i]; n >= 0 {
			sources[records[i].Source]++
			both[[2]int32{n, int32(records[i].Source)}]++
		}
	}
	pairs := func(n float64) float64 { return n * (n - 1) / 2 }
	c.pairs = pairs(float64(c.stated))
	for _, n := range c.counts {
		c.equals += pairs(float64(n))
	}
	if len(sources) > 1 { // only what is across sources is compared
		for _, n := range sources {
			c.pairs -= pairs(n)
		}
		for _, n := range both {
			c.equals -= pairs(n)
		}
	}
	c.weight = make([]float64, len(c.texts))
	return c
}

// share is the chance that a stranger of two records states this very value: what
// the other records say, drawn towards the chance usual that any two strangers state
// the same (a Dirichlet prior with that mean and one record's worth of belief a value).
func (c *column) share(value int32, usual float64) float64 {
	return (float64(max(0, c.counts[value]-2)) + 1) / (float64(max(0, c.stated-2)) + 1/usual)
}

// normal is the one form under which values are compared: small letters, and of
// what separates words only that it does.
func normal(k Kind, v string) string {
	var b strings.Builder
	gap := false
	for _, r := range v {
		r = unicode.ToLower(r)
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
		case k == Exact && (r == '@' || r == '+' || r == '.' || r == '-' || r == '_'):
		default:
			gap = b.Len() > 0
			continue
		}
		if gap && k == Words {
			b.WriteByte(' ')
		}
		gap = false
		b.WriteRune(r)
	}
	return b.String()
}

func (c *column) compare(k Kind, x, y int32) level {
	switch {
	case x < 0 || y < 0:
		return missing
	case x == y:
		return equal
	case k == Choice:
		return different
	}
	if x > y {
		x, y = y, x
	}
	key := uint64(x)<<32 | uint64(y)
	if l, known := c.cache[key]; known {
		return l
	}
	l := compare(k, c.texts[x], c.texts[y])
	if len(c.cache) < 1<<20 {
		c.cache[key] = l
	}
	return l
}

// compare says how two different texts agree.
func compare(k Kind, x, y []rune) level {
	longest := max(len(x), len(y))
	if k != Words {
		switch d := edits(x, y, 2); {
		case d <= 1 && longest >= 3:
			return oneEdit
		case d <= 2 && longest >= 5:
			return twoEdits
		}
		return different
	}
	d := edits(x, y, max(2, longest))
	likeness := max(jaroWinkler(x, y), 1-float64(d)/float64(longest))
	switch {
	case d <= 1 && longest >= 3:
		return oneEdit
	case d <= 2 && longest >= 6:
		return twoEdits
	case likeness >= 0.88:
		return near
	case likeness >= 0.75:
		return alike
	}
	return different
}

// edits is the optimal string alignment distance (Damerau-Levenshtein without
// edits inside a transposition); more than most counts as most+1.
func edits(x, y []rune, most int) int {
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > most {
		return most + 1
	}
	var room [3 * 64]int
	width := len(x) + 1
	rows := room[:]
	if 3*width > len(room) {
		rows = make([]int, 3*width)
	}
	before, last, row := rows[:width], rows[width:2*width], rows[2*width:3*width]
	for i := range last {
		last[i] = i
	}
	for j := 1; j <= len(y); j++ {
		row[0] = j
		least := j
		for i := 1; i <= len(x); i++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			v := min(row[i-1]+1, last[i]+1, last[i-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				v = min(v, before[i-2]+1)
			}
			row[i] = v
			least = min(least, v)
		}
		if least > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return min(last[len(x)], most+1)
}

// jaroWinkler is Jaro's likeness of two texts, 0 to 1, raised by Winkler's bonus
// of a tenth for each of up to four equal first letters.
func jaroWinkler(x, y []rune) float64 {
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	reach := max(0, max(len(x), len(y))/2-1)
	var roomX, roomY [64]bool
	hitX, hitY := roomX[:], roomY[:]
	if len(x) > 64 || len(y) > 64 {
		hitX, hitY = make([]bool, len(x)), make([]bool, len(y))
	}
	hits := 0
	for i := range x {
		for j := max(0, i-reach); j < min(len(y), i+reach+1); j++ {
			if !hitY[j] && x[i] == y[j] {
				hitX[i], hitY[j] = true, true
				hits++
				break
			}
		}
	}
	if hits == 0 {
		return 0
	}
	out, j := 0, 0
	for i := range x {
		if !hitX[i] {
			continue
		}
		for !hitY[j] {
			j++
		}
		if x[i] != y[j] {
			out++
		}
		j++
	}
	n := float64(hits)
	jaro := (n/float64(len(x)) + n/float64(len(y)) + (n-float64(out)/2)/n) / 3
	first := 0
	for first < min(4, len(x), len(y)) && x[first] == y[first] {
		first++
	}
	return jaro + float64(first)*0.1*(1-jaro)
}

// compareRecords fills in how two records agree, field by field.
func (m *Model) compareRecords(a, b int, into []level) {
	for f := range m.fields {
		c := &m.columns[f]
		into[f] = c.compare(m.fields[f].Kind, c.of[a], c.of[b])
	}
	for f, g := range m.mates {
		// Two fields whose values changed places: the one says swapped, its mate nothing.
		if g <= f || (into[f] != different && into[g] != different) || into[f] == equal || into[g] == equal {
			continue
		}
		x, y := &m.columns[f], &m.columns[g]
		one := m.cross(x, x.of[a], y, y.of[b])
		two := m.cross(y, y.of[a], x, x.of[b])
		if one != different && two != different && (one != missing || two != missing) {
			into[f], into[g] = swapped, missing
		}
	}
}

// cross compares a value of one column with one of another: close enough to be
// the same, different, or missing.
func (m *Model) cross(x *column, v int32, y *column, w int32) level {
	if v < 0 || w < 0 {
		return missing
	}
	if l := compareAny(x.texts[v], y.texts[w]); l <= twoEdits {
		return equal
	}
	return different
}

func compareAny(x, y []rune) level {
	if string(x) == string(y) {
		return equal
	}
	if len(x) > len(y)+2 || len(y) > len(x)+2 {
		return different
	}
	return compare(Words, x, y)
}
