package profile

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Registry knows whose a business record is, so that one can be opened by its id
// alone. It follows the log and holds what was put (not what events merely
// mention): a key and an id a record. It is safe for concurrent use; the zero
// value is ready.
type Registry struct {
	mu    sync.RWMutex
	owner map[shelfmark]map[string]identity.Key // of each id
	ids   map[shelfmark][]string                // sorted, made when a list is asked for, dropped when an id comes or goes
	// towards has every relationship that was ever put towards a key, in no order:
	// which of them still say so, their records tell.
	towards map[toward]map[string]bool
}

// toward is one key of one workspace that relationships lead to.
type toward struct {
	workspace string
	key       identity.Key
}

// shelfmark is one kind of record of one workspace.
type shelfmark struct{ workspace, kind string }

// registered are the kinds of record that belong to a person.
var registered = []string{"order", "asset", "case", "holding", "enrolment", "contract", "promotion", "relationship"}

// Name is the follower's.
func (r *Registry) Name() string { return "registry" }

// Follow notes whose a record is; the last put counts.
func (r *Registry) Follow(c journal.Committed) {
	e := c.Event
	if !slices.Contains(registered, e.Name) || e.Subject == "" || e.UserID == "" && e.AnonymousID == "" {
		return
	}
	key := identity.User(e.UserID)
	if e.UserID == "" {
		key = identity.Anonymous(e.AnonymousID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(shelfmark{c.Workspace, e.Name}, e.Subject, key, e.Deleted)
	if e.Name == string(evidence.Relationship) && !e.Deleted {
		if to, ok := identity.ParseKey(fields(e.Properties()).id("to")); ok {
			r.lead(toward{c.Workspace, to}, e.Subject)
		}
	}
}

func (r *Registry) lead(to toward, id string) {
	if r.towards == nil {
		r.towards = map[toward]map[string]bool{}
	}
	if r.towards[to] == nil {
		r.towards[to] = map[string]bool{}
	}
	r.towards[to][id] = true
}

// Towards lists the relationships that were ever put towards a key, by id.
func (r *Registry) Towards(workspace string, key identity.Key) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.towards[toward{workspace, key}]))
}

func (r *Registry) note(at shelfmark, id string, key identity.Key, deleted bool) {
	if r.owner == nil {
		r.owner, r.ids = map[shelfmark]map[string]identity.Key{}, map[shelfmark][]string{}
	}
	owners := r.owner[at]
	if owners == nil {
		owners = map[string]identity.Key{}
		r.owner[at] = owners
	}
	if _, known := owners[id]; known == deleted {
		delete(r.ids, at)
	}
	if deleted {
		delete(owners, id)
	} else {
		owners[id] = key
	}
}

// Join changes nothing: a record stays with the key it was put under.
func (r *Registry) Join(string, uint32, uint32) {}

// ForgetKeys lets the records of erased keys go: an id may tell whose it was.
func (r *Registry) ForgetKeys(workspace string, keys []identity.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, owners := range r.owner {
		if at.workspace != workspace {
			continue
		}
		for id, key := range owners {
			if slices.Contains(keys, key) {
				delete(owners, id)
				delete(r.ids, at)
				if at.kind == string(evidence.Relationship) {
					for to, all := range r.towards {
						if to.workspace == workspace {
							delete(all, id)
						}
					}
				}
			}
		}
	}
	for _, k := range keys {
		delete(r.towards, toward{workspace, k})
	}
}

// Owner is the key under which a record was put last.
func (r *Registry) Owner(workspace, kind, id string) (identity.Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	key, ok := r.owner[shelfmark{workspace, kind}][id]
	return key, ok
}

// List pages through the ids of a kind in order, beginning behind after.
func (r *Registry) List(workspace, kind, after string, limit int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := shelfmark{workspace, kind}
	ids, ok := r.ids[at]
	if !ok && len(r.owner[at]) > 0 {
		ids = slices.Sorted(maps.Keys(r.owner[at]))
		r.ids[at] = ids
	}
	i, found := slices.BinarySearch(ids, after)
	if found {
		i++
	}
	return slices.Clone(ids[i:min(len(ids), i+limit)])
}

// noted is one record as Save writes it.
type noted struct {
	Workspace string       `json:"w"`
	Kind      string       `json:"k"`
	ID        string       `json:"i"`
	Key       identity.Key `json:"o"`
	// Towards: the record was put towards the key, whosever it is.
	Towards bool `json:"t,omitempty"`
}

// Save writes the registry for the next start: the same records give the same bytes.
func (r *Registry) Save() ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []noted
	for at, owners := range r.owner {
		for id, key := range owners {
			all = append(all, noted{at.workspace, at.kind, id, key, false})
		}
	}
	for to, ids := range r.towards {
		for id := range ids {
			all = append(all, noted{to.workspace, string(evidence.Relationship), id, to.key, true})
		}
	}
	slices.SortFunc(all, func(a, b noted) int {
		return cmp.Or(cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), a.Key.Compare(b.Key), strings.Compare(strconv.FormatBool(a.Towards), strconv.FormatBool(b.Towards)))
	})
	return json.Marshal(all)
}

// Load reads what Save wrote.
func (r *Registry) Load(data []byte) error {
	var all []noted
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owner, r.ids = map[shelfmark]map[string]identity.Key{}, map[shelfmark][]string{}
	r.towards = nil
	for _, n := range all {
		if n.Towards {
			r.lead(toward{n.Workspace, n.Key}, n.ID)
			continue
		}
		at := shelfmark{n.Workspace, n.Kind}
		if r.owner[at] == nil {
			r.owner[at] = map[string]identity.Key{}
		}
		r.owner[at][n.ID] = n.Key
	}
	return nil
}
