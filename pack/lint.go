package pack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/strategy"
)

// sensitive are the facts that need a purpose: financial accounts and where
// somebody is (PIPL art. 28). What a pack declares as sensitive comes on top.
var sensitive = map[string]bool{
	"person.traits.aum": true, "person.traits.risk_level": true, "person.traits.segment": true, "person.traits.adcode": true, "scene.adcode": true,
}

// words of sentences that speak of money or waiting, and that promise.
var (
	priceWords   = []string{"折", "优惠", "立减", "减免", "降价", "特价", "手续费", "服务费", "费率", "优先处理", "插队", "不用排队", "discount", "% off", "lower price", "special price", "fee", "surcharge", "skip the queue", "priority"}
	promiseWords = []string{"保本", "稳赚", "必赚", "一定会赚", "保证收益", "保证赚", "零风险", "无风险", "包赚", "will earn", "guaranteed return", "guaranteed profit", "risk-free", "risk free", "no risk", "cannot lose", "can't lose"}
)

// Lint looks through a source for what compiles and is probably wrong. The error is
// Faults when it does not compile.
func (c *Compiler) Lint(ctx context.Context, s strategy.Source) ([]strategy.Finding, error) {
	files, faults := c.files(s)
	read := readAll(files, &faults)
	if read.compile(); len(faults) > 0 {
		return nil, faults.sorted()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	language, err := speak(read.facts())
	if err != nil {
		return nil, err
	}
	l := &linter{content: read, language: language}
	for i := range read.tags {
		l.tag(&read.tags[i])
	}
	for i := range read.actions {
		l.action(&read.actions[i])
	}
	l.together()
	slices.SortStableFunc(l.findings, func(a, b strategy.Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(string(a.Check), string(b.Check)))
	})
	return slices.CompactFunc(l.findings, func(a, b strategy.Finding) bool { return a == b }), nil
}

type linter struct {
	*content
	language *language
	findings []strategy.Finding
}

func (l *linter) find(at value, check strategy.Check, severity strategy.Severity, zh, en string) {
	f := strategy.Finding{Check: check, Severity: severity, File: at.path, Line: at.node.Line, Column: at.node.Column, Message: candidate.Text{Zh: zh, En: en}}
	if at.node.Line > 0 && at.node.Line <= len(at.lines) {
		f.Caret = caret(at.lines[at.node.Line-1], at.node.Column)
	}
	l.findings = append(l.findings, f)
}

// action looks at one action by itself.
func (l *linter) action(a *actionText) {
	var all []condition
	seen := map[string]bool{}
	personal := []string{}
	asked := map[string]value{} // sensitive facts, and where they are asked for
	// Who somebody is may change which public promotion is mentioned, and when; never
	// who can have it, nor its terms: those stand in the promotion itself.
	public, mayWeigh := l.public(a), false
	read := func(v *value) []condition {
		if v == nil {
			return nil
		}
		r := l.language.compile(*v)
		if r == nil {
			return nil
		}
		for _, name := range r.reads {
			if traitOf(name) && !(public && mayWeigh) {
				personal = append(personal, name)
			}
			if _, ok := asked[name]; !ok && sensitive[name] {
				asked[name] = *v
			}
		}
		return l.conditions(r)
	}
	for i := range a.policies {
		p := &a.policies[i]
		if p.rule == nil {
			continue
		}
		source := strings.Join(strings.Fields(p.rule.node.Value), " ")
		if seen[source] {
			l.find(*p.rule, strategy.Shadowed, strategy.Doubtful, "这条规则前面已经写过一遍", "the same rule stands there already")
		}
		seen[source] = true
		mayWeigh = p.Stage != decision.Eligibility
		all = append(all, read(p.rule)...)
	}
	if fact := contradiction(all); fact != "" {
		l.find(a.at, strategy.NeverFires, strategy.Harmful, fmt.Sprintf("这些规则对 %s 的要求互相矛盾，永远不会同时成立", fact), fmt.Sprintf("what its rules ask of %s excludes itself: it can never be offered", fact))
	}
	mayWeigh = true
	for i := range a.contexts {
		read(a.contexts[i].when)
	}
	for i := range a.parts {
		read(a.parts[i].when)
	}
	l.treatments(a, read)
	l.sentences(a, personal)
	for _, name := range sortedKeys(asked) {
		severity := strategy.Harmful
		if a.Nature == decision.Service {
			severity = strategy.Doubtful // it may be part of what was agreed anyway
		}
		if len(a.Consent) == 0 && a.Nature != decision.Right {
			l.find(asked[name], strategy.NoPurpose, severity, fmt.Sprintf("%s 属于敏感信息，使用前要有客户同意的用途（consent）", name), fmt.Sprintf("%s is sensitive: the action needs a purpose that the customer agreed to (consent)", name))
		}
	}
	if (a.Nature == decision.Goodwill || a.Nature == decision.Sale) && len(a.reasons) == 0 {
		l.find(a.at, strategy.NothingToSay, strategy.Doubtful, "没有说明理由", "it never says why it is offered")
	}
}

// traitOf tells a fact of who somebody is or how they buy.
func traitOf(name string) bool {
	return strings.HasPrefix(name, "person.traits.") || name == "person.tags" || strings.HasPrefix(name, "tag.") || strings.HasPrefix(name, "orders.promoted")
}

// public tells an action that mentions a public promotion and states no terms of its
// own: no figure stands in what it says.
func (l *linter) public(a *actionText) bool {
	if a.Item == nil || a.Item.Kind != decision.Promotions {
		return false
	}
	figures := func(t candidate.Text) bool {
		return strings.ContainsFunc(l.bare(t.Zh+t.En), func(r rune) bool { return r >= '0' && r <= '9' })
	}
	for i := range a.treatments {
		if figures(a.treatments[i].Body) || figures(a.treatments[i].Title) {
			return false
		}
	}
	for i := range a.reasons {
		if figures(a.reasons[i].Text) {
			return false
		}
	}
	return !figures(a.Title)
}

// bare is a text without its placeholders.
func (l *linter) bare(s string) string {
	for {
		i := strings.IndexByte(s, '{')
		end := strings.IndexByte(s, '}')
		if i < 0 || end < i {
			return s
		}
		s = s[:i] + s[end+1:]
	}
}

// internal are labels that nobody says to a customer's face.
var internal = []string{"价格敏感", "敏感型", "高净值", "低价值", "流失", "羊毛", "难缠", "low value", "low-value", "high net worth", "churn", "price-sensitive", "price sensitive", "bargain hunter", "difficult"}

// tag looks at a group: what is said of it to the customer, and what it rests on.
func (l *linter) tag(t *tagText) {
	if strings.TrimSpace(t.Sentence.Zh) == "" || strings.TrimSpace(t.Sentence.En) == "" {
		l.find(t.at, strategy.NoSentence, strategy.Harmful, fmt.Sprintf("标签“%s”没有一句可以当面对客户说的话", t.ID), fmt.Sprintf("the tag %q has no sentence that one would say to the customer", t.ID))
	}
	for _, word := range internal {
		if t.said && (strings.Contains(t.Sentence.Zh, word) || strings.Contains(strings.ToLower(t.Sentence.En), word)) {
			l.find(t.sentence, strategy.NoSentence, strategy.Harmful, fmt.Sprintf("“%s”是内部说法，不能对客户说", word), fmt.Sprintf("%q is a word of the house; nobody says it to a customer", word))
		}
	}
	if t.rule == nil {
		return
	}
	r := l.language.compile(*t.rule)
	if r == nil {
		return
	}
	for _, name := range r.reads {
		if sensitive[name] {
			l.find(*t.rule, strategy.NoPurpose, strategy.Harmful, fmt.Sprintf("%s 属于敏感信息，不能用来分组", name), fmt.Sprintf("%s is sensitive: customers are not grouped by it", name))
		}
	}
	if fact := contradiction(l.conditions(r)); fact != "" {
		l.find(*t.rule, strategy.NeverFires, strategy.Harmful, fmt.Sprintf("对 %s 的要求互相矛盾，这个标签永远不会成立", fact), fmt.Sprintf("what it asks of %s excludes itself: nobody can ever have this tag", fact))
	}
}

func (l *linter) conditions(r *rule) []condition {
	parsed, issues := l.language.env.Parse(r.source)
	if issues != nil && issues.Err() != nil {
		return nil
	}
	return conjuncts(parsed.NativeRep().Expr(), nil)
}

func sortedKeys(m map[string]value) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// treatments looks for those behind one that is always taken: without a condition,
// and without a placeholder that could be unknown.
func (l *linter) treatments(a *actionText, read func(*value) []condition) {
	always := false
	for i := range a.treatments {
		t := &a.treatments[i]
		read(t.when)
		if always {
			l.find(t.at, strategy.Unreachable, strategy.Doubtful, "前面的展示方式总会先被采用，这一种永远用不上", "an earlier treatment is always taken before it")
		}
		open := strings.ContainsRune(t.Body.Zh+t.Body.En+t.Title.Zh+t.Title.En, '{')
		always = always || t.when == nil && !open
	}
}

// sentences looks at what the customer reads.
func (l *linter) sentences(a *actionText, personal []string) {
	say := func(at value, texts ...candidate.Text) {
		for _, t := range texts {
			for _, name := range l.language.unmatched(t.En) {
				l.find(at, strategy.Plural, strategy.Doubtful, fmt.Sprintf("英文里 {%s} 为 1 时不通：写成 {%s|day|days} 这样，分别给出单数和复数", name, name),
					fmt.Sprintf("{%s} may be 1: write {%s|day|days}, the word for one and for many", name, name))
			}
			for _, word := range promiseWords {
				if mentions(t, word) {
					l.find(at, strategy.Promise, strategy.Harmful, fmt.Sprintf("“%s”是不能作的承诺", word), fmt.Sprintf("%q promises what nobody can know", word))
				}
			}
			if len(personal) == 0 || a.Nature == decision.Right {
				continue
			}
			for _, word := range priceWords {
				if mentions(t, word) {
					l.find(at, strategy.PersonalPrice, strategy.Harmful, fmt.Sprintf("价格、折扣、费用和等待时间不能因人而异：这里提到“%s”，规则却用到了 %s", word, personal[0]),
						fmt.Sprintf("prices, discounts, fees and waiting times may not depend on who the customer is: this says %q and its rules read %s", word, personal[0]))
					break
				}
			}
		}
	}
	say(a.titleAt, a.Title)
	for i := range a.reasons {
		say(a.reasons[i].at, a.reasons[i].Text)
	}
	for i := range a.treatments {
		say(a.treatments[i].at, a.treatments[i].Title, a.treatments[i].Body)
	}
}

var plural = regexp.MustCompile(`\{([^}|]+)\} [a-z]+s\b`)

// unmatched lists the whole numbers in an English text that stand before a word for many,
// whatever they are.
func (l *language) unmatched(en string) (names []string) {
	for _, m := range plural.FindAllStringSubmatch(en, -1) {
		if l.types[m[1]] == decision.Int || slices.Contains([]string{"count", "at_least", "within"}, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// mentions tells whether a text says a word; an English word is not part of another.
func mentions(t candidate.Text, word string) bool {
	if strings.Contains(t.Zh, word) && word[0] >= 0x80 {
		return true
	}
	text := " " + strings.Map(func(r rune) rune {
		if r == ',' || r == '.' || r == ';' || r == '!' || r == '?' || r == ':' {
			return ' '
		}
		return r
	}, strings.ToLower(t.En)) + " "
	return strings.Contains(text, " "+word+" ") || strings.HasPrefix(word, "%") && strings.Contains(text, word)
}

// together looks at the actions beside each other, and at what none of them uses.
func (l *linter) together() {
	signals, funds := map[string]bool{}, map[string]bool{}
	rules := ""
	for i := range l.actions {
		a := &l.actions[i]
		signals[a.Signal] = true
		for _, f := range a.funds {
			funds[f.name] = true
		}
		for _, p := range a.policies {
			if p.rule != nil {
				rules += p.rule.node.Value + "\n"
			}
		}
		for k := range l.actions[:i] {
			b := &l.actions[k]
			free, sold := a, b
			if a.Nature == decision.Sale {
				free, sold = b, a
			}
			if a.Grants == "" || a.Grants != b.Grants || sold.Nature != decision.Sale || free.Nature == decision.Sale || !sharesNeed(a, b) {
				continue
			}
			if free.Nature == decision.Goodwill {
				l.find(sold.at, strategy.GivenAndSold, strategy.Doubtful, fmt.Sprintf("同样的诉求下，“%s”免费给的东西，这里却在卖", free.ID), fmt.Sprintf("it sells what %q gives for nothing, for the same need", free.ID))
			}
		}
	}
	for i := range l.signals {
		s := &l.signals[i]
		tagged := slices.ContainsFunc(l.tags, func(t tagText) bool { return t.rule != nil && strings.Contains(t.rule.node.Value, "signal."+s.ID+".") })
		if !tagged && !signals[s.ID] && s.Implies.Intent == "" && !strings.Contains(rules, "signal."+s.ID+".") {
			l.find(s.at, strategy.UnusedDeclaration, strategy.Doubtful, "没有动作用到这个信号", "no action uses this signal")
		}
	}
	for i := range l.funds {
		if f := &l.funds[i]; !funds[f.ID] {
			l.find(f.at, strategy.UnusedDeclaration, strategy.Doubtful, "没有动作用到这个预算", "no action draws on this budget")
		}
	}
}

func sharesNeed(a, b *actionText) bool {
	return len(a.serves) == 0 || len(b.serves) == 0 || slices.ContainsFunc(a.serves, func(x labelled) bool {
		return slices.ContainsFunc(b.serves, func(y labelled) bool { return x.name == y.name })
	})
}

// condition is one thing that a rule asks of one fact.
type condition struct {
	fact  string
	op    string // ==, !=, <, <=, >, >=
	value any    // string, bool, float64
}

// conjuncts takes apart what must all be true. What is not a plain comparison with a
// constant is left out, so nothing is claimed of it.
func conjuncts(e ast.Expr, all []condition) []condition {
	if name, ok := dotted(e); ok {
		return append(all, condition{name, "==", true})
	}
	if e.Kind() != ast.CallKind {
		return all
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		for _, arg := range call.Args() {
			all = conjuncts(arg, all)
		}
		return all
	case operators.LogicalNot:
		if name, ok := dotted(call.Args()[0]); ok {
			return append(all, condition{name, "==", false})
		}
		return all
	}
	op, ok := comparisons[call.FunctionName()]
	if !ok || len(call.Args()) != 2 {
		return all
	}
	left, right := call.Args()[0], call.Args()[1]
	if _, isFact := dotted(left); !isFact {
		left, right, op = right, left, turned[op]
	}
	name, isFact := dotted(left)
	if !isFact || right.Kind() != ast.LiteralKind {
		return all
	}
	switch v := right.AsLiteral().Value().(type) {
	case string, bool:
		return append(all, condition{name, op, v})
	case int64:
		return append(all, condition{name, op, float64(v)})
	case float64:
		return append(all, condition{name, op, v})
	}
	return all
}

var (
	comparisons = map[string]string{
		operators.Equals: "==", operators.NotEquals: "!=", operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
	}
	turned = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
)

// contradiction names a fact of which too much is asked at once, "" when none is.
func contradiction(all []condition) string {
	type bounds struct {
		equal     any
		low, high float64
		lowOpen   bool
		highOpen  bool
	}
	of := map[string]*bounds{}
	for _, c := range all {
		b := of[c.fact]
		if b == nil {
			b = &bounds{low: math.Inf(-1), high: math.Inf(1)}
			of[c.fact] = b
		}
		n, isNumber := c.value.(float64)
		switch {
		case c.op == "==":
			if b.equal != nil && b.equal != c.value {
				return c.fact
			}
			b.equal = c.value
		case c.op == "!=" || !isNumber:
			continue
		case c.op[0] == '<' && (n < b.high || n == b.high && c.op == "<"):
			b.high, b.highOpen = n, c.op == "<"
		case c.op[0] == '>' && (n > b.low || n == b.low && c.op == ">"):
			b.low, b.lowOpen = n, c.op == ">"
		}
	}
	for _, c := range all {
		b := of[c.fact]
		if c.op == "!=" && b.equal == c.value || b.low > b.high || b.low == b.high && (b.lowOpen || b.highOpen) {
			return c.fact
		}
		if n, ok := b.equal.(float64); ok && (n < b.low || n > b.high || n == b.low && b.lowOpen || n == b.high && b.highOpen) {
			return c.fact
		}
	}
	return ""
}
