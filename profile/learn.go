package profile

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
)

// businessKinds are the records that say something about one person.
var businessKinds = map[string]bool{
	"order": true, "asset": true, "case": true, "holding": true, "enrolment": true, "contract": true, "promotion": true, "relationship": true,
}

// lessons are the event names from which facts follow, each with what it teaches.
// Bodies of other names are never decoded here.
var lessons map[string]func(p *Profile, e *event.Event, f fields)

func init() {
	lessons = map[string]func(p *Profile, e *event.Event, f fields){
		"Order Completed":      orderCompleted,
		"Order Refunded":       orderRefunded,
		"Order Cancelled":      orderCancelled,
		"Repair Reported":      repairReported,
		"Repair Completed":     repairCompleted,
		"Service Case Updated": caseUpdated,
		"Return Requested":     requested("return"),
		"Refund Requested":     requested("refund"),
		"Complaint Filed":      requested("complaint"),
	}
	for suffix, step := range contactSteps {
		lessons["Decision "+suffix] = contact(step)
		if suffix != "Shown" {
			lessons[suffix] = contact(step)
		}
	}
}

// serviceNames are further names on which rights and service rest.
var serviceNames = map[string]bool{"Handover Requested": true}

// serviceWords begin the names of events about a matter the person has with the
// company, in distinction to how they behave.
var serviceWords = []string{"Order ", "Repair ", "Service Case ", "Return ", "Refund ", "Exchange ", "Complaint ", "Dispute ", "Handover ", "Delivery ", "Warranty ", "Claim "}

// service tells that events of this name are about a matter the person has with
// the company (an order, a repair, a complaint). They are never behaviour that a
// profile is drawn from: they stay when personalisation is off.
func service(name string) bool {
	return businessKinds[name] || serviceNames[name] || slices.ContainsFunc(serviceWords, func(w string) bool { return strings.HasPrefix(name, w) })
}

// standing tells that no crowd of other names may push this one out.
func standing(name string) bool {
	return lessons[name] != nil || businessKinds[name] || serviceNames[name]
}

// teaches tells that a fact follows from the event.
func teaches(e *event.Event) bool {
	return e.Kind != event.Page && e.Kind != event.Screen && (e.Kind != event.Track || lessons[e.Name] != nil)
}

func (p *Profile) learn(e *event.Event) {
	switch e.Kind {
	case event.Track:
		if lesson := lessons[e.Name]; lesson != nil {
			lesson(p, e, e.Properties())
		}
	case event.Identify:
		p.identify(e, e.Properties())
	case event.Group:
		p.group(e, e.Properties())
	case event.Record:
		switch {
		case businessKinds[e.Name]:
			p.put(e)
		case e.Name == "preference":
			p.prefer(e)
		case e.Name == "person" && !e.Deleted:
			p.identify(e, e.Properties())
		}
	}
}

// fields are decoded properties. A name is read in snake_case, else in camelCase.
type fields map[string]any

func (f fields) value(name string) (v any, ok bool) {
	if v, ok = f[name]; ok || !strings.Contains(name, "_") {
		return v, ok && v != nil
	}
	v, ok = f[camel(name)]
	return v, ok && v != nil
}

// id is a field as an identifier: text without blanks around it, or a whole number.
func (f fields) id(name string) string {
	v, _ := f.value(name)
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case float64:
		if math.Abs(v) < 1<<53 && v == math.Trunc(v) {
			return strconv.FormatInt(int64(v), 10)
		}
	}
	return ""
}

func (f fields) number(name string) (n float64, ok bool) {
	v, _ := f.value(name)
	return number(v)
}

func number(v any) (n float64, ok bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return n, err == nil && n-n == 0 // neither infinite nor NaN
	}
	return 0, false
}

func camel(name string) string {
	var b strings.Builder
	up := false
	for _, c := range []byte(name) {
		if c == '_' {
			up = true
			continue
		}
		if up && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}

// snake is the one name of a trait however it was written: householdSize,
// household-size and "Household Size" are household_size.
func snake(name string) string {
	plain := true
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= 'A' && c <= 'Z' || c == '-' || c == ' ' {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	var b strings.Builder
	upper := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '-' || c == ' ':
			c = '_'
		case upper(c):
			// a hump begins at an upper letter after a lower one, and before the
			// last of several upper ones (HTTPServer, userID)
			if i > 0 && name[i-1] != '_' && name[i-1] != '-' && name[i-1] != ' ' &&
				(!upper(name[i-1]) || i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z') {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (p *Profile) identify(e *event.Event, traits fields) {
	p.ownTraits()
	ref := evidence.Ref(e.ID.String())
	p.surroundings(e, ref)
	// Two spellings of one name in one call: the spelling that sorts last counts.
	for _, key := range sortedKeys(traits) {
		p.state(snake(key), traits[key], e, ref)
	}
	v, ok := p.Traits["household"]
	if !ok && p.Traits["household_size"].Implied { // the list was taken back
		delete(p.Traits, "household_size")
	}
	if !ok || v.Evidence != ref {
		return
	}
	if size, ok := householdSize(v.Value); ok {
		p.imply("household_size", size, e, ref)
	}
}

// surroundings reads the time zone and the language of the device that an identify
// call came from: they are the person's until somebody states them.
func (p *Profile) surroundings(e *event.Event, ref evidence.Ref) {
	if !bytes.Contains(e.Context, []byte(`"timezone"`)) && !bytes.Contains(e.Context, []byte(`"locale"`)) {
		return
	}
	var context struct{ Timezone, Locale any }
	if json.Unmarshal(e.Context, &context) != nil {
		return
	}
	if zone, ok := context.Timezone.(string); ok && zone != "" {
		p.imply("timezone", zone, e, ref)
	}
	if locale, ok := context.Locale.(string); ok && locale != "" {
		p.imply("locale", locale, e, ref)
	}
}

// imply sets a trait that nobody has stated.
func (p *Profile) imply(name string, value any, e *event.Event, ref evidence.Ref) {
	was, known := p.Traits[name]
	if known && !was.Implied || !known && len(p.Traits) >= MaxTraits {
		return
	}
	p.Traits[name] = Trait{Value: value, At: milliseconds(e.Time), Evidence: ref, Verified: e.Verified, Implied: true}
}

func (p *Profile) state(name string, value any, e *event.Event, ref evidence.Ref) {
	if value == nil {
		delete(p.Traits, name)
		return
	}
	if _, known := p.Traits[name]; !known && len(p.Traits) >= MaxTraits {
		return
	}
	p.Traits[name] = Trait{Value: value, At: milliseconds(e.Time), Evidence: ref, Verified: e.Verified}
}

func (p *Profile) group(e *event.Event, traits fields) {
	p.ownTraits()
	ref := evidence.Ref(e.ID.String())
	if e.Subject != "" {
		p.state("group_id", e.Subject, e, ref)
	}
	if len(traits) > 0 {
		group := make(map[string]any, len(traits))
		for _, key := range sortedKeys(traits) {
			group[snake(key)] = traits[key]
		}
		p.state("group", group, e, ref)
	}
}

// householdSize counts the members listed and the customer, who is in the list
// only when one of its relations says so.
func householdSize(list any) (size float64, ok bool) {
	members, ok := list.([]any)
	if !ok {
		return 0, false
	}
	size = float64(len(members) + 1)
	for _, m := range members {
		if m, ok := m.(map[string]any); ok {
			if relation, _ := m["relation"].(string); isSelf(strings.ToLower(strings.TrimSpace(relation))) {
				return size - 1, true
			}
		}
	}
	return size, true
}

func isSelf(relation string) bool {
	switch relation {
	case "self", "me", "myself", "本人", "自己", "我":
		return true
	}
	return false
}

// Text is a trait as text, "" when it is unknown or no text.
func (p *Profile) Text(trait string) string { s, _ := p.Traits[trait].Value.(string); return s }

// Number is a trait as a number; a text that reads as one counts, too.
func (p *Profile) Number(trait string) (n float64, ok bool) { return number(p.Traits[trait].Value) }

// Tags are the person's tags, sorted, each once; those the person blocked are not among them.
func (p *Profile) Tags() []string {
	return slices.DeleteFunc(p.allTags(), func(t string) bool { return slices.Contains(p.Preferences.BlockedTags, t) })
}

func (p *Profile) allTags() []string {
	var tags []string
	switch v := p.Traits["tags"].Value.(type) {
	case []any:
		for _, t := range v {
			if t, ok := t.(string); ok && strings.TrimSpace(t) != "" {
				tags = append(tags, strings.TrimSpace(t))
			}
		}
	case string:
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				tags = append(tags, t)
			}
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

type preferencePart struct {
	name string // personalization, blocked_tags, consent.PURPOSE
	ref  evidence.Ref
}

// prefer takes in what the person decided; what the record leaves out stays.
func (p *Profile) prefer(e *event.Event) {
	was := &p.Preferences
	next := Preferences{PersonalizationOff: was.PersonalizationOff, BlockedTags: was.BlockedTags}
	if e.Deleted {
		p.Preferences = Preferences{}
		return
	}
	if len(was.Consent) > 0 {
		next.Consent = make(map[string]bool, len(was.Consent)+1)
		for purpose, given := range was.Consent {
			next.Consent[purpose] = given
		}
	}
	next.parts = slices.Clone(was.parts)
	ref := evidence.Ref(e.ID.String())
	tell := func(part string) {
		next.parts = slices.DeleteFunc(next.parts, func(t preferencePart) bool { return t.name == part })
		next.parts = append(next.parts, preferencePart{part, ref})
	}
	body := fields(e.Properties())
	switch v, _ := body.value("personalization"); v {
	case "on", true:
		next.PersonalizationOff = false
		tell("personalization")
	case "off", false:
		next.PersonalizationOff = true
		tell("personalization")
	}
	if v, ok := body.value("blocked_tags"); ok {
		if list, ok := v.([]any); ok {
			next.BlockedTags = nil
			for _, t := range list {
				if t, ok := t.(string); ok && t != "" {
					next.BlockedTags = append(next.BlockedTags, t)
				}
			}
			slices.Sort(next.BlockedTags)
			next.BlockedTags = slices.Compact(next.BlockedTags)
			tell("blocked_tags")
		}
	}
	if v, ok := body.value("consent"); ok {
		if purposes, ok := v.(map[string]any); ok {
			for _, purpose := range sortedKeys(purposes) {
				given, ok := purposes[purpose].(bool)
				_, known := next.Consent[purpose]
				if !ok || !known && len(next.Consent) >= MaxTraits {
					continue
				}
				if next.Consent == nil {
					next.Consent = map[string]bool{}
				}
				next.Consent[purpose] = given
				tell("consent." + purpose)
			}
		}
	}
	for _, part := range next.parts {
		if !slices.Contains(next.Evidence, part.ref) {
			next.Evidence = append(next.Evidence, part.ref)
		}
	}
	p.Preferences = next
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// The events of what Rapport sends by itself, in the log of the person it is for.
const (
	DecisionSent        = "Decision Sent"        // a message was decided on and goes out
	DecisionShown       = "Decision Shown"       // the customer has it before them
	DecisionDelivered   = "Decision Delivered"   // the company's own system has it
	DecisionUndelivered = "Decision Undelivered" // the company's own system could not be reached
	DecisionWithdrawn   = "Decision Withdrawn"   // it was taken back before anybody had it
	DecisionSuperseded  = "Decision Superseded"  // what it answers went away after somebody had it
)

// ContactEvent tells that an event is about what was sent to a person, or what they
// did with it.
func ContactEvent(name string) bool { return protects(name) || contactName(name) }

// protects tells that contact policies count the event; it stays when
// personalisation is off, for those policies protect the person.
func protects(name string) bool {
	switch name {
	case DecisionSent, DecisionShown, DecisionDelivered, DecisionUndelivered, DecisionWithdrawn, DecisionSuperseded, "Decision Dismissed", "Dismissed":
		return true
	}
	return false
}

// contactSteps say which time of a contact an event sets.
var contactSteps = map[string]func(c *Contact) *time.Time{
	"Shown":     func(c *Contact) *time.Time { return &c.Shown },
	"Opened":    func(c *Contact) *time.Time { return &c.Opened },
	"Accepted":  func(c *Contact) *time.Time { return &c.Accepted },
	"Dismissed": func(c *Contact) *time.Time { return &c.Dismissed },
	"Resolved":  func(c *Contact) *time.Time { return &c.Resolved },
}

// contact keeps the first time of each step. What was opened or taken was shown:
// where nobody reported that, it counts as shown when its whole answer was, else
// at the time of the step itself.
func contact(step func(c *Contact) *time.Time) func(p *Profile, e *event.Event, f fields) {
	return func(p *Profile, e *event.Event, f fields) {
		decision, action := f.id("decision_id"), f.id("action")
		if decision == "" && action == "" {
			return
		}
		if p.shared&sharedContacts != 0 {
			p.Contacts = slices.Clone(p.Contacts)
			p.shared &^= sharedContacts
		}
		at, ref := milliseconds(e.Time), evidence.Ref(e.ID.String())
		var c *Contact
		shown := at
		for i := len(p.Contacts) - 1; i >= 0 && c == nil; i-- {
			switch o := &p.Contacts[i]; {
			case o.Decision != decision:
			case o.Action == action && (decision != "" || step(o) != &o.Shown):
				c = o
			case o.Action == "" && decision != "":
				shown = o.Shown
			}
		}
		if c == nil {
			n := len(p.Contacts)
			for n > 0 && p.Contacts[n-1].Shown.After(shown) {
				n--
			}
			p.Contacts = slices.Insert(p.Contacts, n, Contact{Decision: decision, Action: action, Shown: shown})
			c = &p.Contacts[n]
			if over := len(p.Contacts) - HistoryLimit; over > 0 {
				p.Contacts = p.Contacts[over:]
				if n < over {
					return
				}
			}
		}
		if t := step(c); t.IsZero() {
			*t = at
		}
		c.Evidence = cite(c.Evidence, ref)
	}
}

// cite appends a ref to a copy of the list, within EvidenceLimit: the first one
// and the newest stay.
func cite(list []evidence.Ref, ref evidence.Ref) []evidence.Ref {
	if slices.Contains(list, ref) {
		return list
	}
	next := make([]evidence.Ref, 0, min(len(list)+1, EvidenceLimit))
	if len(list) < EvidenceLimit {
		return append(append(next, list...), ref)
	}
	return append(append(append(next, list[0]), list[2:]...), ref)
}
