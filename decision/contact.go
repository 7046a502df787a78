package decision

import (
	"slices"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// Contact policies bind what Rapport sends by itself, never the answer to someone
// who asks. They count what was sent: a profile.DecisionSent (decision_id, actions,
// topics, group, channels) that no profile.DecisionWithdrawn took back. Both stand in
// the person's own log, so a replay finds them again.

// Unasked says under what heading an action is offered unasked: caps and silence
// count what is of one topic together.
type Unasked struct {
	Topic string
}

// Contact are the contact policies of a strategy.
type Contact struct {
	// Quiet are the hours in which nothing is sent, by the customer's clock; its Zone
	// stands in for that of a customer whose own is not known. Without either there
	// are no quiet hours. nil: none.
	Quiet    *Hours
	Caps     []ContactCap
	Suppress time.Duration // silence on a topic after a refusal; 0: none
	Again    time.Duration // a right that was told unasked is not told unasked again for so long
}

// ContactCap bounds how much is sent to one person.
type ContactCap struct {
	ID      string
	Topic   string // "": of any
	Channel string // "": through any; else "conversation" or "webhook"
	AtMost  int
	Within  time.Duration
}

// Opens tells when something may be sent to a customer: now, or when the quiet
// hours end. zone nil: the customer's is not known. It is quiet while the customer's
// clock shows a time of the quiet hours, also an hour that it shows twice.
func (c *Contact) Opens(now time.Time, zone *time.Location) time.Time {
	if c.Quiet == nil || zone == nil && c.Quiet.Zone == nil {
		return now
	}
	if zone == nil {
		zone = c.Quiet.Zone
	}
	at := now
	for {
		local := at.In(zone)
		if !c.Quiet.shown(local) {
			return at
		}
		day := 24 * time.Hour
		end := (time.Duration(c.Quiet.Until)*time.Minute - sinceMidnight(local) + day) % day
		if end == 0 {
			end = day // they never end
		}
		_, turn := local.ZoneBounds() // when the clock is put forward or back
		if turn.IsZero() || at.Add(end).Before(turn) || c.Quiet.From == c.Quiet.Until {
			return at.Add(end)
		}
		at = turn
	}
}

// sinceMidnight is what a clock shows.
func sinceMidnight(local time.Time) time.Duration {
	return time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
}

// shown tells whether a clock shows a time of the hours; hours that end when they
// begin are the whole day.
func (h *Hours) shown(local time.Time) bool {
	t, from, until := sinceMidnight(local), time.Duration(h.From)*time.Minute, time.Duration(h.Until)*time.Minute
	if from < until {
		return from <= t && t < until
	}
	return from <= t || t < until
}

// Waits tells whether a decision that nobody asked for must not be sent now, and
// until when: it is quiet where the customer is, and nobody could be hurt.
func (c *Contact) Waits(d *Decision, now time.Time, zone *time.Location) (until time.Time, waits bool) {
	until = c.Opens(now, zone)
	return until, until.After(now) && !d.Urgent()
}

// Open lists the channels, of those given, whose own caps are not reached: what was
// delivered through each is counted from the person's events. It is for who sends;
// the caps of no channel are applied by [Decide].
func (c *Contact) Open(channels []string, who *profile.Profile, now time.Time) []string {
	open := []string{}
	for _, channel := range channels {
		full := slices.ContainsFunc(c.Caps, func(limit ContactCap) bool {
			if limit.Channel != channel {
				return false
			}
			n := 0
			for _, s := range sentTo(who, now) {
				if s.counts(limit, now) && slices.Contains(s.channels, channel) {
					n++
				}
			}
			return n >= limit.AtMost
		})
		if !full {
			open = append(open, channel)
		}
	}
	return open
}

// Occasion tells whether a signal can make Rapport speak by itself: it foretells a
// need (label "intent/subintent") that an action serves unasked.
func (p *Plan) Occasion(intent, sub string) bool {
	return slices.ContainsFunc(p.Actions, func(a Action) bool {
		return a.Unasked != nil && slices.ContainsFunc(a.Needs, func(label string) bool { return labelled(label, intent, sub) })
	})
}

// Urgent tells whether a decision cannot wait for the quiet hours to end.
func (d *Decision) Urgent() bool {
	return slices.ContainsFunc(d.Chosen, func(c Chosen) bool { return c.Safety })
}

// sent is one message that was sent unasked.
type sent struct {
	decision  string
	actions   []string
	topics    []string
	channels  []string
	group     map[string]any
	at        time.Time
	dismissed time.Time
	withdrawn bool // before anybody had it
	evidence  []evidence.Ref
}

func (s *sent) counts(limit ContactCap, now time.Time) bool {
	return !s.withdrawn && s.at.Add(limit.Within).After(now) && (limit.Topic == "" || slices.Contains(s.topics, limit.Topic))
}

// sentTo reads what was sent to a person up to a time, oldest first.
func sentTo(who *profile.Profile, now time.Time) []sent {
	var all []sent
	for _, e := range who.History[profile.DecisionSent] {
		if e.Time.After(now) || !e.Verified {
			continue
		}
		p := e.Properties()
		s := sent{actions: texts(p["actions"]), topics: texts(p["topics"]), channels: texts(p["channels"]), at: e.Time, evidence: []evidence.Ref{evidence.Ref(e.ID.String())}}
		s.decision, _ = p["decision_id"].(string)
		s.group, _ = p["group"].(map[string]any)
		withdrawn := false
		for _, w := range who.History[profile.DecisionWithdrawn] {
			id, _ := w.Properties()["decision_id"].(string)
			withdrawn = withdrawn || id == s.decision && w.Verified && !w.Time.After(now)
		}
		if slices.ContainsFunc(all, func(o sent) bool { return o.decision == s.decision }) {
			continue // only tried again
		}
		s.withdrawn = withdrawn
		for i := range who.Contacts {
			if c := &who.Contacts[i]; c.Decision == s.decision && !c.Dismissed.IsZero() && !c.Dismissed.After(now) {
				s.dismissed = c.Dismissed
				s.evidence = join(s.evidence, c.Evidence)
			}
		}
		all = append(all, s)
	}
	return all
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// sent is what was sent to the customer, read once a decision.
func (c *chooser) sent() []sent {
	if !c.sentKnown {
		c.sentBefore, c.sentKnown = sentTo(c.person, c.now), true
	}
	return c.sentBefore
}

// mayBeSent applies the contact policies to an action that nobody asked for. A
// right and safety pass all of them; a right that was told already is told again
// to who asks, but not unasked.
func (c *chooser) mayBeSent(b *binding, a *Action, i int) bool {
	if a.Unasked == nil || i >= 0 && c.in.Needs[i].Origin != need.Predicted {
		return true
	}
	all := c.sent()
	if a.Nature == Right || a.urgent() {
		for k := range all {
			s := &all[k]
			if !s.withdrawn && s.at.Add(c.plan.Contact.Again).After(c.now) && slices.Contains(s.actions, a.ID) && sameThing(s.group, b.group) {
				c.reject(b, a, i, ContactPolicy, "told", candidate.Text{
					Zh: c.date(s.at, "zh-CN") + "已经主动告诉过客户", En: "the customer was told unasked on " + c.date(s.at, "en"),
				}, nil, s.evidence)
				return false
			}
		}
		return true
	}
	if !c.silent(b, a, i, all) {
		return false
	}
	for k := range c.plan.Contact.Caps {
		limit := &c.plan.Contact.Caps[k]
		if limit.Channel != "" || limit.Topic != "" && limit.Topic != a.Unasked.Topic {
			continue
		}
		refs, n := []evidence.Ref{}, 0
		for k := range all {
			if all[k].counts(*limit, c.now) {
				refs = join(refs, all[k].evidence)
				n++
			}
		}
		if n < limit.AtMost {
			continue
		}
		within, most := strconv.FormatInt(days(limit.Within), 10), strconv.Itoa(limit.AtMost)
		c.reject(b, a, i, ContactPolicy, "cap."+limit.ID, candidate.Text{
			Zh: within + " 天内已主动联系 " + strconv.Itoa(n) + " 次，最多 " + most + " 次",
			En: "sent unasked " + times(n, "en") + " within " + candidate.Counted(within, "day|days") + "; at most " + most,
		}, nil, refs)
		return false
	}
	return true
}

// silent keeps a topic quiet for a while after the customer declined it.
func (c *chooser) silent(b *binding, a *Action, i int, all []sent) bool {
	if c.plan.Contact.Suppress <= 0 {
		return true
	}
	refuse := func(at time.Time, refs []evidence.Ref) bool {
		if at.IsZero() || at.After(c.now) || !at.Add(c.plan.Contact.Suppress).After(c.now) {
			return false
		}
		silence := strconv.FormatInt(days(c.plan.Contact.Suppress), 10)
		c.reject(b, a, i, ContactPolicy, "suppressed", candidate.Text{
			Zh: c.date(at, "zh-CN") + "客户说过不用了，" + silence + " 天内不再主动提",
			En: "the customer declined on " + c.date(at, "en") + "; not unasked for " + candidate.Counted(silence, "day|days"),
		}, nil, refs)
		return true
	}
	for k := range all {
		if s := &all[k]; slices.Contains(s.topics, a.Unasked.Topic) && refuse(s.dismissed, s.evidence) {
			return false
		}
	}
	for k := range c.person.Contacts {
		contact := &c.person.Contacts[k]
		if contact.Action != "" && c.topicOf(contact.Action) == a.Unasked.Topic && refuse(contact.Dismissed, join([]evidence.Ref{}, contact.Evidence)) {
			return false
		}
	}
	return true
}

func (c *chooser) topicOf(action string) string {
	for i := range c.plan.Actions {
		if a := &c.plan.Actions[i]; a.ID == action && a.Unasked != nil {
			return a.Unasked.Topic
		}
	}
	return ""
}

// sameThing tells whether a message was about the group of a candidate.
func sameThing(group map[string]any, s *need.SignalState) bool {
	if s == nil {
		return len(group) == 0
	}
	for k, v := range s.Group {
		if group[k] != v {
			return false
		}
	}
	return true
}
