package pack

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
)

// filter is the compiled "where" of a signal; it satisfies signal.Filter. It reads
// the event and the case that the event names, as the case is now.
type filter struct {
	program cel.Program
	topics  *topics
	source  string
	records bool // it reads the case
}

// ReadsRecords implements signal.ReadsRecords.
func (f filter) ReadsRecords() bool { return f.records }

// String is the rule as written, with the topics when it reads them.
func (f filter) String() string {
	if strings.Contains(f.source, "event.topic") {
		return fmt.Sprintf("%s of %+v", f.source, f.topics.all)
	}
	return f.source
}

// eventFacts are what a "where" reads: event.properties (a map), event.verified,
// event.time, event.topic, case.known, case.status and case.kind.
var eventLanguage = sync.OnceValues(func() (*language, error) {
	base, err := grammar()
	if err != nil {
		return nil, err
	}
	l := &language{types: map[string]decision.FactType{
		"event.verified": decision.Bool, "event.time": decision.Time, "event.topic": decision.Text,
		"case.status": decision.Text, "case.kind": decision.Text,
	}}
	options := []cel.EnvOption{cel.Variable("event.properties", cel.MapType(cel.StringType, cel.DynType))}
	for name, t := range l.types {
		l.names = append(l.names, name)
		options = append(options, cel.Variable(name, celTypes[t]), cel.Variable(knownPrefix+name, cel.BoolType))
	}
	l.names = append(l.names, "event.properties")
	l.env, err = base.Extend(options...)
	return l, err
})

func compileFilter(v value, topics *topics) signal.Filter {
	l, err := eventLanguage()
	if err != nil {
		v.fault("rule_language", err)
		return nil
	}
	r := l.compile(v)
	if r == nil {
		return nil
	}
	f := filter{program: r.program, topics: topics, source: r.source}
	f.records = slices.ContainsFunc(r.reads, func(name string) bool { return strings.HasPrefix(name, "case.") })
	if q := quicken(f, r.expr); q != nil {
		return q
	}
	return f
}

// Match implements signal.Filter. A rule that asks for a property the event does
// not have does not pass, unless the rest settles it.
func (f filter) Match(e *event.Event, p *profile.Profile) bool {
	out, _, err := f.program.Eval(&happening{e: e, p: p, topics: f.topics})
	return err == nil && out == types.True
}

// happening hands one event to CEL, decoding it only when it is asked for.
type happening struct {
	e          *event.Event
	p          *profile.Profile
	topics     *topics
	properties map[string]any
}

// ResolveName implements cel.Activation.
func (h *happening) ResolveName(name string) (any, bool) {
	if fact, asks := strings.CutPrefix(name, knownPrefix); asks {
		_, ok := h.ResolveName(fact)
		return ok, true
	}
	switch name {
	case "event.properties":
		if h.properties == nil {
			if h.properties = h.e.Properties(); h.properties == nil {
				h.properties = map[string]any{}
			}
		}
		return h.properties, true
	case "event.topic":
		t := h.topics.of(h.e)
		return t, t != ""
	case "event.verified":
		return h.e.Verified, true
	case "event.time":
		return h.e.Time, true
	case "case.status", "case.kind":
		if h.p == nil {
			return nil, false
		}
		id := signal.Text(h.e, "case_id")
		if id == "" {
			id = h.e.ID.String() // a report without a number is a case of its own
		}
		r := h.p.Records[evidence.Case][id]
		if r == nil {
			return nil, false
		}
		s := r.Text(strings.TrimPrefix(name, "case."))
		return s, s != ""
	}
	return nil, false
}

// Parent implements cel.Activation.
func (h *happening) Parent() cel.Activation { return nil }
