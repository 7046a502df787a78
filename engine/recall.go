package engine

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
)

// remembered is how long an answer counts as given, mostRecalled how many of the
// newest answers are looked through.
const (
	remembered   = 30 * 24 * time.Hour
	mostRecalled = 64
	alike        = 0.6 // share of common letter pairs at which two texts ask the same
)

// earlier is one need as it was answered before, and the event that proves it.
type earlier struct {
	conversation.Matter
	at       time.Time
	ref      evidence.Ref
	decision string
}

// memory is what was asked before, by need: candidates that may be the same.
type memory struct {
	who     *profile.Profile
	in      *Inputs
	matched [][]earlier // by the place of the need
	paired  map[string]letterPairs
}

// recall finds, among the answers that the person was given in any conversation and
// channel, those that may have answered the needs of now. It reads the fold, hence
// the log: nothing of it is kept in memory alone.
func recall(in *Inputs, who *profile.Profile, needs []need.Need) *memory {
	m := &memory{who: who, in: in, matched: make([][]earlier, len(needs))}
	if in.Enquiry.About != "" || !slices.ContainsFunc(needs, func(n need.Need) bool { return repeatable(&n) }) {
		return m // who answers a question of ours does not ask again
	}
	var intents []string
	for i := range needs {
		if repeatable(&needs[i]) {
			intents = append(intents, needs[i].Intent)
		}
	}
	given := given(who, intents, in.Scene.Time)
	for i := range needs {
		n := &needs[i]
		if !repeatable(n) {
			continue
		}
		about := aboutOf(n)
		for k := range given {
			if sameKind(n, about, &given[k]) {
				m.matched[i] = append(m.matched[i], given[k])
			}
		}
	}
	return m
}

// repeatable tells whether asking again means that the answer did not help. Who
// orders twice wants two, and who asks for a person again waits for one.
func repeatable(n *need.Need) bool {
	if n.Origin != need.Spoken || n.Intent == "" || n.Negated || len(n.Readings) > 0 {
		return false
	}
	return n.Intent != "order.place" && n.Intent != "service.human" && n.Intent != "feedback.praise"
}

// given lists the newest answers to needs of some intents, the newest first, up to the
// last time that a matter was settled by a person or reported as resolved.
func given(who *profile.Profile, intents []string, now time.Time) []earlier {
	settled := lastSettled(who, now)
	var all []earlier
	take := func(ev *event.Event) {
		en, ok := readAnswer(ev)
		if !ok || en.By == "person" {
			return
		}
		for _, m := range en.Asked {
			if slices.Contains(intents, m.Intent) {
				all = append(all, earlier{m, ev.Time, evidence.Ref(ev.ID.String()), en.Decision})
			}
		}
	}
	quoted := make([][]byte, len(intents))
	for i, intent := range intents {
		quoted[i] = []byte(`"` + intent + `"`)
	}
	for _, name := range []string{conversation.Received, shown} {
		list := who.Within(name, now.Add(-remembered), now)
		if len(list) > mostRecalled {
			list = list[len(list)-mostRecalled:]
		}
		for _, ev := range list {
			if ev.Time.After(settled) && bytes.Contains(ev.Body, []byte(`"asked"`)) && mayName(ev.Body, quoted) {
				take(ev)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b earlier) int { return b.at.Compare(a.at) })
	solved := map[string]bool{}
	for _, c := range who.Contacts {
		if !c.Resolved.IsZero() && !c.Resolved.After(now) {
			solved[c.Decision] = true
		}
	}
	// An answer that was shown and said is one answer.
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(e earlier) bool {
		key := e.decision + "\x00" + e.Intent + "\x00" + e.Text
		again := e.decision != "" && seen[key]
		seen[key] = true
		return again || solved[e.decision]
	})
}

// mayName tells, without reading a body, whether one of some quoted intents can stand
// in it: reading everything a customer was told lately costs more than deciding. In a
// body with escaped letters any may.
func mayName(body []byte, quoted [][]byte) bool {
	return slices.ContainsFunc(quoted, func(q []byte) bool { return bytes.Contains(body, q) }) || bytes.Contains(body, []byte(`\u`))
}

// shown is the event that reports an answer as seen; the house adds what was asked.
const shown = "Decision Shown"

func readAnswer(ev *event.Event) (conversation.Entry, bool) {
	if en, ok := conversation.ReadEvent(ev); ok {
		return en, true
	}
	return conversation.ReadShown(ev)
}

// lastSettled is when a person last handed a conversation back as solved.
func lastSettled(who *profile.Profile, now time.Time) (at time.Time) {
	for _, ev := range who.Within(conversation.Returned, now.Add(-remembered), now) {
		if en, ok := conversation.ReadEvent(ev); ok && en.Solved {
			at = ev.Time
		}
	}
	return at
}

// sameKind tells whether an earlier matter may be the one of a need: of the same
// intent, and about the same things as far as either says, or about a record of
// which the state decides.
func sameKind(n *need.Need, about []string, e *earlier) bool {
	if e.Intent != n.Intent || e.Subintent != "" && n.Sub() != "" && e.Subintent != n.Sub() {
		return false
	}
	return e.State != "" || len(about) == 0 || len(e.About) == 0 || sameThing(n.Intent, about, e.About)
}

// ownMatter are the intents about the customer's own order, parcel, case or money:
// asking for the same one again is the same question, however it is worded.
func ownMatter(intent string) bool {
	group, _, _ := strings.Cut(intent, ".")
	return slices.Contains([]string{"order", "logistics", "aftersale", "payment", "account"}, group) || slices.Contains([]string{"presale.price_promo", "presale.stock", "presale.compare"}, intent)
}

// sameThing tells whether two questions of one intent are about the same. Of the
// customer's own matters one may name the order, the other the order and what is in it.
func sameThing(intent string, a, b []string) bool {
	if slices.Equal(a, b) {
		return true
	}
	group, _, _ := strings.Cut(intent, ".")
	if len(a) == 0 || len(b) == 0 || !slices.Contains([]string{"order", "logistics", "aftersale", "payment", "account"}, group) {
		return false
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	// What the longer one says besides may only be another id: a day, a colour or a
	// condition makes another question.
	return slices.Equal(wordsIn(a), wordsIn(b)) && !slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) })
}

// wordsIn are the parts of what a need is about that are no ids: a day, a colour, a
// condition.
func wordsIn(about []string) []string {
	return slices.DeleteFunc(slices.Clone(about), func(x string) bool { return !strings.Contains(x, ":") })
}

// asksForState tells the intents that ask how something stands: of the same record
// in the same state they are the same question. The others want something done.
func asksForState(intent string) bool {
	return slices.Contains([]string{"order.status", "logistics.track", "logistics.problem", "aftersale.refund_progress", "account.query"}, intent)
}

// saidBefore is what the sources must know of it: which articles were shown.
func saidBefore(m *memory, needs []need.Need) []candidate.Told {
	var all []candidate.Told
	for i := range needs {
		t := candidate.Told{Need: needs[i].ID}
		for _, e := range m.matched[i] {
			for _, a := range e.Articles {
				if !slices.Contains(t.Articles, a) {
					t.Articles = append(t.Articles, a)
				}
			}
			for _, a := range e.Actions {
				if !slices.Contains(t.Actions, a) {
					t.Actions = append(t.Actions, a)
				}
			}
		}
		if len(t.Articles)+len(t.Actions) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// count sets how often each need was asked before, now that the sources have
// answered: a status that has moved since is a new answer, and two questions with
// different words are one when the same article answers them.
func (m *memory) count(needs []need.Need, results []candidate.Result) {
	if m.in.Enquiry.About != "" {
		return
	}
	for i := range needs {
		n := &needs[i]
		if !repeatable(n) {
			continue
		}
		state, about := substance(results, n.ID), aboutOf(n)
		articles := bestArticles(results, n.ID)
		for k := range m.matched[i] {
			e := &m.matched[i][k]
			if e.Status == string(need.Clarify) || state != "" && state != e.State {
				continue
			}
			// Of the customer's own matters "it" may be the order or what is in it: the
			// record that the answer told of decides.
			told := state != "" && state == e.State && (asksForState(n.Intent) || slices.Equal(wordsIn(about), wordsIn(e.About)))
			same := told ||
				ownMatter(n.Intent) && sameThing(n.Intent, about, e.About) ||
				(len(about) == 0 || len(e.About) == 0 || sameThing(n.Intent, about, e.About)) &&
					(slices.ContainsFunc(e.Articles, func(a string) bool { return slices.Contains(articles, a) }) || m.likeness(n.Text, e.Text) >= alike)
			if !same {
				continue
			}
			n.Repeated++
			if !slices.Contains(n.Evidence, e.ref) {
				n.Evidence = append(n.Evidence, e.ref)
			}
		}
		n.Repeated = max(n.Repeated, m.askedHere(n), saysSo(n))
	}
}

// bestArticles are the articles that fit a need best, those told before included.
func bestArticles(results []candidate.Result, id string) (all []string) {
	for _, r := range results {
		for _, a := range r.Answers {
			if a.Need == id && a.Passage != nil {
				if all = append(all, a.Passage.Instead...); len(a.Passage.Instead) == 0 {
					all = append(all, a.Passage.Article)
				}
			}
		}
	}
	return all
}

// askedHere counts the same words among the turns that a caller sent along: a
// channel that keeps its own transcript asks without a conversation of ours.
func (m *memory) askedHere(n *need.Need) (times int) {
	if m.in.Converses {
		return 0 // the events have it
	}
	for _, t := range m.in.Enquiry.Messages {
		if t.Role == "user" && m.likeness(t.Text, n.Text) >= (alike+1)/2 {
			times++
		}
	}
	return times
}

var asksAgain = []string{"问了", "问过", "说了", "说过", "讲了", "问你", "asked", "asking", "told you", "said"}

// saysSo reads how often the customer says to have asked: "这是第三次问了", "I've
// asked three times".
func saysSo(n *need.Need) int {
	plain := text.Plain(n.Text)
	if !slices.ContainsFunc(asksAgain, func(w string) bool { return strings.Contains(plain, w) }) {
		return 0
	}
	for i := range n.Entities {
		if q, ok := n.Entities[i].Value.(need.Quantity); ok && q.Unit == "time" {
			if q.Ordinal {
				return int(q.Value) - 1
			}
			return int(q.Value)
		}
	}
	return 0
}

// letterPairs are the pairs of neighbouring letters of a text, without marks and
// blanks, each once, in ascending order.
type letterPairs []uint64

func pairsOf(s string) letterPairs {
	var all letterPairs
	var last rune
	for _, r := range text.Plain(s) {
		if !text.Han(r) && !text.Letter(r) && (r < '0' || r > '9') {
			continue
		}
		if last != 0 {
			all = append(all, uint64(last)<<32|uint64(r))
		}
		last = r
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// likeness is the share of letter pairs that two texts have in common (Dice's
// coefficient). A customer who writes much is compared with everything they said
// lately, so the pairs of a text are found once for all comparisons of a turn.
func (m *memory) likeness(a, b string) float64 {
	x, y := m.pairs(a), m.pairs(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	common := 0
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] < y[j]:
			i++
		case x[i] > y[j]:
			j++
		default:
			common, i, j = common+1, i+1, j+1
		}
	}
	return 2 * float64(common) / float64(len(x)+len(y))
}

func (m *memory) pairs(s string) letterPairs {
	all, ok := m.paired[s]
	if !ok {
		if m.paired == nil {
			m.paired = map[string]letterPairs{}
		}
		all = pairsOf(s)
		m.paired[s] = all
	}
	return all
}
