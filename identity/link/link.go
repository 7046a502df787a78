// Package link belongs to step 2 of the flow: it finds records that look like one
// person's although no id joins them, and says why. It suggests; it never joins.
//
// The method is that of Fellegi and Sunter (A Theory for Record Linkage, 1969):
// each field of two records agrees at some level, each level weighs
//
//	log2( P(level | one person) / P(level | two persons) )
//
// and the weights of the fields, with the prior, add up to the score, which is the
// log2 odds that the two are one. So the explanation of a suggestion is its
// computation. The probabilities are fitted without knowing any true pair: those
// of two persons from random pairs, those of one person by expectation
// maximisation over the pairs that blocking brings together. A rare value that is
// equal weighs more than a frequent one (Winkler's frequency weights).
//
// Everything here is pure: the same records in the same order and the same seed
// give the same suggestions.
package link

import (
	"fmt"
	"math"
	"slices"
)

// Kind says how the values of a field are compared.
type Kind uint8

// The kinds of fields.
const (
	Words  Kind = iota // names, streets, places: letters may be mistyped, words run together
	Digits             // dates, numbers, post codes: a digit may be wrong, two may change places
	Exact              // e-mail addresses, verified numbers: equal or nearly equal
	Choice             // one of few: a state, a sex
)

// Field is one thing that records state.
type Field struct {
	Name string
	Kind Kind
	// Swap names a group: values of two fields of one group are also compared
	// crosswise, for people write the family name into the other box.
	Swap string
	// Rare is how often two unrelated records state the same, as far as one can say
	// without having seen any; it is believed until the records say better. 0: one
	// in a thousand.
	Rare float64
}

// Record is what is known of one person; Values stand in the order of the fields,
// "" where nothing is known.
type Record struct {
	ID     string
	Source int // records of one source are not compared when there are several sources
	Values []string
}

// Options tune the work, not the result: the default is right for up to a hundred
// thousand records.
type Options struct {
	// Sample is how many random pairs tell what strangers have in common. 0: 200,000.
	Sample int
	// Block is the size from which records that share a key are too many to compare
	// all with all. 0: 120.
	Block int
	// Pairs bounds how many pairs are compared. 0: 4 million.
	Pairs int
	// Seed draws the random pairs.
	Seed uint64
	// Apart tells that two records, by their place in the list, are known not to be
	// one, or are one already; nil: nothing is known.
	Apart func(a, b int) bool
}

// Weight is what one field says about two records.
type Weight struct {
	Field string  `json:"field"`
	Level string  `json:"level"`
	Bits  float64 `json:"bits"`
}

// Pair are two records, by their place in the list, that may be one person's. The
// weights add up to the score: log2 of the odds that they are one.
type Pair struct {
	A, B    int // A < B
	Score   float64
	Weights []Weight
}

// Chance is the probability that the two are one.
func (p *Pair) Chance() float64 { return chance(p.Score) }

func chance(bits float64) float64 { return 1 / (1 + math.Exp2(-bits)) }

// Prior is the name of the weight that stands for how few of all pairs are one person's.
const Prior = "prior"

// Model holds the fitted weights of a set of records.
type Model struct {
	fields  []Field
	records []Record
	columns []column
	mates   []int // by field: the other field of its swap group, or -1
	same    [][]float64
	other   [][]float64
	weights [][levels]float64
	prior   float64 // log2 odds that a random pair is one person's
	pairs   []candidate
	several bool
}

// candidate is a pair that blocking brought together.
type candidate struct {
	a, b   int32
	levels []level
	score  float64
}

// Fit learns the weights from the records alone.
func Fit(fields []Field, records []Record, o Options) (*Model, error) {
	for i, r := range records {
		if len(r.Values) != len(fields) {
			return nil, fmt.Errorf("record %d (%s) states %d values for %d fields", i, r.ID, len(r.Values), len(fields))
		}
	}
	m := &Model{fields: fields, records: records, mates: mates(fields)}
	for _, r := range records {
		m.several = m.several || r.Source != records[0].Source
	}
	for f := range fields {
		m.columns = append(m.columns, columnOf(fields[f], f, records))
	}
	m.block(o)
	m.fit(o)
	return m, nil
}

func mates(fields []Field) []int {
	out := make([]int, len(fields))
	for i, f := range fields {
		out[i] = -1
		for j, g := range fields {
			if i != j && f.Swap != "" && f.Swap == g.Swap {
				out[i] = j
			}
		}
	}
	return out
}

// Compared is how many pairs blocking brought together.
func (m *Model) Compared() int { return len(m.pairs) }

// Pairs are the candidates that are more likely one person's than not, or at least
// as likely as the score given (in bits), the likeliest first.
func (m *Model) Pairs(atLeast float64) []Pair {
	var out []Pair
	for _, c := range m.pairs {
		if c.score >= atLeast {
			out = append(out, m.explain(c))
		}
	}
	slices.SortFunc(out, func(x, y Pair) int {
		switch {
		case x.Score != y.Score:
			if x.Score > y.Score {
				return -1
			}
			return 1
		case x.A != y.A:
			return x.A - y.A
		}
		return x.B - y.B
	})
	return out
}

func (m *Model) explain(c candidate) Pair {
	p := Pair{A: int(c.a), B: int(c.b), Weights: []Weight{{Prior, "", m.prior}}}
	p.Score = m.prior
	for f, l := range c.levels {
		if l == missing {
			continue
		}
		bits := m.bits(f, l, p.A)
		p.Weights = append(p.Weights, Weight{m.fields[f].Name, l.String(), bits})
		p.Score += bits
	}
	return p
}

// bits is the weight of one field at one level for a record, as last weighed.
func (m *Model) bits(f int, l level, a int) float64 {
	if l == equal {
		return m.columns[f].weight[m.columns[f].of[a]]
	}
	return m.weights[f][l]
}

// weigh makes weights of the probabilities.
func (m *Model) weigh() {
	for f := range m.fields {
		c := &m.columns[f]
		for l := range missing {
			m.weights[f][l] = math.Log2(m.same[f][l] / m.other[f][l])
		}
		for v := range c.weight {
			c.weight[v] = math.Log2(m.same[f][equal] / c.share(int32(v), m.other[f][equal]))
		}
	}
}

func (m *Model) score(c *candidate) float64 {
	s := m.prior
	for f, l := range c.levels {
		if l != missing {
			s += m.bits(f, l, int(c.a))
		}
	}
	return s
}

func (f Field) rare() float64 {
	if f.Rare > 0 {
		return f.Rare
	}
	return 1e-3
}
