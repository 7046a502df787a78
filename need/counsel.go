package need

import (
	"slices"
	"strings"
)

// unsure is the confidence below which a second reader is asked about a need even
// though it is answered: it moves nothing in this answer and may teach the next ones.
const unsure = 0.6

// Doubt is a spoken need that is asked back about, or is answered without much
// confidence: what a second reader, if there is one, may be asked. Its answer is a [View].
type Doubt struct {
	Need     string    // id
	Text     string    // the customer's own words
	Readings []Reading // the likeliest, the first one first
}

// Doubts lists what is unclear in a recognition, in the order of the text.
func Doubts(needs []Need) (all []Doubt) {
	for i := range needs {
		n := &needs[i]
		switch {
		case n.Origin != Spoken || strings.TrimSpace(n.Text) == "":
		case len(n.Readings) > 0:
			all = append(all, Doubt{n.ID, n.Text, n.Readings})
		case n.Intent != "" && n.Confidence < unsure:
			all = append(all, Doubt{n.ID, n.Text, []Reading{{Intent: n.Intent, Subintent: n.Sub(), Confidence: n.Confidence}}})
		}
	}
	return all
}

// View is how a second reader reads a doubt. It is a guess of somebody who may be
// wrong or hostile: it may move the question that the customer is asked, and nothing else.
type View struct {
	Need  string `json:"need"`
	Text  string `json:"text"` // of the need; under another text the view says nothing
	Parts []Part `json:"parts"`
}

// Part is one stretch of a doubt and what it is taken for.
type Part struct {
	Text   string `json:"text"`
	Intent string `json:"intent"`
}

// mostParts bounds what is read from one view.
const mostParts = 5

// Checked keeps of a view what can be true: parts whose words stand in the doubt's
// text, one after the other and not overlapping, each of an intent that was
// offered. ok is false when a part had to be dropped.
func (d *Doubt) Checked(parts []Part, offered []string) (v View, ok bool) {
	v, ok = View{Need: d.Need, Text: d.Text}, len(parts) <= mostParts
	from := 0
	for _, p := range parts[:min(len(parts), mostParts)] {
		at := strings.Index(d.Text[from:], p.Text)
		if strings.TrimSpace(p.Text) == "" || at < 0 || !slices.Contains(offered, p.Intent) {
			ok = false
			continue
		}
		from += at + len(p.Text)
		v.Parts = append(v.Parts, p)
	}
	return v, ok
}

// Differs tells whether a view takes a doubt for another intent than the classifier
// would, or for several: a sentence worth learning from once somebody has looked.
func (v *View) Differs(d *Doubt) bool {
	return len(v.Parts) > 1 || len(v.Parts) == 1 && len(d.Readings) > 0 && v.Parts[0].Intent != d.Readings[0].Intent
}

// Asked are the needs with the readings of each doubt in the order that the views
// prefer. What the classifier found stays on offer; at most one reading is added, in
// front. The needs that were given are left as they are.
func Asked(needs []Need, views []View) []Need {
	if len(views) == 0 {
		return needs
	}
	out := slices.Clone(needs)
	for i := range out {
		n := &out[i]
		k := slices.IndexFunc(views, func(v View) bool { return v.Need == n.ID && v.Text == n.Text && len(v.Parts) > 0 })
		if k < 0 || len(n.Readings) == 0 || n.Origin != Spoken {
			continue
		}
		var own, other []Reading
		added := false
		for _, p := range views[k].Parts {
			known := func(r Reading) bool { return r.Intent == p.Intent }
			switch at := slices.IndexFunc(n.Readings, known); {
			case slices.ContainsFunc(own, known):
			case at >= 0:
				own = append(own, n.Readings[at])
			case !added:
				added = true
				own = append(own, Reading{Intent: p.Intent})
			}
		}
		for _, r := range n.Readings {
			if !slices.ContainsFunc(own, func(o Reading) bool { return o.Intent == r.Intent }) {
				other = append(other, r)
			}
		}
		n.Readings = append(own, other...)
	}
	return out
}

// Labels are the intents that the plan knows, sorted.
func (p *Plan) Labels() []string {
	return slices.DeleteFunc(slices.Clone(p.intents.Intents()), func(l string) bool { return l == outside })
}
