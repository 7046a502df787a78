package decision

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
)

// Digest is SHA-256, in hexadecimal, of everything that was chosen and rejected
// and of how it was drawn: two decisions with one digest have the same terms, the
// same verdicts and the same draw. Needs and answers are left out, since they
// stand in what the customer is told and in what the sources said.
//
// The ledger keeps this in place of the decision, which a replay makes again
// anyway: rejected candidates with their reasons are two thirds of its bytes.
func (d *Decision) Digest() string {
	w := digests.Get().(*canon)
	w.count(len(d.Chosen))
	for i := range d.Chosen {
		w.chosen(&d.Chosen[i])
	}
	w.count(len(d.Rejected))
	for i := range d.Rejected {
		w.rejected(&d.Rejected[i])
	}
	w.count(int(d.Draw.Seed >> 1))
	w.flag(d.Draw.Seed&1 == 1)
	w.chances(d.Draw.Probabilities)
	w.count(len(d.Draw.Positions))
	for _, p := range d.Draw.Positions {
		w.count(p.Position)
		w.chances(p.Chances)
		w.text(p.Taken)
	}
	sum := sha256.Sum256(w.b)
	w.b = w.b[:0]
	digests.Put(w)
	return hex.EncodeToString(sum[:])
}

var digests = sync.Pool{New: func() any { return &canon{make([]byte, 0, 16<<10)} }}

// canon appends values so that no two different sequences have the same bytes:
// every text and every list is preceded by its length.
type canon struct{ b []byte }

func (w *canon) count(n int) { w.b = binary.AppendUvarint(w.b, uint64(n)) }

func (w *canon) text(s string) {
	w.count(len(s))
	w.b = append(w.b, s...)
}

func (w *canon) flag(f bool) {
	if f {
		w.b = append(w.b, 1)
		return
	}
	w.b = append(w.b, 0)
}

func (w *canon) number(f float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(f)) }

func (w *canon) both(t candidate.Text) {
	w.text(t.Zh)
	w.text(t.En)
}

func (w *canon) texts(all []string) {
	w.count(len(all))
	for _, s := range all {
		w.text(s)
	}
}

func (w *canon) refs(all []evidence.Ref) {
	w.count(len(all))
	for _, r := range all {
		w.text(string(r))
	}
}

func (w *canon) group(g map[string]string) {
	w.count(len(g))
	var few [8]string // groups are one or two facts: none of them is allocated
	keys := few[:0]
	for k := range g {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		w.text(k)
		w.text(g[k])
	}
}

func (w *canon) terms(all []candidate.Term) {
	w.count(len(all))
	for _, t := range all {
		w.text(t.Name)
		w.number(t.Value)
		w.refs(t.Evidence)
	}
}

func (w *canon) chances(all []Chance) {
	w.count(len(all))
	for _, c := range all {
		w.text(c.Action)
		w.group(c.Group)
		w.number(c.Probability)
	}
}

func (w *canon) chosen(c *Chosen) {
	w.text(c.Action)
	w.text(string(c.Nature))
	w.text(c.Need)
	w.group(c.Group)
	w.text(c.Treatment)
	w.both(c.Title)
	w.both(c.Body)
	w.number(c.Score)
	w.terms(c.Terms)
	w.terms(c.Parts)
	w.flag(c.Propensity != nil)
	if c.Propensity != nil {
		w.number(*c.Propensity)
	}
	w.number(c.Probability)
	w.count(c.Position)
	w.count(len(c.Reasons))
	for _, r := range c.Reasons {
		w.both(r.Text)
		w.refs(r.Evidence)
	}
	w.texts(c.Serves)
	// What prefills a form is whatever an event carried; maps come out sorted.
	w.count(len(c.Prefilled))
	if len(c.Prefilled) > 0 {
		prefilled, err := json.Marshal(c.Prefilled)
		if err != nil {
			prefilled = []byte(err.Error())
		}
		w.text(string(prefilled))
	}
	w.count(len(c.Shown))
	for _, name := range slices.Sorted(maps.Keys(c.Shown)) {
		w.text(name)
		w.both(c.Shown[name])
	}
	w.count(len(c.Form))
	for _, f := range c.Form {
		w.text(f.Name)
		w.both(f.Label)
		w.text(f.From)
		w.flag(f.Optional)
	}
	w.texts(c.Missing)
	w.flag(c.Safety)
	w.flag(c.Handover)
	w.flag(c.Resolves)
	w.flag(c.Learn != nil)
	if l := c.Learn; l != nil {
		w.text(l.Offer.Parent)
		w.text(l.Offer.Like)
		w.text(l.Offer.Action)
		w.text(l.Offer.Treatment)
		w.number(l.Prior)
		w.count(len(l.Context))
		for _, v := range l.Context {
			w.text(v.Feature)
			w.text(v.Bin)
		}
	}
}

func (w *canon) rejected(r *Rejected) {
	w.text(r.Action)
	w.text(string(r.Nature))
	w.both(r.Title)
	w.text(r.Need)
	w.group(r.Group)
	w.text(string(r.Stage))
	w.text(r.Rule)
	w.both(r.Reason)
	w.texts(r.Missing)
	w.refs(r.Evidence)
	w.number(r.Score)
	w.terms(r.Terms)
}
