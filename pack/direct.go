package pack

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rapport-cx/rapport/decision"
)

// Most rules only compare facts with what is written in them, and a decision walks a
// thousand of them. Such a rule is made into nodes of our own, some ten times quicker
// than CEL's; any other is left to CEL. Both ask for the same facts in the same order
// and say the same: a test holds them together on rules drawn at random.

// truth is what a node says of facts; CEL calls the third an error.
type truth int8

const (
	no truth = iota
	yes
	unknown
)

// node is one node of such a rule.
type node func(*activation) truth

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// direct makes nodes of a rule; nil when it holds more than comparisons, known(),
// "in", and, or, not.
func (l *language) direct(e ast.Expr) node {
	if name, ok := l.fact(e); ok {
		if asked, asks := strings.CutPrefix(name, knownPrefix); asks {
			return func(a *activation) truth { _, ok := a.value(asked); return truthOf(ok) }
		}
		if l.types[name] != decision.Bool {
			return nil
		}
		return func(a *activation) truth {
			v, ok := asked(a, name, asBool)
			if !ok {
				return unknown
			}
			return truthOf(v)
		}
	}
	switch {
	case e.Kind() == ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return func(*activation) truth { return truthOf(bool(b)) }
		}
		return nil
	case e.Kind() != ast.CallKind || e.AsCall().IsMemberFunction():
		return nil
	}
	args := e.AsCall().Args()
	switch name := e.AsCall().FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		settles := yes
		if name == operators.LogicalAnd {
			settles = no
		}
		var all []node
		for _, arg := range args {
			n := l.direct(arg)
			if n == nil {
				return nil
			}
			all = append(all, n)
		}
		return func(a *activation) truth {
			said := yes - settles
			for _, n := range all {
				switch n(a) {
				case settles:
					return settles
				case unknown:
					said = unknown
				}
			}
			return said
		}
	case operators.LogicalNot:
		n := l.direct(args[0])
		if n == nil {
			return nil
		}
		return func(a *activation) truth {
			if said := n(a); said != unknown {
				return yes - said
			}
			return unknown
		}
	case operators.In:
		return l.among(args[0], args[1])
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if _, ok := l.fact(args[0]); ok {
			return l.compared(name, args[0], args[1])
		}
		return l.compared(mirrored[name], args[1], args[0])
	}
	return nil
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
func (l *language) compared(operator string, fact, literal ast.Expr) node {
	name, ok := l.fact(fact)
	if !ok || strings.HasPrefix(name, knownPrefix) || literal.Kind() != ast.LiteralKind {
		return nil
	}
	switch want := literal.AsLiteral().(type) {
	case types.String:
		return comparison(l, decision.Text, asText, name, operator, string(want))
	case types.Int:
		return comparison(l, decision.Int, asInt, name, operator, int64(want))
	case types.Double:
		return comparison(l, decision.Number, asNumber, name, operator, float64(want))
	case types.Bool:
		if l.types[name] != decision.Bool || operator != operators.Equals && operator != operators.NotEquals {
			return nil
		}
		equal := truthOf(operator == operators.Equals)
		return func(a *activation) truth {
			v, ok := asked(a, name, asBool)
			switch {
			case !ok:
				return unknown
			case v == bool(want):
				return equal
			}
			return yes - equal
		}
	}
	return nil
}

func comparison[T string | int64 | float64](l *language, t decision.FactType, as func(any) (T, bool), name, operator string, want T) node {
	if l.types[name] != t {
		return nil
	}
	compare := func(holds func(T) bool) node {
		return func(a *activation) truth {
			v, ok := asked(a, name, as)
			if !ok {
				return unknown
			}
			return truthOf(holds(v))
		}
	}
	switch operator {
	case operators.Equals:
		return compare(func(v T) bool { return v == want })
	case operators.NotEquals:
		return compare(func(v T) bool { return v != want })
	case operators.Less:
		return compare(func(v T) bool { return v < want })
	case operators.LessEquals:
		return compare(func(v T) bool { return v <= want })
	case operators.Greater:
		return compare(func(v T) bool { return v > want })
	}
	return compare(func(v T) bool { return v >= want })
}

// among is "in": a text among written ones, or a written one in a list.
func (l *language) among(element, list ast.Expr) node {
	if name, ok := l.fact(list); ok && l.types[name] == decision.List && element.Kind() == ast.LiteralKind {
		want, ok := element.AsLiteral().(types.String)
		if !ok {
			return nil
		}
		return func(a *activation) truth {
			v, ok := asked(a, name, asList)
			if !ok {
				return unknown
			}
			return truthOf(slices.Contains(v, string(want)))
		}
	}
	name, ok := l.fact(element)
	if !ok || l.types[name] != decision.Text || list.Kind() != ast.ListKind {
		return nil
	}
	written := map[string]bool{}
	for _, e := range list.AsList().Elements() {
		if e.Kind() != ast.LiteralKind {
			return nil
		}
		s, ok := e.AsLiteral().(types.String)
		if !ok {
			return nil
		}
		written[string(s)] = true
	}
	return func(a *activation) truth {
		v, ok := asked(a, name, asText)
		if !ok {
			return unknown
		}
		return truthOf(written[v])
	}
}
