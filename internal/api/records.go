package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
)

// Shelf reads catalogue records back as they were put. A candidate.Catalogue is one.
type Shelf interface {
	// Stored opens a record at a revision, 0 being now.
	Stored(kind, id string, revision uint64) (candidate.Stored, bool)
	// List pages through a kind in a stable order, beginning behind the id after.
	List(kind, after string, revision uint64, limit int) []candidate.Stored
}

// Registry says whose a business record is. It follows the log.
type Registry interface {
	// Owner is the key under which a record was put last; ok is false when none of
	// that kind and id is there.
	Owner(workspace, kind, id string) (identity.Key, bool)
	// List pages through the ids of a kind in order, beginning behind after.
	List(workspace, kind, after string, limit int) []string
	// Towards lists the relationships that were put towards a key, by id.
	Towards(workspace string, key identity.Key) []string
}

// Put is what became of a record: it is durable, applied and visible.
type Put struct {
	Ref       evidence.Ref `json:"ref"`
	Event     string       `json:"event" doc:"The event that the put is; evidence names it."`
	UpdatedAt time.Time    `json:"updated_at"`
	Duplicate bool         `json:"duplicate" doc:"The very same was put before; nothing changed."`
}

// Puts is what became of several.
type Puts struct {
	Accepted   int   `json:"accepted"`
	Duplicates int   `json:"duplicates"`
	Records    []Put `json:"records"`
}

// Order is what a company's shop says of one order.
type Order struct {
	Person      string      `json:"person" maxLength:"512" doc:"per_…, user:…, anon:… or a bare user id."`
	UpdatedAt   *time.Time  `json:"updated_at,omitempty" doc:"An older one never overwrites a newer. Now when missing."`
	Status      string      `json:"status,omitempty" maxLength:"200"`
	Lines       []OrderLine `json:"lines,omitempty" maxItems:"1000"`
	DeliveredAt string      `json:"delivered_at,omitempty"`
	Address     any         `json:"address,omitempty"`
	Source      string      `json:"source,omitempty" maxLength:"64" doc:"Where it comes from; its status is translated by that source's dictionary."`
}

// OrderLine is one product of an order.
type OrderLine struct {
	ProductID       string           `json:"product_id" maxLength:"512"`
	Variant         string           `json:"variant,omitempty"`
	Quantity        float64          `json:"quantity,omitempty" minimum:"0"`
	Paid            *candidate.Money `json:"paid,omitempty"`
	ReturnableUntil string           `json:"returnable_until,omitempty"`
}

// Asset is one unit that a customer owns.
type Asset struct {
	Person        string     `json:"person" maxLength:"512"`
	UpdatedAt     *time.Time `json:"updated_at,omitempty"`
	ProductID     string     `json:"product_id,omitempty" maxLength:"512"`
	Serial        string     `json:"serial,omitempty"`
	BoughtAt      string     `json:"bought_at,omitempty"`
	WarrantyUntil string     `json:"warranty_until,omitempty"`
	State         any        `json:"state,omitempty"`
	Source        string     `json:"source,omitempty" maxLength:"64" doc:"Where it comes from; its status is translated by that source's dictionary."`
}

// Case is one matter that is being looked after.
type Case struct {
	Person     string     `json:"person" maxLength:"512"`
	UpdatedAt  *time.Time `json:"updated_at,omitempty"`
	Kind       string     `json:"kind,omitempty" doc:"repair, return, refund, exchange, dispute …"`
	Status     string     `json:"status,omitempty"`
	ProductID  string     `json:"product_id,omitempty"`
	AssetID    string     `json:"asset_id,omitempty"`
	OrderID    string     `json:"order_id,omitempty"`
	Symptom    string     `json:"symptom,omitempty"`
	PromisedAt string     `json:"promised_at,omitempty"`
	Source     string     `json:"source,omitempty" maxLength:"64" doc:"Where it comes from; its status is translated by that source's dictionary."`
}

// Holding is one financial product that a customer holds.
type Holding struct {
	Person    string           `json:"person" maxLength:"512"`
	UpdatedAt *time.Time       `json:"updated_at,omitempty"`
	ProductID string           `json:"product_id,omitempty"`
	Amount    *candidate.Money `json:"amount,omitempty"`
	MaturesAt string           `json:"matures_at,omitempty"`
	RiskLevel any              `json:"risk_level,omitempty"`
	Source    string           `json:"source,omitempty" maxLength:"64" doc:"Where it comes from; its status is translated by that source's dictionary."`
}

// Enrolment is one course that a learner takes.
type Enrolment struct {
	Person    string     `json:"person" maxLength:"512"`
	UpdatedAt *time.Time `json:"updated_at,omitempty"`
	CourseID  string     `json:"course_id,omitempty"`
	Mastery   []Mastery  `json:"mastery,omitempty" maxItems:"1000"`
	Source    string     `json:"source,omitempty" maxLength:"64" doc:"Where it comes from; its status is translated by that source's dictionary."`
}

// Mastery is how well one skill is known.
type Mastery struct {
	Skill string  `json:"skill" maxLength:"512"`
	Score float64 `json:"score"`
	At    string  `json:"at,omitempty"`
}

// Contract is one agreement with a customer.
type Contract struct {
	Person    string     `json:"person" maxLength:"512"`
	UpdatedAt *time.Time `json:"updated_at,omitempty"`
	Source    string     `json:"source,omitempty" maxLength:"64" doc:"Where it comes from; its status is translated by that source's dictionary."`
}

// longestRecord bounds one record, an article with its body being the largest.
const longestRecord = 1 << 20

func (s *server) recordRoutes() {
	shelved[candidate.Item](s, "items", "item", "Catalogue", "a thing the company offers")
	shelved[candidate.Article](s, "articles", "article", "Catalogue", "a piece of knowledge in one language")
	shelved[candidate.Attribute](s, "attributes", "attribute", "Catalogue", "how an attribute is shown and compared")
	shelved[candidate.Offer](s, "records/promotion", "promotion", "Records", "a promotion")
	s.relationRoutes()
	owned[Order](s, "order")
	owned[Asset](s, "asset")
	owned[Case](s, "case")
	owned[Holding](s, "holding")
	owned[Enrolment](s, "enrolment")
	owned[Contract](s, "contract")
	owned[Relationship](s, "relationship")
}

// shelved registers the routes of a kind that belongs to nobody.
func shelved[T any](s *server, path, kind, tag, what string) {
	one := "/v1/" + path + "/{id}"
	add(s, route{method: "PUT", path: one, tag: tag, who: secretKey, limit: longestRecord, raw: true, summary: "Put " + what + "."}, func(c *call, _ *T) (Put, error) {
		id, err := idOf(c.r, "id")
		if err != nil {
			return Put{}, err
		}
		p, err := s.shelfPut(c.workspace.ID, kind, id, c.raw, "")
		if err != nil {
			return Put{}, err
		}
		return s.put(c, p)
	})
	add(s, route{method: "GET", path: one, tag: tag, who: secretKey, summary: "Read " + what + " as it was put."}, func(c *call, _ *none) (json.RawMessage, error) {
		stored, ok := s.stored(c, kind, c.r.PathValue("id"))
		if !ok {
			return nil, refuse(http.StatusNotFound, "not_found")
		}
		return shown(stored.Body, "", stored.ID, stored.UpdatedAt), nil
	})
	add(s, route{method: "DELETE", path: one, tag: tag, who: secretKey, summary: "Take " + what + " away; decisions that name it still open it."}, func(c *call, _ *none) (Put, error) {
		id := c.r.PathValue("id")
		if _, ok := s.stored(c, kind, id); !ok {
			return Put{}, refuse(http.StatusNotFound, "not_found")
		}
		return s.put(c, event.Put{Name: kind, ID: id, UpdatedAt: s.now(), Deleted: true})
	})
	add(s, route{method: "GET", path: "/v1/" + path, tag: tag, who: secretKey, query: pageQuery, summary: "List."}, func(c *call, _ *none) (Page[json.RawMessage], error) {
		return s.shelfPage(c, kind)
	})
}

func (s *server) stored(c *call, kind, id string) (candidate.Stored, bool) {
	if s.Shelf == nil {
		return candidate.Stored{}, false
	}
	return s.Shelf(c.workspace.ID).Stored(kind, id, 0)
}

func (s *server) shelfPage(c *call, kind string) (Page[json.RawMessage], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[json.RawMessage]{}, err
	}
	var all []candidate.Stored
	if s.Shelf != nil {
		all = s.Shelf(c.workspace.ID).List(kind, after, 0, limit+1)
	}
	p := paged(all, limit, func(r candidate.Stored) string { return r.ID })
	out := Page[json.RawMessage]{Items: make([]json.RawMessage, len(p.Items)), NextCursor: p.NextCursor}
	for i, r := range p.Items {
		out.Items[i] = shown(r.Body, "", r.ID, r.UpdatedAt)
	}
	return out, nil
}

// shelfPut reads a catalogue record and makes its put. at names the place of the
// record in the body, "" when it is the whole.
func (s *server) shelfPut(workspace, kind, id string, body []byte, at string) (event.Put, error) {
	updated, _, rest, err := s.takeApart(body, at)
	if err != nil {
		return event.Put{}, err
	}
	if _, err := candidate.Check(kind, id, rest); err != nil {
		var faults candidate.Faults
		if errors.As(err, &faults) && at != "" {
			moved := slices.Clone(faults)
			for i := range moved {
				moved[i].Pointer = at + moved[i].Pointer
			}
			return event.Put{}, moved
		}
		return event.Put{}, err
	}
	return event.Put{Workspace: workspace, Name: kind, ID: id, UpdatedAt: updated, Body: rest}, nil
}

// takeApart takes what every record may carry, person, id and updated_at, off its body.
func (s *server) takeApart(body []byte, at string) (updated time.Time, person string, rest []byte, err error) {
	if len(body) == 0 || trimmed(body)[0] != '{' {
		return updated, "", nil, faulty(at, "wrong_type", "expected", "object")
	}
	updated = s.now()
	rest = append(make([]byte, 0, len(body)), '{')
	for name, value := range event.Members(body) {
		switch name {
		case "updated_at":
			var t *time.Time
			if json.Unmarshal(value, &t) != nil {
				return updated, "", nil, faulty(at+"/updated_at", "bad_timestamp")
			}
			if t != nil {
				updated = t.UTC()
			}
			continue
		case "person":
			if json.Unmarshal(value, &person) != nil || len(person) > 512 {
				return updated, "", nil, faulty(at+"/person", "wrong_type", "expected", "string")
			}
			continue
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return updated, "", nil, err
		}
		rest = append(append(append(rest, quoted...), ':'), value...)
	}
	return updated, person, append(rest, '}'), nil
}

func trimmed(b []byte) []byte {
	return []byte(strings.TrimLeft(string(b[:min(len(b), 64)]), " \t\r\n") + " ")
}

// shown is a stored body with its id and times, as it is read back.
func shown(body json.RawMessage, person, id string, updated time.Time) json.RawMessage {
	head := map[string]any{"id": id, "updated_at": updated}
	if person != "" {
		head["person"] = person
	}
	out, err := json.Marshal(head)
	if err != nil || len(body) <= 2 {
		return out
	}
	has := map[string]bool{}
	out = out[:len(out)-1]
	for name, value := range event.Members(body) {
		if name == "id" || name == "updated_at" || name == "person" || has[name] {
			continue
		}
		has[name] = true
		quoted, err := json.Marshal(name)
		if err != nil {
			continue
		}
		out = append(append(append(append(out, ','), quoted...), ':'), value...)
	}
	return append(out, '}')
}

// put commits one record.
func (s *server) put(c *call, p event.Put) (Put, error) {
	all, err := s.putAll(c, []event.Put{p})
	if err != nil {
		return Put{}, err
	}
	return all.Records[0], nil
}

func (s *server) putAll(c *call, puts []event.Put) (Puts, error) {
	received := s.now()
	events := make([]event.Event, len(puts))
	out := Puts{Records: make([]Put, len(puts))}
	for i, p := range puts {
		p.Workspace, p.Received = c.workspace.ID, received
		events[i] = event.RecordEvent(p)
		out.Records[i] = Put{Ref: evidence.Make(evidence.Kind(p.Name), p.ID, 0), Event: events[i].ID.String(), UpdatedAt: events[i].Time}
	}
	if len(events) == 0 {
		return out, nil
	}
	receipt, err := s.Engine.Observe(c.context(), c.workspace.ID, events)
	if err != nil {
		return out, unavailable(err)
	}
	for i := range out.Records {
		if i < len(receipt.Duplicates) && receipt.Duplicates[i] {
			out.Records[i].Duplicate = true
			out.Duplicates++
		}
	}
	out.Accepted = len(events) - out.Duplicates
	s.meters.accepted.Add(float64(out.Accepted))
	s.meters.duplicate.Add(float64(out.Duplicates))
	return out, nil
}

// relationID is the id of a relation: its three parts, each written so that the
// bar between them is unmistakable.
func relationID(from, kind, to string) string {
	return url.QueryEscape(from) + "|" + url.QueryEscape(kind) + "|" + url.QueryEscape(to)
}

func (s *server) relationRoutes() {
	add(s, route{method: "PUT", path: "/v1/relations", tag: "Catalogue", who: secretKey, limit: 8 << 20, raw: true, summary: "Put relations between things."}, func(c *call, _ *[]candidate.Relation) (Puts, error) {
		var all []json.RawMessage
		if err := json.Unmarshal(c.raw, &all); err != nil {
			return Puts{}, faulty("", "wrong_type", "expected", "array")
		}
		if len(all) > 10_000 {
			return Puts{}, faulty("", "too_many")
		}
		var puts []event.Put
		var faults candidate.Faults
		for i, body := range all {
			p, err := s.relationPut(c.workspace.ID, body, pointerTo(i))
			var more candidate.Faults
			switch {
			case errors.As(err, &more):
				faults = append(faults, more...)
			case err != nil:
				return Puts{}, err
			default:
				puts = append(puts, p)
			}
		}
		if len(faults) > 0 {
			return Puts{}, faults
		}
		return s.putAll(c, puts)
	})
	add(s, route{method: "GET", path: "/v1/relations", tag: "Catalogue", who: secretKey, query: pageQuery, summary: "List."}, func(c *call, _ *none) (Page[json.RawMessage], error) {
		return s.shelfPage(c, "relation")
	})
	add(s, route{method: "DELETE", path: "/v1/relations", tag: "Catalogue", who: secretKey, query: []string{"from: where it starts", "type: what it says", "to: where it ends"}, summary: "Take one relation away."}, func(c *call, _ *none) (Put, error) {
		q := c.r.URL.Query()
		id := relationID(q.Get("from"), q.Get("type"), q.Get("to"))
		if _, ok := s.stored(c, "relation", id); !ok {
			return Put{}, refuse(http.StatusNotFound, "not_found")
		}
		return s.put(c, event.Put{Name: "relation", ID: id, UpdatedAt: s.now(), Deleted: true})
	})
}

func (s *server) relationPut(workspace string, body []byte, at string) (event.Put, error) {
	rel, err := candidate.DecodeRelation(body)
	if err != nil {
		rel = &candidate.Relation{}
	}
	return s.shelfPut(workspace, "relation", relationID(rel.From, rel.Type, rel.To), body, at)
}

func pointerTo(i int) string {
	b, _ := json.Marshal(i) // an int always has a form
	return "/" + string(b)
}

// owned registers the routes of a kind that belongs to a person.
func owned[T any](s *server, kind string) {
	one := "/v1/records/" + kind + "/{id}"
	add(s, route{method: "PUT", path: one, tag: "Records", who: secretKey, limit: longestRecord, free: true, summary: "Put the present state of a record: " + kind + "."}, func(c *call, _ *T) (Put, error) {
		id, err := idOf(c.r, "id")
		if err != nil {
			return Put{}, err
		}
		p, err := s.ownedPut(c.context(), c.workspace.ID, kind, id, c.raw)
		if err != nil {
			return Put{}, err
		}
		return s.put(c, p)
	})
	s.bodies[kind] = s.book.schemaOf(func(spec *huma.OpenAPI) *huma.Schema {
		return spec.Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	})
	add(s, route{method: "GET", path: one, tag: "Records", who: secretKey, query: []string{"person: whose it is, when that is known"}, summary: "Read a record: " + kind + "."}, func(c *call, _ *none) (json.RawMessage, error) {
		_, found, err := s.owned(c, kind, c.r.PathValue("id"))
		return found, err
	})
	add(s, route{method: "DELETE", path: one, tag: "Records", who: secretKey, query: []string{"person: whose it is, when that is known"}, summary: "Delete a record: " + kind + "."}, func(c *call, _ *none) (Put, error) {
		id := c.r.PathValue("id")
		scope, _, err := s.owned(c, kind, id)
		if err != nil {
			return Put{}, err
		}
		user, anonymous := addressee(scope.Keys)
		return s.put(c, event.Put{Name: kind, ID: id, UserID: user, AnonymousID: anonymous, UpdatedAt: s.now(), Deleted: true})
	})
	add(s, route{method: "GET", path: "/v1/records/" + kind, tag: "Records", who: secretKey, query: append([]string{"person: only theirs"}, pageQuery...), summary: "List records: " + kind + "."}, func(c *call, _ *none) (Page[json.RawMessage], error) {
		return s.ownedPage(c, kind)
	})
}

// ownedPut makes the put of a record whose body has passed its schema.
func (s *server) ownedPut(ctx context.Context, workspace, kind, id string, body []byte) (event.Put, error) {
	updated, person, rest, err := s.takeApart(body, "")
	if err != nil {
		return event.Put{}, err
	}
	if person == "" {
		return event.Put{}, faulty("/person", "missing")
	}
	rest = s.stated(workspace, "", kind, rest)
	user, anonymous, err := s.whose(ctx, workspace, person)
	if err != nil {
		return event.Put{}, err
	}
	if kind == "relationship" {
		if rest, err = s.towards(ctx, workspace, rest); err != nil {
			return event.Put{}, err
		}
	}
	return event.Put{Workspace: workspace, Name: kind, ID: id, UserID: user, AnonymousID: anonymous, UpdatedAt: updated, Body: rest}, nil
}

// stated translates the state of a record that names its source, or comes from one.
// What is put one by one and names none is taken as it is.
func (s *server) stated(workspace, source, kind string, body []byte) []byte {
	if s.Sources == nil {
		return body
	}
	if source == "" {
		for name, value := range event.Members(body) {
			if name == "source" && json.Unmarshal(value, &source) != nil {
				return body
			}
		}
	}
	if source == "" {
		return body
	}
	return s.Sources.Translated(workspace, source, kind, body)
}

// whose turns the person of a record into the id that its event carries. A user or
// anonymous id may be new; anything else must be known.
func (s *server) whose(ctx context.Context, workspace, person string) (user, anonymous string, err error) {
	if k, ok := identity.ParseKey(person); ok && (k.Kind == "user" || k.Kind == "anon") {
		switch {
		case identity.Blocked(k.Value):
			return "", "", faulty("/person", "person_unknown")
		case k.Kind == "user":
			return k.Value, "", nil
		}
		return "", k.Value, nil
	}
	scope, err := s.Engine.PersonScope(ctx, workspace, person)
	switch {
	case err == nil:
		if user, anonymous = addressee(scope.Keys); user == "" && anonymous == "" {
			return "", "", faulty("/person", "person_unknown") // known by an address alone, which files nothing
		}
		return user, anonymous, nil
	case !errors.Is(err, engine.ErrNotFound):
		return "", "", err
	case strings.HasPrefix(person, "per_"), strings.Contains(person, ":"), identity.Blocked(person):
		return "", "", faulty("/person", "person_unknown")
	}
	return person, "", nil
}

// addressee is the key of a person under which a new event is filed.
func addressee(keys []identity.Key) (user, anonymous string) {
	for _, k := range keys {
		if k.Kind == "user" {
			return k.Value, ""
		}
	}
	for _, k := range keys {
		if k.Kind == "anon" {
			return "", k.Value
		}
	}
	return "", ""
}

// owned finds a record by its kind and id: under the person named, else under
// whom the registry names.
func (s *server) owned(c *call, kind, id string) (engine.Scope, json.RawMessage, error) {
	missing := refuse(http.StatusNotFound, "not_found")
	person := c.r.URL.Query().Get("person")
	if person == "" && s.Records != nil {
		key, ok := s.Records.Owner(c.workspace.ID, kind, id)
		if !ok {
			// Another process may have taken it in just now.
			if err := s.Engine.CatchUp(c.context(), c.workspace.ID); err != nil {
				return engine.Scope{}, nil, unavailable(err)
			}
			key, ok = s.Records.Owner(c.workspace.ID, kind, id)
		}
		if !ok {
			return engine.Scope{}, nil, missing
		}
		person = key.String()
	}
	if person == "" {
		return engine.Scope{}, nil, missing
	}
	scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, person)
	if err != nil {
		return scope, nil, err
	}
	who, err := s.Engine.Profile(c.context(), scope)
	if err != nil {
		return scope, nil, err
	}
	rec, ok := who.Records[evidence.Kind(kind)][id]
	if !ok {
		return scope, nil, missing
	}
	body, err := json.Marshal(rec.Fields)
	if err != nil {
		return scope, nil, err
	}
	return scope, shown(body, string(scope.Person), id, rec.UpdatedAt), nil
}

func (s *server) ownedPage(c *call, kind string) (Page[json.RawMessage], error) {
	none := Page[json.RawMessage]{Items: []json.RawMessage{}}
	limit, after, err := page(c.r)
	if err != nil {
		return none, err
	}
	var ids []string
	owner := func(id string) (identity.Key, bool) { return s.Records.Owner(c.workspace.ID, kind, id) }
	if person := c.r.URL.Query().Get("person"); person != "" {
		scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, person)
		if err != nil {
			return none, err
		}
		who, err := s.Engine.Profile(c.context(), scope)
		if err != nil {
			return none, err
		}
		for id := range who.Records[evidence.Kind(kind)] {
			if id > after {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		ids = ids[:min(len(ids), limit+1)]
		owner = func(string) (identity.Key, bool) { return scope.Keys[0], len(scope.Keys) > 0 }
	} else if s.Records != nil {
		ids = s.Records.List(c.workspace.ID, kind, after, limit+1)
	}
	p := paged(ids, limit, func(id string) string { return id })
	out := Page[json.RawMessage]{Items: make([]json.RawMessage, 0, len(p.Items)), NextCursor: p.NextCursor}
	for _, id := range p.Items {
		key, ok := owner(id)
		if !ok {
			continue
		}
		scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, key.String())
		if err != nil {
			continue // erased since the registry named them
		}
		who, err := s.Engine.Profile(c.context(), scope)
		if err != nil {
			return none, err
		}
		rec, ok := who.Records[evidence.Kind(kind)][id]
		if !ok {
			continue
		}
		body, err := json.Marshal(rec.Fields)
		if err != nil {
			return none, err
		}
		out.Items = append(out.Items, shown(body, string(scope.Person), id, rec.UpdatedAt))
	}
	return out, nil
}
