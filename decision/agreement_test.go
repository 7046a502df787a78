package decision

import (
	"fmt"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// asker answers rules about a customer of whom these records were put.
func asker(now time.Time, m profile.Mask, puts ...event.Put) *binding {
	var all []*event.Event
	for i, p := range puts {
		p.UserID, p.UpdatedAt = "lin", now.Add(time.Duration(i-100)*time.Hour)
		e := event.RecordEvent(p)
		all = append(all, &e)
	}
	who := profile.Fold("per_lin", []identity.Key{identity.User("lin")}, all, 1).Masked(m)
	return &binding{moment: &moment{plan: &Plan{}, in: &Input{Person: who, Scene: scene.Scene{Time: now}}, now: now, person: who, location: time.UTC}}
}

func TestContractsAndPromotionsAreReadByName(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)
	records := []event.Put{
		{Name: "contract", ID: "k-later", Body: []byte(`{"kind":"broadband","ends_at":"2027-01-01","product_id":"fibre"}`)},
		{Name: "contract", ID: "k-soon", Body: []byte(`{"kind":"mobile","status":"active","ends_at":"2026-05-12T12:00:00Z"}`)},
		{Name: "contract", ID: "k-over", Body: []byte(`{"ends_at":"2026-04-01"}`)},
		{Name: "contract", ID: "k-cancelled", Body: []byte(`{"status":"cancelled","ends_at":"2026-05-03"}`)},
		{Name: "promotion", ID: "p-today", Body: []byte(`{"kind":"coupon","valid_until":"2026-05-02"}`)},
		{Name: "promotion", ID: "p-future", Body: []byte(`{"valid_from":"2026-06-01"}`)},
	}
	b := asker(now, profile.Mask{}, records...)
	for fact, want := range map[string]string{
		"contracts.count": "2", "contract.id": "k-soon", "contract.kind": "mobile", "contract.status": "active", "contract.ends_days": "10",
		"promotions.count": "1", "promotion.id": "p-today", "promotion.kind": "coupon", "promotion.ends_days": "0",
	} {
		if v, known := b.Lookup(fact); !known || fmt.Sprint(v) != want {
			t.Errorf("%s is %v, known %t, wanted %s", fact, v, known, want)
		}
		if refs := b.cite(fact); len(refs) == 0 {
			t.Errorf("%s cites nothing", fact)
		}
	}
	if _, known := b.Lookup("contract.product_id"); known {
		t.Error("a contract without a product names one")
	}
	off := asker(now, profile.Mask{Off: true}, records...)
	if _, known := off.Lookup("promotion.id"); known {
		t.Error("a promotion is read although personalisation is off")
	}
	if _, known := off.Lookup("contract.id"); !known {
		t.Error("a contract is a matter the customer has; it stays when personalisation is off")
	}
}

func TestTheExplanationSaysWhyAFactIsNotRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)
	person := event.Put{Name: "person", Body: []byte(`{"aum":1200000,"hobby":"tea","child_school":"No. 2"}`)}
	say := func(m profile.Mask, fact string) string { return asker(now, m, person).unknown([]string{fact}).En }
	for _, c := range []struct {
		mask       profile.Mask
		fact, want string
	}{
		{profile.Mask{}, "person.traits.aum", "not known: aum (no consent for financial)"},
		{profile.Mask{}, "person.traits.child_school", "not known: child_school (no consent for minors)"},
		{profile.Mask{Fields: map[string]profile.Field{"hobby": {Class: profile.Sensitive, Purpose: "leisure"}}}, "person.traits.hobby", "not known: hobby (no consent for leisure)"},
		{profile.Mask{Off: true}, "person.traits.hobby", "not known: hobby (the customer switched personalisation off)"},
		{profile.Mask{}, "person.traits.never_said", "not known: never_said"},
	} {
		if got := say(c.mask, c.fact); got != c.want {
			t.Errorf("%s: %q, wanted %q", c.fact, got, c.want)
		}
	}
}
