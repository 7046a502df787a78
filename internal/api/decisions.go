package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

// Asking is who asks: with a write key oneself, with a secret key for anyone.
type Asking struct {
	UserID        string `json:"user_id,omitempty" maxLength:"512"`
	AnonymousID   string `json:"anonymous_id,omitempty" maxLength:"512"`
	IdentityToken string `json:"identity_token,omitempty" doc:"Proves user_id: HS256 JWT with sub and exp."`
}

// DecisionRequest is one enquiry, or, without one, the question what to offer at a placement.
type DecisionRequest struct {
	Asking
	Behalf         string   `json:"on_behalf_of,omitempty" maxLength:"512" doc:"Whom they ask for, when not for themselves: a relation in force must allow it. Without it, whom the words mean."`
	ConversationID string   `json:"conversation_id,omitempty" maxLength:"512"`
	Placement      string   `json:"placement,omitempty" maxLength:"200"`
	Enquiry        *Enquiry `json:"enquiry,omitempty"`
	Scene          *Scene   `json:"scene,omitempty"`
	Limit          int      `json:"limit,omitempty" minimum:"0" maximum:"20" doc:"Most actions; 3 when not given."`
	Explain        bool     `json:"explain,omitempty" doc:"Put the explanation into the answer."`
}

// Enquiry is what the customer wrote, with what was said before.
type Enquiry struct {
	Text        string       `json:"text,omitempty" maxLength:"8000"`
	Messages    []Message    `json:"messages,omitempty" maxItems:"200" doc:"Earlier turns, oldest first."`
	Attachments []Attachment `json:"attachments,omitempty" maxItems:"20"`
}

// Message is one earlier turn.
type Message struct {
	Role   string `json:"role" enum:"user,agent"`
	Text   string `json:"text" maxLength:"8000"`
	Author string `json:"author,omitempty" maxLength:"200" doc:"Who of several people wrote it, or to whom it was answered."`
}

// Attachment is a photo, voice message or file.
type Attachment struct {
	Kind string `json:"kind" maxLength:"100"`
	URL  string `json:"url,omitempty" maxLength:"4096"`
	Name string `json:"name,omitempty" maxLength:"400"`
}

// Scene is the moment the customer is in.
type Scene struct {
	Channel string     `json:"channel,omitempty" maxLength:"100"`
	Locale  string     `json:"locale,omitempty" maxLength:"35" doc:"BCP 47; the answer's language."`
	Time    *time.Time `json:"time,omitempty" doc:"Moves the clock, with a secret key only."`
	Zone    string     `json:"zone,omitempty" maxLength:"64" doc:"IANA name of the customer's time zone."`
	Brand   string     `json:"brand,omitempty" maxLength:"200"`
	Store   string     `json:"store,omitempty" maxLength:"200"`
	Device  *Device    `json:"device,omitempty"`
	Network *Network   `json:"network,omitempty"`
	Place   *Place     `json:"place,omitempty"`
}

// Device is what the customer holds.
type Device struct {
	Type       string   `json:"type,omitempty" maxLength:"40" doc:"mobile, desktop, tablet, speaker"`
	Modalities []string `json:"modalities,omitempty" maxItems:"10" doc:"text, voice, video"`
}

// Network is what the customer's line can carry.
type Network struct {
	EffectiveType string `json:"effective_type,omitempty" maxLength:"20" doc:"slow-2g, 2g, 3g, 4g"`
	SaveData      bool   `json:"save_data,omitempty"`
}

// Place is where the customer is.
type Place struct {
	Adcode  string   `json:"adcode,omitempty" maxLength:"20"`
	Lat     *float64 `json:"lat,omitempty" minimum:"-90" maximum:"90"`
	Lon     *float64 `json:"lon,omitempty" minimum:"-180" maximum:"180"`
	Country string   `json:"country,omitempty" maxLength:"10"`
}

// DecisionReplay is what a replay changes; empty, the decision is made again and compared.
type DecisionReplay struct {
	StrategyVersion int      `json:"strategy_version,omitempty" minimum:"0"`
	Without         []string `json:"without,omitempty" maxItems:"200" doc:"Refs of evidence to leave out."`
	Personalization string   `json:"personalization,omitempty" enum:"on,off"`
}

// Outcome is one thing that came of a decision.
type Outcome struct {
	Outcome     string     `json:"outcome" enum:"shown,opened,accepted,dismissed,resolved,feedback"`
	Action      string     `json:"action,omitempty" maxLength:"200" doc:"Which action; the whole answer when missing."`
	Rating      *float64   `json:"rating,omitempty"`
	Text        string     `json:"text,omitempty" maxLength:"8000"`
	At          *time.Time `json:"at,omitempty"`
	MessageID   string     `json:"message_id,omitempty" maxLength:"512" doc:"Makes it count once."`
	AnonymousID string     `json:"anonymous_id,omitempty" maxLength:"512" doc:"Who asked, with a write key and no identity token."`
}

// CustomerExplanation is the explanation as the customer sees it: the procedure
// applied, what was chosen with its reasons and records, and what would have
// changed it. Rules, prices of attention and other candidates stay with the company.
type CustomerExplanation struct {
	Decision        string                     `json:"decision"`
	Procedure       []string                   `json:"procedure"`
	Chosen          []CustomerChoice           `json:"chosen"`
	Counterfactuals []engine.Counterfactual    `json:"counterfactuals"`
	Evidence        map[string]evidence.Record `json:"evidence"`
}

// CustomerChoice is one chosen action with its reasons.
type CustomerChoice struct {
	Action   string             `json:"action"`
	Nature   string             `json:"nature"`
	Need     string             `json:"need"`
	Position int                `json:"position"`
	Reasons  []treatment.Reason `json:"reasons"`
}

// DecisionSummary is one line of a list of decisions.
type DecisionSummary struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Person    string          `json:"person"`
	Name      string          `json:"name,omitempty" doc:"What they are called, when names were asked for and one is known."`
	Strategy  int             `json:"strategy"`
	Arm       string          `json:"arm,omitempty"`
	Placement string          `json:"placement,omitempty"`
	Actions   []string        `json:"actions"`
	Decision  json.RawMessage `json:"decision,omitempty" doc:"The answer as it was given; missing when it was erased."`
}

var outcomeEvents = map[string]string{
	"shown": "Decision Shown", "opened": "Opened", "accepted": "Accepted",
	"dismissed": "Dismissed", "resolved": "Resolved", "feedback": "Feedback Given",
}

func (s *server) decisionRoutes() {
	add(s, route{
		method: "POST", path: "/v1/decisions", tag: "Decisions", who: writeKey, quick: true,
		summary: "Decide what to say, show and offer.", details: "The decision is in the ledger before it is answered.",
	}, s.decide)
	add(s, route{
		method: "GET", path: "/v1/decisions", tag: "Decisions", who: secretKey, summary: "List decisions, newest first.",
		query: append([]string{"person: whose", "action: that chose it", "strategy_version: made under it", "arm: of an experiment", "from: not before", "to: before", "names: true tells what each person is called as well"}, pageQuery...),
	}, s.decisions)
	add(s, route{
		method: "GET", path: "/v1/decisions/{id}", tag: "Decisions", who: writeKey, summary: "Read a decision as it was answered.",
		details: "With a write key only by who asked: proven by X-Identity-Token, or named by X-Anonymous-Id or ?anonymous_id=.", query: []string{"anonymous_id: who asked"},
	}, func(c *call, _ *none) (json.RawMessage, error) {
		answer, _, err := s.ownDecision(c, c.r.PathValue("id"), "")
		return answer, err
	})
	add(s, route{
		method: "GET", path: "/v1/decisions/{id}/explanation", tag: "Decisions", who: writeKey, summary: "Why it came out as it did.",
		details: "Secret key: procedure, terms of each choice, every rejected candidate with stage and rule, the draw, counterfactuals, inputs. Write key with a proven identity: the customer's version.",
	}, s.explanation)
	add(s, route{
		method: "POST", path: "/v1/decisions/{id}/replay", tag: "Decisions", who: secretKey, optional: true,
		summary: "Make a decision again.", details: "As it was, or without some evidence, under another version, with personalisation switched. Nothing is stored, learned or counted.",
	}, func(c *call, in *DecisionReplay) (*engine.Replayed, error) {
		return s.Engine.Replay(c.context(), c.workspace.ID, c.r.PathValue("id"), engine.Variation(*in))
	})
	add(s, route{
		method: "POST", path: "/v1/decisions/{id}/outcomes", tag: "Decisions", who: writeKey, summary: "Tell what came of a decision.",
	}, s.outcome)
	add(s, route{
		method: "GET", path: "/v1/decisions/{id}/outcomes", tag: "Decisions", who: secretKey, summary: "What came of a decision, oldest first.",
	}, s.outcomes)
}

// Happened is one thing that came of a decision.
type Happened struct {
	Kind   string       `json:"kind" enum:"impression,open,accept,dismiss,resolve,feedback"`
	Action string       `json:"action,omitempty" doc:"Empty when it concerns the whole answer."`
	Rating *float64     `json:"rating,omitempty"`
	Text   string       `json:"text,omitempty"`
	At     time.Time    `json:"at"`
	Ref    evidence.Ref `json:"ref" doc:"The event that reported it."`
}

func (s *server) outcomes(c *call, _ *none) (Page[Happened], error) {
	page := Page[Happened]{Items: []Happened{}}
	all, err := s.Engine.Outcomes(c.context(), c.workspace.ID, c.r.PathValue("id"))
	if err != nil {
		return page, err
	}
	for _, o := range all {
		page.Items = append(page.Items, Happened{string(o.Kind), o.Action, o.Rating, o.Text, o.At, evidence.Ref(o.Event.String())})
	}
	return page, nil
}

func (s *server) decide(c *call, in *DecisionRequest) (*engine.Answer, error) {
	r, err := s.request(c, in)
	if err != nil {
		return nil, err
	}
	a, err := s.Engine.Answer(c.context(), r)
	if err != nil {
		return nil, unavailable(err)
	}
	s.counted(a)
	if a.Explanation != nil && !c.secret {
		a.Explanation = nil
	}
	return a, nil
}

func (s *server) counted(a *engine.Answer) {
	s.meters.decisions.WithLabelValues(strconv.FormatBool(a.Person.Personalized)).Inc()
	for _, d := range a.Degraded {
		s.meters.degraded.WithLabelValues(d.Source, d.Reason).Inc()
	}
}

// request makes the two values a decision starts from: the enquiry and the scene.
func (s *server) request(c *call, in *DecisionRequest) (engine.Request, error) {
	if r := in.faults(); r != nil {
		return engine.Request{}, r
	}
	asker, err := s.asker(c.caller, in.UserID, in.AnonymousID, in.IdentityToken)
	if err != nil {
		return engine.Request{}, err
	}
	r := engine.Request{
		Workspace: c.workspace.ID, Asker: asker, Behalf: in.Behalf, Conversation: in.ConversationID, Placement: in.Placement,
		Fallback: c.locale, Limit: in.Limit, Explain: in.Explain && c.secret,
	}
	if e := in.Enquiry; e != nil {
		r.Enquiry.Text = e.Text
		for _, m := range e.Messages {
			r.Enquiry.Messages = append(r.Enquiry.Messages, need.Turn{Role: m.Role, Text: m.Text, Author: m.Author})
		}
		for _, a := range e.Attachments {
			r.Enquiry.Attachments = append(r.Enquiry.Attachments, need.Attachment(a))
		}
	}
	if in.Scene != nil {
		r.Scene = in.Scene.noun(c.secret)
	}
	return r, nil
}

// faults checks what the quick way of reading left unchecked.
func (in *DecisionRequest) faults() *refusal {
	r := &refusal{status: http.StatusBadRequest, code: "body_faulty"}
	bound := func(pointer, text string, most int) {
		if len(text) > most && utf8.RuneCountInString(text) > most {
			r.faults = append(r.faults, flaw{pointer: pointer, code: "too_long"})
		}
		if strings.ContainsRune(text, 0) {
			r.faults = append(r.faults, flaw{pointer: pointer, code: "bad_id"})
		}
	}
	bound("/user_id", in.UserID, 512)
	bound("/on_behalf_of", in.Behalf, 512)
	bound("/anonymous_id", in.AnonymousID, 512)
	bound("/conversation_id", in.ConversationID, 512)
	bound("/placement", in.Placement, 200)
	if in.Limit < 0 || in.Limit > 20 {
		r.faults = append(r.faults, flaw{pointer: "/limit", code: "bad_number"})
	}
	if e := in.Enquiry; e != nil {
		bound("/enquiry/text", e.Text, 8000)
		if len(e.Messages) > 200 {
			r.faults = append(r.faults, flaw{pointer: "/enquiry/messages", code: "too_many"})
		}
		for i, m := range e.Messages {
			at := "/enquiry/messages" + pointerTo(i)
			bound(at+"/text", m.Text, 8000)
			if m.Role != "user" && m.Role != "agent" {
				r.faults = append(r.faults, flaw{pointer: at + "/role", code: "one_of", args: []string{"choices", "user, agent"}})
			}
		}
		if len(e.Attachments) > 20 {
			r.faults = append(r.faults, flaw{pointer: "/enquiry/attachments", code: "too_many"})
		}
		for i, a := range e.Attachments {
			bound("/enquiry/attachments"+pointerTo(i)+"/url", a.URL, 4096)
		}
	}
	if sc := in.Scene; sc != nil {
		bound("/scene/channel", sc.Channel, 100)
		bound("/scene/locale", sc.Locale, 35)
		bound("/scene/brand", sc.Brand, 200)
		bound("/scene/store", sc.Store, 200)
		if sc.Zone != "" {
			if _, err := time.LoadLocation(sc.Zone); err != nil || len(sc.Zone) > 64 {
				r.faults = append(r.faults, flaw{pointer: "/scene/zone", code: "pattern"})
			}
		}
		if p := sc.Place; p != nil {
			bound("/scene/place/adcode", p.Adcode, 20)
			if p.Lat != nil && (*p.Lat < -90 || *p.Lat > 90) {
				r.faults = append(r.faults, flaw{pointer: "/scene/place/lat", code: "bad_number"})
			}
			if p.Lon != nil && (*p.Lon < -180 || *p.Lon > 180) {
				r.faults = append(r.faults, flaw{pointer: "/scene/place/lon", code: "bad_number"})
			}
		}
	}
	if len(r.faults) == 0 {
		return nil
	}
	return r
}

// noun is the scene as the rooms know it. Only a secret key moves the clock.
func (in *Scene) noun(secret bool) scene.Scene {
	out := scene.Scene{Channel: in.Channel, Zone: in.Zone, Brand: in.Brand, Store: in.Store}
	out.Locale, _ = scene.ParseLocale(in.Locale)
	if in.Time != nil && secret {
		out.Time = in.Time.UTC()
	}
	if in.Device != nil {
		out.Device = scene.Device(*in.Device)
	}
	if in.Network != nil {
		out.Network = scene.Network(*in.Network)
	}
	if in.Place != nil {
		out.Place = scene.Place(*in.Place)
	}
	return out
}

// ownDecision reads a decision back for who may see it: the secret key, or who
// asked. To everybody else it is not there.
func (s *server) ownDecision(c *call, id, anonymousID string) (json.RawMessage, ledger.Entry, error) {
	answer, entry, err := s.Engine.Decision(c.context(), c.workspace.ID, id)
	if err != nil {
		return nil, entry, err
	}
	if c.secret || s.asked(c, entry.Asker, anonymousID) {
		return answer, entry, nil
	}
	return nil, entry, refuse(http.StatusNotFound, "not_found")
}

// asked tells whether the caller is the key that asked.
func (s *server) asked(c *call, asker, anonymousID string) bool {
	if asker == "" {
		return false
	}
	if c.subject != "" && asker == identity.User(c.subject).String() {
		return true
	}
	if anonymousID == "" {
		anonymousID = c.r.Header.Get("X-Anonymous-Id")
	}
	if anonymousID == "" {
		anonymousID = c.r.URL.Query().Get("anonymous_id")
	}
	return !identity.Blocked(anonymousID) && asker == identity.Anonymous(anonymousID).String()
}

func (s *server) decisions(c *call, _ *none) (Page[DecisionSummary], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[DecisionSummary]{}, err
	}
	v := c.r.URL.Query()
	q := ledger.Query{Workspace: c.workspace.ID, Action: v.Get("action"), Arm: v.Get("arm"), Before: after, Limit: limit + 1}
	if person := v.Get("person"); person != "" {
		if q.Person, err = s.decidedFor(c, person); err != nil {
			return Page[DecisionSummary]{}, err
		}
	}
	if text := v.Get("strategy_version"); text != "" {
		if q.Strategy, err = strconv.Atoi(text); err != nil {
			return Page[DecisionSummary]{}, refuse(http.StatusBadRequest, "bad_number")
		}
	}
	for name, into := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := v.Get(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return Page[DecisionSummary]{}, refuse(http.StatusBadRequest, "bad_timestamp")
			}
		}
	}
	entries, err := s.Engine.Decisions(c.context(), q)
	if err != nil {
		return Page[DecisionSummary]{}, err
	}
	called := map[string]string{}
	if v.Get("names") == "true" {
		if called, err = s.called(c, entries); err != nil {
			return Page[DecisionSummary]{}, err
		}
	}
	all := make([]DecisionSummary, len(entries))
	for i, e := range entries {
		all[i] = DecisionSummary{
			ID: e.ID, At: e.At, Person: e.Person, Name: called[e.Person], Strategy: e.Strategy, Arm: e.Arm, Placement: e.Placement,
			Actions: listed(e.Actions), Decision: json.RawMessage(e.Bytes),
		}
	}
	return paged(all, limit, func(d DecisionSummary) string { return d.ID }), nil
}

// called is what the persons of some decisions are called; who never said so, or of
// whom nothing is known, is left out.
func (s *server) called(c *call, entries []ledger.Entry) (map[string]string, error) {
	out := map[string]string{}
	for i := range entries {
		id := entries[i].Person
		if _, asked := out[id]; asked {
			continue
		}
		out[id] = ""
		scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, id)
		if errors.Is(err, engine.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		who, err := s.Engine.Profile(c.context(), scope)
		if err != nil {
			return nil, err
		}
		if name, ok := who.Traits["name"].Value.(string); ok {
			out[id] = name
		}
	}
	return out, nil
}

// decidedFor is the person of a list of decisions. One may have been decided for
// without an event of theirs ever having come; their id follows from their key.
func (s *server) decidedFor(c *call, person string) (string, error) {
	scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, person)
	switch {
	case err == nil:
		return string(scope.Person), nil
	case !errors.Is(err, engine.ErrNotFound):
		return "", err
	case strings.HasPrefix(person, "per_"):
		return person, nil
	}
	k, ok := identity.ParseKey(person)
	if !ok {
		k = identity.User(person)
	}
	return string(identity.PersonOf(c.workspace.ID, k)), nil
}

func (s *server) explanation(c *call, _ *none) (any, error) {
	id := c.r.PathValue("id")
	if _, _, err := s.ownDecision(c, id, ""); err != nil {
		return nil, err
	}
	if !c.secret && c.subject == "" {
		return nil, refuse(http.StatusUnauthorized, "identity_required")
	}
	x, err := s.Engine.Explanation(c.context(), c.workspace.ID, id, c.locale)
	if err != nil || c.secret {
		return x, err
	}
	return forCustomer(x), nil
}

func forCustomer(x *engine.Explanation) CustomerExplanation {
	out := CustomerExplanation{
		Decision: x.Decision, Procedure: x.Procedure, Chosen: []CustomerChoice{},
		Counterfactuals: x.Counterfactuals, Evidence: map[string]evidence.Record{},
	}
	for _, ch := range x.Chosen {
		out.Chosen = append(out.Chosen, CustomerChoice{ch.Action, string(ch.Nature), ch.Need, ch.Position, ch.Reasons})
		for _, r := range ch.Reasons {
			for _, ref := range r.Evidence {
				if record, ok := x.Evidence[string(ref)]; ok {
					out.Evidence[string(ref)] = record
				}
			}
		}
	}
	return out
}

// outcome files what came of a decision under the key that asked for it.
func (s *server) outcome(c *call, in *Outcome) (Accepted, error) {
	id := c.r.PathValue("id")
	_, entry, err := s.ownDecision(c, id, in.AnonymousID)
	if err != nil {
		return Accepted{}, err
	}
	k, ok := identity.ParseKey(entry.Asker)
	if !ok || k.Kind != "user" && k.Kind != "anon" {
		return Accepted{}, refuse(http.StatusConflict, "no_person")
	}
	properties := map[string]any{"decision_id": id}
	if in.Action != "" {
		properties["action"] = in.Action
	}
	if in.Rating != nil {
		properties["rating"] = *in.Rating
	}
	if in.Text != "" {
		properties["text"] = in.Text
	}
	at := s.now()
	e := event.Event{Kind: event.Track, Name: outcomeEvents[in.Outcome], Received: at, Time: at, Verified: c.secret || c.subject != "" && k.Kind == "user"}
	if k.Kind == "user" {
		e.UserID = k.Value
	} else {
		e.AnonymousID = k.Value
	}
	if in.At != nil {
		e.Time = in.At.UTC().Truncate(time.Millisecond)
	}
	if e.Body, err = json.Marshal(properties); err != nil {
		return Accepted{}, err
	}
	e.ID = s.ids()
	if in.MessageID != "" {
		e.ID = event.MessageID(c.workspace.ID, in.MessageID)
	}
	return s.observe(c, e)
}

// observe commits events that the edge itself made.
func (s *server) observe(c *call, events ...event.Event) (Accepted, error) {
	out := Accepted{Rejected: []Rejected{}}
	receipt, err := s.Engine.Observe(c.context(), c.workspace.ID, events)
	if err != nil {
		return out, unavailable(err)
	}
	for i := range events {
		if i < len(receipt.Duplicates) && receipt.Duplicates[i] {
			out.Duplicates++
			s.meters.duplicate.Inc()
		} else {
			out.Accepted++
			s.meters.accepted.Inc()
		}
	}
	return out, nil
}
