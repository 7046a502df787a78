package decision

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/scene"
)

// Placeholders lists the placeholders that every text may use beside the names
// of facts: what stands in braces is replaced in the language of the text.
func Placeholders() []string {
	return []string{"at_least", "brand", "count", "course", "dates", "device", "duty", "item", "item_for", "maturing", "next_lesson", "order_date", "symptom", "times", "weak_lesson", "weak_skill", "within"}
}

// AlwaysKnown tells whether a placeholder can be filled for every candidate of an
// action: a title may use no other.
func AlwaysKnown(placeholder string, hasSignal bool) bool {
	switch placeholder {
	case "device":
		return true
	case "dates", "count", "times", "symptom", "within", "at_least":
		return hasSignal
	}
	return false
}

var (
	aDevice  = candidate.Text{Zh: "设备", En: "device"}
	aProduct = candidate.Text{Zh: "产品", En: "product"}
)

// fill writes a text in both languages; ok is false when a placeholder is unknown.
func (b *binding) fill(t candidate.Text) (filled candidate.Text, ok bool) {
	if strings.IndexByte(t.Zh, '{') < 0 && strings.IndexByte(t.En, '{') < 0 {
		return t, true
	}
	if filled.Zh, ok = b.fillIn(t.Zh, scene.Chinese); !ok {
		return t, false
	}
	filled.En, ok = b.fillIn(t.En, scene.English)
	return filled, ok
}

func (b *binding) fillIn(s string, l scene.Locale) (string, bool) {
	var out strings.Builder
	out.Grow(len(s) + 48)
	for {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break
		}
		name, forms := candidate.Blank(s[i+1 : i+end])
		value, ok := b.argument(name, l)
		if !ok {
			return "", false
		}
		value = candidate.Counted(value, forms)
		out.WriteString(s[:i])
		s = s[i+end+1:]
		if l == scene.Chinese && hanBefore(out.String()) && figure(value[:min(1, len(value))]) {
			out.WriteByte(' ') // 到 9 月 13 日, not 到9 月 13 日
		}
		out.WriteString(value)
		if l == scene.Chinese && value != "" && figure(value[len(value)-1:]) && hanAfter(s) {
			out.WriteByte(' ')
		}
	}
	out.WriteString(s)
	return out.String(), true
}

// figure tells an ASCII letter or digit, which stands apart from Han characters.
func figure(c string) bool {
	return c != "" && (c[0] >= '0' && c[0] <= '9' || c[0] >= 'a' && c[0] <= 'z' || c[0] >= 'A' && c[0] <= 'Z')
}

func hanBefore(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.Is(unicode.Han, r)
}
func hanAfter(s string) bool { r, _ := utf8.DecodeRuneInString(s); return unicode.Is(unicode.Han, r) }

func (b *binding) argument(name string, l scene.Locale) (string, bool) {
	switch name {
	case "device":
		d := b.device()
		if d == nil || d.item == nil || d.item.Title == (candidate.Text{}) {
			return aDevice.In(l), true
		}
		return d.item.Title.In(l), true
	case "brand":
		return b.in.Scene.Brand, b.in.Scene.Brand != ""
	case "symptom":
		id := b.symptom()
		if b.group != nil {
			id = cmp.Or(b.group.Group["symptom"], id)
		}
		if t, ok := b.plan.Symptoms[id]; ok && t.In(l) != "" {
			return t.In(l), true
		}
		return id, id != ""
	case "item":
		if p := b.putting(); p != nil {
			return p.title.In(l), p.title.In(l) != ""
		}
		return "", false
	case "item_for":
		if p := b.putting(); p != nil {
			return p.toTitle.In(l), p.toTitle.In(l) != ""
		}
		return "", false
	case "maturing":
		if h, _ := b.maturing(); h != nil {
			if item := b.item(h.Text("product_id")); item != nil && item.Title != (candidate.Text{}) {
				return item.Title.In(l), true
			}
			return aProduct.In(l), true
		}
		return "", false
	case "course", "next_lesson", "weak_skill", "weak_lesson":
		fact := map[string]string{"course": "course", "next_lesson": "next", "weak_skill": "weak", "weak_lesson": "weak_lesson"}[name]
		if id, ok := b.studyFact(fact); ok {
			return b.titled(id.(string)).In(l), true
		}
		return "", false
	case "duty":
		if d := b.duty(); d != nil {
			return d.Name.In(l), true
		}
		return "", false
	case "order_date":
		if o := b.order(); o != nil && !o.CreatedAt.IsZero() {
			return b.date(o.CreatedAt, l), true
		}
		return "", false
	}
	if b.group != nil {
		p := b.plan.Signals[b.group.Signal]
		switch name {
		case "dates":
			return b.dates(b.group.Times, l), len(b.group.Times) > 0
		case "count":
			return strconv.Itoa(b.group.Count), true
		case "times":
			return times(b.group.Count, l), true
		case "within":
			return strconv.FormatInt(days(p.Within), 10), p.Within > 0
		case "at_least":
			return strconv.Itoa(p.AtLeast), p.AtLeast > 0
		}
	}
	v, ok := b.Lookup(name)
	if !ok {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, v != ""
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return number(v), true
	case time.Time:
		switch name {
		case "duty.until": // by the clock where they are on duty
			return v.Format("15:04"), true
		case "duty.opens":
			return b.date(v, l) + map[bool]string{true: " ", false: ", "}[l == scene.Chinese] + v.Format("15:04"), true
		}
		// An end at midnight is the end of the day before: "until 5 July".
		local := v.In(b.zone())
		if local.Hour() == 0 && local.Minute() == 0 && local.Second() == 0 && (strings.HasSuffix(name, "_until") || name == "item.until") {
			v = v.Add(-time.Second)
		}
		return b.date(v, l), true
	case []string:
		return strings.Join(v, map[bool]string{true: "、", false: ", "}[l == scene.Chinese]), len(v) > 0
	}
	return "", false
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// date writes a day as the adviser says it; the year only when it is not this one.
func (m *moment) date(t time.Time, l scene.Locale) string {
	t = t.In(m.zone())
	other := t.Year() != m.now.In(m.zone()).Year()
	if l == scene.Chinese {
		s := strconv.Itoa(int(t.Month())) + " 月 " + strconv.Itoa(t.Day()) + " 日"
		if other {
			s = strconv.Itoa(t.Year()) + " 年 " + s
		}
		return s
	}
	s := strconv.Itoa(t.Day()) + " " + t.Month().String()
	if other {
		s += " " + strconv.Itoa(t.Year())
	}
	return s
}

func (m *moment) dates(times []time.Time, l scene.Locale) string {
	var out strings.Builder
	for i, t := range times {
		switch {
		case i == 0:
		case i == len(times)-1 && l == scene.Chinese:
			out.WriteString("和 ")
		case i == len(times)-1:
			out.WriteString(" and ")
		case l == scene.Chinese:
			out.WriteString("、")
		default:
			out.WriteString(", ")
		}
		out.WriteString(m.date(t, l))
	}
	return out.String()
}

// times writes a count as the adviser says it: 两次, twice.
func times(n int, l scene.Locale) string {
	han, words := "零一两三四五六七八九十", []string{"never", "once", "twice", "three times", "four times", "five times", "six times", "seven times", "eight times", "nine times", "ten times"}
	switch {
	case n < 0 || n > 10:
		return strconv.Itoa(n) + map[bool]string{true: " 次", false: " times"}[l == scene.Chinese]
	case l == scene.Chinese:
		return string([]rune(han)[n]) + "次"
	}
	return words[n]
}

// shortfall says why a signal does not hold, in both languages, from the
// condition that failed (need/signal names them).
func (b *binding) shortfall() candidate.Text {
	s := b.group
	p := b.plan.Signals[s.Signal]
	zhWhat, enWhat := cmp.Or(p.Event.Zh, "记录"), cmp.Or(p.Event.En, "records")
	count, need, window := strconv.Itoa(s.Count), strconv.Itoa(max(p.AtLeast, 1)), strconv.FormatInt(days(p.Within), 10)
	zhIn, enIn := "", ""
	if p.Within > 0 {
		zhIn, enIn = window+" 天内", " within "+candidate.Counted(window, "day|days")
	}
	zhCount, enCount := zhIn+zhWhat+"只有 "+count+" 次，需要 "+need+" 次", enWhat+enIn+": "+count+"; it takes "+need
	kind, detail, _ := strings.Cut(s.Fault, ":")
	switch kind {
	case "within":
		return candidate.Text{Zh: zhCount + "；更早的超出了这个期限", En: enCount + ", and earlier ones are too old"}
	case "where":
		return candidate.Text{Zh: zhCount + "；其余的不符合计数条件", En: enCount + ", and the others do not qualify"}
	case "same":
		key := keyNames[detail]
		if key == (candidate.Text{}) {
			key = candidate.Text{Zh: detail, En: detail}
		}
		return candidate.Text{Zh: zhCount + "；其余的不是同一" + key.Zh, En: enCount + ", and the others are not of the same " + key.En}
	case "without":
		return candidate.Text{Zh: "之后已有「" + detail + "」，不再算数", En: "undone by " + detail}
	case "gap":
		return candidate.Text{Zh: detail + " 没有记录，连续中断", En: "nothing in " + detail + ", so the streak is broken"}
	case "order":
		return candidate.Text{Zh: "后续步骤还没有发生", En: "what must follow has not happened"}
	case "early":
		return candidate.Text{Zh: "时间还不够长", En: "not long enough yet"}
	case "trend":
		return candidate.Text{Zh: "最近的数值没有一直朝一个方向变化", En: "the latest values do not all go one way"}
	case "period":
		return candidate.Text{Zh: "最近几次的间隔不规律", En: "the latest ones did not come at regular intervals"}
	case "late":
		return candidate.Text{Zh: "这一次已经过了往常的时间", En: "the next one is later than usual"}
	case "ratio":
		return candidate.Text{Zh: "所占的比例还不够高", En: "too few of them beside the others"}
	}
	return candidate.Text{Zh: zhCount, En: enCount}
}

var keyNames = map[string]candidate.Text{
	"device":     {Zh: "台设备", En: "device"},
	"asset_id":   {Zh: "台设备", En: "device"},
	"symptom":    {Zh: "故障", En: "fault"},
	"product_id": {Zh: "型号", En: "product"},
	"order_id":   {Zh: "笔订单", En: "order"},
}

// reasons are the true sentences of an offer, each with its records.
func (b *binding) reasons(a *Action) []Reason {
	out := []Reason{}
	for i := range a.Reasons {
		because := &a.Reasons[i]
		if because.When != nil && !because.When.Eval(b).Holds {
			continue
		}
		t, ok := b.fill(because.Text)
		if !ok {
			continue
		}
		out = append(out, Reason{Text: t, Evidence: b.citeAll(because.Cites)})
	}
	return out
}

// form prefills what accepting an action needs; shown names what is an id of ours.
func (b *binding) form(a *Action) (known map[string]any, shown map[string]candidate.Text, missing []string) {
	for _, f := range a.Form {
		var v any
		ok := false
		if f.From != "" {
			v, ok = b.Lookup(f.From)
		}
		list, several := v.([]string)
		switch {
		case (!ok || several && len(list) == 0) && f.Optional:
		case !ok || several && len(list) == 0:
			missing = append(missing, f.Name)
		default:
			if known == nil {
				known = make(map[string]any, len(a.Form))
			}
			if t, isTime := v.(time.Time); isTime {
				v = t.Format(time.RFC3339)
			}
			known[f.Name] = v
			if name, ok := b.nameOf(f.From, v); ok {
				if shown == nil {
					shown = make(map[string]candidate.Text, 2)
				}
				shown[f.Name] = name
			}
		}
	}
	return known, shown, missing
}

// nameOf is what people call the value of a fact that is an id: an item's title, a
// fault's name.
func (b *binding) nameOf(fact string, v any) (candidate.Text, bool) {
	if ids, several := v.([]string); several {
		zh, en := make([]string, len(ids)), make([]string, len(ids))
		for i, id := range ids {
			zh[i], en[i] = id, id
			if item := b.item(id); item != nil {
				zh[i], en[i] = item.Title.In(scene.Chinese), item.Title.In(scene.English)
			}
		}
		return candidate.Text{Zh: strings.Join(zh, "、"), En: strings.Join(en, ", ")}, true
	}
	id, ok := v.(string)
	if !ok {
		return candidate.Text{}, false
	}
	switch fact {
	case "item.id":
		if item := b.item(id); item != nil {
			return item.Title, true
		}
		return candidate.Text{}, false
	case "maturing.id":
		if name, ok := b.Lookup("maturing.product_id"); ok {
			return b.nameOf("maturing.product_id", name)
		}
		return candidate.Text{}, false
	}
	switch fact[strings.LastIndexByte(fact, '.')+1:] {
	case "product_id":
		if item := b.item(id); item != nil {
			return item.Title, true
		}
	case "symptom":
		name, ok := b.plan.Symptoms[id]
		return name, ok
	case "next", "weak", "weak_lesson":
		return b.titled(id), true
	}
	return candidate.Text{}, false
}

func groupKey(g map[string]string) string {
	return cmp.Or(g["asset_id"], g["device"]) + "\x00" + g["product_id"] + "\x00" + g["symptom"] + "\x00" + g["order_id"]
}

// sameKey tells whether two groups have one groupKey.
func sameKey(a, b map[string]string) bool {
	return a["product_id"] == b["product_id"] && a["symptom"] == b["symptom"] && a["order_id"] == b["order_id"] &&
		cmp.Or(a["asset_id"], a["device"]) == cmp.Or(b["asset_id"], b["device"])
}

func capEvidence(contacts [][]evidence.Ref) []evidence.Ref {
	refs := []evidence.Ref{}
	for _, c := range contacts {
		refs = join(refs, c)
	}
	return refs
}
