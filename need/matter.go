package need

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Matter marks a predicted need as a matter that the customer left open: who comes
// back without a question is met with it and its news.
type Matter struct {
	Kind     string    `json:"kind"`              // case, question
	Since    time.Time `json:"since"`             // when it began
	Seen     time.Time `json:"seen,omitzero"`     // when they were last in touch; zero: never
	News     bool      `json:"news,omitempty"`    // it has moved since
	Was      string    `json:"was,omitempty"`     // its state then
	Promised time.Time `json:"promised,omitzero"` // by when it was promised
	Late     bool      `json:"late,omitempty"`    // the promise is broken
}

// The bounds of what is taken up again.
const (
	mostMatters = 3
	mostSilent  = 180 * 24 * time.Hour // an open case nobody has touched for so long is not taken up
	stillNews   = 14 * 24 * time.Hour  // an end is news for so long
	stillAsked  = 30 * 24 * time.Hour  // so is a question without an answer
)

// The events of a conversation, as the customer's own log names them.
const (
	messageSent     = "Live Chat Message Sent"
	messageReceived = "Live Chat Message Received"
)

// matters adds what the customer left open, when they come with no question: broken
// promises first, then what has moved since they were last in touch, then the rest.
func (p *Plan) matters(needs []Need, e Enquiry, who *profile.Profile, at scene.Scene) []Need {
	if who == nil || len(needs) > 0 || slices.ContainsFunc(e.Messages, func(t Turn) bool { return t.Role == "user" }) {
		return needs
	}
	seen := lastContact(who, at.Time)
	var all []Need
	for _, r := range who.Records[evidence.Case] {
		if m := caseMatter(r, who, seen, at.Time); m != nil {
			all = append(all, caseNeed(r, m))
		}
	}
	if q := openQuestion(who, seen, at.Time); q != nil {
		all = append(all, *q)
	}
	slices.SortFunc(all, func(a, b Need) int {
		return cmp.Or(-flag(a.Matter.Late, b.Matter.Late), -flag(a.Matter.News, b.Matter.News),
			b.Matter.Since.Compare(a.Matter.Since), strings.Compare(strings.Join(a.RefersTo, " "), strings.Join(b.RefersTo, " ")))
	})
	return append(needs, all[:min(mostMatters, len(all))]...)
}

func flag(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// lastContact is when the customer was last spoken with or shown anything.
func lastContact(who *profile.Profile, now time.Time) (last time.Time) {
	for _, name := range [...]string{messageSent, messageReceived, profile.DecisionShown} {
		for _, e := range slices.Backward(who.History[name]) {
			if !e.Time.After(now) {
				if e.Time.After(last) {
					last = e.Time
				}
				break
			}
		}
	}
	return last
}

// caseMatter tells how a case stands for who comes back; nil when there is nothing to
// take up: it has no number, ended before they were last in touch, or is forgotten.
func caseMatter(r *profile.Record, who *profile.Profile, seen, now time.Time) *Matter {
	if evidence.Ref(r.ID).Kind() == evidence.Event || r.UpdatedAt.After(now) {
		return nil
	}
	m := &Matter{Kind: "case", Since: r.CreatedAt, Seen: seen, News: !seen.IsZero() && r.UpdatedAt.After(seen)}
	switch silent := now.Sub(r.UpdatedAt); {
	case r.Open() && silent > mostSilent:
		return nil
	case !r.Open() && (!m.News || silent > stillNews):
		return nil
	}
	if m.News {
		m.Was = stateAt(r, who, seen)
		m.News = m.Was != r.Text("status")
	}
	if !r.Open() && !m.News {
		return nil
	}
	if t, ok := r.Time("promised_at"); ok {
		m.Promised, m.Late = t, r.Open() && now.After(t)
	}
	return m
}

// stateAt is the state that the newest of a record's events up to a time gave it.
func stateAt(r *profile.Record, who *profile.Profile, at time.Time) (state string) {
	var newest *event.Event
	for _, ref := range r.Evidence {
		e, ok := who.Event(ref)
		if !ok || e.Time.After(at) || newest != nil && e.Time.Before(newest.Time) {
			continue
		}
		if s, _ := e.Properties()["status"].(string); s != "" {
			newest, state = e, s
		}
	}
	return state
}

// caseIntents are what somebody asks who wants to know how a case of a kind stands.
var caseIntents = map[string][2]string{
	"repair": {"order.status", "repair_state"}, "return": {"aftersale.refund_progress"}, "refund": {"aftersale.refund_progress"},
	"dispute": {"aftersale.refund_progress"}, "exchange": {"aftersale.exchange"}, "complaint": {"feedback.complaint"},
}

func caseNeed(r *profile.Record, m *Matter) Need {
	label, ok := caseIntents[r.Text("kind")]
	if !ok {
		label = [2]string{"order.status"}
	}
	return Need{Origin: Predicted, Intent: label[0], Subintent: subintent(label[1]), RefersTo: []string{r.ID}, Confidence: 1, Matter: m, Evidence: []evidence.Ref{r.Ref()}}
}

// openQuestion is the newest question of an earlier conversation that got no answer.
func openQuestion(who *profile.Profile, seen, now time.Time) *Need {
	type asked struct {
		Intent    string `json:"intent"`
		Subintent string `json:"subintent"`
		Text      string `json:"text"`
		Status    string `json:"status"`
	}
	var answered []string
	for _, e := range slices.Backward(who.History[messageReceived]) {
		if e.Time.After(now) {
			continue
		}
		if now.Sub(e.Time) > stillAsked {
			return nil
		}
		var body struct {
			By    string  `json:"by"`
			Asked []asked `json:"asked"`
		}
		if json.Unmarshal(e.Body, &body) != nil {
			continue
		}
		if body.By == "person" {
			return nil // a person spoke with them after it
		}
		for _, a := range body.Asked {
			if a.Intent == "" || a.Text == "" || a.Intent == "feedback.complaint" || a.Intent == "service.human" {
				continue // a cry for help is no question that an answer is found to
			}
			if a.Status != string(Unanswered) && a.Status != string(Handover) {
				answered = append(answered, a.Intent)
				continue
			}
			if slices.Contains(answered, a.Intent) {
				continue
			}
			return &Need{Origin: Predicted, Intent: a.Intent, Subintent: subintent(a.Subintent), Text: a.Text, Confidence: 1,
				Matter: &Matter{Kind: "question", Since: e.Time, Seen: seen}, Evidence: []evidence.Ref{evidence.Ref(e.ID.String())}}
		}
	}
	return nil
}
