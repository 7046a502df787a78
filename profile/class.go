package profile

// Class says how carefully a field of a person must be handled.
type Class string

// The classes, a closed list.
const (
	Ordinary  Class = "ordinary"
	Sensitive Class = "sensitive" // money, health, whereabouts, or what a pack declares
	Minor     Class = "minor"     // of a child, the customer's own or the customer
)

// Field is what a trait is: its class, and the one purpose it may be read for, "" when
// it may be read for any. Only with the person's consent to the purpose does a rule, a
// model or a source read it; without, it reads as unknown, and the explanation says why.
type Field struct {
	Class   Class  `json:"class"`
	Purpose string `json:"purpose,omitempty"`
}

// PurposeMinors is the purpose to which the guardian of a child consents. A child is
// who is under ChildUntil: China's Personal Information Protection Law, article 31.
const (
	PurposeMinors = "minors"
	ChildUntil    = 14
)

// Fields are the standard traits that are not ordinary. A pack may declare more.
var Fields = map[string]Field{}

func init() {
	for purpose, traits := range map[string][]string{
		"financial": {"aum", "assets_under_management", "risk_level", "balance", "account_balance", "income", "annual_income", "salary", "net_worth", "credit_score", "credit_limit", "debt"},
		"health":    {"health", "allergy", "allergies", "pregnant", "disability", "medication", "medical_history", "blood_type", "chronic_conditions"},
		"location":  {"location", "latitude", "longitude", "lat", "lon", "whereabouts", "geo"},
	} {
		for _, t := range traits {
			Fields[t] = Field{Sensitive, purpose}
		}
	}
	for _, t := range []string{"children", "child_age", "child_name", "child_birthday", "child_school", "child_grade"} {
		Fields[t] = Field{Minor, PurposeMinors}
	}
}

// field is what a trait is; those that a pack declares come first.
func (m *Mask) field(trait string) Field {
	if f, ok := m.Fields[trait]; ok {
		return f
	}
	if f, ok := Fields[trait]; ok {
		return f
	}
	return Field{Class: Ordinary}
}

// minor tells that the customer is a child, as the trait age or minor says.
func (p *Profile) minor() bool {
	if v, _ := p.Traits["minor"].Value.(bool); v {
		return true
	}
	age, ok := p.Number("age")
	return ok && age >= 0 && age < ChildUntil
}

// withoutChildren leaves of the children in a household only that they are there.
func withoutChildren(household any) (kept any, some bool) {
	list, ok := household.([]any)
	if !ok {
		return household, false
	}
	out := make([]any, len(list))
	for i, m := range list {
		out[i] = m
		member, _ := m.(map[string]any)
		if age, ok := fields(member).number("age"); ok && age < ChildUntil {
			some = true
			out[i] = map[string]any{"relation": member["relation"]}
		}
	}
	if !some {
		return household, false
	}
	return out, true
}
