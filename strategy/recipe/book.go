package recipe

import (
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/candidate"
)

// The book is beginnings (when) and endings (what is done then), each with the blanks
// it brings: every beginning goes with every ending.

type part struct {
	id     string
	zh, en string
	blanks []Blank
	yaml   string
}

func text(zh, en string) candidate.Text { return candidate.Text{Zh: zh, En: en} }

func number(id, zh, en, usual string, most int) Blank {
	least := 1
	if id == "times" {
		least = 2
	}
	return Blank{ID: id, Title: text(zh, en), Kind: Number, Usual: usual, Least: least, Most: most}
}

func words(id, zh, en, usual string) Blank {
	return Blank{ID: id, Title: text(zh, en), Kind: Text, Usual: usual}
}

var (
	event = words("event", "什么事件", "which event", "Product Viewed")
	times = number("times", "几次", "how many times", "3", 64)
	days  = number("days", "几天内", "within how many days", "7", 365)
	who   = Blank{ID: "who", Title: text("给谁", "to whom"), Kind: Choice, Usual: "everybody", Choices: []Option{
		{"everybody", text("所有客户", "everybody"), "'true'"},
		{"known", text("核实过身份的客户", "customers whose identity is proven"), "person.proven"},
		{"new", text("认识不到 30 天的客户", "customers known for less than 30 days"), "person.known_days < 30"},
		{"old", text("认识满一年的客户", "customers known for a year"), "person.known_days >= 365"},
		{"buyers", text("买过东西的客户", "customers who have ordered"), "orders.count > 0"},
		{"browsers", text("还没下过单的客户", "customers who have not ordered yet"), "orders.count == 0"},
		{"companies", text("企业客户", "companies"), "person.traits.account_type == 'business'"},
		{"mobile", text("用手机的客户", "customers on a phone"), "scene.device == 'mobile'"},
		{"calm", text("没有未了结服务单的客户", "customers without an open case"), "cases.open == 0"},
	}}
	often = Blank{ID: "often", Title: text("最多多久一次", "at most how often"), Kind: Choice, Usual: "month", Choices: []Option{
		{"day", text("每天一次", "once a day"), "1d"}, {"week", text("每周一次", "once a week"), "7d"}, {"month", text("每月一次", "once a month"), "30d"},
		{"quarter", text("每季度一次", "once a quarter"), "90d"}, {"year", text("每年一次", "once a year"), "365d"},
	}}
	name    = Blank{ID: "name", Title: text("这条规则的编号", "id of the rule"), Kind: Name, Usual: "my_rule"}
	offerZh = words("offer_zh", "提供什么（中文）", "what is offered, in Chinese", "专人帮您挑选")
	offerEn = words("offer_en", "提供什么（英文）", "what is offered, in English", "Help with choosing")
	nature  = Blank{ID: "nature", Title: text("它是服务、心意还是推销", "a service, a favour or a sale"), Kind: Choice, Usual: "service", Choices: []Option{
		{"service", text("服务", "service"), "service"}, {"goodwill", text("心意", "goodwill"), "goodwill"}, {"sale", text("推销", "sale"), "sale"},
	}}
)

var beginnings = []part{
	{"repeated", "[days] 天内出现 [times] 次“[event]”时", "When “[event]” happens [times] times within [days] days", []Blank{event, times, days},
		"at_least: «times»\n    within: «days»d"},
	{"repeated_without", "[days] 天内出现 [times] 次“[event]”而没有“[without]”时", "When “[event]” happens [times] times within [days] days without “[without]”",
		[]Blank{event, times, days, words("without", "没有发生什么", "without which event", "Order Completed")},
		"at_least: «times»\n    within: «days»d\n    undone_by: [«without»]"},
	{"one_thing", "[days] 天内对同一件商品出现 [times] 次“[event]”时", "When “[event]” happens [times] times for one product within [days] days", []Blank{event, times, days},
		"at_least: «times»\n    within: «days»d\n    by: [product_id]"},
	{"absent", "“[after]”之后 [days] 天没有“[event]”时", "When no “[event]” follows for [days] days after “[after]”",
		[]Blank{words("event", "没有发生什么", "which event stays away", "Order Completed"), days, words("after", "在什么之后", "after which event", "Product Added")},
		"form: absent\n    after: {event: «after»}\n    within: «days»d"},
	{"streak", "连续 [times] 个[period]都有“[event]”时", "When “[event]” happens in [times] [period]s in a row",
		[]Blank{event, times, {ID: "period", Title: text("天、周或月", "days, weeks or months"), Kind: Choice, Usual: "week", Choices: []Option{
			{"day", text("日", "day"), "day"}, {"week", text("周", "week"), "week"}, {"month", text("月", "month"), "month"}}}},
		"form: streak\n    at_least: «times»\n    per: «period»"},
	{"followed", "“[event]”之后 [days] 天内又有“[then]”时", "When “[then]” follows “[event]” within [days] days",
		[]Blank{event, words("then", "接着发生什么", "which event follows", "Product Added"), days},
		"form: sequence\n    then: [{event: «then»}]\n    within: «days»d"},
	{"abandoned", "“[event]”之后 [hours] 小时内没有“[unless]”时", "When “[event]” is not followed by “[unless]” within [hours] hours",
		[]Blank{words("event", "开始了什么", "which event begins it", "Checkout Started"), words("unless", "没有完成什么", "which event does not follow", "Order Completed"), number("hours", "几小时", "how many hours", "24", 336)},
		"form: sequence\n    then: [{event: «event»}]\n    within: 30d\n    unless: {event: «unless», within: «hours»h}"},
}

var endings = []part{
	{"offer", "下次来时给[who]提供“[offer_zh]”，最多[often]", "offer “[offer_en]” to [who] at their next visit, at most [often]",
		[]Blank{nature, offerZh, offerEn, who, often}, `    nature: «nature»
    title: {zh: «offer_zh», en: «offer_en»}
`},
	{"answer", "问到 [need] 时给[who]提供“[offer_zh]”，最多[often]", "offer “[offer_en]” to [who] when they ask about [need], at most [often]",
		[]Blank{nature, offerZh, offerEn, {ID: "need", Title: text("哪一类诉求", "which need"), Kind: Intent, Usual: "presale.recommend"}, who, often}, `    nature: «nature»
    title: {zh: «offer_zh», en: «offer_en»}
    serves: [«need»]
`},
	{"person", "下次来时请专人接待[who]（“[offer_zh]”），最多[often]", "bring a person to [who] at their next visit (“[offer_en]”), at most [often]",
		[]Blank{offerZh, offerEn, who, often}, `    nature: service
    title: {zh: «offer_zh», en: «offer_en»}
    handover: true
`},
}

// book is all of them, in the order of the beginnings.
var book = sync.OnceValue(bind)

func bind() (all []Recipe) {
	for _, b := range beginnings {
		for _, e := range endings {
			r := Recipe{ID: b.id + "_" + e.id, Sentence: text(b.zh+"，"+e.zh+"。", b.en+", "+e.en+".")}
			r.Blanks = append(append(append(r.Blanks, name), b.blanks...), e.blanks...)
			r.template = strings.NewReplacer("<when>", b.yaml, "<then>", e.yaml, "<zh>", quoted(b.zh), "<en>", quoted(b.en)).Replace(frame)
			r.compile()
			all = append(all, r)
		}
	}
	return all
}

// quoted turns the blanks of a sentence into those of a text in quotes.
func quoted(sentence string) string {
	return inBrackets.ReplaceAllStringFunc(sentence, func(hole string) string {
		return "«~" + strings.Trim(hole, "[]") + "»"
	})
}

// frame is a file of a recipe.
const frame = `signals:
  - id: «name»
    title: {zh: "<zh>", en: "<en>"}
    counts: {zh: «event», en: «event»}
    event: «event»
    <when>
actions:
  - id: «name»_then
<then>    signal: «name»
    suitability:
      - id: audience
        rule: «who»
        reason: {zh: 不是这条规则要找的客户, en: not one of the customers it is meant for}
    cap: {shown: 1, within: «often»}
    reasons:
      - text: {zh: "{dates}有过：«~event»", en: "Seen on {dates}: «~event»"}
        cites: [group]
`
