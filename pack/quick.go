package pack

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// quickFilter is a "where" that only compares properties with what is written in it.
// Every event of a busy shop is put to such rules, so it is asked on the raw text of
// the properties; [filter] says the same of the decoded event, some hundred times slower.
type quickFilter struct {
	filter
	fields []string
	pass   rawTest
	topic  [len(topicFields)]int // places of topicFields among the fields, where asks
	asks   bool                  // it compares the topic
}

// rawTest is one node: true only where CEL gives true.
type rawTest func(values [][]byte) bool

// Fields implements signal.Quick.
func (q *quickFilter) Fields() []string { return q.fields }

// Pass implements signal.Quick.
func (q *quickFilter) Pass(values [][]byte) bool { return q.pass(values) }

// quicken makes a quick filter of a rule that has only comparisons of a property or
// the topic with a literal, "in" a list of literals, and, or; nil of any other. No negation is
// among them: what is unknown fails all of these alike.
func quicken(f filter, e ast.Expr) *quickFilter {
	q := &quickFilter{filter: f}
	if q.pass = q.node(e); q.pass == nil {
		return nil
	}
	return q
}

func (q *quickFilter) node(e ast.Expr) rawTest {
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	args := call.Args()
	if len(args) != 2 || call.IsMemberFunction() {
		return nil
	}
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		a, b := q.node(args[0]), q.node(args[1])
		if a == nil || b == nil {
			return nil
		}
		if call.FunctionName() == operators.LogicalAnd {
			return func(v [][]byte) bool { return a(v) && b(v) }
		}
		return func(v [][]byte) bool { return a(v) || b(v) }
	case operators.Equals:
		if name, ok := dotted(args[0]); ok && name == "event.topic" {
			return q.about([]ast.Expr{args[1]})
		}
		if name, ok := dotted(args[1]); ok && name == "event.topic" {
			return q.about([]ast.Expr{args[0]})
		}
		if n, ok := q.property(args[0]); ok {
			return equals(n, args[1])
		}
		if n, ok := q.property(args[1]); ok {
			return equals(n, args[0])
		}
	case operators.In:
		if name, ok := dotted(args[0]); ok && name == "event.topic" && args[1].Kind() == ast.ListKind {
			return q.about(args[1].AsList().Elements())
		}
		n, ok := q.property(args[0])
		if !ok || args[1].Kind() != ast.ListKind {
			return nil
		}
		var any []rawTest
		for _, element := range args[1].AsList().Elements() {
			c := equals(n, element)
			if c == nil {
				return nil
			}
			any = append(any, c)
		}
		return func(v [][]byte) bool { return slices.ContainsFunc(any, func(c rawTest) bool { return c(v) }) }
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		n, ok := q.property(args[0])
		limit, isNumber := literalNumber(args[1])
		if !ok || !isNumber {
			return nil
		}
		compare := map[string]func(x float64) bool{
			operators.Less: func(x float64) bool { return x < limit }, operators.LessEquals: func(x float64) bool { return x <= limit },
			operators.Greater: func(x float64) bool { return x > limit }, operators.GreaterEquals: func(x float64) bool { return x >= limit },
		}[call.FunctionName()]
		return func(v [][]byte) bool {
			x, ok := rawNumber(v[n])
			return ok && compare(x)
		}
	}
	return nil
}

// about passes events whose topic is known and one of some texts.
func (q *quickFilter) about(among []ast.Expr) rawTest {
	var any []string
	for _, e := range among {
		if e.Kind() != ast.LiteralKind {
			return nil
		}
		if text, ok := e.AsLiteral().(types.String); ok && text != "" {
			any = append(any, string(text))
		}
	}
	if !q.asks {
		q.asks = true
		for i, name := range topicFields {
			q.topic[i] = q.field(name)
		}
	}
	return func(v [][]byte) bool {
		var said [len(topicFields)][]byte
		for i, n := range q.topic {
			said[i] = v[n]
		}
		return slices.Contains(any, q.topics.raw(said))
	}
}

// property gives the place of event.properties.NAME among the fields.
func (q *quickFilter) property(e ast.Expr) (int, bool) {
	const of = "event.properties."
	if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
		return 0, false
	}
	name, ok := dotted(e)
	if !ok || len(name) <= len(of) || name[:len(of)] != of || slices.Contains([]byte(name[len(of):]), '.') {
		return 0, false
	}
	return q.field(name[len(of):]), true
}

// field is the place of a property among the fields.
func (q *quickFilter) field(name string) int {
	if i := slices.Index(q.fields, name); i >= 0 {
		return i
	}
	q.fields = append(q.fields, name)
	return len(q.fields) - 1
}

func equals(n int, e ast.Expr) rawTest {
	if x, ok := literalNumber(e); ok {
		return func(v [][]byte) bool {
			y, ok := rawNumber(v[n])
			return ok && x == y
		}
	}
	if e.Kind() != ast.LiteralKind {
		return nil
	}
	switch want := e.AsLiteral().(type) {
	case types.String:
		return func(v [][]byte) bool {
			raw := v[n]
			if len(raw) < 2 || raw[0] != '"' {
				return false
			}
			if !slices.Contains(raw, '\\') {
				return string(raw[1:len(raw)-1]) == string(want)
			}
			var s string
			return json.Unmarshal(raw, &s) == nil && s == string(want)
		}
	case types.Bool:
		text := strconv.FormatBool(bool(want))
		return func(v [][]byte) bool { return string(v[n]) == text }
	}
	return nil
}

// literalNumber reads a number that both CEL and a float64 hold exactly.
func literalNumber(e ast.Expr) (float64, bool) {
	if e.Kind() != ast.LiteralKind {
		return 0, false
	}
	switch x := e.AsLiteral().(type) {
	case types.Int:
		return float64(x), x < 1<<53 && x > -1<<53
	case types.Double:
		return float64(x), !math.IsNaN(float64(x))
	}
	return 0, false
}

func rawNumber(raw []byte) (float64, bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	return x, err == nil
}
