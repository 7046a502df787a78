package decision

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// FactType is the type of a fact's value.
type FactType string

// The types that a rule can read.
const (
	Text   FactType = "string"
	Bool   FactType = "bool"
	Int    FactType = "int"
	Number FactType = "double"
	Time   FactType = "timestamp"
	List   FactType = "list" // of strings
)

// Fact is one name that every rule may read. Traits (person.traits.NAME) and
// signals (signal.ID.holds, signal.ID.count) are declared by the packs beside these.
type Fact struct {
	Name  string
	Type  FactType
	Title candidate.Text
}

// KnownFacts lists the facts that Lookup answers, in the order of their names.
func KnownFacts() []Fact { return slices.Clone(facts) }

var facts = []Fact{
	{"assets.count", Int, candidate.Text{Zh: "登记的设备数", En: "registered devices"}},
	{"behalf.asked", Bool, candidate.Text{Zh: "是否替别人来问", En: "it is asked for somebody else"}},
	{"behalf.role", Text, candidate.Text{Zh: "代办人的身份", En: "role of who asks for somebody else"}},
	{"behalf.scope", List, candidate.Text{Zh: "代办的范围", En: "kinds of record that may be asked about for somebody else"}},
	{"behalf.type", Text, candidate.Text{Zh: "与被代办人的关系", En: "relation by which it is asked for somebody else"}},
	{"behalf.until", Time, candidate.Text{Zh: "代办关系何时到期", En: "when that relation ends"}},
	{"case.age_days", Int, candidate.Text{Zh: "服务单已开天数", En: "days since the case was opened"}},
	{"case.id", Text, candidate.Text{Zh: "服务单号", En: "case number"}},
	{"case.kind", Text, candidate.Text{Zh: "服务单类型", En: "kind of case"}},
	{"case.named", Bool, candidate.Text{Zh: "是否说的就是这张服务单", En: "the case was named or meant"}},
	{"case.open", Bool, candidate.Text{Zh: "服务单是否未了结", En: "the case is open"}},
	{"case.overdue", Bool, candidate.Text{Zh: "服务单是否超过承诺时间", En: "the case is past its promise"}},
	{"case.promised_at", Time, candidate.Text{Zh: "服务单承诺时间", En: "when the case was promised"}},
	{"case.status", Text, candidate.Text{Zh: "服务单状态", En: "state of the case"}},
	{"cases.open", Int, candidate.Text{Zh: "未了结的服务单数", En: "open cases"}},
	{"cases.total", Int, candidate.Text{Zh: "服务单总数", En: "cases so far"}},
	{"contract.ends_at", Time, candidate.Text{Zh: "合同何时到期", En: "when the contract ends"}},
	{"contract.ends_days", Int, candidate.Text{Zh: "合同还有几天到期", En: "days until the contract ends"}},
	{"contract.id", Text, candidate.Text{Zh: "合同编号", En: "contract number"}},
	{"contract.kind", Text, candidate.Text{Zh: "合同类型", En: "kind of contract"}},
	{"contract.product_id", Text, candidate.Text{Zh: "合同所含产品编号", En: "product of the contract"}},
	{"contract.status", Text, candidate.Text{Zh: "合同状态", En: "state of the contract"}},
	{"contracts.count", Int, candidate.Text{Zh: "有效合同数", En: "contracts in force"}},
	{"device.age_days", Int, candidate.Text{Zh: "设备已用天数", En: "age of the device in days"}},
	{"device.age_months", Int, candidate.Text{Zh: "设备已用月数", En: "age of the device in months"}},
	{"device.asset_id", Text, candidate.Text{Zh: "设备编号", En: "device id"}},
	{"device.bought_at", Time, candidate.Text{Zh: "设备购买时间", En: "when the device was bought"}},
	{"device.category", Text, candidate.Text{Zh: "设备品类", En: "category of the device"}},
	{"device.named", Bool, candidate.Text{Zh: "是否说了哪台设备", En: "the device was named"}},
	{"device.product_id", Text, candidate.Text{Zh: "设备型号编号", En: "product id of the device"}},
	{"device.serial", Text, candidate.Text{Zh: "序列号", En: "serial number"}},
	{"device.state", Text, candidate.Text{Zh: "设备状态", En: "state of the device"}},
	{"device.under_warranty", Bool, candidate.Text{Zh: "是否在保修期内", En: "under warranty"}},
	{"device.warranty_days", Int, candidate.Text{Zh: "保修剩余天数", En: "days of warranty left"}},
	{"device.warranty_until", Time, candidate.Text{Zh: "保修到期时间", En: "end of the warranty"}},
	{"dialogue.failures", Int, candidate.Text{Zh: "接连没听明白的次数", En: "times in a row that only asking back was possible"}},
	{"dialogue.waiting", Bool, candidate.Text{Zh: "是否已在等人接", En: "a person is being looked for"}},
	{"duty.open", Bool, candidate.Text{Zh: "现在是否有专人值班", En: "somebody to be put through to is on duty"}},
	{"duty.opens", Time, candidate.Text{Zh: "专人下次几点上班", En: "when somebody will be on duty next"}},
	{"duty.phone", Text, candidate.Text{Zh: "值班专人的电话", En: "number of who is on duty"}},
	{"duty.until", Time, candidate.Text{Zh: "专人值班到几点", En: "when who is on duty goes home"}},
	{"enquiry.asked", Bool, candidate.Text{Zh: "是否主动来问", En: "the customer asked"}},
	{"enquiry.danger", Bool, candidate.Text{Zh: "这次是否有安全危险", En: "somebody could be hurt"}},
	{"enquiry.intents", List, candidate.Text{Zh: "这次问的全部诉求", En: "intents of this enquiry"}},
	{"enquiry.problem", Bool, candidate.Text{Zh: "这次是否有问题要解决", En: "the enquiry has a problem to solve"}},
	{"group.asset_id", Text, candidate.Text{Zh: "信号所指设备编号", En: "device id of the signal"}},
	{"group.course_id", Text, candidate.Text{Zh: "信号所指课程", En: "course of the signal"}},
	{"group.device", Text, candidate.Text{Zh: "信号所指设备", En: "device of the signal"}},
	{"group.named", Text, candidate.Text{Zh: "说的是不是这台（this / other / none）", En: "whether the need is about it (this, other, none)"}},
	{"group.order_id", Text, candidate.Text{Zh: "信号所指订单", En: "order of the signal"}},
	{"group.product_id", Text, candidate.Text{Zh: "信号所指型号", En: "product of the signal"}},
	{"group.skill", Text, candidate.Text{Zh: "信号所指知识点", En: "skill of the signal"}},
	{"group.symptom", Text, candidate.Text{Zh: "信号所指故障", En: "fault of the signal"}},
	{"holdings.count", Int, candidate.Text{Zh: "持有产品数", En: "products held"}},
	{"item.for", Text, candidate.Text{Zh: "推荐的商品配套哪一件", En: "the thing that the item put forward goes with"}},
	{"item.id", Text, candidate.Text{Zh: "推荐的商品编号", En: "item put forward"}},
	{"item.level", Text, candidate.Text{Zh: "推荐商品的等级", En: "level of the item put forward"}},
	{"item.relation", Text, candidate.Text{Zh: "推荐的商品与那一件的关系", En: "how the item put forward belongs to it"}},
	{"item.until", Time, candidate.Text{Zh: "推荐的优惠何时结束", En: "when the promotion put forward ends"}},
	{"item.within", Bool, candidate.Text{Zh: "推荐商品的等级是否不高于客户等级", En: "the item's level is not above the customer's"}},
	{"maturing.at", Time, candidate.Text{Zh: "最近到期的产品何时到期", En: "when the next holding matures"}},
	{"maturing.days", Int, candidate.Text{Zh: "最近到期的产品还有几天到期", En: "days until the next holding matures"}},
	{"maturing.id", Text, candidate.Text{Zh: "最近到期的持有编号", En: "the holding that matures next"}},
	{"maturing.product_id", Text, candidate.Text{Zh: "最近到期的产品编号", En: "product that matures next"}},
	{"need.answered", Bool, candidate.Text{Zh: "是否查到了答案", En: "a source has an answer"}},
	{"need.attached", Bool, candidate.Text{Zh: "是否是没人看过的附件", En: "it is an attachment that nobody has read"}},
	{"need.conditional", Bool, candidate.Text{Zh: "是否有前提条件", En: "it depends on another result"}},
	{"need.confidence", Number, candidate.Text{Zh: "识别把握", En: "confidence of the reading"}},
	{"need.danger", Bool, candidate.Text{Zh: "是否有安全危险", En: "somebody could be hurt"}},
	{"need.family", Text, candidate.Text{Zh: "诉求大类", En: "group of the intent"}},
	{"need.intent", Text, candidate.Text{Zh: "诉求", En: "intent"}},
	{"need.origin", Text, candidate.Text{Zh: "诉求来源", En: "origin of the need"}},
	{"need.products", List, candidate.Text{Zh: "提到的商品", En: "products named"}},
	{"need.repeated", Int, candidate.Text{Zh: "同一问题此前问过的次数", En: "how often it was asked before"}},
	{"need.status_told", Bool, candidate.Text{Zh: "进度是否已经说了", En: "the answer tells how its record stands"}},
	{"need.subintent", Text, candidate.Text{Zh: "细分诉求", En: "subintent"}},
	{"need.symptom", Text, candidate.Text{Zh: "故障现象", En: "symptom"}},
	{"need.text", Text, candidate.Text{Zh: "原话", En: "the customer's words"}},
	{"need.unclear", Bool, candidate.Text{Zh: "是否没听明白", En: "the need was not understood"}},
	{"now", Time, candidate.Text{Zh: "现在", En: "now"}},
	{"order.age_days", Int, candidate.Text{Zh: "下单后天数", En: "days since the order"}},
	{"order.created_at", Time, candidate.Text{Zh: "下单时间", En: "when it was ordered"}},
	{"order.delivered", Bool, candidate.Text{Zh: "是否已签收", En: "it was delivered"}},
	{"order.delivered_at", Time, candidate.Text{Zh: "签收时间", En: "when it was delivered"}},
	{"order.delivered_days", Int, candidate.Text{Zh: "签收后天数", En: "days since delivery"}},
	{"order.id", Text, candidate.Text{Zh: "订单号", En: "order number"}},
	{"order.named", Bool, candidate.Text{Zh: "是否说了哪一单", En: "the order was named"}},
	{"order.returnable", Bool, candidate.Text{Zh: "是否还能退", En: "it can still be returned"}},
	{"order.returnable_days", Int, candidate.Text{Zh: "还有几天可退", En: "days left to return it"}},
	{"order.returnable_until", Time, candidate.Text{Zh: "退货截止时间", En: "last moment to return it"}},
	{"order.status", Text, candidate.Text{Zh: "订单状态", En: "state of the order"}},
	{"orders.count", Int, candidate.Text{Zh: "订单数", En: "orders so far"}},
	{"orders.open", Int, candidate.Text{Zh: "未完成订单数", En: "open orders"}},
	{"orders.promoted", Int, candidate.Text{Zh: "用过公开优惠的订单数", En: "orders that used a public promotion"}},
	{"orders.promoted_percent", Int, candidate.Text{Zh: "用过公开优惠的订单占比（百分比）", En: "share of orders that used a public promotion, in percent"}},
	{"person.known_days", Int, candidate.Text{Zh: "认识这位客户的天数", En: "days since the first event"}},
	{"person.personalized", Bool, candidate.Text{Zh: "个性化是否开启", En: "personalisation is on"}},
	{"person.proven", Bool, candidate.Text{Zh: "身份是否已核实", En: "the identity is proven"}},
	{"person.refuses", List, candidate.Text{Zh: "客户明确不同意的用途", En: "purposes the customer has refused"}},
	{"person.relations", List, candidate.Text{Zh: "有效的人际关系", En: "relations to others that are in force"}},
	{"person.roles", List, candidate.Text{Zh: "在公司里的身份", En: "roles in companies"}},
	{"person.tags", List, candidate.Text{Zh: "标签", En: "tags"}},
	{"promotion.ends_at", Time, candidate.Text{Zh: "客户的优惠何时到期", En: "when the customer's promotion ends"}},
	{"promotion.ends_days", Int, candidate.Text{Zh: "客户的优惠还有几天到期", En: "days until the customer's promotion ends"}},
	{"promotion.id", Text, candidate.Text{Zh: "客户的优惠编号", En: "the customer's promotion"}},
	{"promotion.kind", Text, candidate.Text{Zh: "客户的优惠类型", En: "kind of the customer's promotion"}},
	{"promotion.product_id", Text, candidate.Text{Zh: "优惠所指产品编号", En: "product of the promotion"}},
	{"promotion.status", Text, candidate.Text{Zh: "优惠状态", En: "state of the promotion"}},
	{"promotions.count", Int, candidate.Text{Zh: "可用优惠数", En: "promotions that can be used"}},
	{"returnable.created_at", Time, candidate.Text{Zh: "还能退的订单的下单时间", En: "when the order that can be returned was placed"}},
	{"returnable.days", Int, candidate.Text{Zh: "还能退的订单还有几天可退", En: "days left to return it"}},
	{"returnable.id", Text, candidate.Text{Zh: "还能退的订单号", En: "newest order that can be returned, with no return under way"}},
	{"returnable.product_id", Text, candidate.Text{Zh: "还能退的商品编号", En: "product that can be returned"}},
	{"returnable.until", Time, candidate.Text{Zh: "还能退的订单何时截止", En: "last moment to return it"}},
	{"scene.adcode", Text, candidate.Text{Zh: "行政区划代码", En: "region code"}},
	{"scene.brand", Text, candidate.Text{Zh: "品牌", En: "brand"}},
	{"scene.channel", Text, candidate.Text{Zh: "渠道", En: "channel"}},
	{"scene.country", Text, candidate.Text{Zh: "国家", En: "country"}},
	{"scene.device", Text, candidate.Text{Zh: "终端类型", En: "type of device in hand"}},
	{"scene.hour", Int, candidate.Text{Zh: "当地钟点", En: "hour of the day there"}},
	{"scene.locale", Text, candidate.Text{Zh: "语言", En: "language"}},
	{"scene.network", Text, candidate.Text{Zh: "网络", En: "network"}},
	{"scene.save_data", Bool, candidate.Text{Zh: "是否省流量", En: "data saver is on"}},
	{"scene.store", Text, candidate.Text{Zh: "门店", En: "store"}},
	{"scene.weekday", Int, candidate.Text{Zh: "星期几（周一为 1）", En: "day of the week (Monday is 1)"}},
	{"scene.workday", Bool, candidate.Text{Zh: "是否工作日（按日历）", En: "a working day there, by the calendar"}},
	{"study.course", Text, candidate.Text{Zh: "在学课程编号", En: "course under way"}},
	{"study.done", Int, candidate.Text{Zh: "已学完的课数", En: "lessons completed"}},
	{"study.idle_days", Int, candidate.Text{Zh: "多少天没有学习", En: "days since the last lesson or quiz"}},
	{"study.lessons", Int, candidate.Text{Zh: "课程总课数", En: "lessons of the course"}},
	{"study.next", Text, candidate.Text{Zh: "下一课编号", En: "next lesson"}},
	{"study.weak", Text, candidate.Text{Zh: "下一课所需、但已生疏的知识点", En: "weakest prerequisite of the next lesson"}},
	{"study.weak_days", Int, candidate.Text{Zh: "薄弱知识点多少天没练", En: "days since the weak skill was practised"}},
	{"study.weak_lesson", Text, candidate.Text{Zh: "讲薄弱知识点的那一课", En: "lesson that teaches the weak skill"}},
	{"study.weak_percent", Int, candidate.Text{Zh: "薄弱知识点的当前掌握度（百分比）", En: "what is left of the weak skill, in percent"}},
}

// moment is what all bindings of one decision share.
type moment struct {
	plan    *Plan
	in      *Input
	now     time.Time
	person  *profile.Profile
	intents []string
	// changed is the one fact that a counterfactual sees otherwise, nil in life.
	changed *change
	// asked collects the facts that rules read, when somebody wants to know.
	asked map[string]bool

	desk  *desk   // nil: nothing is remembered
	cites refPage // of lists of evidence

	location  *time.Location
	devices   []device
	listed    bool
	tagged    []TagState
	tagsFound bool
	funds     []string // names of the budgets of this moment, by fund, as far as they were asked for
}

var nobody = &profile.Profile{}

func newMoment(plan *Plan, in *Input) *moment {
	m := &moment{plan: plan, in: in, now: in.Scene.Time, person: in.Person}
	if m.person == nil {
		m.person = nobody
	}
	return m
}

func (m *moment) zone() *time.Location {
	if m.location == nil {
		m.location = m.in.Scene.Location()
	}
	return m.location
}

// binding is the facts of one candidate: one action, one need, one group. It
// remembers which names were read since reset.
type binding struct {
	*moment
	need  *need.Need        // nil when nothing was asked
	group *need.SignalState // nil when the action names no signal
	read  []string

	end      time.Time // of the warranty of dev
	endKnown bool
	endFound bool
	dev      *device
	devFound bool
	ord      *profile.Record
	ordFound bool
	cas      *profile.Record
	casFound bool
	ret      *returnable
	retFound bool
	put      *putForward
	putFound bool
	learner  *study
	studied  bool
	action   *Action
}

// Lookup implements Facts.
func (b *binding) Lookup(name string) (any, bool) {
	if !slices.Contains(b.read, name) {
		b.read = append(b.read, name)
	}
	if b.asked != nil {
		b.asked[name] = true
	}
	if c := b.changed; c != nil && c.fact == name && c.concerns(b) {
		return c.value, true
	}
	if b.desk == nil {
		return b.fact(name)
	}
	return b.recall(name)
}

func text(s string) (any, bool) { return s, s != "" }

func (b *binding) fact(name string) (any, bool) {
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return b.now, name == "now" && !b.now.IsZero()
	}
	switch head {
	case "need":
		return b.needFact(rest)
	case "group":
		return b.groupFact(rest)
	case "device":
		return b.deviceFact(rest)
	case "order":
		return b.orderFact(rest)
	case "case":
		return b.caseFact(rest)
	case "person":
		return b.personFact(rest)
	case "scene":
		return b.sceneFact(rest)
	case "signal":
		return b.signalFact(rest)
	case "enquiry":
		return b.enquiryFact(rest)
	case "returnable":
		return b.returnableFact(rest)
	case "maturing":
		return b.maturingFact(rest)
	case "item":
		return b.itemFact(rest)
	case "duty":
		return b.dutyFact(rest)
	case "study":
		return b.studyFact(rest)
	case "tag":
		return b.tagFact(rest)
	case "behalf":
		return b.behalfFact(rest)
	case "calendar":
		return b.calendarFact(rest)
	case "dialogue":
		switch rest {
		case "failures":
			return int64(b.in.Dialogue.Failures), true
		case "waiting":
			return b.in.Dialogue.Waiting, true
		}
	case "contract", "promotion":
		return b.agreementFact(evidence.Kind(head), rest)
	case "contracts", "promotions":
		if rest == "count" {
			return int64(len(b.agreements(evidence.Kind(strings.TrimSuffix(head, "s"))))), true
		}
	case "orders":
		switch rest {
		case "promoted", "promoted_percent":
			return b.promotedFact(rest)
		case "count":
			return int64(len(b.person.Records[evidence.Order])), true
		case "open":
			return b.countRecords(evidence.Order, openOrder), true
		}
	case "cases":
		switch rest {
		case "total":
			return int64(len(b.person.Records[evidence.Case])), true
		case "open":
			return b.countRecords(evidence.Case, b.pending), true
		}
	case "assets":
		if rest == "count" {
			return int64(len(b.person.Records[evidence.Asset])), true
		}
	case "holdings":
		if rest == "count" {
			return int64(len(b.person.Records[evidence.Holding])), true
		}
	}
	return nil, false
}

func (b *binding) countRecords(kind evidence.Kind, counts func(*profile.Record) bool) int64 {
	var n int64
	for _, r := range b.person.Records[kind] {
		if counts(r) {
			n++
		}
	}
	return n
}

func (b *binding) needFact(name string) (any, bool) {
	n := b.need
	if n == nil {
		return nil, false
	}
	switch name {
	case "intent":
		return n.Intent, true
	case "family":
		family, _, _ := strings.Cut(n.Intent, ".")
		return family, true
	case "subintent":
		return n.Sub(), true
	case "symptom":
		return b.symptom(), true
	case "danger":
		return n.Danger, true
	case "status_told":
		return slices.ContainsFunc(b.in.Results, func(r candidate.Result) bool {
			return slices.ContainsFunc(r.Answers, func(a candidate.Answer) bool { return a.Need == n.ID && a.Status != nil })
		}), true
	case "answered":
		return slices.ContainsFunc(b.in.Results, func(r candidate.Result) bool {
			return slices.ContainsFunc(r.Answers, func(a candidate.Answer) bool { return a.Need == n.ID })
		}), true
	case "attached":
		return len(n.Attachments) > 0, true
	case "repeated":
		return int64(n.Repeated), true
	case "unclear":
		return len(n.Readings) > 0, true
	case "origin":
		return string(n.Origin), true
	case "confidence":
		return n.Confidence, true
	case "text":
		return n.Text, true
	case "conditional":
		return n.Condition != nil, true
	case "products":
		ids := []string{}
		for i := range n.Entities {
			if e := &n.Entities[i]; e.Type == "product" && e.ID != "" {
				ids = append(ids, e.ID)
			}
		}
		if len(ids) == 0 {
			for _, to := range n.RefersTo {
				if kind, id := b.pointed(to); kind == evidence.Item && b.item(id) != nil {
					ids = append(ids, id)
				}
			}
		}
		return ids, true
	}
	return nil, false
}

// symptom is the fault the need speaks of, "" when it names none.
func (b *binding) symptom() string {
	if b.need == nil {
		return ""
	}
	for i := range b.need.Entities {
		if e := &b.need.Entities[i]; e.Type == "symptom" && e.ID != "" {
			return e.ID
		}
	}
	if s := b.need.Sub(); s != "" {
		if _, known := b.plan.Symptoms[s]; known {
			return s
		}
	}
	return ""
}

func (b *binding) groupFact(name string) (any, bool) {
	if b.group == nil {
		return nil, false
	}
	if name == "named" {
		return b.groupNamed(), true
	}
	return text(b.group.Group[name])
}

// groupNamed tells whether the need is about the device of the group: "this",
// "other", or "none" when the customer named no device and has several.
func (b *binding) groupNamed() string {
	g := b.group.Group
	ids := []string{g["asset_id"], g["device"], g["product_id"]}
	if a := b.person.Records[evidence.Asset][cmp.Or(g["asset_id"], g["device"])]; a != nil {
		ids = append(ids, a.Text("serial"), a.Text("product_id"))
	}
	if b.need != nil && b.need.Unowned {
		return "other"
	}
	named := b.named()
	for _, id := range named {
		if slices.Contains(ids, id) || b.variantOf(id, ids) {
			return "this"
		}
	}
	if len(named) > 0 {
		return "other"
	}
	if all := b.all(); len(all) == 1 && (slices.Contains(ids, all[0].id()) || slices.Contains(ids, all[0].product)) {
		return "this"
	}
	return "none"
}

func (b *binding) variantOf(id string, ids []string) bool {
	for _, known := range ids {
		if known == "" {
			continue
		}
		if item := b.item(known); item != nil && item.VariantOf == id {
			return true
		}
	}
	item := b.item(id)
	return item != nil && item.VariantOf != "" && slices.Contains(ids, item.VariantOf)
}

func (m *moment) item(id string) *candidate.Item {
	if m.in.Catalogue == nil || id == "" {
		return nil
	}
	if item, ok := m.in.Catalogue.Item(id); ok {
		return item
	}
	return nil
}

// ties lists what the relations in force say, each once.
func (b *binding) ties(say func(*profile.Tie) string) []string {
	out := []string{}
	for _, t := range b.person.Ties(b.now) {
		if v := say(&t); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

func (b *binding) behalfFact(name string) (any, bool) {
	by := b.in.Behalf
	switch {
	case name == "asked":
		return by != nil, true
	case by == nil:
		return nil, false
	}
	switch name {
	case "type":
		return text(by.Type)
	case "role":
		return text(by.Role)
	case "scope":
		return by.Scope, true
	case "until":
		return by.Until, !by.Until.IsZero()
	}
	return nil, false
}

func (b *binding) personFact(name string) (any, bool) {
	switch name {
	case "proven":
		return b.in.Proven, true
	case "personalized":
		return b.in.Personal, true
	case "tags":
		return b.tagNames()
	case "relations":
		return b.ties(func(t *profile.Tie) string { return t.Type }), true
	case "roles":
		return b.ties(func(t *profile.Tie) string { return t.Role }), true
	case "refuses":
		refused := []string{}
		for purpose, given := range b.person.Preferences.Consent {
			if !given {
				refused = append(refused, purpose)
			}
		}
		slices.Sort(refused)
		return refused, true
	case "known_days":
		if b.person.First.IsZero() || !b.in.Personal {
			return nil, false
		}
		return days(b.now.Sub(b.person.First)), true
	}
	if trait, ok := strings.CutPrefix(name, "traits."); ok {
		t, ok := b.person.Traits[trait]
		if !ok || t.Value == nil {
			return nil, false
		}
		return native(t.Value)
	}
	if trait, ok := strings.CutPrefix(name, "stated_days."); ok {
		t, ok := b.person.Traits[trait]
		if !ok || t.Value == nil || t.At.IsZero() {
			return nil, false
		}
		return days(b.now.Sub(t.At)), true
	}
	return nil, false
}

// native turns a JSON value into one that a rule reads; objects and mixed lists
// are not readable.
func native(v any) (any, bool) {
	switch v := v.(type) {
	case string, bool, float64, int64, time.Time, []string:
		return v, true
	case int:
		return int64(v), true
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			list[i] = s
		}
		return list, true
	}
	return nil, false
}

func (b *binding) sceneFact(name string) (any, bool) {
	s := &b.in.Scene
	switch name {
	case "channel":
		return text(s.Channel)
	case "locale":
		return text(string(s.Locale))
	case "brand":
		return text(s.Brand)
	case "store":
		return text(s.Store)
	case "device":
		return text(s.Device.Type)
	case "network":
		return text(s.Network.EffectiveType)
	case "save_data":
		return s.Network.SaveData, true
	case "adcode":
		return text(s.Place.Adcode)
	case "country":
		return text(s.Place.Country)
	case "hour":
		return int64(b.now.In(b.zone()).Hour()), true
	case "weekday":
		return int64((b.now.In(b.zone()).Weekday()+6)%7 + 1), true
	case "workday":
		return b.plan.calendar(s.Place.Country).Workday(b.now.In(b.zone())), true
	}
	return nil, false
}

func (b *binding) enquiryFact(name string) (any, bool) {
	switch name {
	case "asked":
		return slices.ContainsFunc(b.in.Needs, asked), true
	case "intents":
		if b.intents == nil {
			b.intents = make([]string, 0, len(b.in.Needs))
			for i := range b.in.Needs {
				if n := &b.in.Needs[i]; !n.Negated {
					b.intents = append(b.intents, n.Intent)
				}
			}
		}
		return b.intents, true
	case "danger":
		return b.endangered(), true
	case "problem":
		return slices.ContainsFunc(b.in.Needs, func(n need.Need) bool { return !n.Negated && b.plan.problem(n.Intent) }), true
	}
	return nil, false
}

// endangered tells whether any need of the enquiry speaks of a danger.
func (m *moment) endangered() bool {
	return slices.ContainsFunc(m.in.Needs, func(n need.Need) bool { return n.Danger && !n.Negated })
}

func asked(n need.Need) bool { return n.Origin != need.Predicted }

func (b *binding) signalFact(name string) (any, bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return nil, false
	}
	id, field := name[:i], name[i+1:]
	holds, best := false, 0
	for k := range b.in.Signals {
		if s := &b.in.Signals[k]; s.Signal == id {
			holds = holds || s.Holds
			best = max(best, s.Count)
		}
	}
	switch field {
	case "holds":
		return holds, true
	case "count":
		return int64(best), true
	}
	return nil, false
}

func days(d time.Duration) int64 { return int64(d / (24 * time.Hour)) }

// monthsBetween counts whole calendar months from a to b.
func monthsBetween(a, b time.Time) int64 {
	if b.Before(a) {
		return 0
	}
	n := (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
	if a.AddDate(0, n, 0).After(b) {
		n--
	}
	return int64(max(n, 0))
}

// cite names the records that prove a fact.
func (b *binding) cite(name string) []evidence.Ref {
	head, rest, _ := strings.Cut(name, ".")
	switch head {
	case "group":
		if b.group != nil {
			return b.group.Events
		}
	case "signal":
		id := rest
		if i := strings.LastIndexByte(rest, '.'); i >= 0 {
			id = rest[:i]
		}
		var refs []evidence.Ref
		for k := range b.in.Signals {
			if s := &b.in.Signals[k]; s.Signal == id && s.Holds {
				refs = join(refs, s.Events)
			}
		}
		return refs
	case "device":
		if d := b.device(); d != nil {
			return d.cite(rest)
		}
	case "order":
		if r := b.order(); r != nil {
			return []evidence.Ref{r.Ref()}
		}
	case "case":
		if r := b.openCaseOf(); r != nil {
			return []evidence.Ref{r.Ref()}
		}
	case "orders":
		if rest == "promoted" {
			return b.promoted()
		}
		return b.refs(evidence.Order)
	case "cases":
		return b.refs(evidence.Case)
	case "assets":
		return b.refs(evidence.Asset)
	case "holdings":
		return b.refs(evidence.Holding)
	case "contract", "promotion":
		if all := b.agreements(evidence.Kind(head)); len(all) > 0 {
			return []evidence.Ref{all[0].Ref()}
		}
	case "contracts", "promotions":
		var refs []evidence.Ref
		for _, r := range b.agreements(evidence.Kind(strings.TrimSuffix(head, "s"))) {
			refs = append(refs, r.Ref())
		}
		return refs
	case "need":
		if b.need != nil {
			return b.need.Evidence
		}
	case "returnable":
		if r := b.returnable(); r != nil {
			return []evidence.Ref{r.order.Ref()}
		}
	case "maturing":
		if h, _ := b.maturing(); h != nil {
			return []evidence.Ref{h.Ref()}
		}
	case "item":
		return b.citeItem(rest)
	case "study":
		return b.citeStudy(rest)
	case "tag":
		return b.citeTags(rest)
	case "behalf":
		if b.in.Behalf != nil {
			return b.in.Behalf.Evidence
		}
	case "person":
		if rest == "relations" || rest == "roles" {
			var refs []evidence.Ref
			for _, t := range b.person.Ties(b.now) {
				refs = join(refs, t.Evidence)
			}
			return refs
		}
		trait, ok := strings.CutPrefix(rest, "traits.")
		if t, stated := strings.CutPrefix(rest, "stated_days."); stated {
			trait, ok = t, true
		}
		if rest == "tags" {
			return b.citeTags("")
		}
		if rest == "known_days" {
			return b.firstEvent()
		}
		if t, known := b.person.Traits[trait]; ok && known && t.Evidence != "" {
			return []evidence.Ref{t.Evidence}
		}
		if rest == "personalized" || rest == "refuses" {
			return b.person.Preferences.Evidence
		}
	}
	return nil
}

const mostRefs = 16

func (b *binding) refs(kind evidence.Kind) []evidence.Ref {
	all := sorted(b.person.Records[kind])
	refs := make([]evidence.Ref, 0, min(len(all), mostRefs))
	for _, r := range all[:min(len(all), mostRefs)] {
		refs = append(refs, r.Ref())
	}
	return refs
}

// sorted lists records newest first; equal times by id.
func sorted(records map[string]*profile.Record) []*profile.Record {
	if len(records) == 0 {
		return nil
	}
	all := make([]*profile.Record, 0, len(records))
	for _, r := range records {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *profile.Record) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// join adds refs that are not there yet, keeping the order.
func join(refs, more []evidence.Ref) []evidence.Ref {
	for _, r := range more {
		if !slices.Contains(refs, r) {
			refs = append(refs, r)
		}
	}
	return refs
}
