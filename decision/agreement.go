package decision

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// Contracts and the customer's own promotions are agreements for a time: they begin at
// begins_at or valid_from, if they say so, and end at ends_at or valid_until, if they do.

// ended are the states in which an agreement is none any more.
var ended = []string{"cancelled", "canceled", "ended", "expired", "terminated", "closed", "used", "redeemed", "revoked"}

// agreements are those in force now, the one that ends first before the others; those
// without an end come last.
func (b *binding) agreements(kind evidence.Kind) []*profile.Record {
	all := slices.DeleteFunc(sorted(b.person.Records[kind]), func(r *profile.Record) bool {
		if slices.Contains(ended, r.Text("status")) {
			return true
		}
		if from, ok := b.edge(r, "begins_at", "valid_from"); ok && from.After(b.now) {
			return true
		}
		until, ok := b.ends(r)
		return ok && !until.After(b.now)
	})
	slices.SortStableFunc(all, func(x, y *profile.Record) int {
		s, some := b.ends(x)
		t, other := b.ends(y)
		switch {
		case some && other:
			return s.Compare(t)
		case some:
			return -1
		case other:
			return 1
		}
		return 0
	})
	return all
}

// edge reads the first of some time fields that is there.
func (b *binding) edge(r *profile.Record, names ...string) (t time.Time, ok bool) {
	for _, name := range names {
		if t, ok = b.begin(r, name); ok {
			return t, true
		}
	}
	return t, false
}

// ends is when an agreement ends; one that ends on a day holds to the end of it.
func (b *binding) ends(r *profile.Record) (time.Time, bool) {
	for _, name := range []string{"ends_at", "valid_until"} {
		if t, ok := b.begin(r, name); ok {
			if len(r.Text(name)) == len(time.DateOnly) {
				t = t.AddDate(0, 0, 1)
			}
			return t, true
		}
	}
	return time.Time{}, false
}

func (b *binding) agreementFact(kind evidence.Kind, name string) (any, bool) {
	all := b.agreements(kind)
	if len(all) == 0 {
		return nil, false
	}
	r := all[0]
	switch name {
	case "id":
		return r.ID, true
	case "kind", "status", "product_id":
		return text(r.Text(name))
	case "ends_at":
		t, ok := b.ends(r)
		return t, ok
	case "ends_days":
		t, ok := b.ends(r)
		return days(t.Sub(b.now)), ok
	}
	return nil, false
}
