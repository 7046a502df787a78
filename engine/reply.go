package engine

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
)

// A customer's message may answer a question of ours: which of two readings was
// meant, or whether something that we assumed is true. Then the needs are read from
// the words that the question was about.

// longestReply is how many runes an answer to a question of ours has at most.
const longestReply = 40

var (
	firstOne  = regexp.MustCompile(`^(第一个|第一种|前者|前一个|前面那个|1|一|the first( one)?|first( one)?|the former)$`)
	secondOne = regexp.MustCompile(`^(第二个|第二种|后者|后一个|后面那个|2|二|the second( one)?|second( one)?|the latter)$`)
	neither   = regexp.MustCompile(`^(都不是|都不对|两个都不是|不是这两个|neither|none of (them|these|those)|not (these|those))`)
	affirms   = regexp.MustCompile(`^(对|是|嗯|没错|正确|确认|yes|yep|yeah|right|correct|that's right|true)([的啊呀呢, ].*)?$`)
	denies    = regexp.MustCompile(`^(不对|不是|错|没有|no|nope|wrong|not (really|quite|right))([的啊呀呢, ].*)?`)
	bareCount = regexp.MustCompile(`(^|[^\d])([1-9]|1[0-9]|[一二两三四五六七八九十]|one|two|three|four|five|six|seven|eight)(个人|口人|口|人| people| of us)?([^\d]|$)`)
)

var spelledNumbers = map[string]int{"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}

// asked is the last answer of the adviser when nothing was said since.
func (d *dialogue) asked() *conversation.Entry {
	for i := len(d.entries) - 1; i >= 0; i-- {
		switch en := &d.entries[i]; en.Name {
		case conversation.Requested:
			continue // it belongs to the answer before it
		case conversation.Received:
			if en.By == "person" {
				return nil
			}
			return en
		default:
			return nil
		}
	}
	return nil
}

// beside are the words that may stand beside a name when it answers "which one?".
var beside = regexp.MustCompile(`^((我|我说的|我问的|我要问的|就|就是|是|那|这|款|个|件|台|种|的|吧|啊|呢|哦|i|mean|meant|it's|it is|its|that's|the|that|this|one|please|would be|[ .。!！,，'’]))*$`)

// justNamed tells whether a message is the name of a product and little else.
func justNamed(message string, names need.Lexicon) bool {
	said := text.Normalise(message).Runes
	for _, e := range names.Find(said) {
		switch e.Type {
		case "category", "brand", "attribute", "order_id", need.UnknownProduct:
			continue
		}
		rest := string(said[:e.Span[0]]) + " " + string(said[e.Span[1]:])
		return e.ID != "" && beside.MatchString(rest)
	}
	return false
}

// lacksName tells whether a question about one product stayed open because nobody
// said which.
func lacksName(m *conversation.Matter) bool {
	if m.Status == string(need.Clarify) {
		return true
	}
	return m.Status == string(need.Partly) && len(m.About) == 0 && slices.Contains([]string{"presale.product_info", "presale.price_promo", "presale.stock"}, m.Intent)
}

// about reads an enquiry as the answer to a question of ours, if it is one.
func (d *dialogue) about(e *need.Enquiry, names need.Lexicon) {
	if e.About != "" || e.Text == "" || utf8.RuneCountInString(e.Text) > longestReply {
		return
	}
	last := d.asked()
	if last == nil {
		return
	}
	said := plainReply(e.Text)
	for i := range last.Asked {
		m := &last.Asked[i]
		if m.Text == "" {
			continue
		}
		if len(m.Readings) == 0 {
			if lacksName(m) && justNamed(e.Text, names) {
				e.About = e.Text + " " + m.Text
				return
			}
			continue
		}
		at := slices.IndexFunc(m.Readings, func(r conversation.Reading) bool { return plainReply(r.Label) == said })
		switch {
		case at < 0 && firstOne.MatchString(said):
			at = 0
		case at < 0 && secondOne.MatchString(said) && len(m.Readings) > 1:
			at = 1
		}
		switch {
		case at >= 0:
			e.About, e.Chosen = m.Text, &need.Reading{Intent: m.Readings[at].Intent, Subintent: m.Readings[at].Subintent, Confidence: 1}
		case neither.MatchString(said):
			e.About, e.Excluded = m.Text, d.turnedDown(m.Text)
		}
		if e.About != "" {
			return
		}
	}
}

// before are the turns before the words that are read again: what was said since
// belongs to our question.
func before(turns []need.Turn, about string) []need.Turn {
	if about == "" {
		return turns
	}
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Role != "user" || !strings.Contains(turns[i].Text, about) {
			continue
		}
		if turns[i].Text == about {
			return turns[:i]
		}
		return turns[:i+1] // a part of it: the rest says what it is about
	}
	return turns
}

func plainReply(s string) string { return strings.Trim(text.Plain(s), " .。!！,，?？") }

// turnedDown are all readings that were offered of the same words so far.
func (d *dialogue) turnedDown(words string) (all []need.Reading) {
	for i := range d.entries {
		for _, m := range d.entries[i].Asked {
			if m.Text != words {
				continue
			}
			for _, r := range m.Readings {
				all = append(all, need.Reading{Intent: r.Intent, Subintent: r.Subintent})
			}
		}
	}
	return all
}

// assumption is what the customer's message says of something that was assumed.
type assumption struct {
	about  string // the words that the assumption was made for
	trait  string
	value  any  // what is true; nil when it was only denied
	denied bool // the assumption is wrong and nothing better is known
}

// assumed reads a message as the answer to an assumption that was shown.
func (d *dialogue) assumed(message string) (a assumption, ok bool) {
	last := d.asked()
	if last == nil || utf8.RuneCountInString(message) > longestReply {
		return a, false
	}
	said := plainReply(message)
	for i := range last.Asked {
		m := &last.Asked[i]
		if m.Assumed == nil {
			continue
		}
		a = assumption{about: d.wordsBefore(last), trait: m.Assumed.Trait}
		if n := countIn(said); n > 0 {
			a.value = n
			return a, true
		}
		switch {
		case denies.MatchString(said):
			a.denied = true
			return a, true
		case affirms.MatchString(said) && m.Assumed.Value != nil:
			a.value = m.Assumed.Value
			return a, true
		}
	}
	return a, false
}

// wordsBefore is the message that an answer answered; where that was an answer to
// another question of ours, the words which that one was about.
func (d *dialogue) wordsBefore(answer *conversation.Entry) string {
	if answer.About != "" {
		return answer.About
	}
	words := ""
	for i := range d.entries {
		en := &d.entries[i]
		if en.Event == answer.Event {
			break
		}
		if en.Name == conversation.Sent {
			words = en.Text
		}
	}
	return words
}

// countIn is the number of people that a short answer names, 0 for none.
func countIn(said string) int {
	found := bareCount.FindStringSubmatch(said)
	if found == nil {
		return 0
	}
	if n, ok := spelledNumbers[found[2]]; ok {
		return n
	}
	n, _ := strconv.Atoi(found[2]) // digits, by the expression
	return n
}

// confirm takes in what the customer says of an assumption: a confirmed or corrected
// one is stated by the customer from now on, as a trait with this message as its
// proof. The enquiry is then read from the words that the assumption was made for.
func (e *Engine) confirm(ctx context.Context, t *tenant, r *Request, m Message) error {
	if r.Enquiry.Text == "" || utf8.RuneCountInString(r.Enquiry.Text) > longestReply {
		return nil
	}
	scope, err := e.Who(ctx, t.ID, r.Asker)
	if err != nil {
		return err
	}
	who, err := e.Profile(ctx, scope)
	if err != nil {
		return err
	}
	d, err := e.dialogueOf(ctx, t.ID, r.Conversation, who, scope.Keys, r.Shared)
	if err != nil || d.state.Phase == conversation.WithPerson {
		return err
	}
	a, ok := d.assumed(r.Enquiry.Text)
	if !ok || a.about == "" {
		return nil
	}
	r.Enquiry.About = a.about
	if a.denied {
		r.Enquiry.Denied = []string{a.trait}
		return nil
	}
	body, err := json.Marshal(map[string]any{a.trait: a.value})
	if err != nil {
		return err
	}
	at := r.Scene.Time
	if at.IsZero() {
		at = e.now()
	}
	stated := event.Event{ID: answerID(m.ID, "Identify"), Kind: event.Identify, Time: at, Received: at, Verified: m.Verified, Body: body}
	if m.Key.Kind == "user" {
		stated.UserID = m.Key.Value
	} else {
		stated.AnonymousID = m.Key.Value
	}
	_, err = e.Store.Commit(ctx, Batch{Workspace: t.ID, Events: []event.Event{stated}})
	return err
}
