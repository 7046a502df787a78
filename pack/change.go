package pack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/strategy"
)

// Changes lists what differs between two sources that bears on an action of major
// impact: the action itself, and what its rules rest on. An action counts when either
// source says that its impact is major. Comments, the order of keys and in which file
// a thing stands are no difference. The error is Faults, those of after; what cannot be
// read of before counts as not there.
func (c *Compiler) Changes(before, after strategy.Source) ([]strategy.Change, error) {
	files, faults := c.files(after)
	is := weighed(readAll(files, &faults))
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	var was *bearings
	if before.Number == 0 {
		was = weighed(&content{})
	} else {
		files, past := c.files(before)
		was = weighed(readAll(files, &past))
	}
	major := map[string]bool{}
	for _, b := range []*bearings{was, is} {
		for id, a := range b.actions {
			if a.Major {
				major[id] = true
			}
		}
	}
	changes := map[place]*strategy.Change{}
	note := func(p place, actions ...string) {
		x, y := was.parts[p], is.parts[p]
		if x.digest == y.digest {
			return
		}
		ch := changes[p]
		if ch == nil {
			ch = &strategy.Change{Part: p.part, ID: p.id, Title: y.title, How: strategy.Changed, Actions: []string{}, Before: x.digest, After: y.digest}
			switch {
			case x.digest == "":
				ch.How = strategy.Added
			case y.digest == "":
				ch.How, ch.Title = strategy.Removed, x.title
			}
			changes[p] = ch
		}
		for _, a := range actions {
			if !slices.Contains(ch.Actions, a) {
				ch.Actions = append(ch.Actions, a)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(major)) {
		for _, b := range []*bearings{was, is} {
			for _, p := range b.under(id) {
				note(p, id)
			}
		}
	}
	out := make([]strategy.Change, 0, len(changes))
	for _, ch := range changes {
		out = append(out, *ch)
	}
	slices.SortFunc(out, func(x, y strategy.Change) int {
		if d := slices.Index(partOrder, x.Part) - slices.Index(partOrder, y.Part); d != 0 {
			return d
		}
		return strings.Compare(x.ID, y.ID)
	})
	return out, nil
}

// partOrder is the order in which changes are told: the actions first.
var partOrder = []strategy.Part{
	strategy.PartAction, strategy.PartBudget, strategy.PartSignal, strategy.PartTag, strategy.PartCalendar,
	strategy.PartTrait, strategy.PartContact, strategy.PartDraw, strategy.PartProblems, strategy.PartTimezone,
}

// place names a part of a source.
type place struct {
	part strategy.Part
	id   string
}

// written is what stands at a place.
type written struct {
	title  candidate.Text
	digest string // "": nothing
	text   string
}

// bearings are the parts of a source that can bear on its actions.
type bearings struct {
	parts   map[place]written
	actions map[string]*actionText
}

func weighed(c *content) *bearings {
	b := &bearings{parts: map[place]written{}, actions: map[string]*actionText{}}
	put := func(part strategy.Part, id string, title candidate.Text, text string) {
		sum := sha256.Sum256([]byte(text))
		b.parts[place{part, id}] = written{title, hex.EncodeToString(sum[:8]), text}
	}
	for i := range c.actions {
		a := &c.actions[i]
		if slices.ContainsFunc(c.dropped, func(d labelled) bool { return d.name == a.ID }) {
			continue
		}
		b.actions[a.ID] = a
		put(strategy.PartAction, a.ID, a.Title, canonical(a.at.node))
	}
	for i := range c.funds {
		put(strategy.PartBudget, c.funds[i].ID, c.funds[i].Title, canonical(c.funds[i].at.node))
	}
	for i := range c.signals {
		put(strategy.PartSignal, c.signals[i].ID, c.signals[i].title, canonical(c.signals[i].at.node))
	}
	for i := range c.tags {
		put(strategy.PartTag, c.tags[i].ID, c.tags[i].Title, canonical(c.tags[i].at.node))
	}
	for _, d := range c.calendars {
		put(strategy.PartCalendar, d.ID, candidate.Text{}, fmt.Sprint(slices.Sorted(maps.Keys(d.Off)), slices.Sorted(maps.Keys(d.Work))))
	}
	for name, t := range c.traits {
		put(strategy.PartTrait, name, candidate.Text{}, fmt.Sprint(t, c.classes[name]))
	}
	quiet := "none"
	if h := c.contact.Quiet; h != nil {
		quiet = fmt.Sprint(h.From, h.Until, h.Zone)
	}
	put(strategy.PartContact, "", candidate.Text{}, fmt.Sprint(quiet, c.contact.Caps, c.contact.Suppress, c.contact.Again))
	d := &c.draw
	put(strategy.PartDraw, "", candidate.Text{}, fmt.Sprint(d.temperature, d.exploration, d.floor, d.sales, d.ripe, names(d.learn)))
	put(strategy.PartProblems, "", candidate.Text{}, fmt.Sprint(names(c.problems), names(c.explained)))
	zone := ""
	if c.zone != nil {
		zone = c.zone.node.Value
	}
	put(strategy.PartTimezone, "", candidate.Text{}, zone)
	return b
}

func names(all []labelled) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].name
	}
	slices.Sort(out)
	return out
}

// factNames finds the names in what is written of an action, signal or tag that stand
// for another part. It may find one in a sentence, too: then that part counts as read.
var factNames = regexp.MustCompile(`\b(signal|tag|calendar|person\.traits|person\.stated_days)\.([a-z][a-z0-9_]*)`)

// under lists the parts that bear on an action of the source, itself first; none when
// it has no such action.
func (b *bearings) under(id string) []place {
	a, ok := b.actions[id]
	if !ok {
		return nil
	}
	seen := map[place]bool{}
	var all []place
	var visit func(p place)
	visit = func(p place) {
		if seen[p] {
			return
		}
		seen[p] = true
		all = append(all, p)
		text := b.parts[p].text
		if p.part == strategy.PartCalendar || p.part == strategy.PartTrait || p.part == strategy.PartBudget {
			return
		}
		for _, m := range factNames.FindAllStringSubmatch(text, -1) {
			switch m[1] {
			case "signal":
				visit(place{strategy.PartSignal, m[2]})
			case "tag":
				visit(place{strategy.PartTag, m[2]})
			case "calendar":
				visit(place{strategy.PartCalendar, m[2]})
			default:
				visit(place{strategy.PartTrait, m[2]})
			}
		}
		if strings.Contains(text, "scene.workday") { // by whichever calendar fits
			for other := range b.parts {
				if other.part == strategy.PartCalendar {
					visit(other)
				}
			}
		}
		if strings.Contains(text, "person.tags") { // 'x' in person.tags
			for other := range b.parts {
				if other.part == strategy.PartTag && (strings.Contains(text, "'"+other.id+"'") || strings.Contains(text, `\"`+other.id+`\"`)) {
					visit(other)
				}
			}
		}
	}
	visit(place{strategy.PartAction, id})
	if a.signal != nil {
		visit(place{strategy.PartSignal, a.Signal})
	}
	for _, f := range a.funds {
		visit(place{strategy.PartBudget, f.name})
	}
	if a.Unasked != nil {
		visit(place{part: strategy.PartContact})
	}
	if a.Nature == decision.Goodwill || a.Nature == decision.Sale {
		visit(place{part: strategy.PartDraw})
	}
	if a.Nature == decision.Sale {
		visit(place{part: strategy.PartProblems})
	}
	if len(a.funds) > 0 || a.from != nil || a.until != nil {
		visit(place{part: strategy.PartTimezone})
	}
	return all
}

// canonical is what a node says, whatever its style, comments and the order of its keys.
func canonical(n *yaml.Node) string {
	var b strings.Builder
	var write func(n *yaml.Node)
	write = func(n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			pairs := make([]*yaml.Node, 0, len(n.Content))
			order := make([]int, 0, len(n.Content)/2)
			for i := 0; i+1 < len(n.Content); i += 2 {
				pairs = append(pairs, n.Content[i], n.Content[i+1])
				order = append(order, i)
			}
			slices.SortFunc(order, func(x, y int) int { return strings.Compare(pairs[x].Value, pairs[y].Value) })
			b.WriteByte('{')
			for _, i := range order {
				b.WriteString(strconv.Quote(pairs[i].Value))
				b.WriteByte(':')
				write(pairs[i+1])
				b.WriteByte(',')
			}
			b.WriteByte('}')
		case yaml.SequenceNode:
			b.WriteByte('[')
			for _, e := range n.Content {
				write(e)
				b.WriteByte(',')
			}
			b.WriteByte(']')
		default:
			b.WriteString(strconv.Quote(n.Value))
		}
	}
	write(n)
	return b.String()
}
