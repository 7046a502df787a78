package treatment

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/scene"
)

//go:embed messages/*.yaml
var messageFiles embed.FS

// wording is one language's catalogue of sentences.
type wording struct {
	locale   scene.Locale
	sentence map[string]string
	zone     *time.Location
	now      time.Time
}

// catalogues are the sentences by language, read when first asked for: a program that
// says nothing needs none.
var catalogues = sync.OnceValue(func() map[scene.Locale]map[string]string {
	return map[scene.Locale]map[string]string{
		scene.Chinese: load("messages/zh-CN.yaml"),
		scene.English: load("messages/en.yaml"),
	}
})

func load(path string) map[string]string {
	text, err := messageFiles.ReadFile(path)
	if err != nil {
		panic(err) // embedded at build
	}
	m := map[string]string{}
	if err := yaml.Unmarshal(text, &m); err != nil {
		panic(fmt.Sprintf("%s: %v", path, err))
	}
	return m
}

// States lists the states of a record that a customer can be told, in any language
// of the house, sorted. What is not among them is never shown.
func States() []string {
	var all []string
	for key := range catalogues()[scene.Chinese] {
		state, ok := strings.CutPrefix(key, "state_")
		if _, both := catalogues()[scene.English][key]; ok && both {
			all = append(all, state)
		}
	}
	slices.Sort(all)
	return all
}

func wordingOf(at scene.Scene) wording {
	l := at.Locale
	if _, ok := catalogues()[l]; !ok {
		l = scene.Chinese
	}
	return wording{locale: l, sentence: catalogues()[l], zone: at.Location(), now: at.Time}
}

// has tells whether the catalogue knows a key.
func (w wording) has(key string) bool { _, ok := w.sentence[key]; return ok }

// say fills a sentence: pairs are name, value, name, value …
func (w wording) say(key string, pairs ...string) string {
	return fill(w.sentence[key], pairs)
}

func fill(text string, pairs []string) string {
	if len(pairs) == 0 || strings.IndexByte(text, '{') < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 32)
	for {
		i := strings.IndexByte(text, '{')
		j := strings.IndexByte(text, '}')
		if i < 0 || j < i {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		name, forms := candidate.Blank(text[i+1 : j])
		for k := 0; k+1 < len(pairs); k += 2 {
			if pairs[k] == name {
				b.WriteString(candidate.Counted(pairs[k+1], forms))
				break
			}
		}
		text = text[j+1:]
	}
}

// in is a bilingual text in this language.
func (w wording) in(t candidate.Text) string { return t.In(w.locale) }

// amid is a label as it stands in the middle of a sentence: in English without its
// capital, unless it is an abbreviation.
func (w wording) amid(t candidate.Text) string {
	s := w.in(t)
	first, size := utf8.DecodeRuneInString(s)
	if second, _ := utf8.DecodeRuneInString(s[size:]); w.locale == scene.English && unicode.IsUpper(first) && !unicode.IsUpper(second) {
		return string(unicode.ToLower(first)) + s[size:]
	}
	return s
}

// list joins names as the language does: "A、B 和 C", "A, B and C".
func (w wording) list(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], w.sentence["list_join"]) + w.sentence["list_last"] + names[n-1]
	}
}

// smallNumbers are written out, as one would say them.
var smallNumbers = map[scene.Locale][]string{
	scene.Chinese: {"零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十"},
	scene.English: {"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"},
}

// number writes a small number out and a large one in digits.
func (w wording) number(n int) string {
	if words := smallNumbers[w.locale]; n >= 0 && n < len(words) {
		return words[n]
	}
	return strconv.Itoa(n)
}

// sentences joins whole sentences.
func (w wording) sentences(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, w.sentence["sentence_join"])
}

// date is a day in the customer's time zone; the year stands only when it is not this one.
func (w wording) date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := t.In(w.zone)
	sameYear := d.Year() == w.now.In(w.zone).Year()
	switch {
	case w.locale == scene.English && sameYear:
		return d.Format("2 January")
	case w.locale == scene.English:
		return d.Format("2 January 2006")
	case sameYear:
		return fmt.Sprintf("%d 月 %d 日", d.Month(), d.Day())
	}
	return fmt.Sprintf("%d 年 %d 月 %d 日", d.Year(), d.Month(), d.Day())
}

// currencies are the signs written before an amount; others stand behind it as their code.
var currencies = map[string]string{"CNY": "¥", "RMB": "¥", "USD": "$", "EUR": "€", "GBP": "£", "HKD": "HK$", "JPY": "¥"}

// noMinor are the currencies without minor units (ISO 4217).
var noMinor = map[string]bool{"JPY": true, "KRW": true, "VND": true, "CLP": true}

// money writes an amount of minor units: ¥299, $12.50, ¥500,000.
func (w wording) money(m candidate.Money) string {
	amount, sign := m.Amount, ""
	if amount < 0 {
		amount, sign = -amount, "-"
	}
	var digits string
	switch {
	case noMinor[m.Currency]:
		digits = fmt.Sprintf("%d", amount)
	case amount%100 == 0:
		digits = fmt.Sprintf("%d", amount/100)
	default:
		digits = fmt.Sprintf("%d.%02d", amount/100, amount%100)
	}
	digits = candidate.Grouped(digits)
	if s, ok := currencies[m.Currency]; ok {
		return sign + s + digits
	}
	return sign + digits + " " + m.Currency
}

// value writes a field of a record for a reader: times as dates, money as money, the rest as it is.
func (w wording) value(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if v == "" || v[0] < '0' || v[0] > '9' {
			return v
		}
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return w.date(t)
		}
		return v
	case bool:
		if v {
			return "✓"
		}
		return "✗"
	case float64:
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.4f", v), "0"), ".")
	case []any:
		parts := make([]string, 0, len(v))
		for _, x := range v {
			if s := w.value(x); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, w.sentence["list_join"])
	case map[string]any:
		if amount, ok := v["amount"].(float64); ok {
			if c, ok := v["currency"].(string); ok {
				return w.money(candidate.Money{Amount: int64(amount), Currency: c})
			}
		}
		zh, _ := v["zh"].(string)
		en, _ := v["en"].(string)
		if zh != "" || en != "" {
			return w.in(candidate.Text{Zh: zh, En: en})
		}
		for _, k := range []string{"title", "name", "product_id", "id"} {
			if s := w.value(v[k]); s != "" {
				return s
			}
		}
	}
	return ""
}
