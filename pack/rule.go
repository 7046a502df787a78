package pack

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need/text"
)

// Limits of one rule. The estimate is CEL's own unit, about one per operation or
// per ten bytes of text touched; at 4,000 a rule takes some 100 µs at the worst.
const (
	longestRule  = 2000
	costliest    = 4000
	listsOf      = 64  // members assumed of a list fact
	textsOf      = 400 // runes assumed of a text fact
	biggestRegex = 500 // instructions
)

// language is the typed environment in which the rules of one source are written.
type language struct {
	env   *cel.Env
	types map[string]decision.FactType
	names []string // sorted
}

var celTypes = map[decision.FactType]*cel.Type{
	decision.Text:   cel.StringType,
	decision.Bool:   cel.BoolType,
	decision.Int:    cel.IntType,
	decision.Number: cel.DoubleType,
	decision.Time:   cel.TimestampType,
	decision.List:   cel.ListType(cel.StringType),
}

// known(x) is true when the fact x is known; it never counts as asking for it.
const knownPrefix = "known."

var knownMacro = cel.GlobalMacro("known", 1, func(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	name, ok := dotted(args[0])
	if !ok {
		return nil, eh.NewError(args[0].ID(), "known() asks for the name of a fact, such as known(device.under_warranty)")
	}
	return eh.NewIdent(knownPrefix + name), nil
})

func dotted(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent(), true
	case ast.SelectKind:
		head, ok := dotted(e.AsSelect().Operand())
		return head + "." + e.AsSelect().FieldName(), ok && !e.AsSelect().IsTestOnly()
	}
	return "", false
}

// grammar is the part of the language that is the same for every source.
var grammar = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewCustomEnv(
		cel.StdLib(),
		cel.ClearMacros(),
		cel.CrossTypeNumericComparisons(true),
		cel.Macros(knownMacro, cel.ExistsMacro, cel.AllMacro, cel.ExistsOneMacro, cel.FilterMacro),
		cel.ParserRecursionLimit(40),
		cel.ParserExpressionSizeLimit(longestRule),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateRegexProgramSizeLimit(biggestRegex), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)
})

// speak declares the facts of a source beside those that every rule may read.
func speak(extra map[string]decision.FactType) (*language, error) {
	base, err := grammar()
	if err != nil {
		return nil, fmt.Errorf("rule language: %w", err)
	}
	l := &language{types: make(map[string]decision.FactType, 128)}
	for _, f := range decision.KnownFacts() {
		l.types[f.Name] = f.Type
	}
	for name, t := range extra {
		l.types[name] = t
	}
	options := make([]cel.EnvOption, 0, 2*len(l.types))
	for name, t := range l.types {
		l.names = append(l.names, name)
		options = append(options, cel.Variable(name, celTypes[t]), cel.Variable(knownPrefix+name, cel.BoolType))
	}
	slices.Sort(l.names)
	if l.env, err = base.Extend(options...); err != nil {
		return nil, fmt.Errorf("rule language: %w", err)
	}
	return l, nil
}

// rule is a compiled condition; it satisfies decision.Rule.
type rule struct {
	expr    ast.Expr // as checked
	source  string
	program cel.Program
	steps   steps    // say the same as program, at once; nil: only CEL can
	reads   []string // names of facts, known() included, sorted
	types   map[string]decision.FactType
}

// Source is the rule as written.
func (r *rule) Source() string { return r.source }

// Eval walks the rule over facts. CEL lets && and || absorb the error of a missing
// name when the other side settles it; the names asked for in vain are kept here.
func (r *rule) Eval(facts decision.Facts) decision.Verdict {
	if r.steps != nil {
		a := asking{facts: facts}
		said := r.steps.walk(0, &a)
		return decision.Verdict{Holds: said == yes, Unknown: said == unknown, Missing: a.missing}
	}
	a := activations.Get().(*activation)
	a.facts, a.types, a.missing = facts, r.types, nil
	out, _, err := r.program.Eval(a)
	v := decision.Verdict{Missing: a.missing}
	a.facts, a.missing = nil, nil
	activations.Put(a)
	if err != nil {
		if v.Unknown = len(v.Missing) > 0; !v.Unknown {
			v.Fault = err.Error()
		}
		return v
	}
	v.Holds = out == types.True
	return v
}

var activations = sync.Pool{New: func() any { return new(activation) }}

// activation hands facts to CEL, lazily and by declared type.
type activation struct {
	facts   decision.Facts
	types   map[string]decision.FactType
	missing []string
}

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if fact, asks := strings.CutPrefix(name, knownPrefix); asks {
		_, ok := a.value(fact)
		return ok, true
	}
	return a.resolve(name)
}

// value is a fact in its declared type; ok is false when it is unknown now.
func (a *activation) value(fact string) (any, bool) {
	v, ok := a.facts.Lookup(fact)
	if !ok {
		return nil, false
	}
	return typed(v, a.types[fact])
}

// resolve is a fact that is asked for: one that is unknown is remembered.
func (a *activation) resolve(name string) (any, bool) {
	v, ok := a.value(name)
	if !ok && !slices.Contains(a.missing, name) {
		a.missing = append(a.missing, name)
	}
	return v, ok
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// typed gives a value in the declared type of its fact. A trait that came in
// another type than its name promises is as good as unknown.
func typed(v any, t decision.FactType) (any, bool) {
	switch t {
	case decision.Text:
		_, ok := v.(string)
		return v, ok
	case decision.Bool:
		_, ok := v.(bool)
		return v, ok
	case decision.List:
		_, ok := v.([]string)
		return v, ok
	case decision.Int:
		if _, is := v.(int64); is {
			return v, true
		}
		return boxed(asInt(v))
	case decision.Number:
		if _, is := v.(float64); is {
			return v, true
		}
		return boxed(asNumber(v))
	case decision.Time:
		if _, is := v.(time.Time); is {
			return v, true
		}
		return boxed(asTime(v))
	}
	return nil, false
}

func boxed[T any](v T, ok bool) (any, bool) { return v, ok }

func asText(v any) (string, bool)   { s, ok := v.(string); return s, ok }
func asBool(v any) (bool, bool)     { b, ok := v.(bool); return b, ok }
func asList(v any) ([]string, bool) { l, ok := v.([]string); return l, ok }

func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

func asTime(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
			if at, err := time.Parse(layout, v); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// compile turns the text of a rule into a rule; what is wrong with it is a fault
// under the very character.
func (l *language) compile(v value) *rule {
	source, ok := v.scalar()
	if !ok {
		return nil
	}
	if strings.TrimSpace(source) == "" {
		v.fault("rule_empty")
		return nil
	}
	if len(source) > longestRule {
		v.fault("rule_too_long", len(source), longestRule)
		return nil
	}
	checked, issues := l.env.Compile(source)
	if issues != nil && issues.Err() != nil {
		for _, e := range issues.Errors() {
			l.faultAt(v, source, e)
		}
		return nil
	}
	if checked.OutputType() != cel.BoolType {
		v.fault("rule_not_bool", checked.OutputType())
		return nil
	}
	if !l.literalPatterns(v, checked.NativeRep().Expr()) {
		return nil
	}
	estimate, err := l.env.EstimateCost(checked, sizes{})
	if err != nil {
		v.fault("rule_no_cost", err)
		return nil
	}
	if estimate.Max > costliest {
		v.fault("rule_costly", estimate.Max, costliest)
		return nil
	}
	program, err := l.env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		v.fault("rule_not_compiled", err)
		return nil
	}
	r := &rule{source: source, program: program, types: l.types, expr: checked.NativeRep().Expr()}
	r.steps = l.direct(r.expr)
	for _, ref := range checked.NativeRep().ReferenceMap() {
		name := strings.TrimPrefix(ref.Name, knownPrefix)
		if _, isFact := l.types[name]; isFact && !slices.Contains(r.reads, name) {
			r.reads = append(r.reads, name)
		}
	}
	slices.Sort(r.reads)
	return r
}

// literalPatterns refuses a pattern that is not written in the rule: it could be
// of any size.
func (l *language) literalPatterns(v value, e ast.Expr) bool {
	ok := true
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "matches" {
			return
		}
		args := e.AsCall().Args()
		if last := args[len(args)-1]; last.Kind() != ast.LiteralKind {
			v.fault("pattern_written")
			ok = false
		}
	}))
	return ok
}

// faultAt places a fault of the rule in its file: the rule's line is looked for
// where the node begins and below, so that block texts and quotes come out right.
func (l *language) faultAt(v value, source string, e *common.Error) {
	column := e.Location.Column()
	code, args := "rule_says", []any{e.Message}
	if e.Message == "invalid matches argument" {
		code, args = "pattern_bad", nil
	}
	lines := strings.Split(source, "\n")
	at := e.Location.Line() - 1
	if name, found := undeclared(e.Message); found && at >= 0 && at < len(lines) {
		var whole string
		whole, column = wholeName(lines[at], name, column)
		code, args = "rule_fact", []any{whole}
		if name == "has" {
			code, args = "rule_has", nil
		} else if near := text.Nearest(whole, l.names); near != "" {
			code, args = "rule_fact_near", []any{whole, near}
		}
	}
	if at < 0 || at >= len(lines) {
		v.fault(code, args...)
		return
	}
	want := strings.TrimSpace(lines[at])
	indent := len([]rune(lines[at])) - len([]rune(strings.TrimLeft(lines[at], " \t")))
	for n := v.node.Line - 1; n < min(v.node.Line+len(lines)+1, len(v.lines)); n++ {
		from := 0
		if n == v.node.Line-1 {
			from = byteOffset(v.lines[n], v.node.Column-1)
		}
		i := strings.Index(v.lines[n][from:], want)
		if want == "" || i < 0 {
			continue
		}
		column := len([]rune(v.lines[n][:from+i])) + column - indent + 1
		v.file.fault(n+1, column, code, args...)
		return
	}
	v.fault(code, args...)
}

func byteOffset(line string, runes int) int {
	for i := range line {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(line)
}

// undeclared reads the name out of CEL's own message.
func undeclared(message string) (string, bool) {
	_, rest, ok := strings.Cut(message, "undeclared reference to '")
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(rest, "'")
	return name, ok
}

// wholeName finds the dotted name around a column (in runes) of a line that begins
// with head, and where it begins; CEL points to a dot inside it and names only its
// first part.
func wholeName(line, head string, column int) (name string, from int) {
	head = strings.TrimPrefix(head, knownPrefix)
	name, from = head, column
	for at := 0; ; {
		i := strings.Index(line[at:], head)
		if i < 0 {
			return name, from
		}
		at += i
		start := utf8.RuneCountInString(line[:at])
		if start > column {
			return name, from
		}
		end := at
		for end < len(line) && (line[end] == '.' || line[end] == '_' || line[end] >= 'a' && line[end] <= 'z' || line[end] >= 'A' && line[end] <= 'Z' || line[end] >= '0' && line[end] <= '9') {
			end++
		}
		name, from = line[at:end], start
		at = max(end, at+1)
	}
}

// sizes tells the cost estimate how long facts can be.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if path := n.Path(); len(path) == 0 {
		return nil
	}
	switch n.Type().Kind() {
	case types.ListKind:
		return &cost.SizeEstimate{Min: 0, Max: listsOf}
	case types.StringKind:
		return &cost.SizeEstimate{Min: 0, Max: textsOf}
	}
	return nil
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
