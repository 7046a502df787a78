package need

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Recognition is what Recognise found.
type Recognition struct {
	Locale  scene.Locale  `json:"locale"`
	Needs   []Need        `json:"needs"`
	Signals []SignalState `json:"signals"`
	// Courtesy is what a message without a need is; "" when there is one, or no message.
	Courtesy Courtesy `json:"courtesy,omitempty"`
	// Unsettled are the stretches that [Likes] could make be read otherwise.
	Unsettled []string `json:"-"`
}

// When to doubt. A margin is about +1 for a clear yes and −1 for a clear no.
const (
	nowhere      = 0.005 // share of what is in scope that may lie below the belonging under which no intent is meant
	outOfScope   = 0.02  // the same for the belonging under which we ask back
	vague        = 0.10  // the same for the margin of a statement that asks for nothing
	clarifyBelow = 0.45  // chance of the best intent below which we ask back
	kindMargin   = -0.24 // below it no subintent is told from its examples alone
	cueBelief    = 0.80  // the chance of what a symptom's own word says
	mostTurns    = 50    // earlier messages that are looked at
	longestText  = 10000 // runes of an enquiry that are read
)

// Recognise finds the needs of an enquiry: the spoken ones in the order of the
// text, then the implied, then those that the person's history foretells.
// at.Time is the clock of every window.
func (p *Plan) Recognise(e Enquiry, who *profile.Profile, at scene.Scene, names Lexicon) Recognition {
	if names == nil {
		names = NoNames{}
	}
	local := zone(at, who)
	r := Recognition{Locale: at.Locale, Needs: []Need{}, Signals: signal.Evaluate(p.signals, signal.Moment{Person: who, At: at.Time, Zone: local, Symptom: p.symptomOf})}
	if r.Signals == nil {
		r.Signals = []SignalState{}
	}
	if r.Locale == "" {
		r.Locale, _ = scene.LocaleOf(e.Text)
	}
	if len(e.Messages) > mostTurns {
		e.Messages = e.Messages[len(e.Messages)-mostTurns:]
	}
	if e.read() != "" {
		s, _ := p.pool.Get().(*scratch)
		if s == nil {
			s = new(scratch)
		}
		s.begin(p, e, who, at.Time.In(local), r.Locale, names)
		r.Needs = s.spoken()
		r.Needs = s.implied(r.Needs)
		r.Unsettled = s.unsettled
		s.end()
		p.pool.Put(s)
	}
	r.Needs = truthful(e.settled(r.Needs))
	if len(e.Attachments) == 0 && e.About == "" {
		r.Needs, r.Courtesy = courteous(r.Needs, e.Text)
	}
	if len(e.Attachments) > 0 {
		r.Needs = append(r.Needs, Need{Origin: Spoken, Status: Unanswered, Attachments: e.Attachments})
	}
	if len(r.Needs) == 0 && (e.Text == "" && e.About == "" || r.Courtesy == Greeting) {
		if r.Needs = p.matters(r.Needs, e, who, at); len(r.Needs) > 0 {
			r.Courtesy = "" // they are greeted with it
		}
	}
	r.Needs = p.predicted(r.Needs, r.Signals, r.Locale, e.Text != "")
	for i := range r.Needs {
		n := &r.Needs[i]
		n.ID = "n" + strconv.Itoa(i+1)
		if n.Entities == nil {
			n.Entities = []Entity{}
		}
		if n.RefersTo == nil {
			n.RefersTo = []string{}
		}
		if n.Evidence == nil {
			n.Evidence = []evidence.Ref{}
		}
	}
	return r
}

// zone is the customer's time zone: the scene's, else the stated trait.
func zone(at scene.Scene, who *profile.Profile) *time.Location {
	if at.Zone == "" && who != nil {
		at.Zone, _ = who.Traits["timezone"].Value.(string)
	}
	return at.Location()
}

// predicted adds what holding signals foretell, unless the customer says it anyway.
func (p *Plan) predicted(needs []Need, states []SignalState, locale scene.Locale, asked bool) []Need {
	for _, state := range states {
		if !state.Holds {
			continue
		}
		i := slices.IndexFunc(p.signals, func(d signal.Definition) bool { return d.ID == state.Signal })
		if i < 0 || p.signals[i].Implies.Intent == "" {
			continue
		}
		implies := p.signals[i].Implies
		if asked && implies.Unasked {
			continue
		}
		if slices.ContainsFunc(needs, func(n Need) bool {
			return n.Intent == implies.Intent && !n.Negated && n.Matter == nil && (n.Origin != Predicted || n.Sub() == implies.Subintent)
		}) {
			continue
		}
		needs = append(needs, foretold(&p.signals[i], &state, locale))
	}
	return needs
}

// foretold is the need that a holding signal foretells.
func foretold(d *signal.Definition, state *SignalState, locale scene.Locale) Need {
	n := Need{Origin: Predicted, Intent: d.Implies.Intent, Subintent: subintent(d.Implies.Subintent), Text: d.Implies.Asks[string(locale)], Confidence: 1, Evidence: slices.Clone(state.Events)}
	for _, key := range []string{"asset_id", "product_id", "order_id", "case_id"} {
		if id := state.Group[key]; id != "" {
			n.point(id)
			break
		}
	}
	return n
}

// Implies tells what need a signal foretells; intent "" is none.
func (p *Plan) Implies(id string) (intent, sub string) {
	for i := range p.signals {
		if d := &p.signals[i]; d.ID == id {
			return d.Implies.Intent, d.Implies.Subintent
		}
	}
	return "", ""
}

// Only narrows a recognition without words to what one signal foretells of one
// group, for Rapport speaks of one matter at a time when it speaks by itself. No
// need is left when the signal does not hold.
func (p *Plan) Only(r Recognition, id string, group map[string]string) Recognition {
	r.Needs = []Need{}
	for i := range p.signals {
		d := &p.signals[i]
		if d.ID != id || d.Implies.Intent == "" {
			continue
		}
		for k := range r.Signals {
			s := &r.Signals[k]
			if s.Signal != id || !s.Holds || slices.ContainsFunc(d.By, func(k string) bool { return s.Group[k] != group[k] }) ||
				d.Household && s.Group[signal.HouseholdKey] != group[signal.HouseholdKey] {
				continue // what is not a key of the group may have become known since
			}
			n := foretold(d, s, r.Locale)
			n.ID, n.Entities = "n1", []Entity{}
			if n.RefersTo == nil {
				n.RefersTo = []string{}
			}
			r.Needs = append(r.Needs, n)
			return r
		}
	}
	return r
}

func subintent(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

// SymptomOf gives the known symptom that a code or a description means, else the
// code itself in its plain form.
func (p *Plan) SymptomOf(codeOrText string) string {
	if i, ok := p.aliases[foldCode(codeOrText)]; ok && p.subintents[i].Parent == symptomParent {
		return p.subintents[i].ID
	}
	if id := p.symptomIn(codeOrText); id != "" {
		return id
	}
	return text.Plain(codeOrText)
}

// symptomParent is the intent whose subintents are symptoms.
const symptomParent = "support.troubleshoot"

// Rules are the plan's signals, ready to be folded over what people do.
func (p *Plan) Rules() *signal.Rules { return signal.NewRules(p.signals, p.symptomOf) }

// HouseholdNames are the events that signals of households ask for; nil when there is
// no such signal.
func (p *Plan) HouseholdNames() []string { return signal.HouseholdNames(p.signals) }

// symptomOf reads an event: its symptom code, else its text; "" when neither says.
func (p *Plan) symptomOf(e *event.Event) string {
	if code := signal.Text(e, "symptom"); code != "" {
		return p.SymptomOf(code)
	}
	if words := signal.Text(e, "text"); words != "" {
		return p.symptomIn(words)
	}
	return ""
}

// symptomIn finds the symptom that a description names, "" when it names none.
func (p *Plan) symptomIn(description string) string {
	runes := text.Normalise(description).Runes
	if len(runes) > longestText {
		runes = runes[:longestText]
	}
	var cues []cue
	p.words.find(runes, func(start, end int, meaning int32) {
		if meaning&meaningMask == meansCue {
			cues = append(cues, cue{start, end, meaning &^ meaningMask})
		}
	})
	if i, _ := p.kindIn(runes, symptomParent, cues, nil); i >= 0 {
		return p.subintents[i].ID
	}
	return ""
}

type cue struct {
	start, end int
	sub        int32
}

// kindIn tells the subintent of an intent that runes express: the one with the
// most runes of cues, a dangerous one before any other; failing that, what its
// examples taught. -1: none. byCue tells whether its own words said so.
func (p *Plan) kindIn(runes []rune, intent string, cues []cue, margins []float64) (sub int32, byCue bool) {
	sub = -1
	most := 0
	for _, k := range p.children[intent] {
		weight, covered := 0, 0
		for _, c := range cues {
			if c.sub == k && c.start >= covered && !denied(runes, c.start) {
				weight += c.end - c.start
				covered = c.end
			}
		}
		if weight > 0 && p.subintents[k].Danger {
			weight += 1000
		}
		if weight > most {
			sub, most = k, weight
		}
	}
	if sub >= 0 || p.kinds == nil || len(p.children[intent]) == 0 {
		return sub, sub >= 0
	}
	margins = p.kinds.ScoreRunes(runes, margins)
	best := kindMargin
	for label, margin := range margins {
		k := p.kindOf[label]
		if margin <= best || p.subintents[k].Parent != intent || p.subintents[k].Implied {
			continue
		}
		if slices.ContainsFunc(cues, func(c cue) bool { return c.sub == k }) || p.subintents[k].Danger && denies(runes) {
			continue // its word is there, but denied: "no smoke"
		}
		sub, best = k, margin
	}
	return sub, false
}

var denials = index([]unit{{"没", "", "", 1}, {"没有", "", "", 1}, {"不", "", "", 1}, {"无", "", "", 1}, {"不会", "", "", 1}, {"没再", "", "", 1}, {"no", "", "", 1}, {"not", "", "", 1}, {"isn't", "", "", 1}, {"without", "", "", 1}, {"doesn't", "", "", 1}, {"no more", "", "", 1}, {"not been", "", "", 1}, {"isn't any", "", "", 1}})

// denied tells whether what begins at i is denied: 没冒烟, "no smoke".
func denied(runes []rune, i int) bool {
	end := i
	for end > 0 && runes[end-1] == ' ' {
		end--
	}
	for j := max(0, end-9); j < end; j++ {
		if wordEdge(runes, j) {
			if _, stop := matchAt(denials, runes, j); stop == end && stop > j {
				return true
			}
		}
	}
	return false
}

// denies tells whether a stretch denies anything.
func denies(runes []rune) bool {
	for i := range runes {
		if wordEdge(runes, i) {
			if u, _ := matchAt(denials, runes, i); u != nil {
				return true
			}
		}
	}
	return false
}

// scratch is the workbench of one recognition; it is pooled.
type scratch struct {
	*Plan
	enquiry Enquiry
	who     *profile.Profile
	locale  scene.Locale
	names   Lexicon

	original []rune
	plain    text.Normalised
	mentions []mention // in the order of the text, not overlapping
	cuesAt   []cue
	pointing []pointing
	places   []split.Range // of each need, in the plain text
	corrects bool          // the text puts right what was understood before
	spans    []split.Span
	parts    []part
	focus    focus
	grammar  grammar

	margins, kindMargins []float64
	margin               float64 // of the part understood last
	unsettled            []string
	score                split.Score
	ear                  *classify.Spans
}

type pointing struct {
	start, end int
	kind       pointer
}

func (s *scratch) begin(p *Plan, e Enquiry, who *profile.Profile, at time.Time, l scene.Locale, names Lexicon) {
	s.Plan, s.enquiry, s.who, s.locale, s.names = p, e, who, l, names
	s.original = s.original[:0]
	for _, r := range e.read() {
		s.original = append(s.original, r)
	}
	read := e.read()
	if len(s.original) > longestText {
		read = string(s.original[:longestText])
	}
	s.plain = text.Normalise(read)
	s.cuesAt, s.pointing, s.places, s.focus = s.cuesAt[:0], s.pointing[:0], s.places[:0], focus{}
	s.corrects = false
	s.grammar = grammar{at: at, locale: l, found: s.grammar.found[:0]}
	if s.score == nil {
		s.score = func(part []rune) (int, float64) {
			s.margins = s.Plan.intents.ScoreRunes(part, s.margins)
			return classify.Best(s.margins)
		}
		s.ear = p.intents.Spans()
	}
}

// end lets go of what belongs to the caller.
func (s *scratch) end() {
	s.enquiry, s.who, s.names, s.spans, s.unsettled = Enquiry{}, nil, nil, nil, nil
	clear(s.parts)
	s.plain = text.Normalised{}
	clear(s.mentions)
	s.mentions = s.mentions[:0]
	clear(s.grammar.found)
}

// spoken finds the needs that have words of their own.
func (s *scratch) spoken() []Need {
	s.mark()
	s.spans = split.Heard(s.plain, s.ear, s.cues)
	s.join()
	needs := make([]Need, len(s.parts), len(s.parts)+2)
	s.places = s.places[:0]
	kept := make([]int, len(s.spans)) // by span: its need, -1: dropped
	for i := range kept {
		kept[i] = -1
	}
	for i := range s.parts {
		needs[i] = s.parts[i].Need
		s.places = append(s.places, s.parts[i].place)
		for _, k := range s.parts[i].spans {
			kept[k] = i
		}
	}
	s.takeEntities(needs)
	needs = s.alarm(needs, kept)
	if corrected, ok := s.correct(needs); ok {
		needs, s.corrects = corrected, true
		s.refer(needs)
		return needs
	}
	s.ellipsis(needs)
	s.instead(needs, kept)
	for i := range s.spans {
		if k := kept[i]; k >= 0 && s.spans[i].Condition != nil {
			s.condition(&needs[k], s.spans[i].Condition, k, kept, needs)
		}
	}
	s.constrain(needs)
	s.refer(needs)
	for i := range needs {
		s.dropStrays(&needs[i])
	}
	s.unknown(needs)
	return needs
}

// condition attaches a conditional clause. Which need it speaks of is the
// splitter's guess: it is kept when the clause is of that need's intent or tells
// how a result may come out, not when it states a fact ("if I buy two").
func (s *scratch) condition(n *Need, c *split.Condition, at int, kept []int, needs []Need) {
	n.Condition = &Condition{Text: string(s.original[c.Start:c.End]), Failing: c.Failing}
	if c.On < 0 || c.On >= len(kept) || kept[c.On] < 0 || kept[c.On] == at {
		return
	}
	on := kept[c.On]
	from, to := s.plainPlace(c.Range)
	label, margin := s.score(s.plain.Runes[from:to])
	if c.Failing || margin > 0 && s.intents.Intents()[label] == needs[on].Intent || outcome(s.plain.Runes[from:to]) {
		n.Condition.Need = "n" + strconv.Itoa(on+1)
	}
}

// outcomes are words that tell how a question or a wish came out.
var outcomes = index([]unit{{"没", "", "", 1}, {"不", "", "", 1}, {"无", "", "", 1}, {"行", "", "", 1}, {"可以", "", "", 1}, {"有", "", "", 1}, {"能", "", "", 1}, {"否则", "", "", 1}, {"不然", "", "", 1}, {"so", "", "", 1}, {"not", "", "", 1}, {"no", "", "", 1}, {"isn't", "", "", 1}, {"can't", "", "", 1}, {"won't", "", "", 1}, {"cannot", "", "", 1}, {"doesn't", "", "", 1}, {"possible", "", "", 1}, {"otherwise", "", "", 1}, {"else", "", "", 1}, {"it is", "", "", 1}, {"unless", "", "", 1}, {"impossible", "", "", 1}})

func outcome(runes []rune) bool {
	for i := range runes {
		if u, _ := matchAt(outcomes, runes, i); u != nil && wordEdge(runes, i) {
			return true
		}
	}
	return false
}

// dropStrays leaves symptoms to the needs that can have one: "烟雾报警器" in a
// question about its price is no fault.
func (s *scratch) dropStrays(n *Need) {
	if !shopping(n.Intent) {
		// Scenes say what a thing is for; "work" in "doesn't work" does not.
		n.Entities = slices.DeleteFunc(n.Entities, func(e Entity) bool { return e.Type == "scene" && e.Value == nil })
	}
	switch intentGroup(n.Intent) {
	case "presale", "order", "payment", "account", "finance":
	default:
		if n.Intent != "support.howto" {
			return
		}
	}
	if !n.Danger {
		n.Entities = slices.DeleteFunc(n.Entities, func(e Entity) bool { return e.Type == "symptom" })
	}
}

// understand tells the intent and kind of one span.
func (s *scratch) understand(span *split.Span) Need {
	n := Need{Origin: Spoken, Text: string(s.original[span.Start:span.End]), Span: &Span{span.Start, span.End}, Negated: span.Negated}
	part := s.mainPart(span)
	s.score(part)
	s.unsettle(n.Text)
	margin, confidence := s.hear(n.Text)
	belonging := s.intents.Belonging(part, s.margins)
	s.margin = margin
	first, _ := twoBest(s.margins)
	labels := s.intents.Intents()
	elsewhere := labels[first] == outside && s.namesThing(span.Plain)
	if elsewhere { // small talk, and in the same breath a thing of ours
		first, _ = s.twoIntents()
		confidence, margin = min(confidence, clarifyBelow), s.margins[first]
	}
	n.Intent, n.Confidence = labels[first], confidence
	local := s.plain.Runes[span.Plain.Start:span.Plain.End]
	cues := s.relative(s.cuesIn(span.Plain), span.Plain.Start)
	symptom, byCue := int32(-1), false
	if n.Intent != symptomParent && (elsewhere || n.Intent == outside || margin < s.unclear || belonging < s.outOfScope || confidence < clarifyBelow) {
		if symptom, byCue = s.kindIn(local, symptomParent, cues, s.kindMargins); byCue && (elsewhere || s.plainCue(cues, symptom, len(local))) {
			n.Intent, n.Confidence = symptomParent, max(confidence, cueBelief)
			n.Subintent = &s.subintents[symptom].ID
			margin, belonging = 0, math.Inf(1)
		}
	}
	if n.Intent != symptomParent || n.Subintent == nil {
		if k, own := s.kindIn(local, n.Intent, cues, s.kindMargins); k >= 0 {
			n.Subintent = &s.subintents[k].ID
			if own && n.Intent == symptomParent {
				n.Confidence, margin, belonging = max(n.Confidence, cueBelief), max(margin, 0), math.Inf(1)
			}
		}
	}
	if n.Subintent != nil && n.Intent == symptomParent {
		n.Danger = slices.ContainsFunc(s.subintents, func(d SubintentDefinition) bool { return d.ID == *n.Subintent && d.Parent == n.Intent && d.Danger })
	}
	n.Confidence = round(n.Confidence)
	switch {
	case n.Intent == outside:
		n.Intent, n.Subintent, n.Status, n.Outside = "", nil, Unanswered, true
	case margin < s.lowest, belonging < s.nowhere && margin < s.unclear, margin < 0 && s.foreign(span.Plain):
		n.Intent, n.Subintent, n.Status = "", nil, Unanswered
	case n.Confidence < clarifyBelow, margin < s.unclear, belonging < s.outOfScope && margin < s.vague:
		s.doubt(&n)
	}
	return n
}

// plainCue tells whether a symptom's own words may overrule the classifier: words
// that mean danger, long ones, or short ones of a short text. "花了" is a fault of
// a screen, and in "花了 18 块" it is not.
func (s *scratch) plainCue(cues []cue, sub int32, runes int) bool {
	return s.subintents[sub].Danger || slices.ContainsFunc(cues, func(c cue) bool {
		return c.sub == sub && (c.end-c.start >= 3 || c.end-c.start >= 2 && runes <= 8)
	})
}

// doubt asks back: the two likeliest readings of the part understood last, without
// those that were turned down before.
func (s *scratch) doubt(n *Need) {
	first, second := s.twoIntents()
	if second < 0 {
		return
	}
	labels := s.intents.Intents()
	if oneAnswer(labels[first]) && oneAnswer(labels[second]) && len(s.enquiry.Excluded) == 0 {
		n.Intent, n.Subintent = labels[first], nil
		return // both readings have the same answer: nothing need be asked
	}
	n.Status = Clarify
	if labels[first] != n.Intent {
		n.Intent, n.Subintent = labels[first], nil
	}
	n.Readings = []Reading{{Intent: labels[first], Subintent: n.Sub(), Confidence: n.Confidence}, {Intent: labels[second], Confidence: round(min(n.Confidence, 1-n.Confidence) * 0.9)}}
}

// oneAnswer are the intents that one look at the order answers.
func oneAnswer(intent string) bool { return intent == "order.status" || intent == "logistics.track" }

// foreign tells whether most words of a stretch are ones that no example has and
// that name nothing either: another language, or none.
func (s *scratch) foreign(at split.Range) bool {
	words, known := 0, 0
	for i := at.Start; i < at.End; {
		key, next := wordAt(s.plain.Runes[:at.End], i)
		if key != 0 {
			words++
			if _, ok := s.known[key]; ok || slices.ContainsFunc(s.mentions, func(m mention) bool { return m.start <= i && next <= m.end }) {
				known++
			}
		}
		i = next
	}
	return words > 1 && known*3 < words
}

func round(x float64) float64 { return float64(int(x*1000+0.5)) / 1000 }

// mainPart is what the customer wants, without the clause that conditions it and
// without what is ruled out beside it.
func (s *scratch) mainPart(span *split.Span) []rune {
	core := span.Core
	if core.End <= core.Start {
		core = span.Plain
	}
	part := s.plain.Runes[core.Start:core.End]
	cut := func(r split.Range) {
		from, to := s.plainPlace(r)
		rest := slices.Concat(s.plain.Runes[core.Start:min(max(from, core.Start), core.End)], s.plain.Runes[max(min(to, core.End), core.Start):core.End])
		if len(rest) >= 2 {
			part = rest
		}
	}
	if span.Condition != nil {
		cut(span.Condition.Range)
	} else if len(span.Excluded) == 1 && !span.Negated {
		cut(span.Excluded[0])
	}
	return part
}

// plainPlace is where a range of the original stands in the plain text.
func (s *scratch) plainPlace(r split.Range) (start, end int) {
	return sort.SearchInts(s.plain.Origin, r.Start), sort.SearchInts(s.plain.Origin, r.End)
}

// twoIntents are the two best that are intents.
func (s *scratch) twoIntents() (first, second int) {
	margins := s.margins
	if i := slices.Index(s.intents.Intents(), outside); i >= 0 {
		margins = slices.Clone(margins)
		margins[i] = math.Inf(-1)
	}
	if len(s.enquiry.Excluded) > 0 {
		margins = slices.Clone(margins)
		for _, r := range s.enquiry.Excluded {
			if i := slices.Index(s.intents.Intents(), r.Intent); i >= 0 {
				margins[i] = math.Inf(-1)
			}
		}
	}
	return twoBest(margins)
}

func twoBest(margins []float64) (first, second int) {
	first, second = -1, -1
	for i, m := range margins {
		switch {
		case first < 0 || m > margins[first]:
			first, second = i, first
		case second < 0 || m > margins[second]:
			second = i
		}
	}
	return first, second
}

func (s *scratch) cuesIn(r split.Range) []cue {
	var in []cue
	for _, c := range s.cuesAt {
		if c.start >= r.Start && c.end <= r.End {
			in = append(in, c)
		}
	}
	return in
}

// relative counts cues from the start of their need.
func (s *scratch) relative(cues []cue, from int) []cue {
	out := make([]cue, len(cues))
	for i, c := range cues {
		out[i] = cue{c.start - from, c.end - from, c.sub}
	}
	return out
}

// takeEntities gives every mention to the need it stands in; one between needs
// (a dropped reason, "家里五口人") goes to the next, else to the last.
func (s *scratch) takeEntities(needs []Need) {
	for i := range s.mentions {
		m := &s.mentions[i]
		at := -1
		for k := range needs {
			if s.places[k].End >= m.end {
				at = k
				break
			}
		}
		if at < 0 {
			at = len(needs) - 1
		}
		if at < 0 {
			return
		}
		needs[at].Entities = append(needs[at].Entities, m.Entity)
	}
}

// alarm marks the needs that speak of something that can hurt somebody, and makes
// one where such words stand alone. Safety comes before doubt: only a shopper's
// confident question about a thing for sale is left in peace.
func (s *scratch) alarm(needs []Need, kept []int) []Need {
	for _, c := range s.cuesAt {
		d := &s.subintents[c.sub]
		if !d.Danger || denied(s.plain.Runes, c.start) {
			continue
		}
		at := -1
		for k := range needs {
			if s.places[k].Start <= c.start && c.end <= s.places[k].End {
				at = k
			}
		}
		if at >= 0 {
			n := &needs[at]
			if n.Intent == d.Parent || n.Status != "" {
				n.Intent, n.Subintent, n.Status, n.Readings = d.Parent, &d.ID, "", nil
				n.Confidence = max(n.Confidence, cueBelief)
				n.Danger = true
			} else if group := intentGroup(n.Intent); group != "presale" || n.Confidence < 0.6 {
				n.Danger = true
			}
			continue
		}
		from, to := s.plain.Source(c.start, c.end)
		n := Need{Origin: Spoken, Intent: d.Parent, Subintent: &d.ID, Text: string(s.original[from:to]), Span: &Span{from, to}, Danger: true, Confidence: cueBelief}
		k := 0
		for k < len(needs) && s.places[k].Start < c.start {
			k++
		}
		needs = slices.Insert(needs, k, n)
		s.places = slices.Insert(s.places, k, split.Range{Start: c.start, End: c.end})
		for j := range kept {
			if kept[j] >= k {
				kept[j]++
			}
		}
	}
	return needs
}

func intentGroup(intent string) string {
	for i := range intent {
		if intent[i] == '.' {
			return intent[:i]
		}
	}
	return intent
}

func (s *scratch) placeOf(n *Need) split.Range {
	from, to := s.plainPlace(split.Range{Start: n.Span[0], End: n.Span[1]})
	return split.Range{Start: from, End: to}
}

// mark finds everything named in the text.
func (s *scratch) mark() {
	runes := s.plain.Runes
	g := &s.grammar
	for _, e := range s.names.Find(runes) {
		if e.Span[0] < 0 || e.Span[1] > len(runes) || e.Span[0] >= e.Span[1] {
			continue
		}
		rank := rankName
		if e.Span[1]-e.Span[0] == 1 && text.Letter(runes[e.Span[0]]) {
			if s.isArticle(e.Span[0]) {
				continue
			}
			rank = rankLetter
		}
		g.found = append(g.found, mention{Entity: e, start: e.Span[0], end: e.Span[1], rank: rank})
	}
	s.words.find(runes, func(start, end int, meaning int32) {
		which := meaning &^ meaningMask
		switch meaning & meaningMask {
		case meansPointer:
			if k := len(s.pointing); k > 0 && s.pointing[k-1].start <= start && end <= s.pointing[k-1].end {
				return
			} else if k > 0 && s.pointing[k-1].start == start {
				s.pointing = s.pointing[:k-1]
			}
			s.pointing = append(s.pointing, pointing{start, end, pointer(which)})
		case meansCue:
			s.cuesAt = append(s.cuesAt, cue{start, end, which})
			if s.subintents[which].Parent == symptomParent && !denied(runes, start) {
				g.found = append(g.found, mention{Entity: Entity{Type: "symptom", ID: s.subintents[which].ID}, start: start, end: end, rank: rankWord})
			}
		default:
			c := s.classes[which]
			m := mention{Entity: Entity{Type: c.kind}, start: start, end: end, rank: rankWord}
			if c.value != "" {
				m.Value = c.value
			}
			g.found = append(g.found, m)
		}
	})
	g.numbers(runes)
	g.phrases(runes)
	g.together(runes)
	s.numbersOfRecords()
	// Of mentions that overlap, the higher rank stays, then the longer, then the first.
	slices.SortStableFunc(g.found, func(a, b mention) int {
		if a.rank != b.rank {
			return b.rank - a.rank
		}
		if la, lb := a.end-a.start, b.end-b.start; la != lb {
			return lb - la
		}
		return a.start - b.start
	})
	s.mentions = s.mentions[:0]
	for _, m := range g.found {
		if !slices.ContainsFunc(s.mentions, func(o mention) bool { return m.start < o.end && o.start < m.end }) {
			s.mentions = append(s.mentions, m)
		}
	}
	slices.SortFunc(s.mentions, func(a, b mention) int { return a.start - b.start })
	for i := range s.mentions {
		m := &s.mentions[i]
		from, to := s.plain.Source(m.start, m.end)
		m.Span, m.Text = Span{from, to}, string(s.original[from:to])
	}
}

// named are the things that an earlier turn names.
func (s *scratch) named(turn string) []mention {
	if len(turn) > 4*longestText {
		turn = turn[:4*longestText]
	}
	inner := scratch{}
	inner.begin(s.Plan, Enquiry{Text: turn}, s.who, s.grammar.at, s.locale, s.names)
	inner.mark()
	return inner.mentions
}

// isArticle tells whether the letter at i of an English sentence is no name: "a"
// and "i" in lower case, or "A" before an ordinary word.
func (s *scratch) isArticle(i int) bool {
	runes := s.plain.Runes
	if runes[i] != 'a' && runes[i] != 'i' {
		return false
	}
	next := i + 1
	if next >= len(runes) || runes[next] != ' ' {
		return false
	}
	next++
	for _, w := range []string{"and", "or", "vs", "versus", "with", "is", "has", "does", "against", "to"} {
		k := len(w)
		if next+k <= len(runes) && string(runes[next:next+k]) == w && wordEdge(runes, next+k) {
			return false
		}
	}
	lower := s.original[s.plain.Origin[i]] == runes[i]
	if i >= 4 {
		for _, w := range []string{"and ", " or ", " vs ", "than "} {
			if string(runes[i-4:i]) == w {
				return false
			}
		}
	}
	return next < len(runes) && !text.Han(runes[next]) && (lower || i == 0)
}
