package treatment

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

// condensedRows is how many differing attributes a phone shows at once.
const condensedRows = 3

func (c *composer) itemTitles(items []candidate.ItemName) []string {
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = c.itemTitle(it)
	}
	return names
}

func (c *composer) itemTitle(it candidate.ItemName) string {
	if s := c.words.in(it.Title); s != "" {
		return s
	}
	return it.ID
}

func (c *composer) cell(cell candidate.Cell) string {
	if !cell.Stated {
		return c.words.say("not_stated")
	}
	return cell.Text
}

// label is an attribute's name in the language; one nobody has named shows its own.
func (c *composer) label(r *candidate.Row) string {
	if s := c.words.in(r.Label); s != "" {
		return s
	}
	if r.Attribute == "price" {
		return c.words.say("price")
	}
	return r.Attribute
}

// comparison is the full table on a desktop; a phone gets the first differences as text.
func (c *composer) comparison(n *need.Need, cmp *candidate.Comparison) {
	b := Block{Need: n.ID, Kind: "table", Ev: refsOf(cmp.Items),
		Title: c.words.say("compare_title", "items", c.words.list(c.itemTitles(cmp.Items)))}
	for _, it := range cmp.Items {
		b.Columns = append(b.Columns, Column{ID: it.ID, Title: c.itemTitle(it)})
	}
	differing := 0
	for i := range cmp.Rows {
		row := &cmp.Rows[i]
		if row.Differs {
			differing++
		}
		if c.form.Condensed && (!row.Differs || differing > condensedRows) {
			continue
		}
		out := Row{Attribute: row.Attribute, Label: c.label(row), Differs: row.Differs}
		for j, cell := range row.Cells {
			out.Cells = append(out.Cells, TableCell{Text: c.cell(cell), Stated: cell.Stated, Best: contains(row.Best, j)})
		}
		b.Rows = append(b.Rows, out)
	}
	if differing == 0 {
		b.Text = c.words.say("compare_same")
	}
	if more := differing - condensedRows; c.form.Condensed && more > 0 {
		b.Text = c.words.say("compare_more", "count", strconv.Itoa(more))
	}
	if c.form.SpeakOnly || n.Repeated > 0 { // who was shown the table is told it in words
		b = c.spoken(b)
	}
	c.answer(b)
}

// spoken reads a table out as text, for a device without a screen.
func (c *composer) spoken(b Block) Block {
	lines := []string{b.Title}
	for _, r := range b.Rows {
		values := make([]string, len(r.Cells))
		for i, cell := range r.Cells {
			values[i] = c.words.say("compare_cell", "item", b.Columns[i].Title, "value", cell.Text)
		}
		lines = append(lines, c.words.say("compare_short", "label", r.Label, "values", c.words.list(values)))
	}
	return Block{Need: b.Need, Kind: "text", Ev: b.Ev, Text: strings.Join(append(lines, b.Text), "\n")}
}

func contains(list []int, x int) bool {
	for _, y := range list {
		if y == x {
			return true
		}
	}
	return false
}

// fit says for each item whether it suits the people it is for; an assumption is asked.
func (c *composer) fit(n *need.Need, f *candidate.Fit) {
	b := Block{Need: n.ID, Kind: "text", Title: c.words.say("fit_title")}
	var lines []string
	if f.People > 0 {
		key := "fit_for"
		if f.Inferred {
			key = "fit_assumed"
		}
		lines = append(lines, c.words.say(key, "people", strconv.Itoa(f.People)))
	}
	if f.Basis != "" {
		b.Ev = append(b.Ev, f.Basis)
	}
	for i := range f.Items {
		it := &f.Items[i]
		var reasons []string
		for _, t := range it.Reasons {
			label := c.words.in(t.Label)
			if label == "" {
				label = t.Attribute
			}
			switch {
			case t.Stated && t.Text == "": // a use, not an attribute
				reasons = append(reasons, c.words.say("fit_reason_use", "label", label))
			case t.Stated:
				reasons = append(reasons, c.words.say("fit_reason", "label", label, "value", t.Text))
			default:
				reasons = append(reasons, c.words.say("fit_reason_unstated", "label", label))
			}
		}
		text := c.words.say("fit_"+string(it.Verdict), "item", c.itemTitle(it.Item), "reasons", c.words.list(reasons))
		lines = append(lines, text)
		b.Ev = append(b.Ev, it.Item.Ref)
		b.Reasons = append(b.Reasons, Reason{Text: text, Evidence: withBasis(it.Item.Ref, f.Basis)})
	}
	b.Text = strings.Join(lines, "\n")
	if f.Inferred && f.People > 0 {
		b.Options = []Option{
			{Label: c.words.say("assumed_yes"), Send: c.words.say("assumed_yes")},
			{Label: c.words.say("assumed_no"), Send: c.words.say("assumed_no")},
		}
	}
	c.answer(b)
}

func withBasis(item, basis evidence.Ref) []evidence.Ref {
	if basis == "" {
		return []evidence.Ref{item}
	}
	return []evidence.Ref{item, basis}
}

// recommendation is one card with its reasons, each on its own records.
func (c *composer) recommendation(n *need.Need, r *candidate.Recommendation) {
	name := c.itemTitle(r.Item)
	card := Card{ID: r.Item.ID, Title: name, URL: r.Item.URL}
	if r.Item.Price != nil {
		card.Price = c.words.money(*r.Item.Price)
	}
	if co := r.Cohort; co != nil {
		card.Reasons = append(card.Reasons, Reason{Evidence: []evidence.Ref{co.Ref}, Text: c.words.say("recommend_cohort_"+co.Similarity,
			"compared", strconv.Itoa(co.Compared), "chose", strconv.Itoa(co.Chose), "item", name)})
	}
	for _, t := range r.Terms {
		if t.Value <= 0 || len(t.Evidence) == 0 || t.Name == "cohort" {
			continue
		}
		if key := "term_" + t.Name; c.words.has(key) {
			card.Reasons = append(card.Reasons, Reason{Text: c.words.say(key), Evidence: t.Evidence})
		}
	}
	card.Reasons = append(card.Reasons, c.betterAt(r)...)
	b := Block{Need: n.ID, Kind: "cards", Title: c.words.say("recommend_title"), Ev: []evidence.Ref{r.Item.Ref}}
	if len(r.Over) > 0 {
		b.Text = c.words.say("recommend_over", "others", c.words.list(c.itemTitles(append([]candidate.ItemName{r.Item}, r.Over...))), "item", name)
	} else {
		b.Text = c.words.say("recommend_choice", "item", name)
	}
	if in := r.Instead; in != nil && !c.form.Condensed {
		other := c.itemTitle(in.Item)
		if in.Saves != nil {
			card.Text = c.words.say("recommend_instead_saves", "people", strconv.Itoa(in.People), "item", other, "saves", c.words.money(*in.Saves))
		} else {
			card.Text = c.words.say("recommend_instead", "people", strconv.Itoa(in.People), "item", other)
		}
	}
	b.Cards = []Card{card}
	c.answer(b)
}

// mostBetter is how many attributes speak for a recommended item.
const mostBetter = 2

// betterAt names the attributes that weigh most for a recommended item.
func (c *composer) betterAt(r *candidate.Recommendation) []Reason {
	var better []candidate.Term
	for _, t := range r.Terms {
		if strings.HasPrefix(t.Name, "attribute:") && t.Value > 0 && len(t.Evidence) > 0 {
			better = append(better, t)
		}
	}
	slices.SortStableFunc(better, func(a, b candidate.Term) int { return cmp.Compare(b.Value, a.Value) })
	var reasons []Reason
	for _, t := range better[:min(mostBetter, len(better))] {
		name := strings.TrimPrefix(t.Name, "attribute:")
		text := c.words.say("better_price")
		if name != candidate.PriceAttribute {
			label := c.words.in(r.Named[name])
			if label == "" {
				label = name
			}
			text = c.words.say("better_at", "label", label)
		}
		reasons = append(reasons, Reason{Text: text, Evidence: t.Evidence})
	}
	return reasons
}

// facts states what is known of one item, and says when it is not known.
func (c *composer) facts(n *need.Need, f *candidate.Facts) {
	name := c.itemTitle(f.Item)
	b := Block{Need: n.ID, Kind: "text", Title: c.words.say("promotions_title")}
	if f.Item.Ref != "" {
		b.Title, b.Ev = c.words.say("facts_title", "item", name), []evidence.Ref{f.Item.Ref}
	}
	var lines []string
	for i := range f.Rows {
		row := &f.Rows[i]
		if len(row.Cells) == 1 {
			if row.Attribute == candidate.PriceAttribute && n.Intent == "presale.price_promo" && f.Item.Price != nil {
				continue // the sentence below says it
			}
			lines = append(lines, c.words.say("facts_line", "label", c.label(row), "value", c.cell(row.Cells[0])))
		}
	}
	switch {
	case c.depends(n.ID) && f.Available != nil: // said as the condition
	case n.Intent == "presale.stock" && f.Available == nil:
		lines = append(lines, c.words.say("available_unknown", "item", name))
	case f.Available != nil && *f.Available:
		lines = append(lines, c.words.say("available_yes", "item", name))
	case f.Available != nil:
		lines = append(lines, c.words.say("available_no", "item", name))
	}
	if n.Intent == "presale.price_promo" {
		lines = append(lines, c.price(f, name)...)
		for _, p := range f.Promotions {
			b.Ev = append(b.Ev, p.Ref)
		}
	}
	at, lines := c.unsaid(b.Title, lines)
	if len(lines) == 0 && at >= 0 {
		c.alsoServes(at, n.ID)
		return
	}
	b.Text = strings.Join(lines, "\n")
	c.answer(b)
}

// unsaid are the lines that were not said under a title yet, and the block that said
// the first of the others, -1 for none.
func (c *composer) unsaid(title string, lines []string) (at int, fresh []string) {
	at = -1
	for _, line := range lines {
		said := slices.IndexFunc(c.blocks, func(b Block) bool {
			return b.Kind == "text" && b.Title == title && slices.Contains(strings.Split(b.Text, "\n"), line)
		})
		switch {
		case said < 0:
			fresh = append(fresh, line)
		case at < 0:
			at = said
		}
	}
	return at, fresh
}

func (c *composer) price(f *candidate.Facts, name string) (lines []string) {
	if f.Item.Price != nil {
		lines = append(lines, c.words.say("price_is", "item", name, "price", c.words.money(*f.Item.Price)))
	}
	for _, p := range f.Promotions {
		if p.Until != nil {
			lines = append(lines, c.words.say("promotion_until", "title", c.words.in(p.Title), "date", c.words.date(*p.Until)))
		} else {
			lines = append(lines, c.words.say("promotion", "title", c.words.in(p.Title)))
		}
	}
	if len(f.Promotions) == 0 {
		lines = append(lines, c.words.say("promotion_none"))
	}
	return lines
}

// state is a known state's name; a foreign word that no dictionary maps is never
// shown to a customer.
func (c *composer) state(s string) (name string, known bool) {
	key := "state_" + strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(s)))
	if !c.words.has(key) {
		return "", false
	}
	return c.words.say(key), true
}

// status shows where the customer's own record stands, once an answer.
func (c *composer) status(n *need.Need, s *candidate.Status) {
	record := string(s.Kind) + " " + s.ID
	if at, told := c.told[record]; told {
		c.alsoServes(at, n.ID)
		return
	}
	c.told[record] = len(c.blocks)
	b := Block{Need: n.ID, Kind: "status", Ev: s.Evidence}
	// A thing goes by its name; orders and cases by the number that people quote.
	named := len(s.Items) > 0 && slices.Contains(byName, s.Kind)
	if title := "status_title_" + string(s.Kind); named {
		b.Title = c.words.list(c.itemTitles(s.Items))
	} else if c.words.has(title) {
		b.Title = c.words.say(title, "id", s.ID)
	}
	if state, known := c.state(s.State); known && s.Kind == evidence.Asset && s.State == "in_use" {
		// That it is in use its owner knows.
	} else if known {
		b.Text = c.words.say("status_is", "state", state, "date", c.words.date(s.UpdatedAt))
		b.Fields = append(b.Fields, Field{Name: "status", Label: c.words.say("field_status"), Value: state})
	} else {
		b.Text = c.words.say("status_seen", "date", c.words.date(s.UpdatedAt))
	}
	if named && s.Kind == evidence.Asset {
		b.Fields = append(b.Fields, Field{Name: "serial", Label: c.words.say("field_serial"), Value: s.ID})
	}
	if len(s.Items) > 0 && !named {
		b.Fields = append(b.Fields, Field{Name: "products", Label: c.words.say("field_products"), Value: c.words.list(c.itemTitles(s.Items))})
	}
	for _, name := range statusFields {
		v, ok := s.Fields[name]
		if text := c.words.value(v); ok && text != "" {
			b.Fields = append(b.Fields, Field{Name: name, Label: c.words.say("field_" + name), Value: text})
		}
	}
	c.add(b)
}

// byName are the records that a customer knows by what they are of.
var byName = []evidence.Kind{evidence.Asset, evidence.Holding, evidence.Enrolment}

// statusFields are what a customer is told of a record, in this order.
var statusFields = []string{
	"tracking", "carrier", "eta", "promised_at", "delivered_at", "returnable_until", "quote",
	"amount", "balance", "total", "matures_at", "warranty_until", "lessons_left",
}

// passage is an article's answer: heard or seen first where the device can, then
// its steps without those the customer knows.
func (c *composer) passage(n *need.Need, p *candidate.Passage) {
	ev := []evidence.Ref{p.Ref}
	if n.Repeated > 0 && p.Again() {
		// The same words a second time help nobody.
		c.add(Block{Need: n.ID, Kind: "text", Title: p.Title, Text: c.words.say("again_same", "title", p.Title), Ev: ev, Options: []Option{c.personOption()}})
		return
	}
	if c.form.Voice && p.Voice != "" {
		c.answer(Block{Need: n.ID, Kind: "voice", Title: c.words.say("voice_title", "title", p.Title), URL: p.Voice, Ev: ev})
	}
	if c.form.Video && p.Video != "" && c.form.Condensed {
		c.answer(Block{Need: n.ID, Kind: "video", Title: c.words.say("video_title", "title", p.Title), URL: p.Video, Ev: ev})
	}
	b := Block{Need: n.ID, Kind: "text", Title: p.Title, Text: p.Text, Marks: p.Marks, Source: c.words.say("from_article", "title", p.Title), Ev: ev}
	if len(p.Steps) > 0 {
		b.Kind, b.Text, b.Marks = "steps", "", nil
		tried := 0
		for _, s := range p.Steps {
			switch {
			case s.Tried:
				tried++
			case s.Basic && p.Experienced:
				b.Skipped++
			default:
				b.Steps = append(b.Steps, s.Text)
			}
		}
		if b.Skipped > 0 {
			b.Text = c.words.say("steps_skipped", "count", strconv.Itoa(b.Skipped))
		}
		if tried > 0 {
			b.Skipped += tried
			b.Text = c.words.sentences(b.Text, c.words.say("steps_tried", "count", strconv.Itoa(tried)))
		}
		if len(b.Steps) == 0 { // everything was done already: a person must look
			b.Kind, b.Text, b.Options = "text", c.words.say("steps_all_tried"), []Option{c.personOption()}
		}
	}
	c.answer(b)
	if c.form.Video && p.Video != "" && !c.form.Condensed {
		c.answer(Block{Need: n.ID, Kind: "video", Title: c.words.say("video_title", "title", p.Title), URL: p.Video, Ev: ev})
	}
}

// Fact is one record as a summary needs it: what it is called and what it says.
type Fact struct {
	Kind   evidence.Kind
	Ref    evidence.Ref
	At     time.Time
	Name   string // event name, or the record's id
	Title  candidate.Text
	Fields map[string]any
}

// Summarise says in one sentence of the language what a record is.
func Summarise(f Fact, at scene.Scene) string {
	w := wordingOf(at)
	date := w.date(f.At)
	detail := w.in(f.Title)
	if detail == "" {
		detail = f.Name
	}
	switch f.Kind {
	case evidence.Event:
		return w.event(f, date)
	case evidence.Item:
		return w.say("summary_item", "detail", detail)
	case evidence.Article:
		return w.say("summary_article", "detail", detail)
	case evidence.Trait:
		return w.say("summary_trait", "detail", f.Name+w.say("colon")+w.value(f.Fields["value"]))
	case evidence.Cohort:
		return w.say("summary_cohort")
	case evidence.Relation:
		return w.say("summary_relation", "detail", detail)
	case evidence.Signal:
		return w.say("summary_signal", "detail", detail)
	case evidence.Rule:
		return w.say("summary_rule", "detail", detail)
	case evidence.Model:
		if key := "summary_model_" + detail; w.has(key) {
			return w.say(key)
		}
		return w.say("summary_model", "detail", detail)
	}
	return w.say("summary_record", "detail", detail, "date", date)
}

// telling are the events whose summary says one of their fields, and the sentence.
var telling = map[string]string{
	"Repair Reported": "summary_repair", "Product Viewed": "summary_viewed", "Page Viewed": "summary_viewed", "Order Completed": "summary_order",
}

// Tells says whether the summary of an event needs its Fields: the others are told by
// their name and day alone, and a body may be long.
func Tells(event string) bool { return telling[event] != "" }

// event tells what happened, with its most telling field.
func (w wording) event(f Fact, date string) string {
	if key := telling[f.Name]; key != "" {
		return w.say(key, "date", date, "detail", w.detail(&f))
	}
	name := f.Name
	if key := "event_" + strings.ReplaceAll(strings.ToLower(f.Name), " ", "_"); w.has(key) {
		name = w.say(key)
	}
	return w.say("summary_event", "date", date, "name", name)
}

func (w wording) detail(f *Fact) string {
	if f.Name == "Order Completed" {
		return w.value(f.Fields["order_id"])
	}
	for _, k := range []string{"text", "symptom", "title", "name", "product_id", "order_id", "path"} {
		if detail := w.value(f.Fields[k]); detail != "" {
			return detail
		}
	}
	return ""
}
