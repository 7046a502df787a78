package need

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// mention is an entity before its place in the original text is known; start and
// end count runes of the plain text.
type mention struct {
	Entity
	start, end int
	rank       int // of two that overlap, the higher rank stays, then the longer
}

const (
	rankWord = iota
	rankLetter
	rankGrammar
	rankName
	rankRecord
)

// unit is what may stand behind a number.
type unit struct {
	word string
	kind string // money, size, duration, count, people
	name string // currency, or the unit's plain name
	by   float64
}

var units = index([]unit{
	{"元", "money", "CNY", 1}, {"块钱", "money", "CNY", 1}, {"块", "money", "CNY", 1}, {"圆", "money", "CNY", 1}, {"人民币", "money", "CNY", 1}, {"rmb", "money", "CNY", 1}, {"cny", "money", "CNY", 1}, {"yuan", "money", "CNY", 1},
	{"万元", "money", "CNY", 1e4}, {"毛", "money", "CNY", .1}, {"毛钱", "money", "CNY", .1}, {"分钱", "money", "CNY", .01},
	{"美元", "money", "USD", 1}, {"美金", "money", "USD", 1}, {"美刀", "money", "USD", 1}, {"刀", "money", "USD", 1}, {"usd", "money", "USD", 1}, {"dollars", "money", "USD", 1}, {"dollar", "money", "USD", 1}, {"bucks", "money", "USD", 1}, {"cents", "money", "USD", .01},
	{"欧元", "money", "EUR", 1}, {"eur", "money", "EUR", 1}, {"euros", "money", "EUR", 1}, {"euro", "money", "EUR", 1}, {"€", "money", "EUR", 1},
	{"英镑", "money", "GBP", 1}, {"gbp", "money", "GBP", 1}, {"quid", "money", "GBP", 1}, {"pounds", "money", "GBP", 1},
	{"港币", "money", "HKD", 1}, {"港元", "money", "HKD", 1}, {"hkd", "money", "HKD", 1}, {"日元", "money", "JPY", 1}, {"yen", "money", "JPY", 1}, {"jpy", "money", "JPY", 1},

	{"秒", "duration", "second", 1}, {"秒钟", "duration", "second", 1}, {"seconds", "duration", "second", 1},
	{"分钟", "duration", "minute", 1}, {"minutes", "duration", "minute", 1}, {"minute", "duration", "minute", 1}, {"mins", "duration", "minute", 1}, {"min", "duration", "minute", 1},
	{"小时", "duration", "hour", 1}, {"个小时", "duration", "hour", 1}, {"个钟头", "duration", "hour", 1}, {"个钟", "duration", "hour", 1}, {"hours", "duration", "hour", 1}, {"hour", "duration", "hour", 1}, {"hrs", "duration", "hour", 1}, {"h", "duration", "hour", 1},
	{"天", "duration", "day", 1}, {"日内", "duration", "day", 1}, {"days", "duration", "day", 1}, {"day", "duration", "day", 1},
	{"个工作日", "duration", "workday", 1}, {"工作日", "duration", "workday", 1}, {"working days", "duration", "workday", 1}, {"business days", "duration", "workday", 1}, {"business day", "duration", "workday", 1}, {"working day", "duration", "workday", 1},
	{"周", "duration", "week", 1}, {"星期", "duration", "week", 1}, {"个星期", "duration", "week", 1}, {"个礼拜", "duration", "week", 1}, {"礼拜", "duration", "week", 1}, {"weeks", "duration", "week", 1}, {"week", "duration", "week", 1},
	{"个月", "duration", "month", 1}, {"个多月", "duration", "month", 1}, {"months", "duration", "month", 1}, {"month", "duration", "month", 1},
	{"季度", "duration", "quarter", 1}, {"个季度", "duration", "quarter", 1}, {"年", "duration", "year", 1}, {"年半", "duration", "year", 1}, {"years", "duration", "year", 1}, {"year", "duration", "year", 1},

	{"毫米", "size", "mm", 1}, {"mm", "size", "mm", 1}, {"厘米", "size", "cm", 1}, {"公分", "size", "cm", 1}, {"cm", "size", "cm", 1}, {"米", "size", "m", 1}, {"m", "size", "m", 1}, {"公里", "size", "km", 1}, {"km", "size", "km", 1},
	{"寸", "size", "in", 1}, {"英寸", "size", "in", 1}, {"inches", "size", "in", 1}, {"inch", "size", "in", 1}, {"-inch", "size", "in", 1}, {"\"", "size", "in", 1}, {"ft", "size", "ft", 1}, {"feet", "size", "ft", 1},
	{"平", "size", "m2", 1}, {"平米", "size", "m2", 1}, {"平方", "size", "m2", 1}, {"平方米", "size", "m2", 1}, {"㎡", "size", "m2", 1}, {"sqm", "size", "m2", 1}, {"m2", "size", "m2", 1}, {"square metres", "size", "m2", 1}, {"square meters", "size", "m2", 1}, {"sq ft", "size", "ft2", 1}, {"square feet", "size", "ft2", 1},
	{"克", "size", "g", 1}, {"g", "size", "g", 1}, {"grams", "size", "g", 1}, {"公斤", "size", "kg", 1}, {"千克", "size", "kg", 1}, {"kg", "size", "kg", 1}, {"kilos", "size", "kg", 1}, {"斤", "size", "kg", .5}, {"lbs", "size", "lb", 1}, {"lb", "size", "lb", 1}, {"磅", "size", "lb", 1},
	{"毫升", "size", "ml", 1}, {"ml", "size", "ml", 1}, {"升", "size", "l", 1}, {"l", "size", "l", 1}, {"litres", "size", "l", 1}, {"liters", "size", "l", 1}, {"litre", "size", "l", 1}, {"liter", "size", "l", 1}, {"-litre", "size", "l", 1}, {"-liter", "size", "l", 1},
	{"gb", "size", "gb", 1}, {"个g", "size", "gb", 1}, {"tb", "size", "tb", 1}, {"mb", "size", "mb", 1}, {"mbps", "size", "mbps", 1}, {"兆", "size", "mbps", 1},
	{"瓦", "size", "w", 1}, {"w", "size", "w", 1}, {"watts", "size", "w", 1}, {"watt", "size", "w", 1}, {"匹", "size", "hp", 1}, {"毫安", "size", "mah", 1}, {"毫安时", "size", "mah", 1}, {"mah", "size", "mah", 1}, {"分贝", "size", "db", 1}, {"db", "size", "db", 1},
	{"度", "size", "c", 1}, {"摄氏度", "size", "c", 1}, {"℃", "size", "c", 1}, {"°c", "size", "c", 1}, {"degrees", "size", "c", 1}, {"hz", "size", "hz", 1}, {"赫兹", "size", "hz", 1}, {"码", "size", "size", 1}, {"号码", "size", "size", 1},

	{"口人", "people", "", 1}, {"口之家", "people", "", 1}, {"口子", "people", "", 1}, {"个人住", "people", "", 1}, {"个人用", "people", "", 1}, {"口", "people", "", 1}, {"people at home", "people", "", 1}, {"people in the house", "people", "", 1}, {"people in the family", "people", "", 1}, {"of us", "people", "", 1}, {"family members", "people", "", 1}, {"people", "people", "", 1},

	{"个", "count", "", 1}, {"件", "count", "", 1}, {"台", "count", "", 1}, {"部", "count", "", 1}, {"只", "count", "", 1}, {"双", "count", "", 1}, {"条", "count", "", 1}, {"张", "count", "", 1}, {"本", "count", "", 1}, {"套", "count", "", 1}, {"盒", "count", "", 1}, {"箱", "count", "", 1}, {"包", "count", "", 1}, {"袋", "count", "", 1}, {"瓶", "count", "", 1}, {"罐", "count", "", 1}, {"份", "count", "", 1}, {"节", "count", "", 1}, {"节课", "count", "", 1}, {"位", "count", "", 1}, {"间", "count", "", 1}, {"晚", "count", "", 1}, {"单", "count", "", 1}, {"笔", "count", "", 1}, {"辆", "count", "", 1}, {"把", "count", "", 1}, {"支", "count", "", 1}, {"根", "count", "", 1}, {"桶", "count", "", 1}, {"对", "count", "", 1},
	{"次", "count", "time", 1}, {"回", "count", "time", 1}, {"遍", "count", "time", 1}, {"times", "count", "time", 1}, {"time", "count", "time", 1},
	{"pieces", "count", "", 1}, {"piece", "count", "", 1}, {"units", "count", "", 1}, {"unit", "count", "", 1}, {"pairs", "count", "", 1}, {"pair", "count", "", 1}, {"sets", "count", "", 1}, {"set", "count", "", 1}, {"boxes", "count", "", 1}, {"box", "count", "", 1}, {"packs", "count", "", 1}, {"pack", "count", "", 1}, {"bottles", "count", "", 1}, {"bottle", "count", "", 1}, {"bags", "count", "", 1}, {"items", "count", "", 1}, {"item", "count", "", 1}, {"copies", "count", "", 1}, {"lessons", "count", "", 1}, {"tickets", "count", "", 1}, {"nights", "count", "", 1}, {"orders", "count", "", 1},
	{"个大人", "person", "adult", 1}, {"adults", "person", "adult", 1}, {"adult", "person", "adult", 1}, {"个孩子", "person", "child", 1}, {"个小孩", "person", "child", 1}, {"个娃", "person", "child", 1}, {"个宝宝", "person", "child", 1}, {"个老人", "person", "elder", 1}, {"kids", "person", "child", 1}, {"kid", "person", "child", 1}, {"child", "person", "child", 1}, {"children", "person", "child", 1}, {"year old", "person", "year", 1}, {"year-old", "person", "year", 1}, {"-year-old", "person", "year", 1}, {"岁", "person", "year", 1},
})

// index sorts phrases by their first rune, the longest first.
func index(all []unit) map[rune][]unit {
	m := map[rune][]unit{}
	for _, u := range all {
		r := []rune(u.word)[0]
		m[r] = append(m[r], u)
	}
	for _, list := range m {
		slices.SortStableFunc(list, func(a, b unit) int { return len(b.word) - len(a.word) })
	}
	return m
}

// matchAt finds the longest phrase of an index that stands at i.
func matchAt(m map[rune][]unit, runes []rune, i int) (u *unit, end int) {
	if i >= len(runes) {
		return nil, i
	}
	list := m[runes[i]]
	for k := range list {
		j := i
		fits := true
		for _, r := range list[k].word {
			if j >= len(runes) || runes[j] != r {
				fits = false
				break
			}
			j++
		}
		if fits && wordEdge(runes, j) {
			return &list[k], j
		}
	}
	return nil, i
}

// What stands before or behind an amount and makes it a budget.
var budgetBefore = index([]unit{
	{"预算", "", "about", 1}, {"预算是", "", "about", 1}, {"预算在", "", "about", 1}, {"预算大概", "", "about", 1}, {"大概", "", "about", 1}, {"大约", "", "about", 1}, {"差不多", "", "about", 1}, {"价位", "", "about", 1},
	{"不超过", "", "max", 1}, {"别超过", "", "max", 1}, {"不要超过", "", "max", 1}, {"最多", "", "max", 1}, {"顶多", "", "max", 1}, {"控制在", "", "max", 1}, {"低于", "", "max", 1}, {"不到", "", "max", 1},
	{"至少", "", "min", 1}, {"最少", "", "min", 1}, {"不低于", "", "min", 1},
	{"under", "", "max", 1}, {"below", "", "max", 1}, {"less than", "", "max", 1}, {"up to", "", "max", 1}, {"at most", "", "max", 1}, {"max", "", "max", 1}, {"maximum", "", "max", 1}, {"no more than", "", "max", 1}, {"not more than", "", "max", 1}, {"within", "", "max", 1}, {"cheaper than", "", "max", 1},
	{"budget", "", "max", 1}, {"budget is", "", "max", 1}, {"budget of", "", "max", 1}, {"budget around", "", "about", 1}, {"budget is around", "", "about", 1}, {"budget is about", "", "about", 1}, {"budget of around", "", "about", 1}, {"budget of about", "", "about", 1}, {"around", "", "about", 1}, {"about", "", "about", 1}, {"roughly", "", "about", 1},
	{"at least", "", "min", 1}, {"over", "", "min", 1}, {"more than", "", "min", 1},
})

var budgetBehind = index([]unit{
	{"左右", "", "about", 1}, {"上下", "", "about", 1}, {"出头", "", "about", 1}, {"以内", "", "max", 1}, {"之内", "", "max", 1}, {"以下", "", "max", 1}, {"封顶", "", "max", 1}, {"以上", "", "min", 1}, {"起步", "", "min", 1},
	{"or so", "", "about", 1}, {"ish", "", "about", 1}, {"or less", "", "max", 1}, {"or under", "", "max", 1}, {"max", "", "max", 1}, {"tops", "", "max", 1}, {"at most", "", "max", 1}, {"or more", "", "min", 1},
})

var signs = map[rune]string{'$': "USD", '¥': "CNY", '￥': "CNY", '€': "EUR", '£': "GBP"}

// readings collects what the number grammar finds in a plain text.
func (g *grammar) numbers(runes []rune) {
	for i := 0; i < len(runes); {
		if end := g.number(runes, i); end > i {
			i = end
			continue
		}
		i++
	}
}

type grammar struct {
	found  []mention
	at     time.Time // local
	locale scene.Locale
}

func (g *grammar) add(kind string, start, end int, value any) {
	g.found = append(g.found, mention{Entity: Entity{Type: kind, Value: value}, start: start, end: end, rank: rankGrammar})
}

// number reads what begins with a number, a currency sign or an ordinal at i and
// gives its end, or i when there is none.
func (g *grammar) number(runes []rune, i int) int {
	start := i
	currency, ordinal := "", false
	if sign, ok := signs[runes[i]]; ok {
		currency = sign
		i++
		if i < len(runes) && runes[i] == ' ' {
			i++
		}
	} else if runes[i] == '第' {
		ordinal = true
		i++
	} else if !wordEdge(runes, i) || i > 0 && digit(runes[i-1]) {
		return start
	}
	if i >= len(runes) {
		return start
	}
	value, end, ok := readNumber(runes, i)
	if n, stop := readOrdinal(runes, i); stop > end || !ok && stop > i {
		value, end, ok, ordinal = n, stop, true, true
	}
	if !ok {
		return start
	}
	if currency != "" {
		g.money(runes, start, end, value, currency)
		return end
	}
	if d, stop := g.calendar(runes, i, end, value); stop > end {
		g.add("date", start, stop, d)
		return stop
	}
	next := end
	if next < len(runes) && runes[next] == ' ' {
		next++
	}
	many := next < len(runes) && runes[next] == '多' // "二十多天"
	if many {
		next++
	}
	u, stop := matchAt(units, runes, next)
	if u == nil {
		if !ordinal && g.bare(runes, start, end, value) {
			return end
		}
		return end
	}
	switch u.kind {
	case "money":
		if u.word == "块" && stop < len(runes) && value < 10 && (text.Han(runes[stop]) && !strings.ContainsRune("的左以上出吧呢吗五几多", runes[stop])) {
			g.add("count", start, stop, Quantity{Value: value}) // "两块电池"
			return stop
		}
		if tail, after, ok := readNumber(runes, stop); ok && u.word == "块" && tail < 10 { // "三块五"
			value, stop = value+float64(tail/10), after
		}
		g.money(runes, start, stop, value*u.by, u.name)
	case "people":
		if ordinal || value < 1 || value > 30 || value != math.Trunc(value) {
			return end
		}
		if u.word == "口" && !familyBefore(runes, start) || u.word == "people" && !familyBefore(runes, start) && !familyBehind(runes, stop) {
			return end
		}
		if u.word == "口子" && value != 2 {
			return end
		}
		g.add("scene", familyStart(runes, start), stop, People{int(value)})
	case "person":
		g.add("person", start, stop, Quantity{Value: value, Unit: u.name})
	case "count":
		if !ordinal && u.word == "个" && stop < len(runes) && runes[stop] == '人' && familyBefore(runes, start) {
			g.add("scene", familyStart(runes, start), stop+1, People{int(value)})
			return stop + 1
		}
		vague := runes[start] == '一' && end == start+1 && u.name == "" && (u.word == "个" || u.word == "位" || u.word == "对" || u.word == "把" || u.word == "条")
		if vague || runes[start] == '几' || u.word == "time" && !ordinal {
			return stop
		}
		g.add("count", start, stop, Quantity{Value: value, Unit: u.name, Ordinal: ordinal})
	case "duration":
		if ordinal {
			return end
		}
		if u.word == "年半" {
			value += 0.5
		}
		if u.word == "年" && value > 1900 {
			return end
		}
		g.add("duration", start, stop, Quantity{Value: value, Unit: u.name})
	default:
		if ordinal {
			return end
		}
		g.add("size", start, stop, Quantity{Value: value * u.by, Unit: u.name})
	}
	return stop
}

// money adds an amount, as a budget when the words around it say so.
func (g *grammar) money(runes []rune, start, end int, value float64, currency string) {
	minor := minorUnits(value, currency)
	from, to, how := budgetAround(runes, start, end)
	upper := minor
	if v, stop, ok := rangeEnd(runes, end); ok {
		u, after := matchAt(units, runes, stop)
		if u != nil && u.kind == "money" {
			stop, v = after, v*u.by
		}
		upper, how = minorUnits(v, currency), "range"
		to = stop
	}
	switch how {
	case "about":
		g.add("budget", from, to, Budget{Min: minor, Max: minor, About: true, Currency: currency})
	case "max":
		g.add("budget", from, to, Budget{Max: minor, Currency: currency})
	case "min":
		g.add("budget", from, to, Budget{Min: minor, Currency: currency})
	case "range":
		g.add("budget", from, to, Budget{Min: min(minor, upper), Max: max(minor, upper), Currency: currency})
	default:
		g.add("money", start, end, Money{minor, currency})
	}
}

// bare reads a number without a unit: a budget when the words around it say so.
func (g *grammar) bare(runes []rune, start, end int, value float64) bool {
	from, to, how := budgetAround(runes, start, end)
	v, stop, ranged := rangeEnd(runes, end)
	if ranged {
		if u, after := matchAt(units, runes, stop); u != nil {
			if u.kind != "money" {
				return false
			}
			g.money(runes, start, end, value*u.by, u.name)
			return after > 0
		}
		if how == "" {
			from, to, how = budgetAround(runes, start, stop)
		}
	}
	if how == "" || value < 20 || to < len(runes) && unitFollows(runes, to) {
		return false
	}
	currency := ""
	if g.locale == scene.Chinese {
		currency = "CNY"
	}
	b := Budget{Currency: currency}
	minor := minorUnits(value, currency)
	switch {
	case ranged:
		b.Min, b.Max = min(minor, minorUnits(v, currency)), max(minor, minorUnits(v, currency))
		to = max(to, stop)
	case how == "about":
		b.Min, b.Max, b.About = minor, minor, true
	case how == "max":
		b.Max = minor
	default:
		b.Min = minor
	}
	g.add("budget", from, to, b)
	return true
}

func unitFollows(runes []rune, i int) bool {
	if i < len(runes) && runes[i] == ' ' {
		i++
	}
	u, _ := matchAt(units, runes, i)
	return u != nil && u.kind != "money"
}

// rangeEnd reads "到500", "-500", " to 500" behind a number.
func rangeEnd(runes []rune, i int) (value float64, end int, ok bool) {
	for _, join := range []string{"到", "至", "-", "~", " to ", " - ", "或"} {
		if k := len([]rune(join)); i+k < len(runes) && string(runes[i:i+k]) == join {
			j := i + k
			if _, sign := signs[runes[j]]; sign {
				j++
			}
			if j < len(runes) {
				if v, end, ok := readNumber(runes, j); ok {
					return v, end, true
				}
			}
		}
	}
	return 0, i, false
}

// budgetAround looks at the words before and behind an amount. The span grows
// over the words that bound it ("三百左右", "under $300"), not over 预算 itself.
func budgetAround(runes []rune, start, end int) (from, to int, how string) {
	from, to = start, end
	behind := end
	if behind < len(runes) && runes[behind] == ' ' {
		behind++
	}
	if u, stop := matchAt(budgetBehind, runes, behind); u != nil {
		to, how = stop, u.name
	}
	before := start
	for before > 0 && (runes[before-1] == ' ' || runes[before-1] == ':' || runes[before-1] == '是' || runes[before-1] == '在') {
		before--
	}
	for i := max(0, before-18); i < before; i++ {
		if !wordEdge(runes, i) {
			continue
		}
		if u, stop := matchAt(budgetBefore, runes, i); u != nil && stop == before {
			if how == "" {
				how = u.name
			}
			if u.word != "预算" && !strings.HasPrefix(u.word, "预算") && !strings.HasPrefix(u.word, "budget") {
				from = i
			}
			break
		}
	}
	return from, to, how
}

func minorUnits(value float64, currency string) int64 {
	if currency == "JPY" {
		return int64(math.Round(value))
	}
	return int64(math.Round(value * 100))
}

var hanDigits = map[rune]float64{'零': 0, '〇': 0, '一': 1, '二': 2, '两': 2, '俩': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9, '壹': 1, '贰': 2, '叁': 3, '仨': 3, '半': 0.5}
var hanScales = map[rune]float64{'十': 10, '拾': 10, '百': 100, '千': 1000, '万': 1e4, '亿': 1e8}

var numberWords = index([]unit{
	{"a couple of", "n", "", 2}, {"a dozen", "n", "", 12}, {"half a", "n", "", .5}, {"a", "a", "", 1}, {"an", "a", "", 1}, {"one", "n", "", 1}, {"two", "n", "", 2}, {"three", "n", "", 3}, {"four", "n", "", 4}, {"five", "n", "", 5}, {"six", "n", "", 6}, {"seven", "n", "", 7}, {"eight", "n", "", 8}, {"nine", "n", "", 9},
	{"ten", "n", "", 10}, {"eleven", "n", "", 11}, {"twelve", "n", "", 12}, {"thirteen", "n", "", 13}, {"fourteen", "n", "", 14}, {"fifteen", "n", "", 15}, {"sixteen", "n", "", 16}, {"seventeen", "n", "", 17}, {"eighteen", "n", "", 18}, {"nineteen", "n", "", 19},
	{"twenty", "n", "", 20}, {"thirty", "n", "", 30}, {"forty", "n", "", 40}, {"fifty", "n", "", 50}, {"sixty", "n", "", 60}, {"seventy", "n", "", 70}, {"eighty", "n", "", 80}, {"ninety", "n", "", 90}, {"hundred", "x", "", 100}, {"thousand", "x", "", 1000}, {"million", "x", "", 1e6},
})

var ordinalWords = index([]unit{
	{"first", "", "", 1}, {"second", "", "", 2}, {"third", "", "", 3}, {"fourth", "", "", 4}, {"fifth", "", "", 5}, {"1st", "", "", 1}, {"2nd", "", "", 2}, {"3rd", "", "", 3}, {"4th", "", "", 4}, {"5th", "", "", 5}, {"sixth", "", "", 6},
})

func readOrdinal(runes []rune, i int) (value float64, end int) {
	if u, stop := matchAt(ordinalWords, runes, i); u != nil {
		return u.by, stop
	}
	return 0, i
}

// readNumber reads a number in figures, Han numerals or English words.
func readNumber(runes []rune, i int) (value float64, end int, ok bool) {
	if i >= len(runes) {
		return 0, i, false
	}
	if digit(runes[i]) {
		value, end = readFigures(runes, i)
		return value, end, true
	}
	if _, is := hanDigits[runes[i]]; is || hanScales[runes[i]] > 0 {
		return readHan(runes, i)
	}
	return readWords(runes, i)
}

func readFigures(runes []rune, i int) (value float64, end int) {
	place := 0.0
	for ; i < len(runes); i++ {
		switch r := runes[i]; {
		case digit(r) && place == 0:
			value = float64(value*10) + float64(r-'0')
		case digit(r):
			value += float64(float64(r-'0') * place)
			place /= 10
		case r == '.' && place == 0 && i+1 < len(runes) && digit(runes[i+1]):
			place = 0.1
		case r == ',' && place == 0 && i+3 < len(runes) && digit(runes[i+1]) && digit(runes[i+2]) && digit(runes[i+3]) && (i+4 == len(runes) || !digit(runes[i+4])):
		default:
			return scaled(runes, value, i)
		}
	}
	return value, i
}

// scaled reads 千, 万, 亿 or k behind figures: "1.5万", "3k".
func scaled(runes []rune, value float64, i int) (float64, int) {
	switch runes[i] {
	case '百', '千', '万', '亿':
		if i+1 < len(runes) && (runes[i+1] == '米' || runes[i+1] == '克' || runes[i+1] == '瓦') {
			return value, i
		}
		return value * hanScales[runes[i]], i + 1
	case 'k':
		if wordEdge(runes, i+1) {
			return value * 1000, i + 1
		}
	}
	return value, i
}

func readHan(runes []rune, i int) (value float64, end int, ok bool) {
	total, section, digitValue, last := 0.0, 0.0, -1.0, 0.0
	start := i
	for ; i < len(runes); i++ {
		r := runes[i]
		if d, is := hanDigits[r]; is {
			if r == '半' && i > start {
				break
			}
			if digitValue >= 0 && digitValue != 0 {
				break
			}
			digitValue = d
			continue
		}
		scale := hanScales[r]
		if scale == 0 {
			break
		}
		if r == '千' && i+1 < len(runes) && (runes[i+1] == '克' || runes[i+1] == '米' || runes[i+1] == '瓦') {
			break
		}
		if digitValue < 0 {
			digitValue = 1
			if i > start && scale < 1e4 {
				break
			}
			if section > 0 {
				digitValue = 0
			}
		}
		if scale >= 1e4 {
			total = (total + section + digitValue) * scale
			section = 0
		} else {
			section += float64(digitValue * scale)
		}
		digitValue, last = -1, scale
	}
	if i == start {
		return 0, start, false
	}
	if digitValue > 0 {
		if last >= 100 && runes[i-2] != '零' && runes[i-1] != '半' { // "三百五": 350
			digitValue *= last / 10
		}
		section += digitValue
	}
	return total + section, i, true
}

func readWords(runes []rune, i int) (value float64, end int, ok bool) {
	end = i
	part := 0.0
	for i < len(runes) {
		u, stop := matchAt(numberWords, runes, i)
		if u == nil {
			break
		}
		switch u.kind {
		case "x":
			if !ok {
				return 0, end, false
			}
			part *= u.by
			if u.by >= 1000 {
				value, part = value+part, 0
			}
		default:
			part += u.by
		}
		ok, end = true, stop
		if stop >= len(runes) || runes[stop] != ' ' && runes[stop] != '-' {
			break
		}
		i = stop + 1
		if i+4 < len(runes) && string(runes[i:i+4]) == "and " {
			i += 4
		}
	}
	return value + part, end, ok
}

// familyBefore tells whether 一家, 家里, 我家, "family of" … stands before i.
func familyBefore(runes []rune, i int) bool { return familyStart(runes, i) < i }

var familyWords = index([]unit{
	{"一家", "", "", 1}, {"家里有", "", "", 1}, {"家里", "", "", 1}, {"家里一共", "", "", 1}, {"家里总共", "", "", 1}, {"我家", "", "", 1}, {"我们家", "", "", 1}, {"我们一家", "", "", 1}, {"全家", "", "", 1}, {"一家子", "", "", 1}, {"我家有", "", "", 1}, {"我们家有", "", "", 1}, {"there are", "", "", 1}, {"we are", "", "", 1}, {"we're", "", "", 1}, {"household of", "", "", 1}, {"family of", "", "", 1}, {"home for", "", "", 1}, {"for", "", "", 1},
})

func familyStart(runes []rune, i int) int {
	before := i
	for before > 0 && runes[before-1] == ' ' {
		before--
	}
	for j := max(0, before-14); j < before; j++ {
		if !wordEdge(runes, j) {
			continue
		}
		if u, stop := matchAt(familyWords, runes, j); u != nil && stop == before {
			return j
		}
	}
	return i
}

func familyBehind(runes []rune, i int) bool {
	rest := string(runes[i:min(len(runes), i+14)])
	return strings.HasPrefix(rest, " at home") || strings.HasPrefix(rest, " in the") || strings.HasPrefix(rest, " in our") || strings.HasPrefix(rest, " live")
}

// households are whole phrases that name how many people live together.
var households = index([]unit{
	{"独居", "", "", 1}, {"一个人住", "", "", 1}, {"自己住", "", "", 1}, {"小两口", "", "", 2}, {"两口子", "", "", 2}, {"夫妻俩", "", "", 2}, {"二人世界", "", "", 2}, {"我和老公", "", "", 2}, {"我和老婆", "", "", 2},
	{"living alone", "", "", 1}, {"live alone", "", "", 1}, {"on my own", "", "", 1}, {"just me", "", "", 1}, {"my wife and i", "", "", 2}, {"my husband and i", "", "", 2}, {"me and my partner", "", "", 2}, {"me and my wife", "", "", 2}, {"me and my husband", "", "", 2},
})

var familyOf = index([]unit{{"family of ", "", "", 1}, {"household of ", "", "", 1}, {"party of ", "", "", 1}})

// together makes one household of those who are named one after the other: "two
// adults and a kid", "夫妻俩带两个孩子".
func (g *grammar) together(runes []rune) {
	slices.SortStableFunc(g.found, func(a, b mention) int { return a.start - b.start })
	for i := 0; i < len(g.found); i++ {
		a := &g.found[i]
		people := 0
		switch v := a.Value.(type) {
		case People:
			people = v.Count
		case Quantity:
			if v.Unit == "adult" {
				people = int(v.Value)
			}
		}
		if people == 0 {
			continue
		}
		for k := i + 1; k < len(g.found) && g.found[k].start-a.end <= 6; k++ {
			b := &g.found[k]
			v, ok := b.Value.(Quantity)
			if !ok || b.Type != "person" || v.Unit == "year" || b.start < a.end {
				continue
			}
			switch strings.Trim(string(runes[a.end:b.start]), " ,、") {
			case "", "and", "plus", "带", "带着", "和", "加", "加上", "还有":
				people += int(v.Value)
				a.Type, a.Value, a.end, b.rank = "scene", People{people}, b.end, rankWord
			}
		}
	}
}

var relativeDays = index([]unit{
	{"大前天", "", "", -3}, {"前天", "", "", -2}, {"昨天", "", "", -1}, {"昨日", "", "", -1}, {"昨晚", "", "", -1}, {"今天", "", "", 0}, {"今日", "", "", 0}, {"今晚", "", "", 0}, {"今早", "", "", 0}, {"明天", "", "", 1}, {"明日", "", "", 1}, {"明早", "", "", 1}, {"明晚", "", "", 1}, {"后天", "", "", 2}, {"大后天", "", "", 3},
	{"the day before yesterday", "", "", -2}, {"yesterday", "", "", -1}, {"last night", "", "", -1}, {"today", "", "", 0}, {"tonight", "", "", 0}, {"this morning", "", "", 0}, {"this afternoon", "", "", 0}, {"this evening", "", "", 0}, {"tomorrow", "", "", 1}, {"the day after tomorrow", "", "", 2},
})

// relativePeriods are whole weeks, months and years counted from the running one.
var relativePeriods = index([]unit{
	{"上周", "week", "", -1}, {"上个星期", "week", "", -1}, {"上星期", "week", "", -1}, {"这周", "week", "", 0}, {"本周", "week", "", 0}, {"这个星期", "week", "", 0}, {"下周", "week", "", 1}, {"下个星期", "week", "", 1}, {"下星期", "week", "", 1}, {"周末", "weekend", "", 0}, {"这周末", "weekend", "", 0}, {"下周末", "weekend", "", 1}, {"上周末", "weekend", "", -1},
	{"上个月", "month", "", -1}, {"上月", "month", "", -1}, {"这个月", "month", "", 0}, {"本月", "month", "", 0}, {"下个月", "month", "", 1}, {"下月", "month", "", 1}, {"去年", "year", "", -1}, {"今年", "year", "", 0}, {"明年", "year", "", 1},
	{"last week", "week", "", -1}, {"this week", "week", "", 0}, {"next week", "week", "", 1}, {"this weekend", "weekend", "", 0}, {"the weekend", "weekend", "", 0}, {"next weekend", "weekend", "", 1}, {"last weekend", "weekend", "", -1}, {"last month", "month", "", -1}, {"this month", "month", "", 0}, {"next month", "month", "", 1}, {"last year", "year", "", -1}, {"this year", "year", "", 0}, {"next year", "year", "", 1},
})

var weekdays = index([]unit{
	{"周一", "", "", 1}, {"星期一", "", "", 1}, {"礼拜一", "", "", 1}, {"周二", "", "", 2}, {"星期二", "", "", 2}, {"礼拜二", "", "", 2}, {"周三", "", "", 3}, {"星期三", "", "", 3}, {"礼拜三", "", "", 3}, {"周四", "", "", 4}, {"星期四", "", "", 4}, {"礼拜四", "", "", 4}, {"周五", "", "", 5}, {"星期五", "", "", 5}, {"礼拜五", "", "", 5}, {"周六", "", "", 6}, {"星期六", "", "", 6}, {"礼拜六", "", "", 6}, {"周日", "", "", 7}, {"周天", "", "", 7}, {"星期日", "", "", 7}, {"星期天", "", "", 7}, {"礼拜天", "", "", 7},
	{"monday", "", "", 1}, {"tuesday", "", "", 2}, {"wednesday", "", "", 3}, {"thursday", "", "", 4}, {"friday", "", "", 5}, {"saturday", "", "", 6}, {"sunday", "", "", 7},
})

var months = index([]unit{
	{"january", "", "", 1}, {"february", "", "", 2}, {"march", "", "", 3}, {"april", "", "", 4}, {"may", "", "", 5}, {"june", "", "", 6}, {"july", "", "", 7}, {"august", "", "", 8}, {"september", "", "", 9}, {"october", "", "", 10}, {"november", "", "", 11}, {"december", "", "", 12},
	{"jan", "", "", 1}, {"feb", "", "", 2}, {"mar", "", "", 3}, {"apr", "", "", 4}, {"jun", "", "", 6}, {"jul", "", "", 7}, {"aug", "", "", 8}, {"sept", "", "", 9}, {"sep", "", "", 9}, {"oct", "", "", 10}, {"nov", "", "", 11}, {"dec", "", "", 12},
})

// phrases finds dates and households that do not begin with a number.
func (g *grammar) phrases(runes []rune) {
	today := time.Date(g.at.Year(), g.at.Month(), g.at.Day(), 0, 0, 0, 0, time.UTC)
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	for i := 0; i < len(runes); {
		if !wordEdge(runes, i) {
			i++
			continue
		}
		if u, end := matchAt(households, runes, i); u != nil {
			g.add("scene", i, end, People{int(u.by)})
			i = end
			continue
		}
		if u, end := matchAt(familyOf, runes, i); u == nil {
		} else if n, stop, ok := readNumber(runes, end); ok && n >= 1 && n <= 30 {
			g.add("scene", i, stop, People{int(n)})
			i = stop
			continue
		}
		if u, end := matchAt(relativeDays, runes, i); u != nil {
			day := today.AddDate(0, 0, int(u.by))
			g.add("date", i, end, dates(day, day.AddDate(0, 0, 1)))
			i = end
			continue
		}
		if u, end := matchAt(relativePeriods, runes, i); u != nil {
			from, to := monday, monday
			switch u.kind {
			case "week":
				from = monday.AddDate(0, 0, 7*int(u.by))
				to = from.AddDate(0, 0, 7)
				if d, stop := weekdayAfter(runes, end, u.word); d > 0 { // 上周三
					from = from.AddDate(0, 0, d-1)
					to, end = from.AddDate(0, 0, 1), stop
				}
			case "weekend":
				from = monday.AddDate(0, 0, 5+7*int(u.by))
				to = from.AddDate(0, 0, 2)
			case "month":
				from = time.Date(today.Year(), today.Month()+time.Month(u.by), 1, 0, 0, 0, 0, time.UTC)
				to = from.AddDate(0, 1, 0)
			case "year":
				from = time.Date(today.Year()+int(u.by), 1, 1, 0, 0, 0, 0, time.UTC)
				to = from.AddDate(1, 0, 0)
			}
			g.add("date", i, end, dates(from, to))
			i = end
			continue
		}
		if u, end := matchAt(weekdays, runes, i); u != nil {
			day := monday.AddDate(0, 0, int(u.by)-1)
			g.add("date", i, end, dates(day, day.AddDate(0, 0, 1)))
			i = end
			continue
		}
		if u, end := matchAt(months, runes, i); u != nil && end < len(runes) && runes[end] == ' ' {
			if n, stop := readFigures(runes, end+1); stop > end+1 && n >= 1 && n <= 31 {
				for _, suffix := range []string{"st", "nd", "rd", "th"} {
					if stop+2 <= len(runes) && string(runes[stop:stop+2]) == suffix {
						stop += 2
						break
					}
				}
				g.add("date", i, stop, g.nearest(int(u.by), int(n)))
				i = stop
				continue
			}
		}
		i++
	}
}

// weekdayAfter reads the weekday in 上周三, 下星期五.
func weekdayAfter(runes []rune, i int, word string) (day, end int) {
	if i >= len(runes) || !text.Han([]rune(word)[0]) {
		return 0, i
	}
	switch runes[i] {
	case '日', '天':
		return 7, i + 1
	}
	if d, ok := hanDigits[runes[i]]; ok && d >= 1 && d <= 6 && d == math.Trunc(d) && runes[i] != '两' && runes[i] != '俩' {
		return int(d), i + 1
	}
	return 0, i
}

// calendar reads a date whose first number is known: 5月2日, 2026-05-02, 12号.
func (g *grammar) calendar(runes []rune, start, i int, n float64) (Dates, int) {
	if n != math.Trunc(n) || i >= len(runes) {
		return Dates{}, i
	}
	year := 0
	if (runes[i] == '年' || runes[i] == '-' || runes[i] == '/') && n >= 1990 && n < 2200 {
		year = int(n)
		m, end, ok := readNumber(runes, min(i+1, len(runes)))
		if !ok || m < 1 || m > 12 || end >= len(runes) {
			return Dates{}, i
		}
		n, i = m, end
		if runes[i] == '-' || runes[i] == '/' {
			d, stop := readFigures(runes, min(i+1, len(runes)))
			if stop == i+1 || d < 1 || d > 31 {
				return Dates{}, start
			}
			day := time.Date(year, time.Month(n), int(d), 0, 0, 0, 0, time.UTC)
			return dates(day, day.AddDate(0, 0, 1)), stop
		}
	}
	switch {
	case runes[i] == '月' && n >= 1 && n <= 12:
		d, end, ok := readNumber(runes, min(i+1, len(runes)))
		if ok && d >= 1 && d <= 31 && d == math.Trunc(d) {
			if end < len(runes) && (runes[end] == '日' || runes[end] == '号') {
				end++
			}
			if year > 0 {
				day := time.Date(year, time.Month(n), int(d), 0, 0, 0, 0, time.UTC)
				return dates(day, day.AddDate(0, 0, 1)), end
			}
			return g.nearest(int(n), int(d)), end
		}
		if year == 0 {
			year = g.at.Year()
		}
		first := time.Date(year, time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		end = i + 1
		if end < len(runes) && runes[end] == '份' {
			end++
		}
		return dates(first, first.AddDate(0, 1, 0)), end
	case runes[i] == '号' && n >= 1 && n <= 31 && digit(runes[start]) && (i+1 >= len(runes) || !strings.ContainsRune("码线楼院店机色", runes[i+1])):
		day := time.Date(g.at.Year(), g.at.Month(), int(n), 0, 0, 0, 0, time.UTC)
		return dates(day, day.AddDate(0, 0, 1)), i + 1
	case i+3 < len(runes) && n >= 1 && n <= 31:
		j := i
		for _, suffix := range []string{"st", "nd", "rd", "th"} {
			if string(runes[j:j+2]) == suffix {
				j += 2
				break
			}
		}
		if j < len(runes) && runes[j] == ' ' {
			j++
			if j+3 < len(runes) && string(runes[j:j+3]) == "of " {
				j += 3
			}
			if u, end := matchAt(months, runes, j); u != nil {
				return g.nearest(int(u.by), int(n)), end
			}
		}
	}
	return Dates{}, i
}

// nearest is the day of a month without its year: the one nearest to today.
func (g *grammar) nearest(month, day int) Dates {
	today := time.Date(g.at.Year(), g.at.Month(), g.at.Day(), 0, 0, 0, 0, time.UTC)
	best := time.Date(today.Year(), time.Month(month), day, 0, 0, 0, 0, time.UTC)
	for _, y := range []int{-1, 1} {
		d := time.Date(today.Year()+y, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if d.Sub(today).Abs() < best.Sub(today).Abs() {
			best = d
		}
	}
	return dates(best, best.AddDate(0, 0, 1))
}

func dates(from, to time.Time) Dates {
	return Dates{from.Format(time.DateOnly), to.Format(time.DateOnly)}
}
