package treatment

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

// form is how much room and which senses a scene leaves for an answer.
type form struct {
	Condensed bool // short text, few rows: a phone, a thin line
	Voice     bool // spoken guidance can be played and comes first
	Video     bool // a clip can be played
	SpeakOnly bool // no screen: a speaker
}

// formOf reads a form from the scene: a phone condenses and hears first, a
// desktop shows the full table; a thin line or data saver takes no video.
func formOf(at scene.Scene) form {
	mobile := at.Device.Type == "mobile"
	speaker := at.Device.Type == "speaker"
	thin := at.Network.SaveData || slices.Contains([]string{"slow-2g", "2g", "3g"}, at.Network.EffectiveType)
	can := func(modality string, otherwise bool) bool {
		if len(at.Device.Modalities) == 0 {
			return otherwise
		}
		return slices.Contains(at.Device.Modalities, modality)
	}
	return form{
		Condensed: mobile || speaker || thin,
		Voice:     can("voice", mobile || speaker),
		Video:     can("video", !speaker) && !thin,
		SpeakOnly: speaker,
	}
}

// composer lays out one solution.
type composer struct {
	plan   *Plan
	words  wording
	form   form
	d      *decision.Decision
	danger bool            // somebody could get hurt: nothing is asked that can wait
	told   map[string]int  // where a record's state was told, as an index of blocks
	asked  bool            // the size of the household was asked for
	taken  map[string]bool // names of the catalogue for which something misspelt was taken
	blocks []Block
}

// Compose shows a decision in a scene; at.Locale is the language of every
// sentence. Safety comes first, then rights, then each need in the order of the
// text with what answers it, then what else is offered. Nothing is said twice.
func Compose(p *Plan, d *decision.Decision, at scene.Scene) Solution {
	c := composer{plan: p, words: wordingOf(at), form: formOf(at), d: d, told: map[string]int{}, taken: map[string]bool{}}
	c.danger = slices.ContainsFunc(d.Needs, func(n need.Need) bool { return n.Danger })
	actions := make([]Action, len(d.Chosen))
	for i := range d.Chosen {
		actions[i] = c.action(&d.Chosen[i])
	}
	offered := make([]bool, len(d.Chosen))
	offer := func(wanted func(*decision.Chosen) bool) {
		for i := range d.Chosen {
			ch := &d.Chosen[i]
			if offered[i] || !wanted(ch) {
				continue
			}
			offered[i] = true
			if !c.asksBack(ch.Need) { // asking back is a block of its own
				c.offer(ch, actions[i])
			}
		}
	}
	c.courtesy()
	offer(func(ch *decision.Chosen) bool { return ch.Safety })
	c.understood()
	c.welcome()
	// A right that the customer made depend on something stands behind what was found.
	offer(func(ch *decision.Chosen) bool { return ch.Nature == decision.Right && !c.depends(ch.Need) })
	for _, n := range c.inOrder() {
		before := len(c.blocks)
		c.condition(n)
		c.again(n)
		c.unknownItems(n)
		c.guessed(n)
		c.answers(n)
		c.household(n)
		offer(func(ch *decision.Chosen) bool { return ch.Need == n.ID && ch.Nature != decision.Sale })
		c.unanswered(n, len(c.blocks) > before || c.served(n.ID))
	}
	offer(func(*decision.Chosen) bool { return true })
	c.declinable()
	for i := range c.blocks {
		c.blocks[i].ID = "b" + strconv.Itoa(i+1)
	}
	if c.blocks == nil {
		c.blocks = []Block{}
	}
	return Solution{Locale: string(c.words.locale), Needs: c.titled(d.Needs), Blocks: c.blocks, Actions: actions}
}

// inOrder are the needs in the order in which they are shown: that of the text, but
// what a need depends on before it.
func (c *composer) inOrder() []*need.Need {
	ordered := make([]*need.Need, 0, len(c.d.Needs))
	for i := range c.d.Needs {
		n := &c.d.Needs[i]
		at := len(ordered)
		for k, o := range ordered {
			if o.Condition != nil && o.Condition.Need == n.ID && o.ID != n.ID {
				at = k
				break
			}
		}
		ordered = slices.Insert(ordered, at, n)
	}
	return ordered
}

// depends tells whether the customer made a need depend on something.
func (c *composer) depends(id string) bool {
	return slices.ContainsFunc(c.d.Conditions, func(x decision.Conditioned) bool { return x.Need == id })
}

// condition says how the thing stands that a need depends on, and what follows.
func (c *composer) condition(n *need.Need) {
	for i := range c.d.Conditions {
		x := &c.d.Conditions[i]
		if x.Need != n.ID {
			continue
		}
		title := c.called(n)
		if !x.Known && (!c.served(n.ID) || n.Condition.Need == "" && !asksForAction(n.Intent) && n.Intent != "order.place") {
			return // who only asks how it would be is told how it would be
		}
		if !x.Known {
			c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say("condition_open", "condition", n.Condition.Text, "need", title)})
			return
		}
		fact := c.words.say("circumstance_"+string(x.Fact), "item", c.itemTitle(x.Item), "order", x.Order)
		key := "condition_unmet"
		if x.Holds {
			key = "condition_met"
		}
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say(key, "fact", fact, "need", title), Ev: x.Evidence})
		return
	}
}

// served tells whether something is offered for a need.
func (c *composer) served(id string) bool {
	return slices.ContainsFunc(c.d.Chosen, func(ch decision.Chosen) bool { return ch.Need == id || slices.Contains(ch.Serves, id) })
}

// asksBack tells whether a need is answered by the question which of two readings is
// meant.
func (c *composer) asksBack(id string) bool {
	return slices.ContainsFunc(c.d.Needs, func(n need.Need) bool { return n.ID == id && unread(&n) })
}

// unread tells that a need waits for the customer to say what is meant at all. Which
// product is meant may be open although the need is understood.
func unread(n *need.Need) bool { return n.Status == need.Clarify && len(n.Readings) > 0 }

func (c *composer) add(b Block) { c.blocks = append(c.blocks, b) }

// answer adds what answers a need. What was said to an earlier one already is not said
// again: its block answers this need, too.
func (c *composer) answer(b Block) {
	for i := range c.blocks {
		said := c.blocks[i]
		by := said.Need
		said.Need, said.Serves = b.Need, nil
		if by != "" && by != b.Need && reflect.DeepEqual(said, b) {
			c.alsoServes(i, b.Need)
			return
		}
	}
	c.add(b)
}

// alsoServes notes that a block answers a further need.
func (c *composer) alsoServes(block int, id string) {
	b := &c.blocks[block]
	if b.Need != id && !slices.Contains(b.Serves, id) {
		b.Serves = append(b.Serves, id)
	}
}

// action is a chosen action in the customer's language.
func (c *composer) action(ch *decision.Chosen) Action {
	a := Action{
		Action: ch.Action, Nature: ch.Nature, Need: ch.Need, Group: ch.Group, Treatment: ch.Treatment,
		Title: c.words.in(ch.Title), Score: ch.Score, Propensity: ch.Propensity,
		Probability: ch.Probability, Position: ch.Position, Reasons: []Reason{},
	}
	for _, r := range ch.Reasons {
		a.Reasons = append(a.Reasons, Reason{Text: c.words.in(r.Text), Evidence: r.Evidence})
	}
	return a
}

// offer shows one action: what it is, why, what is filled in and what is missing.
func (c *composer) offer(ch *decision.Chosen, a Action) {
	b := Block{Need: ch.Need, Kind: "offer", Action: ch.Action, Title: a.Title, Text: c.words.in(ch.Body), Reasons: a.Reasons}
	if ch.Handover {
		b.Kind = "handover"
		if b.Text == "" {
			b.Text = c.words.say("handover")
		}
		b.Text = c.sought(b.Text)
	}
	var missing []string
	for _, f := range ch.Form {
		value := c.words.in(ch.Shown[f.Name])
		if value == "" {
			value = c.words.value(ch.Prefilled[f.Name])
		}
		if value == "" && f.Optional {
			continue
		}
		b.Fields = append(b.Fields, Field{Name: f.Name, Label: c.words.in(f.Label), Value: value})
		if value == "" {
			missing = append(missing, c.words.amid(f.Label))
		}
	}
	if len(b.Fields) > 0 {
		if b.Kind == "offer" {
			b.Kind = "form"
		}
		b.Text = c.words.sentences(b.Text, c.filled(len(b.Fields)-len(missing), missing))
	}
	c.add(b)
}

// sought is what is said of a person who is looked for: with the place in the queue
// and an honest time; to who waits already nothing else.
func (c *composer) sought(text string) string {
	if talk := c.d.Dialogue; !talk.Waiting {
		if talk.Ahead == 0 && talk.Minutes == 0 {
			return text
		}
		return c.words.sentences(text, c.words.place(talk.Ahead), c.words.lately(talk.Minutes))
	}
	return c.words.sentences(c.words.say("queue_still"), c.words.queueOnly(c.d.Dialogue.Ahead, c.d.Dialogue.Minutes))
}

func (c *composer) filled(known int, missing []string) string {
	if known == 0 {
		return c.words.say("form_ask", "missing", c.words.list(missing))
	}
	key := "prefilled_rest"
	if len(missing) == 0 {
		key = "prefilled_all"
	}
	if known == 1 {
		return c.words.say(key+"_single", "missing", c.words.list(missing))
	}
	return c.words.say(key, "known", strconv.Itoa(known), "missing", c.words.list(missing))
}

// understood repeats several spoken needs, so that a misreading is one tap away.
func (c *composer) understood() {
	var titles []string
	var options []Option
	for i := range c.d.Needs {
		n := &c.d.Needs[i]
		if n.Origin != need.Spoken || unread(n) {
			continue
		}
		title := c.called(n)
		if title == "" || slices.Contains(titles, title) {
			continue
		}
		titles = append(titles, title)
		options = append(options, Option{Label: title, Intent: n.Intent, Send: n.Text})
	}
	if len(titles) < 2 {
		return
	}
	c.add(Block{Kind: "text", Options: options,
		Text: c.words.say("understood", "count", c.words.number(len(titles)), "needs", c.words.list(titles))})
}

func (c *composer) title(intent, sub string) string {
	return c.plan.Title(intent, sub, c.words.locale)
}

// called is what a need is called; one that is only an attachment has no intent.
func (c *composer) called(n *need.Need) string {
	if len(n.Attachments) > 0 {
		return c.words.say("attachment_title")
	}
	return c.title(n.Intent, n.Sub())
}

// Title is what a need is called: an intent's name, or that of its subintent, which
// is more telling, when it has one.
func (p *Plan) Title(intent, sub string, l scene.Locale) string {
	for _, key := range [...]string{intent + "/" + sub, sub, intent} {
		if t, ok := p.Titles[key]; ok && key != "" {
			return t.In(l)
		}
	}
	return intent
}

// titled names the needs in the customer's language.
func (c *composer) titled(needs []need.Need) []need.Need {
	out := slices.Clone(needs)
	for i := range out {
		out[i].Title = c.called(&out[i])
	}
	return out
}

// unanswered says honestly that a need has no answer yet.
func (c *composer) unanswered(n *need.Need, served bool) {
	switch n.Status {
	case need.Clarify:
		if !c.danger && unread(n) {
			c.clarify(n)
		}
	case need.Handover:
		if !served {
			c.add(Block{Need: n.ID, Kind: "handover", Title: c.words.say("handover_title"), Text: c.sought(c.words.say("handover"))})
		}
	case need.Unanswered:
		if served || n.Origin != need.Spoken {
			return
		}
		key := "unknown"
		switch n.Intent {
		case "":
			switch {
			case n.Sub() == need.WhoAreYou:
				c.add(Block{Need: n.ID, Kind: "text", Text: c.branded("who_are_you"), Options: []Option{c.personOption()}})
				return
			case n.Outside:
				key = "outside"
			}
		case "presale.compare", "presale.product_info", "presale.price_promo", "presale.stock":
			key = "no_item"
		case "order.status", "logistics.track", "aftersale.refund_progress":
			key = "not_found_record"
		}
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say(key)})
	}
}

// courtesy returns a greeting, thanks or a goodbye in kind.
func (c *composer) courtesy() {
	talk := &c.d.Dialogue
	if talk.Courtesy == "" || slices.ContainsFunc(c.d.Needs, func(n need.Need) bool { return n.Matter != nil }) {
		return // who returns is met with the open matter
	}
	key := string(talk.Courtesy)
	b := Block{Kind: "text"}
	switch {
	case talk.Courtesy == need.Greeting && talk.Turns > 0:
		key = "greeting_again"
	case talk.Courtesy == need.Assent && talk.Offered:
		key, b.Options = "assent_offered", []Option{c.personOption()}
	case talk.Courtesy == need.Refusal && !talk.Offered:
		key = string(need.Goodbye)
	case (talk.Courtesy == need.Wordless || talk.Courtesy == need.Waiting) && talk.Waiting:
		key = "" // who waits asks where the person is
	case talk.Courtesy == need.Waiting, talk.Courtesy == need.Sending:
		b.Options = []Option{c.personOption()}
	}
	if key == "" {
		b.Text = c.sought("")
	} else {
		b.Text = c.branded(key)
	}
	c.add(b)
}

// branded is a sentence in which the adviser names itself, with the brand if there is one.
func (c *composer) branded(key string) string {
	brand := c.words.in(c.plan.Brand)
	if brand == "" && c.words.has(key+"_unbranded") {
		key += "_unbranded"
	}
	return c.words.say(key, "brand", brand)
}

// again says to who asks the same a second time that this is known, and offers a person.
func (c *composer) again(n *need.Need) {
	if n.Repeated != 1 || n.Status == need.Handover || c.danger {
		return
	}
	key := "again_known"
	if !asksForAction(n.Intent) && slices.ContainsFunc(c.d.Answers, func(a candidate.Answer) bool { return a.Need == n.ID && a.Status != nil }) && (n.Intent == "order.status" || n.Intent == "aftersale.refund_progress" || strings.HasPrefix(n.Intent, "logistics.")) {
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say("again_status"), Options: []Option{c.personOption()}})
		return
	}
	if slices.ContainsFunc(c.d.Chosen, func(ch decision.Chosen) bool {
		return (ch.Need == n.ID || slices.Contains(ch.Serves, n.ID)) && len(ch.Form) > 0 && !ch.Handover && (ch.Resolves || ch.Nature == decision.Right || asksForAction(n.Intent))
	}) {
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say("again_form"), Options: []Option{c.personOption()}})
		return
	}
	for i := range c.d.Answers {
		switch a := &c.d.Answers[i]; {
		case a.Need != n.ID:
		case a.Comparison != nil:
			key = "again" // what was a table is told in words
		case a.Passage != nil && !a.Passage.Again():
			key = "again_other"
		case a.Passage != nil:
			key = "" // the passage itself says so
		}
	}
	if key != "" {
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say(key), Options: []Option{c.personOption()}})
	}
}

// asksForAction are the intents that want something done and not explained.
func asksForAction(intent string) bool {
	switch intent {
	case "order.modify", "order.cancel", "aftersale.return_refund", "aftersale.exchange", "aftersale.repair", "payment.invoice", "account.profile_change":
		return true
	}
	return false
}

// personOption is the button that asks for a person.
func (c *composer) personOption() Option {
	return Option{Label: c.words.say("ask_person"), Send: c.words.say("ask_person_send")}
}

// household asks how many it is for after an assumption was denied.
func (c *composer) household(n *need.Need) {
	if n.Intent != "presale.recommend" && n.Intent != "presale.compare" || !slices.Contains(c.d.Dialogue.Denied, "household_size") || n.Origin != need.Spoken {
		return
	}
	if c.asked {
		return
	}
	c.asked = true
	b := Block{Need: n.ID, Kind: "clarify", Text: c.words.say("how_many")}
	for people := 1; people <= 5; people++ {
		label := c.words.say("how_many_people", "people", strconv.Itoa(people))
		if people == 1 {
			label = c.words.say("how_many_one")
		}
		b.Options = append(b.Options, Option{Label: label, Send: label})
	}
	c.add(b)
}

// unknownItems names what the customer named and nobody here knows.
func (c *composer) unknownItems(n *need.Need) {
	var names []string
	for i := range n.Entities {
		if e := &n.Entities[i]; e.Type == need.UnknownProduct {
			names = append(names, e.Text)
		}
	}
	if len(names) > 0 {
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say("unknown_item", "items", c.words.list(names))})
	}
}

// guessed says for which thing a name was taken that the customer wrote otherwise, so
// that a wrong guess is seen before the answer is believed. Once is enough.
func (c *composer) guessed(n *need.Need) {
	for i := range n.Entities {
		e := &n.Entities[i]
		if e.Meant == "" || c.taken[e.Meant] || e.Type == "category" || e.Type == "brand" {
			continue
		}
		c.taken[e.Meant] = true
		c.add(Block{Need: n.ID, Kind: "text", Text: c.words.say("guessed", "said", e.Text, "item", e.Meant)})
	}
}

func (c *composer) clarify(n *need.Need) {
	b := Block{Need: n.ID, Kind: "clarify", Text: c.words.say("clarify")}
	if c.d.Dialogue.Failures > 0 {
		b.Text = c.words.say("clarify_again")
	}
	for _, r := range n.Readings {
		title := c.title(r.Intent, r.Subintent)
		b.Options = append(b.Options, Option{Label: title, Intent: r.Intent, Send: title})
	}
	b.Options = append(b.Options, Option{Label: c.words.say("neither"), Send: c.words.say("neither_send")})
	c.add(b)
}

// answers shows what the sources said to one need.
func (c *composer) answers(n *need.Need) {
	for i := range c.d.Answers {
		a := &c.d.Answers[i]
		if a.Need != n.ID {
			continue
		}
		switch {
		case a.Comparison != nil:
			c.comparison(n, a.Comparison)
		case a.Fit != nil:
			c.fit(n, a.Fit)
		case a.Recommendation != nil:
			c.recommendation(n, a.Recommendation)
		case a.Facts != nil:
			c.facts(n, a.Facts)
		case a.Status != nil:
			c.status(n, a.Status)
		case a.Passage != nil:
			c.passage(n, a.Passage)
		case a.Which != nil && n.Status == need.Clarify:
			c.which(n, a.Which)
		}
	}
}

// which asks which product a question is about; a choice that is pressed is a question
// that names it.
func (c *composer) which(n *need.Need, w *candidate.Which) {
	b := Block{Need: n.ID, Kind: "clarify", Text: c.words.say("which_item")}
	send := "which_price_send"
	if n.Intent == "presale.stock" {
		send = "which_stock_send"
	}
	for _, it := range w.Items {
		name := c.itemTitle(it)
		b.Options = append(b.Options, Option{Label: name, Send: c.words.say(send, "item", name)})
		b.Ev = append(b.Ev, it.Ref)
	}
	c.answer(b)
}

func refsOf(items []candidate.ItemName) []evidence.Ref {
	refs := make([]evidence.Ref, len(items))
	for i, it := range items {
		refs[i] = it.Ref
	}
	return refs
}
