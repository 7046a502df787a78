package candidate

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/scene"
)

// Value is one attribute of an item, read: words, a yes or no, or a number or
// range with its unit.
type Value struct {
	Text    string  // as the item states it
	Numeric bool    // Min and Max are set
	Flag    *bool   // set for true and false
	Min     float64 // Min = Max for a single number; in Unit
	Max     float64
	Unit    string // as the item states it, "" for none
	List    bool   // a list of words, joined in Text
	Said    *Text  // words in both languages; Text is one of them
}

// measure is a unit's dimension and its size in the dimension's own unit.
type measure struct {
	dimension string
	size      float64
}

// measures are the units that can be turned into one another, by lower-case name.
// Power (W) and energy (Wh), charge (mAh) and energy, mass and volume are different things.
var measures = func() map[string]measure {
	all := map[string]measure{}
	add := func(dimension string, size float64, names ...string) {
		for _, n := range names {
			all[n] = measure{dimension, size}
		}
	}
	add("length", 0.001, "mm", "毫米", "millimetre", "millimeter")
	add("length", 0.01, "cm", "厘米", "公分", "centimetre", "centimeter")
	add("length", 1, "m", "米", "metre", "meter", "metres", "meters")
	add("length", 1000, "km", "公里", "千米")
	add("length", 0.0254, "in", "inch", "inches", "英寸", "寸", "″")
	add("mass", 0.001, "mg", "毫克")
	add("mass", 1, "g", "克", "gram", "grams")
	add("mass", 500, "斤")
	add("mass", 1000, "kg", "千克", "公斤", "kilogram", "kilograms")
	add("mass", 453.59237, "lb", "lbs", "pound", "pounds", "磅")
	add("mass", 28.349523125, "oz", "盎司")
	add("volume", 0.001, "ml", "毫升", "millilitre", "milliliter")
	add("volume", 1, "l", "升", "litre", "liter", "litres", "liters")
	add("power", 1, "w", "瓦", "watt", "watts")
	add("power", 1000, "kw", "千瓦")
	add("energy", 1, "wh", "瓦时")
	add("energy", 1000, "kwh", "千瓦时", "度")
	add("charge", 1, "mah", "毫安时", "毫安")
	add("charge", 1000, "ah", "安时")
	add("data", 1, "mb")
	add("data", 1024, "gb", "g内存")
	add("data", 1024*1024, "tb")
	add("frequency", 1, "hz", "赫兹", "赫")
	add("frequency", 1e3, "khz")
	add("frequency", 1e6, "mhz")
	add("frequency", 1e9, "ghz")
	add("time", 1, "s", "sec", "second", "seconds", "秒")
	add("time", 60, "min", "minute", "minutes", "分钟")
	add("time", 3600, "h", "hr", "hour", "hours", "小时", "个小时")
	add("time", 86400, "d", "day", "days", "天")
	add("months", 1, "month", "months", "个月", "月")
	add("months", 12, "year", "years", "yr", "年")
	add("area", 1, "m2", "m²", "㎡", "平方米", "平米", "sqm")
	add("flow", 1, "m3/h", "m³/h", "立方米/小时", "立方米/时")
	add("persons", 1, "人", "口", "位", "口人", "个人", "人份", "person", "persons", "people", "pers")
	add("loudness", 1, "db", "分贝", "db(a)")
	add("voltage", 1, "v", "伏", "volt", "volts")
	add("share", 1, "%", "percent")
	add("resolution", 1, "mp", "万像素")
	add("CNY", 1, "¥", "￥", "元", "cny", "rmb")
	add("USD", 1, "$", "usd")
	add("EUR", 1, "€", "eur")
	return all
}()

func measureOf(unit string) (measure, bool) {
	if m, ok := measures[unit]; ok {
		return m, true
	}
	m, ok := measures[strings.ToLower(unit)]
	return m, ok
}

// convert turns a number of one unit into another; ok is false when they measure
// different things. Equal names always convert, known or not.
func convert(x float64, from, to string) (float64, bool) {
	if from == to || strings.EqualFold(from, to) {
		return x, true
	}
	a, ok := measureOf(from)
	if !ok {
		return 0, false
	}
	b, ok := measureOf(to)
	if !ok || a.dimension != b.dimension {
		return 0, false
	}
	if a.size == b.size {
		return x, true
	}
	return rounded(float64(x*a.size) / b.size), true
}

// rounded keeps nine significant digits, so that 45 mm is 4.5 cm and not 4.500000000000001.
func rounded(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 9, 64), 64)
	return y
}

// figure writes a number for reading: no exponent, at most four decimals.
func figure(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	s := strconv.FormatFloat(x, 'f', 4, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// spell writes a range with its unit: "4–6 人", "4.5 cm", "¥299".
func spell(min, max float64, unit string) string {
	s := figure(min)
	if min != max {
		s += "–" + figure(max)
	}
	switch unit {
	case "":
		return s
	case "¥", "￥", "$", "€", "£":
		if min == max {
			return unit + pennies(min)
		}
		return unit + pennies(min) + "–" + pennies(max)
	case "%", "″", "°C", "℃":
		return s + unit
	}
	return s + " " + unit
}

// pennies writes an amount of money: 59, 50.90, 500,000.
func pennies(x float64) string {
	if x == math.Trunc(x) {
		return Grouped(figure(x))
	}
	return Grouped(strconv.FormatFloat(x, 'f', 2, 64))
}

// Grouped sets commas between the thousands of an amount of five digits and more, for
// zeros in a row are miscounted.
func Grouped(digits string) string {
	whole, rest, _ := strings.Cut(digits, ".")
	if strings.ContainsAny(whole, "eE") || len(strings.TrimPrefix(whole, "-")) < 5 {
		return digits
	}
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest == "" {
		return whole
	}
	return whole + "." + rest
}

// unitWords are the units that are written as words: in Chinese, in English for
// one, and for several. A maker's "人" reads "people" to an English customer.
var unitWords = func() map[string]*[3]string {
	all := map[string]*[3]string{}
	for _, w := range [][]string{
		{"人", "person", "people", "口", "位", "口人", "个人", "人份", "persons", "pers"},
		{"个月", "month", "months", "月"},
		{"年", "year", "years", "yr"},
		{"天", "day", "days", "d"},
		{"小时", "hour", "hours", "个小时", "h", "hr"},
		{"分钟", "minute", "minutes", "min"},
		{"秒", "second", "seconds", "s", "sec"},
		{"英寸", "inch", "inches", "in", "寸"},
	} {
		entry := &[3]string{w[0], w[1], w[2]}
		for _, name := range w {
			all[name] = entry
		}
	}
	return all
}()

// spellIn is spell for a reader of a language.
func spellIn(min, max float64, unit string, lang scene.Locale) string {
	w := unitWords[unit]
	switch {
	case w == nil:
		return spell(min, max, unit)
	case lang == scene.Chinese || lang == "":
		return spell(min, max, w[0])
	case min == 1 && max == 1:
		return spell(min, max, w[1])
	}
	return spell(min, max, w[2])
}

// textIn is a value for a reader of a language.
func (v *Value) textIn(lang scene.Locale) string {
	switch {
	case v.Flag != nil && *v.Flag:
		return "✓"
	case v.Flag != nil:
		return "✗"
	case v.Numeric && v.Unit != "":
		return spellIn(v.Min, v.Max, v.Unit, lang)
	case v.Said != nil:
		return v.Said.In(lang)
	}
	return v.Text
}

// readText reads what a text states: "4-6", "4–6人", "3.5kg", "1,200 mAh" are
// numbers; a text whose unit is none we know stays words ("13 Pro").
func readText(s string) Value {
	v := Value{Text: s}
	rest := strings.TrimSpace(s)
	for _, about := range []string{"约", "≈", "~", "about ", "approx. "} {
		rest = strings.TrimSpace(strings.TrimPrefix(rest, about))
	}
	prefix := ""
	for _, sign := range []string{"¥", "￥", "$", "€"} {
		if r, ok := strings.CutPrefix(rest, sign); ok {
			prefix, rest = sign, strings.TrimSpace(r)
			break
		}
	}
	min, rest, ok := readNumber(rest)
	if !ok {
		return v
	}
	max := min
	trimmed := strings.TrimSpace(rest)
	// "4人-6人" states its unit twice: the first may be left out or equal.
	for _, dash := range []string{"-", "–", "—", "~", "～", "至", "到", "to "} {
		if r, found := strings.CutPrefix(trimmed, dash); found {
			var second bool
			if max, rest, second = readNumber(strings.TrimSpace(r)); !second {
				return v
			}
			break
		}
	}
	unit := strings.TrimSpace(rest)
	if unit == "" {
		unit = prefix
	} else if prefix != "" {
		return v
	}
	if unit != "" {
		if _, known := measureOf(unit); !known {
			return v
		}
	}
	if min > max {
		return v
	}
	v.Numeric, v.Min, v.Max, v.Unit = true, min, max, unit
	return v
}

// readNumber takes a plain decimal number, with thousands commas, from the front of s.
func readNumber(s string) (x float64, rest string, ok bool) {
	n, digits := 0, 0
	for n < len(s) {
		c := s[n]
		if c >= '0' && c <= '9' {
			digits++
		} else if c == ',' && digits > 0 && thousands(s[n+1:]) || c == '.' && digits > 0 && n+1 < len(s) && s[n+1] >= '0' && s[n+1] <= '9' || c == '-' && n == 0 {
		} else {
			break
		}
		n++
	}
	if digits == 0 || digits > 15 {
		return 0, s, false
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(s[:n], ",", ""), 64)
	return x, s[n:], err == nil
}

func thousands(s string) bool {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n == 3
}

// readValue reads a JSON attribute; r collects its faults. stated is false for null.
func (r *reading) readValue(n *node, way *step) (v Value, stated bool) {
	switch n.kind {
	case null:
		return v, false
	case boolean:
		b := n.raw[0] == 't'
		return Value{Text: string(n.raw), Flag: &b}, true
	case number:
		x := r.number(n, way)
		return Value{Text: figure(x), Numeric: true, Min: x, Max: x}, true
	case text:
		v = readText(n.text())
		return v, strings.TrimSpace(v.Text) != ""
	case list:
		words := make([]string, 0, len(n.kids))
		for i := range n.kids {
			if k := &n.kids[i]; k.kind == text {
				words = append(words, k.text())
			} else if k.kind == number || k.kind == boolean {
				words = append(words, string(k.raw))
			} else {
				r.fault(&step{way, strconv.Itoa(i)}, "wanted_text")
			}
		}
		return Value{Text: strings.Join(words, ", "), List: true}, len(words) > 0
	}
	return r.readMeasured(n, way)
}

// readMeasured reads {value, unit}, {min, max, unit}, and words in both languages: {zh, en}.
func (r *reading) readMeasured(n *node, way *step) (v Value, stated bool) {
	if n.field("zh") != nil || n.field("en") != nil {
		said := r.bilingual(n, way)
		return Value{Text: cmp.Or(said.Zh, said.En), Said: &said}, said != (Text{})
	}
	unit := ""
	if u := n.field("unit"); u != nil && u.kind != null {
		unit = strings.TrimSpace(r.text(u, &step{way, "unit"}))
	}
	value, min, max := n.field("value"), n.field("min"), n.field("max")
	switch {
	case value != nil && min == nil && max == nil:
		if value.kind == object || value.kind == list {
			r.fault(&step{way, "value"}, "wanted_attribute")
			return v, false
		}
		if v, stated = r.readValue(value, &step{way, "value"}); !stated || unit == "" {
			return v, stated
		}
		if v.Numeric {
			v.Unit = unit
			v.Text = spell(v.Min, v.Max, unit)
		} else if v.Flag == nil {
			v.Text += " " + unit
		}
		return v, true
	case value == nil && min != nil && max != nil:
		a, b := r.number(min, &step{way, "min"}), r.number(max, &step{way, "max"})
		if a > b {
			r.fault(way, "min_above_max")
			return v, false
		}
		return Value{Text: spell(a, b, unit), Numeric: true, Min: a, Max: b, Unit: unit}, true
	}
	r.fault(way, "wanted_attribute")
	return v, false
}

// readRaw reads an attribute that did not come through DecodeItem.
func readRaw(raw json.RawMessage) (Value, bool) {
	r := reading{src: raw}
	n, ok := r.read()
	if !ok {
		return Value{}, false
	}
	v, stated := r.readValue(&n, nil)
	return v, stated && len(r.faults) == 0
}

func (r *reading) number(n *node, way *step) float64 {
	if n.kind != number {
		r.fault(way, "wanted_number")
		return 0
	}
	x, ok := n.number()
	if !ok {
		r.fault(way, "wanted_number")
		return 0
	}
	return x
}

func (r *reading) text(n *node, way *step) string {
	if n.kind != text {
		r.fault(way, "wanted_text")
		return ""
	}
	return n.text()
}
