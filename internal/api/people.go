package api

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// Person is what is known of one person, each fact with the records that prove it.
type Person struct {
	ID          string                 `json:"id"`
	IDs         []PersonKey            `json:"ids"`
	Traits      map[string]PersonTrait `json:"traits"`
	Tags        []string               `json:"tags"`
	Groups      []PersonTag            `json:"tag_details" doc:"The tags, each with its proof and what the customer may read of it."`
	Signals     []PersonSignal         `json:"signals"`
	Orders      []PersonRecord         `json:"orders"`
	Cases       []PersonRecord         `json:"cases"`
	Assets      []PersonRecord         `json:"assets"`
	Holdings    []PersonRecord         `json:"holdings"`
	Enrolments  []PersonRecord         `json:"enrolments"`
	Contracts   []PersonRecord         `json:"contracts"`
	Relations   []PersonRelation       `json:"relations" doc:"To other people and companies, and of others to them; in_force tells which hold now."`
	Preferences PersonPreferences      `json:"preferences"`
	Consent     map[string]bool        `json:"consent"`
	Contacts    []PersonContact        `json:"contact_history" doc:"What was shown to them, newest first."`
	Counts      map[string]int         `json:"counts" doc:"Events by name."`
	Events      int                    `json:"events"`
	First       *time.Time             `json:"first_seen"`
	Last        *time.Time             `json:"last_seen"`
}

// PersonSignal is how a signal stands with a person.
type PersonSignal struct {
	need.SignalState
	Title string `json:"title" doc:"What it is, in the caller's language."`
}

// PersonKey is one id by which the person is known.
type PersonKey struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// PersonTrait is one stated property.
type PersonTrait struct {
	Value    any            `json:"value"`
	At       time.Time      `json:"at"`
	Verified bool           `json:"verified"`
	Evidence []evidence.Ref `json:"evidence"`
}

// PersonTag is a tag that the person has: stated by the company, or found by a rule of
// the strategy.
type PersonTag struct {
	Tag      string         `json:"tag"`
	Title    string         `json:"title,omitempty"`
	Sentence string         `json:"sentence,omitempty" doc:"What one would say of it to the customer's face."`
	Origin   string         `json:"origin" enum:"stated,rule"`
	Evidence []evidence.Ref `json:"evidence"`
	Since    *time.Time     `json:"since,omitempty"`
	Until    *time.Time     `json:"until,omitempty" doc:"It no longer holds from then on."`
}

// PersonRecord is the present state of a business record.
type PersonRecord struct {
	ID        string         `json:"id"`
	Ref       evidence.Ref   `json:"ref"`
	Fields    map[string]any `json:"fields"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	Evidence  []evidence.Ref `json:"evidence"`
}

// PersonPreferences are what the person decided about their data.
type PersonPreferences struct {
	Personalization string          `json:"personalization" enum:"on,off"`
	BlockedTags     []string        `json:"blocked_tags"`
	Consent         map[string]bool `json:"consent"`
	Evidence        []evidence.Ref  `json:"evidence"`
}

// PreferencesChange is what is to change; what is left out stays as it is.
type PreferencesChange struct {
	Personalization string          `json:"personalization,omitempty" enum:"on,off"`
	BlockedTags     []string        `json:"blocked_tags,omitempty" maxItems:"1000"`
	Consent         map[string]bool `json:"consent,omitempty" doc:"By purpose: marketing, location, financial, health, or a pack's own."`
	UpdatedAt       *time.Time      `json:"updated_at,omitempty"`
}

// PersonContact is one thing that was shown.
type PersonContact struct {
	Decision  string         `json:"decision_id"`
	Action    string         `json:"action,omitempty"`
	Shown     *time.Time     `json:"shown_at,omitempty"`
	Opened    *time.Time     `json:"opened_at,omitempty"`
	Accepted  *time.Time     `json:"accepted_at,omitempty"`
	Dismissed *time.Time     `json:"dismissed_at,omitempty"`
	Resolved  *time.Time     `json:"resolved_at,omitempty"`
	Evidence  []evidence.Ref `json:"evidence"`
}

// TimelineEntry is one record of a person's history.
type TimelineEntry struct {
	Ref        evidence.Ref    `json:"ref"`
	At         time.Time       `json:"at"`
	Kind       string          `json:"kind" doc:"track, identify, page, screen, group, alias, record"`
	Event      string          `json:"event"`
	Subject    string          `json:"subject,omitempty"`
	Verified   bool            `json:"verified"`
	Deleted    bool            `json:"deleted,omitempty"`
	Properties json.RawMessage `json:"properties"`
	DecisionID string          `json:"decision_id,omitempty"`
	Occasion   string          `json:"occasion,omitempty" doc:"Of a message of ours: what it was sent for, in the caller's language."`
}

// Receipt tells what an erasure removed.
type Receipt struct {
	Person    string    `json:"person"`
	Erased    time.Time `json:"erased_at"`
	Events    int       `json:"events"`
	Decisions int       `json:"decisions"`
}

// Joining names persons who are one (merge), or ids that are not (unmerge).
type Joining struct {
	IDs []string `json:"ids" minItems:"1" maxItems:"100" doc:"per_…, user:…, anon:…, email:…, phone:… or a bare id. unmerge: of several, each from the others; of one, from everybody."`
}

// Joined says who somebody is afterwards.
type Joined struct {
	Person string      `json:"person"`
	IDs    []PersonKey `json:"ids"`
}

func (s *server) peopleRoutes() {
	const person = "/v1/people/{id}"
	add(s, route{method: "GET", path: person, tag: "People", who: secretKey, query: atQuery, summary: "What is known of a person."}, func(c *call, _ *none) (Person, error) {
		return s.person(c, s.byPath)
	})
	add(s, route{method: "GET", path: person + "/timeline", tag: "People", who: secretKey, query: pageQuery, summary: "Their history, newest first."}, func(c *call, _ *none) (Page[TimelineEntry], error) {
		return s.timeline(c, s.byPath)
	})
	add(s, route{method: "GET", path: person + "/graph", tag: "People", who: secretKey, query: atQuery, summary: "Their demand graph: what they deal with and how strongly, each edge with its events."}, func(c *call, _ *none) (profile.Graph, error) {
		return s.demand(c, s.byPath)
	})
	exportRoute := route{method: "GET", path: person + "/export", tag: "People", who: secretKey, stream: "application/json", summary: "Everything that is kept of a person."}
	add(s, exportRoute, func(c *call, _ *none) (any, error) { return nil, s.export(c, s.byPath) })
	add(s, route{method: "PUT", path: person + "/preferences", tag: "People", who: secretKey, summary: "Change what may be used."}, func(c *call, in *PreferencesChange) (PersonPreferences, error) {
		return s.prefer(c, in, s.byPath)
	})
	add(s, route{method: "DELETE", path: person, tag: "People", who: secretKey, summary: "Erase a person."}, func(c *call, _ *none) (Receipt, error) {
		return s.erase(c, s.byPath)
	})
	add(s, route{method: "POST", path: "/v1/people/merge", tag: "People", who: secretKey, summary: "Say that persons are one."}, func(c *call, in *Joining) (Joined, error) {
		return s.join(c, in, "merge")
	})
	add(s, route{method: "POST", path: "/v1/people/unmerge", tag: "People", who: secretKey, summary: "Say that ids are not one person's."}, func(c *call, in *Joining) (Joined, error) {
		return s.join(c, in, "unmerge")
	})

	s.suggestionRoutes()
	s.identifierRoutes()
	add(s, route{method: "GET", path: person + "/relations", tag: "People", who: secretKey, summary: "What they are to others, and others to them."}, func(c *call, _ *none) (PersonRelations, error) {
		scope, err := s.byPath(c)
		if err != nil {
			return PersonRelations{}, err
		}
		who, err := s.Engine.Profile(c.context(), scope)
		if err != nil {
			return PersonRelations{}, err
		}
		all, err := s.relationsOf(c, who)
		return PersonRelations{Items: all}, err
	})

	add(s, route{method: "GET", path: "/v1/me", tag: "Oneself", who: oneself, query: atQuery, summary: "What is known of oneself."}, func(c *call, _ *none) (Person, error) {
		return s.person(c, s.byToken)
	})
	add(s, route{method: "GET", path: "/v1/me/timeline", tag: "Oneself", who: oneself, query: pageQuery, summary: "One's own history."}, func(c *call, _ *none) (Page[TimelineEntry], error) {
		return s.timeline(c, s.byToken)
	})
	add(s, route{method: "GET", path: "/v1/me/graph", tag: "Oneself", who: oneself, query: atQuery, summary: "One's own demand graph."}, func(c *call, _ *none) (profile.Graph, error) {
		return s.demand(c, s.byToken)
	})
	exportRoute.path, exportRoute.tag, exportRoute.who = "/v1/me/export", "Oneself", oneself
	add(s, exportRoute, func(c *call, _ *none) (any, error) { return nil, s.export(c, s.byToken) })
	add(s, route{method: "PUT", path: "/v1/me/preferences", tag: "Oneself", who: oneself, summary: "Decide what may be used."}, func(c *call, in *PreferencesChange) (PersonPreferences, error) {
		return s.prefer(c, in, s.byToken)
	})
	add(s, route{method: "DELETE", path: "/v1/me", tag: "Oneself", who: oneself, summary: "Erase oneself."}, func(c *call, _ *none) (Receipt, error) {
		return s.erase(c, s.byToken)
	})
}

// finder says of whom a request speaks.
type finder func(c *call) (engine.Scope, error)

func (s *server) byPath(c *call) (engine.Scope, error) {
	id, err := idOf(c.r, "id")
	if err != nil {
		return engine.Scope{}, err
	}
	return s.Engine.PersonScope(c.context(), c.workspace.ID, id)
}

func (s *server) byToken(c *call) (engine.Scope, error) {
	return s.Engine.Who(c.context(), c.workspace.ID, identity.Asker{Keys: []identity.Key{identity.User(c.subject)}, Proven: true})
}

func (s *server) person(c *call, find finder) (Person, error) {
	scope, err := s.then(c, find)
	if err != nil {
		return Person{}, err
	}
	return s.known(c, scope)
}

func (s *server) known(c *call, scope engine.Scope) (Person, error) {
	who, err := s.Engine.Profile(c.context(), scope)
	if err != nil {
		return Person{}, err
	}
	signals, err := s.Engine.Signals(c.context(), c.workspace.ID, who, scope.Until)
	if err != nil {
		return Person{}, err
	}
	tags, err := s.Engine.Tags(c.context(), c.workspace.ID, who, scope.Until)
	if err != nil {
		return Person{}, err
	}
	p := Person{
		ID: string(scope.Person), IDs: keysOf(scope.Keys), Traits: map[string]PersonTrait{}, Tags: listed(who.Tags()), Groups: []PersonTag{},
		Signals: []PersonSignal{}, Preferences: preferences(who), Consent: maps.Clone(who.Preferences.Consent),
		Contacts: []PersonContact{}, Counts: map[string]int{}, Events: who.Events, First: moment(who.First), Last: moment(who.Last),
	}
	for _, state := range signals {
		p.Signals = append(p.Signals, PersonSignal{state, s.occasion(c, state.Signal)})
	}
	if p.Consent == nil {
		p.Consent = map[string]bool{}
	}
	for i := range tags {
		t := &tags[i]
		if !t.Stated {
			p.Tags = append(p.Tags, t.Tag)
		}
		refs := make([]evidence.Ref, len(t.Evidence))
		for k, ref := range t.Evidence {
			refs[k] = engine.Qualified(ref, string(scope.Person))
		}
		g := PersonTag{t.Tag, t.Title.In(c.locale), t.Sentence.In(c.locale), "rule", refs, moment(t.Since), moment(t.Until)}
		if t.Stated {
			g.Origin = "stated"
		}
		p.Groups = append(p.Groups, g)
	}
	slices.Sort(p.Tags)
	for name, t := range who.Traits {
		p.Traits[name] = PersonTrait{t.Value, t.At, t.Verified, []evidence.Ref{t.Evidence}}
	}
	for kind, into := range map[evidence.Kind]*[]PersonRecord{
		evidence.Order: &p.Orders, evidence.Case: &p.Cases, evidence.Asset: &p.Assets,
		evidence.Holding: &p.Holdings, evidence.Enrolment: &p.Enrolments, evidence.Contract: &p.Contracts,
	} {
		*into = records(who, kind)
	}
	for _, ct := range slices.Backward(who.Contacts) {
		p.Contacts = append(p.Contacts, PersonContact{
			ct.Decision, ct.Action, moment(ct.Shown), moment(ct.Opened), moment(ct.Accepted), moment(ct.Dismissed), moment(ct.Resolved),
			listed(ct.Evidence),
		})
	}
	for name := range who.History {
		p.Counts[name] = who.Total(name)
	}
	p.Relations, err = s.relationsOf(c, who)
	return p, err
}

func (s *server) demand(c *call, find finder) (profile.Graph, error) {
	scope, err := s.then(c, find)
	if err != nil {
		return profile.Graph{}, err
	}
	return s.Engine.Demand(c.context(), scope, scope.Until)
}

var atQuery = []string{"at: RFC 3339; as it was at that time, by what had happened then"}

// then finds a person as of ?at=.
func (s *server) then(c *call, find finder) (engine.Scope, error) {
	var at time.Time
	if text := c.r.URL.Query().Get("at"); text != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return engine.Scope{}, refuse(http.StatusBadRequest, "bad_timestamp")
		}
	}
	scope, err := find(c)
	scope.Until = at.UTC()
	if at.IsZero() {
		scope.Until = at
	}
	return scope, err
}

func keysOf(keys []identity.Key) []PersonKey {
	out := make([]PersonKey, len(keys))
	for i, k := range keys {
		out[i] = PersonKey(k)
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func records(who *profile.Profile, kind evidence.Kind) []PersonRecord {
	out := []PersonRecord{}
	for _, r := range who.RecordsOf(kind) {
		out = append(out, PersonRecord{r.ID, r.Ref(), r.Fields, r.CreatedAt, r.UpdatedAt, listed(r.Evidence)})
	}
	slices.SortStableFunc(out, func(a, b PersonRecord) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	return out
}

func preferences(who *profile.Profile) PersonPreferences {
	p := PersonPreferences{
		Personalization: "on", BlockedTags: listed(who.Preferences.BlockedTags),
		Consent: maps.Clone(who.Preferences.Consent), Evidence: listed(who.Preferences.Evidence),
	}
	if who.Preferences.PersonalizationOff {
		p.Personalization = "off"
	}
	if p.Consent == nil {
		p.Consent = map[string]bool{}
	}
	return p
}

func entry(m engine.Moment) TimelineEntry {
	e := &m.Event
	t := TimelineEntry{
		Ref: evidence.Ref(e.ID.String()), At: e.Time, Kind: e.Kind.String(), Event: e.Name, Subject: e.Subject,
		Verified: e.Verified, Deleted: e.Deleted, Properties: e.Body,
	}
	if len(t.Properties) == 0 {
		t.Properties = json.RawMessage("{}")
	}
	if bytes.Contains(e.Body, []byte(`"decision_id"`)) {
		t.DecisionID, _ = e.Properties()["decision_id"].(string)
	}
	return t
}

func (s *server) timeline(c *call, find finder) (Page[TimelineEntry], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[TimelineEntry]{}, err
	}
	before, beforeID, ok := place(after)
	if !ok {
		return Page[TimelineEntry]{}, refuse(http.StatusBadRequest, "bad_cursor")
	}
	scope, err := find(c)
	if err != nil {
		return Page[TimelineEntry]{}, err
	}
	var all []TimelineEntry
	if len(scope.Keys) > 0 {
		moments, err := s.Engine.Timeline(c.context(), scope, before, beforeID, limit+1)
		if err != nil {
			return Page[TimelineEntry]{}, err
		}
		for _, m := range moments {
			t := entry(m)
			if t.Event == profile.DecisionSent && t.Verified {
				if signal, _ := m.Event.Properties()["signal"].(string); signal != "" {
					t.Occasion = s.occasion(c, signal)
				}
			}
			all = append(all, t)
		}
	}
	return paged(all, limit, func(t TimelineEntry) string { return strconv.FormatInt(t.At.UnixMilli(), 10) + " " + string(t.Ref) }), nil
}

// place reads a timeline's cursor: a time and the event at it.
func place(cursor string) (at time.Time, id event.ID, ok bool) {
	if cursor == "" {
		return at, id, true
	}
	ms, ref, _ := strings.Cut(cursor, " ")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return at, id, false
	}
	id, ok = event.ParseID(ref)
	return time.UnixMilli(n).UTC(), id, ok
}

// export writes everything kept of a person as one JSON document, page by page.
func (s *server) export(c *call, find finder) error {
	scope, err := find(c)
	if err != nil {
		return err
	}
	p, err := s.known(c, scope)
	if err != nil {
		return err
	}
	w := c.w
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="person.json"`)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	say := func(text string) { _, _ = w.Write([]byte(text)) }
	say(`{"person":`)
	if err := out.Encode(p); err != nil {
		return errAnswered
	}
	say(`,"events":[`)
	var before time.Time
	var beforeID event.ID
	first := true
	for len(scope.Keys) > 0 {
		moments, err := s.Engine.Timeline(c.context(), scope, before, beforeID, mostPage)
		if err != nil {
			panic(http.ErrAbortHandler) // half an export must not look whole
		}
		for _, m := range moments {
			if !first {
				say(",")
			}
			first = false
			if out.Encode(entry(m)) != nil {
				return errAnswered
			}
		}
		if len(moments) < mostPage {
			break
		}
		last := &moments[len(moments)-1].Event
		before, beforeID = last.Time, last.ID
	}
	say(`],"decisions":[`)
	q := ledger.Query{Workspace: c.workspace.ID, Person: string(scope.Person), Limit: 200}
	first = true
	for scope.Person != "" {
		entries, err := s.Engine.Decisions(c.context(), q)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		for _, e := range entries {
			if len(e.Bytes) == 0 {
				continue
			}
			if !first {
				say(",")
			}
			first = false
			if out.Encode(json.RawMessage(e.Bytes)) != nil {
				return errAnswered
			}
		}
		if len(entries) < q.Limit {
			break
		}
		q.Before = entries[len(entries)-1].ID
	}
	say("]}\n")
	return errAnswered
}

func (s *server) prefer(c *call, in *PreferencesChange, find finder) (PersonPreferences, error) {
	scope, err := find(c)
	if err != nil {
		return PersonPreferences{}, err
	}
	user, anonymous := addressee(scope.Keys)
	if user == "" && anonymous == "" {
		if c.subject == "" {
			return PersonPreferences{}, refuse(http.StatusNotFound, "person_unknown")
		}
		user = c.subject
	}
	body := without(c.raw, "updated_at")
	p := event.Put{Name: "preference", UserID: user, AnonymousID: anonymous, UpdatedAt: s.now(), Body: body}
	if in.UpdatedAt != nil {
		p.UpdatedAt = in.UpdatedAt.UTC()
	}
	if _, err := s.put(c, p); err != nil {
		return PersonPreferences{}, err
	}
	if scope, err = find(c); err != nil {
		return PersonPreferences{}, err
	}
	who, err := s.Engine.Profile(c.context(), scope)
	if err != nil {
		return PersonPreferences{}, err
	}
	return preferences(who), nil
}

func (s *server) erase(c *call, find finder) (Receipt, error) {
	scope, err := find(c)
	if err != nil {
		return Receipt{}, err
	}
	done, err := s.Engine.Erase(c.context(), c.workspace.ID, scope.Keys)
	if err != nil {
		return Receipt{}, unavailable(err)
	}
	s.answers.forget(c.workspace.ID, string(scope.Person))
	if err := s.forgetLetters(c.context(), c.workspace.ID, scope.Keys); err != nil {
		return Receipt{}, unavailable(err)
	}
	return Receipt{Person: string(scope.Person), Erased: s.now(), Events: done.Events, Decisions: done.Decisions}, nil
}

// join files a merge or an unmerge. Whoever merges persons means all their ids, so
// each is named by one key of theirs; an unmerge means the very ids it names.
func (s *server) join(c *call, in *Joining, name string) (Joined, error) {
	if name == "merge" && len(in.IDs) < 2 {
		return Joined{}, faulty("/ids", "too_few")
	}
	keys := make([]string, len(in.IDs))
	for i, id := range in.IDs {
		if k, ok := identity.ParseKey(id); ok && name == "unmerge" {
			keys[i] = k.String()
			continue
		}
		scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, id)
		if err != nil {
			if refusalOf(err).status == http.StatusNotFound {
				return Joined{}, faulty("/ids"+pointerTo(i), "person_unknown")
			}
			return Joined{}, err
		}
		user, anonymous := addressee(scope.Keys)
		switch {
		case name == "unmerge" && strings.HasPrefix(id, "per_"):
			return Joined{}, faulty("/ids"+pointerTo(i), "unknown_kind")
		case name == "unmerge" && user == id || name == "merge" && user != "":
			keys[i] = identity.User(user).String()
		case name == "unmerge":
			keys[i] = identity.Anonymous(id).String()
		case anonymous != "":
			keys[i] = identity.Anonymous(anonymous).String()
		default:
			keys[i] = scope.Keys[0].String()
		}
	}
	return s.state(c, name, identity.Statement{Keys: keys}, keys)
}

// state files a merge or an unmerge of keys and says who the first one is afterwards.
func (s *server) state(c *call, name string, statement any, keys []string) (Joined, error) {
	body, err := json.Marshal(statement)
	if err != nil {
		return Joined{}, err
	}
	now := s.now()
	e := event.RecordEvent(event.Put{Workspace: c.workspace.ID, Name: name, ID: hex.EncodeToString(randomSlice(s.Random())), UpdatedAt: now, Received: now, Body: body})
	if _, err := s.observe(c, e); err != nil {
		return Joined{}, err
	}
	scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, keys[0])
	if err != nil {
		return Joined{}, err
	}
	return Joined{Person: string(scope.Person), IDs: keysOf(scope.Keys)}, nil
}

func randomSlice(b [16]byte) []byte { return b[:8] }
