package candidate

import (
	"context"
	"slices"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

// Fitter judges how well items fit whom they are for: the size of the household,
// and the scenes and persons that their tags name.
type Fitter struct{}

// Name is "fit".
func (Fitter) Name() string { return FitSource }

// Propose gives a verdict on each item in focus. A comparison or a question about
// a product is judged only when its own words say for whom.
func (Fitter) Propose(_ context.Context, r *Request) ([]Answer, error) {
	var answers []Answer
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Negated || !r.serves(FitSource, n) || n.Sub() == "decide" && r.asksElsewhere(n) {
			continue
		}
		o := r.occasion(n)
		if o.people == 0 && len(o.uses) == 0 || n.Intent != "presale.recommend" && !o.spoken {
			continue
		}
		items := r.focus(n)
		if len(items) == 0 {
			continue
		}
		if len(items) > mostCompared {
			items = items[:mostCompared]
		}
		if f := r.fitOf(items, &o); f != nil {
			answers = append(answers, Answer{Need: n.ID, Fit: f})
		}
	}
	return answers, nil
}

// asksElsewhere tells that another need of the enquiry asks for a recommendation
// in its own words, so that the verdict stands there.
func (r *Request) asksElsewhere(n *need.Need) bool {
	return slices.ContainsFunc(r.Needs, func(o need.Need) bool {
		return o.ID != n.ID && o.Intent == "presale.recommend" && o.Sub() != "decide" && !o.Negated
	})
}

// fitOf judges items; nil when there is nothing to judge by.
func (r *Request) fitOf(items []*Item, o *occasion) *Fit {
	v := r.Catalogue
	f := &Fit{People: o.people, Inferred: o.inferred, Basis: o.basis, Items: make([]ItemFit, 0, len(items))}
	judged := false
	measures := fittingAttributes(v, items)
	uses := o.uses
	for _, it := range items {
		fit := ItemFit{Item: it.Name(), Verdict: Unknown}
		if o.people > 0 {
			for _, a := range measures {
				term := personsTerm(it, a, o.people, r.Scene.Locale)
				fit.Reasons = append(fit.Reasons, term)
				fit.Verdict = worse(fit.Verdict, term.Verdict)
				judged = true
			}
		}
		made := it.madeFor()
		for _, p := range uses {
			if p.id == "family" && o.people > 0 && len(measures) > 0 && !slices.Contains(made, p) {
				continue // the number of people says it better
			}
			term := FitTerm{Attribute: "scene:" + p.id, Label: p.label, Verdict: Unknown}
			if slices.Contains(made, p) {
				term.Stated, term.Verdict = true, Fits
				judged = true
			}
			fit.Reasons = append(fit.Reasons, term)
			fit.Verdict = worse(fit.Verdict, term.Verdict)
		}
		f.Items = append(f.Items, fit)
	}
	if !judged {
		return nil
	}
	return f
}

// worse joins two verdicts: what is not known takes no part.
func worse(a, b Verdict) Verdict {
	rank := func(v Verdict) int {
		switch v {
		case Unfit:
			return 3
		case Tight:
			return 2
		case Fits:
			return 1
		}
		return 0
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// fittingAttributes are the attributes of the items that must fit the household:
// those defined so, and those counted in persons.
func fittingAttributes(v View, items []*Item) []Attribute {
	var names []string
	for _, it := range items {
		for i := range it.stated {
			if s := &it.stated[i]; s.value.Numeric && !slices.Contains(names, s.name) && fitting(v, s) {
				names = append(names, s.name)
			}
		}
	}
	slices.Sort(names)
	all := make([]Attribute, len(names))
	for i, name := range names {
		all[i] = attributeOf(v, name)
	}
	return all
}

func fitting(v View, s *named) bool {
	if a, ok := v.Attribute(s.name); ok && a.Fits != "" {
		return a.Fits == "household_size"
	}
	if s.name == "household_size" {
		return true
	}
	m, ok := measureOf(s.value.Unit)
	return ok && m.dimension == "persons"
}

// personsTerm judges one item by one attribute.
func personsTerm(it *Item, a Attribute, people int, lang scene.Locale) FitTerm {
	term := FitTerm{Attribute: a.Name, Label: a.Label, Verdict: Unknown}
	value, ok := it.Value(a.Name)
	if !ok {
		return term
	}
	if value.Numeric && value.Unit == "" {
		value.Unit = a.Unit
	}
	term.Stated, term.Text = true, value.textIn(lang)
	term.Verdict = judge(&value, &a, people)
	return term
}

// judge tells whether a stated value is for so many people; Unknown when it does
// not count persons: litres do not tell for how many, unless the maker says so.
func judge(value *Value, a *Attribute, people int) Verdict {
	if !value.Numeric {
		return Unknown
	}
	unit := value.Unit
	if unit == "" {
		unit = a.Unit
	}
	if m, known := measureOf(unit); unit != "" && (!known || m.dimension != "persons") {
		return Unknown
	}
	low := value.Min
	if value.Min == value.Max {
		low = 1 // a single number says for how many at most
	}
	return persons(float64(people), low, value.Max)
}

// persons judges a number of people against "for so many to so many": one more
// than the most is tight, more is unfit; one fewer than the least still fits, and
// less than half of it is more than anyone needs.
func persons(n, low, high float64) Verdict {
	switch {
	case n > high+1:
		return Unfit
	case n > high:
		return Tight
	case n*2 <= low:
		return Unfit
	}
	return Fits
}

// evidenceOf are the records on which a verdict on an item rests.
func evidenceOf(it *Item, o *occasion) []evidence.Ref {
	refs := []evidence.Ref{it.Ref()}
	if o.basis != "" {
		refs = append(refs, o.basis)
	}
	made := it.madeFor()
	for _, p := range o.uses {
		if ref := o.source[p]; ref != "" && slices.Contains(made, p) && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}
