package profile

import (
	"slices"
	"strings"
	"unicode"
)

// CardFields are what a card states, in order.
var CardFields = []string{"name", "born", "phone", "email", "street", "city", "postal_code", "gender", "company"}

// Card is how the person is written down: their name and how to reach them, "" where
// nothing is known. Two cards are compared to find records of one person; a name's
// parts are in the order of the alphabet, for not everybody writes the same one first.
func (p *Profile) Card() []string {
	address, _ := p.Traits["address"].Value.(map[string]any)
	at := fields(address)
	company := p.Text("company")
	if c, ok := p.Traits["company"].Value.(map[string]any); ok {
		company = fields(c).id("name")
	}
	card := []string{
		p.writtenName(), digits(p.first("birthday", "date_of_birth", "born"), 8), p.phone(), strings.ToLower(strings.TrimSpace(p.Text("email"))),
		at.id("street"), at.id("city"), at.id("postal_code"), strings.ToLower(p.Text("gender")), company,
	}
	if street := p.Text("address"); street != "" {
		card[4] = street
	}
	for _, k := range p.Keys { // verified ones, though a later call took the trait back
		switch {
		case k.Kind == "email" && card[3] == "":
			card[3] = k.Value
		case k.Kind == "phone" && card[2] == "":
			card[2] = number9(k.Value)
		}
	}
	for i := range card {
		card[i] = strings.TrimSpace(card[i])
	}
	return card
}

func (p *Profile) writtenName() string {
	name := p.first("name", "full_name")
	if name == "" {
		name = p.first("first_name", "given_name") + " " + p.first("last_name", "family_name", "surname")
	}
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func (p *Profile) first(names ...string) string {
	for _, n := range names {
		if v := p.Text(n); strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

func (p *Profile) phone() string {
	return number9(fields{"phone": p.Traits["phone"].Value}.id("phone"))
}

// number9 is a telephone number without what is left out when one dials from near.
func number9(v string) string {
	d := digits(v, len(v))
	return d[max(0, len(d)-9):]
}

// digits are the first n digits of a text.
func digits(v string, n int) string {
	var b strings.Builder
	for _, r := range v {
		if r >= '0' && r <= '9' && b.Len() < n {
			b.WriteRune(r)
		}
	}
	return b.String()
}
