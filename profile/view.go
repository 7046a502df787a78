package profile

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
)

// View is a profile as the API shows a person: every fact with the refs that
// prove it. Lists are never null. Signals are the need room's and stand beside it.
type View struct {
	ID           identity.PersonID    `json:"id"`
	IDs          []string             `json:"ids"` // "user:u1", "anon:a1" …
	Personalized bool                 `json:"personalized"`
	FirstSeen    *time.Time           `json:"first_seen"`
	LastSeen     *time.Time           `json:"last_seen"`
	Events       int                  `json:"events"`
	Traits       map[string]TraitView `json:"traits"`
	Tags         []TagView            `json:"tags"`
	Cases        []RecordView         `json:"cases"`
	Orders       []RecordView         `json:"orders"`
	Assets       []RecordView         `json:"assets"`
	Holdings     []RecordView         `json:"holdings"`
	Enrolments   []RecordView         `json:"enrolments"`
	Contracts    []RecordView         `json:"contracts"`
	Promotions   []RecordView         `json:"promotions"`
	Consent      map[string]bool      `json:"consent"`
	Preferences  PreferencesView      `json:"preferences"`
	Contacts     []ContactView        `json:"contact_history"` // newest first
	Activity     []ActivityView       `json:"activity"`        // by event name
	Hidden       map[string]Reason    `json:"hidden,omitempty"`
}

// TraitView is a trait with its proof.
type TraitView struct {
	Value    any            `json:"value"`
	At       time.Time      `json:"at"`
	Verified bool           `json:"verified"`
	Implied  bool           `json:"implied,omitempty"`
	Purpose  string         `json:"purpose,omitempty"` // the consent without which no decision reads it
	Evidence []evidence.Ref `json:"evidence"`
}

// TagView is a tag; one that the person blocked is shown and never read.
type TagView struct {
	Tag      string         `json:"tag"`
	Blocked  bool           `json:"blocked,omitempty"`
	Evidence []evidence.Ref `json:"evidence"`
}

// RecordView is a business record.
type RecordView struct {
	ID        string         `json:"id"`
	Ref       evidence.Ref   `json:"ref"`
	Fields    map[string]any `json:"fields"`
	Status    string         `json:"status,omitempty"`
	Open      bool           `json:"open"`
	Verified  bool           `json:"verified"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	Evidence  []evidence.Ref `json:"evidence"`
}

// PreferencesView is what the person decided about their data, in the shape in
// which it is put.
type PreferencesView struct {
	Personalization string          `json:"personalization"` // on, off
	BlockedTags     []string        `json:"blocked_tags"`
	Consent         map[string]bool `json:"consent"`
	Evidence        []evidence.Ref  `json:"evidence"`
}

// ContactView is one thing that was shown, and what became of it.
type ContactView struct {
	Decision  string         `json:"decision_id"`
	Action    string         `json:"action,omitempty"`
	Shown     *time.Time     `json:"shown_at"`
	Opened    *time.Time     `json:"opened_at,omitempty"`
	Accepted  *time.Time     `json:"accepted_at,omitempty"`
	Dismissed *time.Time     `json:"dismissed_at,omitempty"`
	Resolved  *time.Time     `json:"resolved_at,omitempty"`
	Evidence  []evidence.Ref `json:"evidence"`
}

// ActivityView counts the events of one name; Evidence names the newest few.
type ActivityView struct {
	Event    string         `json:"event"`
	Count    int            `json:"count"`
	Last     time.Time      `json:"last"`
	Evidence []evidence.Ref `json:"evidence"`
}

// View shows the profile.
func (p *Profile) View() View {
	v := View{
		ID: p.Person, IDs: make([]string, 0, len(p.Keys)), Personalized: !p.Preferences.PersonalizationOff,
		FirstSeen: moment(p.First), LastSeen: moment(p.Last), Events: p.Events,
		Traits: make(map[string]TraitView, len(p.Traits)), Tags: []TagView{}, Contacts: []ContactView{}, Activity: []ActivityView{},
		Cases: p.records(evidence.Case), Orders: p.records(evidence.Order), Assets: p.records(evidence.Asset), Holdings: p.records(evidence.Holding),
		Enrolments: p.records(evidence.Enrolment), Contracts: p.records(evidence.Contract), Promotions: p.records(evidence.Promotion),
		Consent: map[string]bool{}, Hidden: p.Hidden,
	}
	for _, k := range p.Keys {
		v.IDs = append(v.IDs, k.String())
	}
	for name, t := range p.Traits {
		v.Traits[name] = TraitView{Value: t.Value, At: t.At, Verified: t.Verified, Implied: t.Implied, Purpose: Purposes[name], Evidence: []evidence.Ref{t.Evidence}}
	}
	proof := []evidence.Ref{}
	if t, ok := p.Traits["tags"]; ok {
		proof = []evidence.Ref{t.Evidence}
	}
	for _, tag := range p.allTags() {
		v.Tags = append(v.Tags, TagView{Tag: tag, Blocked: slices.Contains(p.Preferences.BlockedTags, tag), Evidence: proof})
	}
	for purpose, given := range p.Preferences.Consent {
		v.Consent[purpose] = given
	}
	v.Preferences = PreferencesView{Personalization: "on", BlockedTags: notNil(p.Preferences.BlockedTags), Consent: v.Consent, Evidence: notNil(p.Preferences.Evidence)}
	if p.Preferences.PersonalizationOff {
		v.Preferences.Personalization = "off"
	}
	for _, c := range slices.Backward(p.Contacts) {
		v.Contacts = append(v.Contacts, ContactView{
			Decision: c.Decision, Action: c.Action, Shown: moment(c.Shown), Opened: moment(c.Opened), Accepted: moment(c.Accepted),
			Dismissed: moment(c.Dismissed), Resolved: moment(c.Resolved), Evidence: notNil(c.Evidence),
		})
	}
	for _, name := range sortedKeys(p.History) {
		list := p.History[name]
		a := ActivityView{Event: name, Count: p.Total(name), Last: list[len(list)-1].Time}
		for _, e := range list[max(0, len(list)-3):] {
			a.Evidence = append(a.Evidence, evidence.Ref(e.ID.String()))
		}
		v.Activity = append(v.Activity, a)
	}
	return v
}

func (p *Profile) records(kind evidence.Kind) []RecordView {
	list := p.RecordsOf(kind)
	views := make([]RecordView, 0, len(list))
	for _, r := range slices.Backward(list) {
		views = append(views, RecordView{
			ID: r.ID, Ref: r.Ref(), Fields: r.Fields, Status: r.Text("status"), Open: r.Open(), Verified: r.Verified,
			CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, Evidence: notNil(r.Evidence),
		})
	}
	return views
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
