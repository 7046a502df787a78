package pack

import (
	"cmp"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rapport-cx/rapport/decision"
)

// Most rules only compare facts with what is written in them, and a decision walks a
// thousand of them. Such a rule is made into steps of our own, some ten times quicker
// than CEL's; any other is left to CEL. Both ask for the same facts in the same order
// and say the same: a test holds them together on rules drawn at random.
//
// The steps of a rule lie side by side, for what a walk over a thousand rules waits for
// is memory: nodes that point at each other took twice as long.

// truth is what a step says of facts; CEL calls the third an error.
type truth int8

const (
	no truth = iota
	yes
	unknown
)

// doing is what a step does.
type doing uint8

const (
	says     doing = iota // no or yes, whatever the facts
	knows                 // whether a fact is known
	holds                 // whether a bool is as wanted
	compares              // a text, int or number with what is wanted
	contains              // whether a list holds a text
	within                // whether a text is among some
	denies                // not the step that follows
	joins                 // and, or of the steps that follow, up to end
)

// step is one step of such a rule; those that a step is made of follow it.
type step struct {
	do    doing
	as    decision.FactType // of what is compared: Text, Int or Number
	less  bool              // compares: holds when the fact is less, equal, greater
	same  bool
	more  bool
	want  truth // says, holds; of joins the one that settles it
	end   int32 // where the steps of this one end
	fact  string
	text  string
	whole int64
	real  float64
	among map[string]bool
}

// steps are a rule in the order in which it is walked.
type steps []step

// asking is one walk over a rule.
type asking struct {
	facts   decision.Facts
	missing []string
}

// miss remembers a fact that was asked for in vain.
func (a *asking) miss(name string) truth {
	if !slices.Contains(a.missing, name) {
		a.missing = append(a.missing, name)
	}
	return unknown
}

// walk says whether the step at i holds.
func (all steps) walk(i int32, a *asking) truth {
	s := &all[i]
	switch s.do {
	case joins:
		said := yes - s.want
		for k := i + 1; k < s.end; k = all[k].end {
			switch all.walk(k, a) {
			case s.want:
				return s.want
			case unknown:
				said = unknown
			}
		}
		return said
	case denies:
		if said := all.walk(i+1, a); said != unknown {
			return yes - said
		}
		return unknown
	case says:
		return s.want
	}
	v, known := a.facts.Lookup(s.fact)
	if s.do == knows {
		if known {
			_, known = typed(v, s.as)
		}
		return truthOf(known)
	}
	if !known {
		return a.miss(s.fact)
	}
	switch s.do {
	case holds:
		if b, ok := asBool(v); ok {
			return truthOf(b == (s.want == yes))
		}
	case contains:
		if list, ok := asList(v); ok {
			return truthOf(slices.Contains(list, s.text))
		}
	case within:
		if t, ok := asText(v); ok {
			return truthOf(s.among[t])
		}
	case compares:
		switch s.as {
		case decision.Text:
			if t, ok := asText(v); ok {
				return s.compared(strings.Compare(t, s.text))
			}
		case decision.Int:
			if n, ok := asInt(v); ok {
				return s.compared(cmp.Compare(n, s.whole))
			}
		case decision.Number:
			if x, ok := asNumber(v); ok {
				return truthOf(s.less && x < s.real || s.same && x == s.real || s.more && x > s.real)
			}
		}
	}
	return a.miss(s.fact)
}

func (s *step) compared(order int) truth {
	return truthOf(order < 0 && s.less || order == 0 && s.same || order > 0 && s.more)
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// direct makes steps of a rule; nil when it holds more than comparisons, known(),
// "in", and, or, not.
func (l *language) direct(e ast.Expr) steps {
	all, ok := l.append(nil, e)
	if !ok {
		return nil
	}
	return slices.Clip(all)
}

// append adds the steps of an expression.
func (l *language) append(all steps, e ast.Expr) (steps, bool) {
	one := func(s step) (steps, bool) {
		s.end = int32(len(all)) + 1
		return append(all, s), true
	}
	if name, ok := l.fact(e); ok {
		if asked, asks := strings.CutPrefix(name, knownPrefix); asks {
			return one(step{do: knows, fact: asked, as: l.types[asked]})
		}
		if l.types[name] != decision.Bool {
			return nil, false
		}
		return one(step{do: holds, fact: name, want: yes})
	}
	switch {
	case e.Kind() == ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return one(step{do: says, want: truthOf(bool(b))})
		}
		return nil, false
	case e.Kind() != ast.CallKind || e.AsCall().IsMemberFunction():
		return nil, false
	}
	args := e.AsCall().Args()
	switch name := e.AsCall().FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
		at := len(all)
		head := step{do: joins, want: truthOf(name == operators.LogicalOr)}
		if name == operators.LogicalNot {
			head.do = denies
		}
		all = append(all, head)
		for _, arg := range args {
			var ok bool
			if all, ok = l.append(all, arg); !ok {
				return nil, false
			}
		}
		all[at].end = int32(len(all))
		return all, true
	case operators.In:
		if s, ok := l.among(args[0], args[1]); ok {
			return one(s)
		}
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		fact, literal := args[0], args[1]
		if _, ok := l.fact(fact); !ok {
			fact, literal, name = literal, fact, mirrored[name]
		}
		if s, ok := l.compared(name, fact, literal); ok {
			return one(s)
		}
	}
	return nil, false
}

var mirrored = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals, operators.Less: operators.Greater,
	operators.LessEquals: operators.GreaterEquals, operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
}

// fact is the name that an expression reads, known() included.
func (l *language) fact(e ast.Expr) (string, bool) {
	name, ok := dotted(e)
	if !ok {
		return "", false
	}
	return name, l.isFact(strings.TrimPrefix(name, knownPrefix))
}

// compared compares a fact with a literal of its own type.
func (l *language) compared(operator string, fact, literal ast.Expr) (s step, ok bool) {
	name, ok := l.fact(fact)
	if !ok || strings.HasPrefix(name, knownPrefix) || literal.Kind() != ast.LiteralKind {
		return s, false
	}
	s = step{do: compares, fact: name}
	switch operator {
	case operators.Equals:
		s.same = true
	case operators.NotEquals:
		s.less, s.more = true, true
	case operators.Less:
		s.less = true
	case operators.LessEquals:
		s.less, s.same = true, true
	case operators.Greater:
		s.more = true
	case operators.GreaterEquals:
		s.more, s.same = true, true
	}
	switch want := literal.AsLiteral().(type) {
	case types.String:
		s.as, s.text = decision.Text, string(want)
	case types.Int:
		s.as, s.whole = decision.Int, int64(want)
	case types.Double:
		s.as, s.real = decision.Number, float64(want)
	case types.Bool:
		s.do, s.as, s.want = holds, decision.Bool, truthOf(bool(want) == s.same)
		return s, l.types[name] == decision.Bool && (operator == operators.Equals || operator == operators.NotEquals)
	default:
		return s, false
	}
	return s, l.types[name] == s.as
}

// among is "in": a text among written ones, or a written one in a list.
func (l *language) among(element, list ast.Expr) (s step, ok bool) {
	if name, ok := l.fact(list); ok && l.types[name] == decision.List && element.Kind() == ast.LiteralKind {
		want, ok := element.AsLiteral().(types.String)
		return step{do: contains, fact: name, text: string(want)}, ok
	}
	name, ok := l.fact(element)
	if !ok || l.types[name] != decision.Text || list.Kind() != ast.ListKind {
		return s, false
	}
	s = step{do: within, fact: name, among: map[string]bool{}}
	for _, e := range list.AsList().Elements() {
		if e.Kind() != ast.LiteralKind {
			return s, false
		}
		text, ok := e.AsLiteral().(types.String)
		if !ok {
			return s, false
		}
		s.among[string(text)] = true
	}
	return s, true
}
