package decision

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
)

// Conditioned is a need that the customer made depend on something ("refund me if
// it is out of stock"), and how that something stands. What does not hold is not
// acted on; what cannot be told is left to the customer.
type Conditioned struct {
	Need  string
	Known bool // it could be told
	Holds bool
	Fact  Circumstance       // what was found
	Item  candidate.ItemName // it was found of this item,
	Order string             // or of this order
	// Evidence are the records that tell it.
	Evidence []evidence.Ref
}

// Circumstance is what a condition turned out to be.
type Circumstance string

// What can be told of an item or an order.
const (
	Available    Circumstance = "available"
	Unavailable  Circumstance = "unavailable"
	Shipped      Circumstance = "shipped"
	NotShipped   Circumstance = "not_shipped"
	Delivered    Circumstance = "delivered"
	NotDelivered Circumstance = "not_delivered"
)

// claims read what a condition's words claim, the first that matches.
var claims = []struct {
	words *regexp.Regexp
	claim Circumstance
}{
	{regexp.MustCompile(`没货|缺货|无货|断货|没有货|没现货|没库存|无库存|没有库存|卖完|售罄|out of stock|not in stock|no stock|isn't in stock|sold out|not available|unavailable|isn't available`), Unavailable},
	{regexp.MustCompile(`有货|现货|有库存|in stock|available`), Available},
	{regexp.MustCompile(`(没|未|别|不).{0,4}(发货|发出|寄出|出库)|(not|n't|never) .{0,8}(ship|sent|dispatch|left)|unshipped`), NotShipped},
	{regexp.MustCompile(`发货|发出|寄出|出库|shipped|dispatched|been sent`), Shipped},
	{regexp.MustCompile(`(没|未|不).{0,4}(到|签收|送达|收到)|(not|n't) .{0,8}(arriv|deliver|come|here)`), NotDelivered},
	{regexp.MustCompile(`签收|送达|收到|已经到|到了|arrived|delivered`), Delivered},
}

// These only say how the other need came out: "if so", "不行的话".
var (
	comesOutBadly = regexp.MustCompile(`不|没|无|否|otherwise|not|no\b|else|can't|won't|unless`)
	comesOutWell  = regexp.MustCompile(`行|可以|有|能|是|so\b|yes|possible|it is`)
)

// conditions tells how the things stand on which needs depend.
func (c *chooser) conditions() (all []Conditioned) {
	for i := range c.in.Needs {
		n := &c.in.Needs[i]
		if n.Condition == nil || n.Negated {
			continue
		}
		x := Conditioned{Need: n.ID}
		if claim := claimOf(n.Condition, c.other(n)); claim != "" {
			x.Fact, x.Known = c.found(claim, n, &x)
			x.Holds = x.Known && x.Fact == claim
		}
		all = append(all, x)
	}
	return all
}

// other is the need on whose result one depends, nil for none of this enquiry's.
func (c *chooser) other(n *need.Need) *need.Need {
	i := slices.IndexFunc(c.in.Needs, func(o need.Need) bool { return o.ID == n.Condition.Need })
	if i < 0 || c.in.Needs[i].ID == n.ID {
		return nil
	}
	return &c.in.Needs[i]
}

// claimOf is what must be found for the need to count.
func claimOf(cond *need.Condition, other *need.Need) Circumstance {
	said := plain.Plain(cond.Text)
	for _, k := range claims {
		if k.words.MatchString(said) {
			return k.claim
		}
	}
	if other == nil || other.Intent != "presale.stock" {
		return ""
	}
	switch {
	case cond.Failing || comesOutBadly.MatchString(said):
		return Unavailable
	case comesOutWell.MatchString(said):
		return Available
	}
	return ""
}

// found looks up how an item or an order stands.
func (c *chooser) found(claim Circumstance, n *need.Need, x *Conditioned) (Circumstance, bool) {
	switch claim {
	case Available, Unavailable:
		return c.stock(n, x)
	}
	b := binding{moment: c.moment, need: n}
	o := b.order()
	if o == nil {
		return "", false
	}
	x.Order, x.Evidence = o.ID, []evidence.Ref{o.Ref()}
	status, arrived := strings.ToLower(o.Text("status")), candidate.Arrived(o)
	switch claim {
	case Delivered, NotDelivered:
		if arrived {
			return Delivered, true
		}
		return NotDelivered, status != ""
	}
	switch {
	case arrived || slices.Contains([]string{"shipped", "in_transit", "in transit", "out_for_delivery"}, status):
		return Shipped, true
	case slices.Contains([]string{"placed", "paid", "pending", "processing", "awaiting_payment", "open"}, status):
		return NotShipped, true
	}
	return "", false
}

// stock reads it from what a source said to the need or to the one it depends on,
// else from the records of the items that are named.
func (c *chooser) stock(n *need.Need, x *Conditioned) (Circumstance, bool) {
	tell := func(item candidate.ItemName, available bool) (Circumstance, bool) {
		x.Item, x.Evidence = item, []evidence.Ref{item.Ref}
		if available {
			return Available, true
		}
		return Unavailable, true
	}
	for _, id := range []string{n.Condition.Need, n.ID} {
		for _, r := range c.in.Results {
			for _, a := range r.Answers {
				if id != "" && a.Need == id && a.Facts != nil && a.Facts.Available != nil {
					return tell(a.Facts.Item, *a.Facts.Available)
				}
			}
		}
	}
	b := binding{moment: c.moment, need: n}
	for _, id := range b.named() {
		if it := c.item(id); it != nil {
			if has := it.InStock(c.in.Catalogue); has != nil {
				return tell(it.Name(), *has)
			}
		}
	}
	return "", false
}

// unmet tells whether a need depends on something that is known not to hold.
func (c *chooser) unmet(n *need.Need) bool {
	return slices.ContainsFunc(c.conditional, func(x Conditioned) bool { return x.Need == n.ID && x.Known && !x.Holds })
}
