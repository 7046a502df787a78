package need

// Money is the value of a money entity: an amount in minor units. Currency is ""
// when the words do not name one.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency,omitempty"`
}

// Budget is the value of a budget entity, in minor units; 0 is an open end.
type Budget struct {
	Min      int64  `json:"min,omitempty"`
	Max      int64  `json:"max,omitempty"`
	About    bool   `json:"about,omitempty"` // "三百左右": Min = Max is the middle
	Currency string `json:"currency,omitempty"`
}

// Quantity is the value of a size, duration or count entity: 256 gb, 2 week, 3.
type Quantity struct {
	Value   float64 `json:"value"`
	Unit    string  `json:"unit,omitempty"`
	Ordinal bool    `json:"ordinal,omitempty"` // "第三次", "third time"
}

// People is the value of a scene entity that names a household: how many.
type People struct {
	Count int `json:"count"`
}

// Dates is the value of a date entity: the days from From to before To, in the
// customer's time zone, as 2006-01-02.
type Dates struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Household is the number of people that the need's own words name, with the entity.
func (n *Need) Household() (people int, by *Entity, ok bool) {
	for i := range n.Entities {
		if p, is := n.Entities[i].Value.(People); is {
			return p.Count, &n.Entities[i], true
		}
	}
	return 0, nil, false
}

// Budget is the budget that the need's own words name, with the entity.
func (n *Need) Budget() (b Budget, by *Entity, ok bool) {
	for i := range n.Entities {
		if b, is := n.Entities[i].Value.(Budget); is {
			return b, &n.Entities[i], true
		}
	}
	return Budget{}, nil, false
}
