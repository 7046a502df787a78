package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/treatment"
)

// Base is the pack under every workspace; it is read first whether named or not.
const Base = "base"

// Compiler compiles sources over the packs in FS (one folder each). Its zero
// value has no packs but those that a source brings as files.
type Compiler struct {
	FS    fs.FS
	cache cache
}

// Compile turns a source into the version to serve. On failure the error is
// Faults, all of them. The source comes back with the trained classifier in it, so
// that publishing it again, or on another node, trains nothing; one that the packs
// themselves ship is not copied into it.
func (c *Compiler) Compile(ctx context.Context, s strategy.Source) (*strategy.Version, strategy.Source, error) {
	compiled, ok := c.cache.fixed(c.fixedName(s))
	if !ok {
		files, faults := c.files(s)
		var err error
		if compiled, err = c.compiled(ctx, s, files, faults); err != nil {
			return nil, s, err
		}
		c.cache.keepFixed(c.fixedName(s), compiled)
	}
	out := *compiled.version
	out.Number, out.Packs, out.Published, out.Note = s.Number, packsOf(s), s.At, s.Note
	if !compiled.shipped {
		s.Model = compiled.model
	}
	return &out, s, nil
}

// fixedName names a source that has nothing but packs whose files cannot change, being
// in the program; "" is any other.
func (c *Compiler) fixedName(s strategy.Source) string {
	if _, inside := c.FS.(embed.FS); !inside || len(s.Files) > 0 {
		return ""
	}
	return strings.Join(packsOf(s), "/")
}

// Files are the files that a source is compiled from, those of its packs included.
func (c *Compiler) Files(s strategy.Source) map[string]string {
	files, _ := c.files(s) // a pack that is not there has none
	all := make(map[string]string, len(files))
	for _, f := range files {
		all[f.path] = f.text
	}
	return all
}

// Sentences lists what the classifier of a source learns from.
func (c *Compiler) Sentences(s strategy.Source) []classify.Example {
	files, faults := c.files(s)
	return readAll(files, &faults).need.Sentences()
}

// compiled is what files were compiled to, with what the test cases need of it.
type compiled struct {
	version *strategy.Version
	model   []byte // the trained classifier, unless shipped
	shipped bool   // it came with the packs
	signals []signal.Definition
	dangers map[string]bool // subintents that can hurt somebody
}

func (c *Compiler) compiled(ctx context.Context, s strategy.Source, files []packFile, faults Faults) (*compiled, error) {
	digest := digestOf(files)
	if found, ok := c.cache.find(digest); ok && len(faults) == 0 {
		return found, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compile of strategy %d: %w", s.Number, err)
	}
	brought := c.shipped(s)
	made := brought.compile(files)
	if made == nil || len(faults) > 0 {
		var err error
		if made, err = c.compileWhole(s, files, faults, brought); err != nil {
			return nil, err
		}
	}
	made.version.Digest = digest
	if len(s.Files) > 0 {
		// Rules that a workspace wrote are published only when the cases of its
		// packs still pass.
		if err := c.tried(s, made); err != nil {
			return nil, err
		}
	}
	c.cache.keep(digest, made)
	return made, nil
}

// compileWhole reads all there is, and trains the classifier unless there is one of
// these sentences.
func (c *Compiler) compileWhole(s strategy.Source, files []packFile, faults Faults, brought *shipped) (*compiled, error) {
	read := readAll(files, &faults)
	made := read.compile()
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	sentences := sentencesOf(&read.need)
	model := s.Model
	if known := c.cache.model(sentences); known != nil {
		model = known
	}
	if len(model) == 0 && brought != nil {
		model = brought.model
	}
	var err error
	if made.version.Need, made.model, err = need.Compile(read.need, model); err != nil {
		return nil, Faults{{Message: err.Error()}}
	}
	if made.shipped = brought != nil && bytes.Equal(made.model, brought.model); made.shipped {
		made.model = nil // megabytes that stand in the packs, to be read again there
	} else {
		c.cache.keepModel(sentences, made.model)
	}
	return made, nil
}

// sentencesOf names what a classifier is trained on: another rule needs no other.
func sentencesOf(d *need.Definition) string {
	h := sha256.New()
	write := func(label string, examples map[locale][]string) {
		fmt.Fprintf(h, "%q\n", label)
		for _, l := range []locale{scene.Chinese, scene.English} {
			for _, e := range examples[l] {
				fmt.Fprintf(h, "%q\n", e)
			}
		}
	}
	for i := range d.Intents {
		write(d.Intents[i].Label, d.Intents[i].Examples)
	}
	write("-", d.Outside)
	for i := range d.Subintents {
		write(d.Subintents[i].Parent+"/"+d.Subintents[i].ID, d.Subintents[i].Examples)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// tried runs the packs' cases; those that fail are faults of their files.
func (c *Compiler) tried(s strategy.Source, made *compiled) error {
	trials, err := c.try(s, made, AsGiven)
	if err != nil {
		return err
	}
	var faults Faults
	for _, t := range trials {
		for _, failed := range t.failed {
			f := faulty(t.File, say("test_failed", t.Name, t.Locale, failed))
			f.Line, f.Column = t.Line, 1
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		return faults.sorted()
	}
	return nil
}

// packsOf is the packs of a source in the order they are read: base first.
func packsOf(s strategy.Source) []string {
	all := []string{Base}
	for _, p := range s.Packs {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// packFile is one file of a source, in reading order.
type packFile struct {
	path, text string
	sum        [sha256.Size]byte // of the text
}

func newFile(path string, text []byte) packFile {
	return packFile{path, string(text), sha256.Sum256(text)}
}

// files collects what a source consists of: the YAML files of its packs, each
// overridden by a file of the same path, then the workspace's own files.
func (c *Compiler) files(s strategy.Source) (all []packFile, faults Faults) {
	clean := make(map[string]string, len(s.Files))
	for p, text := range s.Files {
		clean[own(p)] = text
	}
	for _, name := range packsOf(s) {
		found := map[string]packFile{}
		if c.FS != nil && identifier.MatchString(name) {
			err := fs.WalkDir(c.FS, name, func(p string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() && d.Name() == "tests" {
					return fs.SkipDir
				}
				if err != nil || d.IsDir() || !rules(p) {
					return err
				}
				text, err := fs.ReadFile(c.FS, p)
				found[p] = newFile(p, text)
				return err
			})
			if err != nil && len(found) > 0 {
				faults = append(faults, faulty(name, say("unreadable", err)))
			}
		}
		for p, text := range clean {
			if strings.HasPrefix(p, name+"/") && rules(p) {
				found[p] = newFile(p, []byte(text))
			}
			if strings.HasPrefix(p, name+"/") {
				delete(clean, p)
			}
		}
		if len(found) == 0 && name != Base {
			faults = append(faults, faulty(name, say("no_pack", name)))
		}
		for _, p := range slices.Sorted(maps.Keys(found)) {
			all = append(all, found[p])
		}
	}
	for _, p := range slices.Sorted(maps.Keys(clean)) {
		if rules(p) {
			all = append(all, newFile(p, []byte(clean[p])))
		} else if !strings.Contains("/"+p, "/tests/") {
			faults = append(faults, faulty(p, say("no_yaml_file")))
		}
	}
	return all, faults
}

// own is the path of a source's file below the packs: "packs/base/pack.yaml" and
// "base/pack.yaml" are one.
func own(p string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path.Clean("/"+p), "/packs"), "/")
}

// rules tells a file of a pack that is compiled from its tests and other things.
func rules(p string) bool {
	ext := path.Ext(p)
	return (ext == ".yaml" || ext == ".yml") && !strings.Contains("/"+p, "/tests/")
}

func digestOf(files []packFile) string {
	h := sha256.New()
	for i := range files {
		fmt.Fprintf(h, "%d %s\n", len(files[i].path), files[i].path)
		h.Write(files[i].sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// readAll reads all files into one content; what is wrong is added to faults.
func readAll(files []packFile, faults *Faults) *content {
	c := newContent(faults)
	for _, v := range openAll(files, faults) {
		c.read(v)
	}
	return c
}

func newContent(faults *Faults) *content {
	c := &content{
		faults: faults, titles: map[string]candidate.Text{}, symptoms: map[string]candidate.Text{}, sources: map[string][]string{},
		traits: maps.Clone(standardTraits), classes: map[string]profile.Field{}, seen: map[string]value{},
	}
	c.need.Words = map[string]map[locale][]string{}
	return c
}

// compile links what was read and compiles its rules; what is wrong is added to
// the faults, and the result is then of no use.
func (c *content) compile() *compiled {
	for _, d := range c.dropped {
		i := slices.IndexFunc(c.actions, func(a actionText) bool { return a.ID == d.name })
		if i < 0 {
			d.at.fault("no_action_to_leave_out", d.name)
			continue
		}
		c.actions = slices.Delete(c.actions, i, i+1)
	}
	l, err := speak(c.facts())
	if err != nil {
		*c.faults = append(*c.faults, faulty("", say("rule_language", err)))
		return nil
	}
	plan := &decision.Plan{Temperature: c.draw.temperature, Exploration: c.draw.exploration, Ripe: c.draw.ripe, Floor: c.draw.floor, Sales: c.draw.sales, Signals: map[string]decision.Pattern{}, Symptoms: c.symptoms, Fields: c.classes}
	plan.Problems = c.patterns(c.problems)
	plan.Explained = c.patterns(c.explained)
	plan.Contact, plan.Duty = c.contact, c.duty
	plan.Learned = c.learned(l)
	plan.Calendars = c.calendars
	for _, s := range c.need.Subintents {
		if _, ok := c.titles[s.Parent]; !ok {
			c.seen["subintent "+s.Parent+"/"+s.ID].fault("parent_no_intent", s.Parent)
		}
	}
	for i := range c.signals {
		c.compileSignal(&c.signals[i], plan)
	}
	plan.Zone = c.location()
	for i := range c.funds {
		f := &c.funds[i]
		if f.by != nil && !l.isFact(f.By) {
			f.by.fault("not_a_fact", f.By)
		}
		plan.Funds = append(plan.Funds, f.Fund)
	}
	for i := range c.tags {
		plan.Tags = append(plan.Tags, c.compileTag(l, &c.tags[i]))
	}
	for i := range c.actions {
		plan.Actions = append(plan.Actions, c.compileAction(l, &c.actions[i]))
	}
	made := &compiled{signals: c.need.Signals, dangers: map[string]bool{}}
	for _, d := range c.need.Subintents {
		made.dangers[d.ID] = made.dangers[d.ID] || d.Danger
	}
	made.version = &strategy.Version{
		Candidate: &candidate.Plan{Sources: c.sources, Attributes: candidate.NewAttributes(c.attributes)}, Decision: plan,
		Treatment:  &treatment.Plan{Brand: c.brand, Titles: c.titles},
		Attributes: c.attributes,
		Metrics:    c.compileMetrics(),
	}
	return made
}

// openAll parses files side by side, for most of a cold compile is YAML, and gives
// those that could be read, in their order.
func openAll(files []packFile, faults *Faults) []value {
	type opened struct {
		value
		ok     bool
		faults Faults
	}
	all := make([]opened, len(files))
	var wait sync.WaitGroup
	for i, f := range files {
		wait.Go(func() {
			o := &all[i]
			o.value, o.ok = open(f.path, f.text, &o.faults)
		})
	}
	wait.Wait()
	var values []value
	for i := range all {
		*faults = append(*faults, all[i].faults...)
		if all[i].ok {
			all[i].value.faults = faults
			values = append(values, all[i].value)
		}
	}
	return values
}

// standardTraits are the traits that rules of every pack can read.
var standardTraits = map[string]decision.FactType{
	"household_size": decision.Int, "segment": decision.Text, "account_type": decision.Text, "aum": decision.Number,
	"risk_level": decision.Text, "timezone": decision.Text, "locale": decision.Text, "adcode": decision.Text,
	"age": decision.Int, "gender": decision.Text, "email": decision.Text, "phone": decision.Text, "name": decision.Text,
	"birthday": decision.Time, "plan": decision.Text, "company_name": decision.Text, "role": decision.Text,
}

// facts are the names that rules of this source read beside the known ones.
func (c *content) facts() map[string]decision.FactType {
	all := make(map[string]decision.FactType, len(c.traits)+2*len(c.signals))
	for name, t := range c.traits {
		all["person.traits."+name] = t
		all["person.stated_days."+name] = decision.Int
	}
	for _, s := range c.signals {
		all["signal."+s.ID+".holds"] = decision.Bool
		all["signal."+s.ID+".count"] = decision.Int
	}
	for i := range c.calendars {
		all["calendar."+c.calendars[i].ID+".workday"] = decision.Bool
		all["calendar."+c.calendars[i].ID+".holiday"] = decision.Bool
	}
	for i := range c.tags {
		all["tag."+c.tags[i].ID] = decision.Bool
	}
	return all
}

// patterns checks labels of intents, "group.*" included.
func (c *content) patterns(all []labelled) []string {
	var out []string
	for _, l := range all {
		if len(c.expand(l, false)) > 0 {
			out = append(out, l.name)
		}
	}
	return out
}

// expand gives the labels a written one stands for: itself, or every intent of
// "group.*". A label that names nothing is a fault.
func (c *content) expand(l labelled, withSubs bool) []string {
	if prefix, ok := strings.CutSuffix(l.name, "*"); ok && strings.HasSuffix(prefix, ".") {
		var all []string
		for _, d := range c.need.Intents {
			if strings.HasPrefix(d.Label, prefix) {
				all = append(all, d.Label)
			}
		}
		if len(all) == 0 {
			l.at.fault("no_intent_begins", prefix)
		}
		return all
	}
	if _, ok := c.titles[l.name]; ok && (withSubs || !strings.Contains(l.name, "/")) {
		return []string{l.name}
	}
	if near := text.Nearest(l.name, slices.Sorted(maps.Keys(c.titles))); near != "" {
		l.at.fault("no_intent_near", l.name, near)
	} else {
		l.at.fault("no_intent", l.name)
	}
	return nil
}

func (c *content) compileSignal(s *signalText, plan *decision.Plan) {
	if max(s.Within, s.Cooldown, s.For, s.Every) > longestWindow {
		s.at.fault("window_too_long")
	}
	if s.Implies.Intent != "" {
		name := s.Implies.Intent
		if s.Implies.Subintent != "" {
			name += "/" + s.Implies.Subintent
		}
		if _, ok := c.titles[name]; !ok {
			s.at.fault("implies_no_intent", name)
		}
	}
	filter := func(v *value) signal.Filter {
		if v == nil {
			return nil
		}
		if c.pages == nil {
			c.pages = newTopics(c.topics) // all files are read by now
		}
		if f := compileFilter(*v, c.pages); f != nil {
			return f
		}
		return nil
	}
	s.Where, s.After.Where, s.Other.Where, s.Unless.Where = filter(s.where), filter(s.after), filter(s.other), filter(s.unless)
	for i := range s.Then {
		s.Then[i].Where = filter(s.then[i])
	}
	if s.Household && s.ReadsRecords() {
		s.at.fault("household_own")
	}
	c.need.Signals = append(c.need.Signals, s.Definition)
	plan.Signals[s.ID] = decision.Pattern{Title: s.title, Event: s.counts, AtLeast: s.AtLeast, Within: s.Within}
}

func (c *content) compileAction(l *language, a *actionText) decision.Action {
	out := a.Action
	for _, s := range a.serves {
		for _, name := range c.expand(s, true) {
			if !slices.Contains(out.Needs, name) {
				out.Needs = append(out.Needs, name)
			}
		}
	}
	if a.signal != nil && !slices.ContainsFunc(c.signals, func(s signalText) bool { return s.ID == a.Signal }) {
		a.signal.fault("no_signal", a.Signal)
	}
	if a.from != nil {
		out.From = a.from.moment(c.location(), false)
	}
	if a.until != nil {
		out.Until = a.until.moment(c.location(), true)
	}
	if !out.From.IsZero() && !out.Until.IsZero() && !out.From.Before(out.Until) {
		a.until.fault("ends_before_begin")
	}
	out.Funds = c.drawnOn(a)
	compiled := func(v *value) decision.Rule {
		if v == nil {
			return nil
		}
		r := l.compile(*v)
		if r == nil {
			return nil
		}
		if a.Nature == decision.Right {
			impartial(*v, r)
		}
		return r
	}
	for i := range a.policies {
		p := &a.policies[i]
		p.Rule = compiled(p.rule)
		p.Cites = l.cited(p.cites)
		l.placeholders(p.text, p.Reason, nil)
		out.Policies = append(out.Policies, p.Policy)
	}
	slices.SortStableFunc(out.Policies, func(a, b decision.Policy) int { return stageOrder[a.Stage] - stageOrder[b.Stage] })
	weights := func(all []weightText) (ws []decision.Weight) {
		for i := range all {
			all[i].Rule = compiled(all[i].when)
			ws = append(ws, all[i].Weight)
		}
		return ws
	}
	out.Prior.Parts, out.Contexts = weights(a.parts), weights(a.contexts)
	for i := range a.reasons {
		r := &a.reasons[i]
		r.When = compiled(r.when)
		r.Cites = l.cited(r.cites)
		l.placeholders(r.at, r.Text, nil)
		out.Reasons = append(out.Reasons, r.Because)
	}
	for i := range a.treatments {
		t := &a.treatments[i]
		t.When = compiled(t.when)
		l.placeholders(t.at, t.Title, nil)
		l.placeholders(t.at, t.Body, nil)
		out.Treatments = append(out.Treatments, t.Treatment)
	}
	if len(out.Treatments) == 0 {
		out.Treatments = []decision.Treatment{{ID: "card_short"}}
	}
	for i := range a.form {
		f := &a.form[i]
		if f.from != nil && !l.isFact(f.From) {
			f.from.fault("not_a_fact", f.From)
		}
		out.Form = append(out.Form, f.Field)
	}
	if a.titleAt.node != nil {
		l.placeholders(a.titleAt, a.Title, func(name string) bool { return decision.AlwaysKnown(name, a.Signal != "") })
	}
	if a.Safety && a.Nature != decision.Right && a.Nature != decision.Service {
		a.at.fault("safety_nature")
	}
	if a.Asks && (a.Resolves || a.Handover || a.Nature != decision.Service) {
		a.at.fault("asks_nature")
	}
	if a.Fallback && !a.Handover {
		a.at.fault("fallback_handover")
	}
	return out
}

// learned checks the facts that propensities are learned over beside the usual ones.
func (c *content) learned(l *language) (names []string) {
	for _, f := range c.draw.learn {
		trait, _ := strings.CutPrefix(f.name, "person.traits.")
		switch {
		case !l.isFact(f.name):
			f.at.fault("not_a_fact", f.name)
		case !decision.LearnableFact(f.name, l.types[f.name]):
			f.at.fault("not_learnable", f.name)
		case sensitive[f.name] && c.classes[trait].Purpose == "":
			f.at.fault("learn_sensitive", f.name)
		case slices.Contains(names, f.name):
			f.at.fault("listed_twice", f.name)
		default:
			names = append(names, f.name)
		}
	}
	if len(names) > mostLearned {
		c.draw.learn[mostLearned].at.fault("too_many_learned", mostLearned)
	}
	return names
}

// mostLearned bounds what a decision looks up and a model keeps of every action.
const mostLearned = 64

// location is the time zone in which days of packs and periods of budgets are
// read: the one that the last pack names, else UTC.
func (c *content) location() *time.Location {
	if c.zone == nil {
		return time.UTC
	}
	name, _ := c.zone.scalar()
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		c.zone.fault("no_time_zone", name)
		c.zone = nil
		return time.UTC
	}
	return zone
}

// drawnOn finds the budgets that an action names.
func (c *content) drawnOn(a *actionText) (all []int) {
	for _, name := range a.funds {
		i := slices.IndexFunc(c.funds, func(f fundText) bool { return f.ID == name.name })
		switch {
		case i < 0:
			name.at.fault("no_budget", name.name)
			continue
		case c.funds[i].Currency != "" && a.Cost.Currency != c.funds[i].Currency:
			name.at.fault("budget_currency", name.name, c.funds[i].Currency)
		}
		all = append(all, i)
	}
	return all
}

var stageOrder = map[decision.Stage]int{decision.Eligibility: 0, decision.Applicability: 1, decision.Suitability: 2, decision.ContactPolicy: 3, decision.Budget: 4, decision.Consent: 5, decision.Arbitration: 6}

// impartial refuses a rule of a right that asks who the customer is or what they
// are worth. Whether they are who they say may count; what they are may not.
func impartial(v value, r *rule) {
	for _, name := range r.reads {
		switch {
		case name == "person.proven":
		case strings.HasPrefix(name, "person."), strings.HasPrefix(name, "tag."), strings.HasPrefix(name, "orders.promoted"), name == "orders.count", name == "holdings.count", name == "cases.total":
			v.fault("right_depends", name)
		}
	}
}

func (l *language) isFact(name string) bool { _, ok := l.types[name]; return ok }

// cited checks the names of facts that a statement cites; a whole record may be
// named by its first part.
func (l *language) cited(all []labelled) []string {
	var out []string
	for _, c := range all {
		if !l.isFact(c.name) && !slices.Contains([]string{"group", "device", "order", "case", "need", "returnable", "maturing", "item"}, c.name) {
			if near := text.Nearest(c.name, l.names); near != "" {
				c.at.fault("not_a_fact_near", c.name, near)
			} else {
				c.at.fault("not_a_fact", c.name)
			}
			continue
		}
		out = append(out, c.name)
	}
	return out
}

// placeholders checks what stands in braces in a text.
func (l *language) placeholders(v value, t candidate.Text, may func(string) bool) {
	for _, s := range []string{t.Zh, t.En} {
		for {
			i := strings.IndexByte(s, '{')
			if i < 0 {
				break
			}
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				v.fault("brace_open", s)
				break
			}
			name, forms := candidate.Blank(s[i+1 : i+end])
			s = s[i+end+1:]
			switch {
			case forms != "" && (strings.Count(forms, "|") != 1 || strings.HasPrefix(forms, "|") || strings.HasSuffix(forms, "|")):
				v.fault("blank_forms", name, forms)
			case forms != "" && l.types[name] != decision.Int && !slices.Contains([]string{"count", "at_least", "within"}, name):
				v.fault("blank_no_number", name)
			case may != nil && !may(name):
				v.fault("blank_unsure", name)
			case !l.isFact(name) && !slices.Contains(decision.Placeholders(), name):
				v.fault("blank_unknown", name, strings.Join(decision.Placeholders(), ", "))
			case l.types[name] == decision.Bool:
				v.fault("blank_yes_no", name)
			}
		}
	}
}
