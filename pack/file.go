package pack

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/need/text"
)

// Limits of one file; a pack is written by hand.
const (
	largestFile = 1 << 20
	deepest     = 24
	mostFaults  = 200
)

// file is one YAML file that is being read. It never stops at the first fault.
type file struct {
	path   string
	lines  []string
	faults *Faults
	shape  *shape // not nil: nothing is read, what would be is noted down
}

// value is one node of a file.
type value struct {
	*file
	node *yaml.Node
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// open parses a file; ok is false when it cannot be read as YAML at all.
func open(path, text string, faults *Faults) (v value, ok bool) {
	f := &file{path: path, faults: faults}
	v.file = f
	if len(text) > largestFile {
		f.lines = strings.Split(text, "\n")
		longest := 0
		for i, line := range f.lines {
			if len(line) > len(f.lines[longest]) {
				longest = i
			}
		}
		f.fault(longest+1, 1, "file_too_long", len(text), largestFile)
		return v, false
	}
	if !utf8.ValidString(text) {
		f.fault(0, 0, "not_utf8")
		return v, false
	}
	text = strings.TrimPrefix(text, "\ufeff")
	f.lines = strings.Split(text, "\n")
	var document yaml.Node
	if err := parse(text, &document); err != nil {
		line := 0
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		message := strings.TrimPrefix(err.Error(), "yaml: ")
		message = strings.TrimPrefix(message, fmt.Sprintf("line %d: ", line))
		column := 0
		if line > 0 && line <= len(f.lines) {
			column = 1 + len(f.lines[line-1]) - len(strings.TrimLeft(f.lines[line-1], " "))
		}
		f.fault(line, column, "not_yaml", message)
		return v, false
	}
	if len(document.Content) == 0 {
		f.fault(0, 0, "file_empty")
		return v, false
	}
	v.node = document.Content[0]
	return v, f.plain(v.node, 0)
}

// parse keeps a panic of the YAML library, should there be one, from the caller.
func parse(text string, into *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return yaml.Unmarshal([]byte(text), into)
}

// plain refuses what a reader of packs would stumble over: aliases (which also
// can make a small file a huge one), odd tags, depth.
func (f *file) plain(n *yaml.Node, depth int) bool {
	ok := true
	switch {
	case depth > deepest:
		f.fault(n.Line, n.Column, "too_deep", deepest)
		return false
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		f.fault(n.Line, n.Column, "no_anchors")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		f.fault(n.Line, n.Column, "no_yaml_tag", n.Tag)
		ok = false
	}
	for _, c := range n.Content {
		ok = f.plain(c, depth+1) && ok
	}
	return ok
}

// fault notes what is wrong at a place: a code of the catalogues, and what fills the
// blanks of its sentence ([say]).
func (f *file) fault(line, column int, code string, args ...any) {
	if f.shape != nil {
		return
	}
	if len(*f.faults) >= mostFaults {
		return
	}
	fault := faulty(f.path, say(code, args...))
	fault.Line, fault.Column = line, column
	if line > 0 && line <= len(f.lines) {
		fault.Caret = caret(f.lines[line-1], column)
	}
	*f.faults = append(*f.faults, fault)
}

func (v value) fault(code string, args ...any) {
	v.file.fault(v.node.Line, v.node.Column, code, args...)
}

// fields says how each key of a mapping is read.
type fields map[string]func(value)

// object reads a mapping: unknown keys, keys given twice and missing required
// ones are faults.
func (v value) object(known fields, required ...string) {
	if v.shape != nil {
		v.shape.object(v, known, required)
		return
	}
	if v.node.Kind != yaml.MappingNode {
		v.fault("mapping_of", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := value{v.file, v.node.Content[i]}
		name := key.node.Value
		read, ok := known[name]
		switch {
		case seen[name]:
			key.fault("given_twice", name)
		case !ok && v.node.Content[i+1].Tag == "!!null" && v.node.Style&yaml.FlowStyle != 0:
			key.fault("stands_alone", name)
		case !ok:
			names := slices.Sorted(maps.Keys(known))
			if near := text.Nearest(name, names); near != "" {
				key.fault("unknown_near", name, near)
			} else {
				key.fault("unknown_here", name, strings.Join(names, ", "))
			}
		default:
			read(value{v.file, v.node.Content[i+1]})
		}
		seen[name] = true
	}
	for _, name := range required {
		if !seen[name] {
			v.fault("missing", name)
		}
	}
}

// entries reads a mapping whose keys are free.
func (v value) entries(each func(key, val value)) {
	if v.shape != nil {
		child := &shape{}
		v.note(map[string]any{"type": "object", "additionalProperties": child})
		each(v.described(&shape{}), v.described(child))
		return
	}
	if v.node.Kind != yaml.MappingNode {
		v.fault("mapping_expected")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := value{v.file, v.node.Content[i]}
		if seen[key.node.Value] {
			key.fault("given_twice", key.node.Value)
			continue
		}
		seen[key.node.Value] = true
		each(key, value{v.file, v.node.Content[i+1]})
	}
}

// list reads a sequence.
func (v value) list(each func(value)) {
	if v.shape != nil {
		child := &shape{}
		v.note(map[string]any{"type": "array", "items": child})
		each(v.described(child))
		return
	}
	if v.node.Kind != yaml.SequenceNode {
		v.fault("list_expected")
		return
	}
	for _, n := range v.node.Content {
		each(value{v.file, n})
	}
}

func (v value) scalar() (string, bool) {
	if v.shape != nil {
		v.note(scalars)
		return "", false
	}
	if v.node.Kind != yaml.ScalarNode || v.node.Tag == "!!null" {
		v.fault("text_expected")
		return "", false
	}
	return v.node.Value, true
}

func (v value) str(into *string) {
	if s, ok := v.scalar(); ok {
		*into = s
		if strings.TrimSpace(s) == "" {
			v.fault("text_empty")
		}
	}
}

func (v value) strs(into *[]string) {
	v.list(func(e value) {
		var s string
		e.str(&s)
		if s == "" {
			return
		}
		if slices.Contains(*into, s) {
			e.fault("listed_twice", s)
			return
		}
		*into = append(*into, s)
	})
}

func (v value) boolean(into *bool) {
	if v.shape != nil {
		v.note(map[string]any{"type": "boolean"})
		return
	}
	switch s, ok := v.scalar(); {
	case !ok:
	case s == "true":
		*into = true
	case s == "false":
		*into = false
	default:
		v.fault("bool_expected", s)
	}
}

func (v value) integer(into *int, least int) {
	if v.shape != nil {
		v.note(map[string]any{"type": "integer", "minimum": least, "maximum": 1_000_000})
		return
	}
	s, ok := v.scalar()
	if !ok {
		return
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > 1_000_000 {
		v.fault("whole_expected", least, s)
		return
	}
	*into = n
}

func (v value) number(into *float64) {
	if v.shape != nil {
		v.note(map[string]any{"type": "number"})
		return
	}
	s, ok := v.scalar()
	if !ok {
		return
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || math.Abs(x) > 1e9 {
		v.fault("number_expected", s)
		return
	}
	*into = x
}

// positive reads a factor above zero.
func (v value) positive(into *float64) {
	if v.shape != nil {
		v.note(map[string]any{"type": "number", "exclusiveMinimum": 0})
		return
	}
	x := math.NaN()
	if v.number(&x); math.IsNaN(x) {
		return
	}
	if x <= 0 {
		v.fault("factor_above_0", x)
		return
	}
	*into = x
}

// duration reads "90d", "2w", "36h", "15m".
func (v value) duration(into *time.Duration) {
	if v.shape != nil {
		v.note(map[string]any{"type": "string", "pattern": "^[0-9]+[dwhm]$"})
		return
	}
	s, ok := v.scalar()
	if !ok {
		return
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}
	if len(s) >= 2 {
		n, err := strconv.Atoi(s[:len(s)-1])
		if unit, known := units[s[len(s)-1]]; known && err == nil && n > 0 && n <= 100_000 {
			*into = time.Duration(n) * unit
			return
		}
	}
	v.fault("length_expected", s)
}

// money reads {amount, currency}, the amount in minor units.
func (v value) money(into *candidate.Money) {
	v.object(fields{
		"amount": func(v value) {
			n := 0
			v.integer(&n, 1)
			into.Amount = int64(n)
		},
		"currency": func(v value) {
			v.str(&into.Currency)
			if !currencyCode.MatchString(into.Currency) {
				v.fault("no_currency", into.Currency)
			}
		},
	}, "amount", "currency")
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// moment reads a day or an instant in a time zone. A day that ends something ends
// it at its midnight.
func (v value) moment(zone *time.Location, ends bool) (t time.Time) {
	s, ok := v.scalar()
	if !ok {
		return t
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		if ends {
			t = t.AddDate(0, 0, 1)
		}
		return t
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t
		}
	}
	v.fault("moment_expected", s)
	return t
}

// text reads a sentence in both languages; either missing is a fault.
func (v value) text(into *candidate.Text) {
	v.object(fields{
		"zh": func(v value) { v.str(&into.Zh) },
		"en": func(v value) { v.str(&into.En) },
	}, "zh", "en")
}

func (v value) choice(into *string, among ...string) {
	if v.shape != nil {
		v.note(map[string]any{"enum": among})
		return
	}
	s, ok := v.scalar()
	if !ok {
		return
	}
	if !slices.Contains(among, s) {
		v.fault("one_of", strings.Join(among, ", "), s)
		return
	}
	*into = s
}

var (
	identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	label      = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$`)
)

// name reads an identifier: ASCII, small letters, digits and underscores.
func (v value) name(into *string) {
	if v.shape != nil {
		v.note(map[string]any{"type": "string", "pattern": identifier.String()})
		return
	}
	s, ok := v.scalar()
	if !ok {
		return
	}
	if !identifier.MatchString(s) {
		v.fault("not_a_name", s)
		return
	}
	*into = s
}
