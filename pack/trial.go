package pack

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// A pack's own test cases stand in its folder tests/, as YAML that a manager of a
// service desk can read: what happened to the customer, what she asks in both
// languages, what she should and should not be offered, and why.
//
//	tests:
//	  - name: two repairs of one fault under warranty bring a new device
//	    now: 2026-07-10T10:00:00+08:00
//	    history:
//	      - {days_ago: 80, event: Repair Reported, properties: {asset_id: L1, symptom: overheat}, as: first}
//	      - {days_ago: 300, record: asset, id: L1, fields: {product_id: P1, warranty_until: now+60d}}
//	    enquiry: {zh: 设备发热严重, en: My device gets very hot}
//	    needs: [support.troubleshoot/overheat]
//	    expect:
//	      - {action: replace_device, nature: right, cites: [first]}
//	    absent: [troubleshoot_guide]
//	    rejected:
//	      - {action: replace_device_goodwill, stage: arbitration, rule: already_a_right}

// Trial is one case in one language with what it failed on; empty: it passed.
type Trial struct {
	File   string       `json:"file"`
	Line   int          `json:"line"`
	Name   string       `json:"name"`
	Locale scene.Locale `json:"locale"`
	Failed []string     `json:"failed,omitempty"`

	failed []said // the same, in both languages
}

// In tells in a language what it failed on.
func (t Trial) In(l scene.Locale) []string {
	all := make([]string, len(t.failed))
	for i, s := range t.failed {
		all[i] = s.text.In(l)
	}
	return all
}

// Hearing says how the needs of a trial are found.
type Hearing bool

const (
	// AsGiven takes the needs that the case states: the rules alone are tried.
	AsGiven Hearing = false
	// AsHeard reads them out of the enquiry, as serving does.
	AsHeard Hearing = true
)

// Test compiles a source and tries every test case of its packs in both languages.
func (c *Compiler) Test(ctx context.Context, s strategy.Source, hearing Hearing) ([]Trial, error) {
	files, faults := c.files(s)
	compiled, err := c.compiled(ctx, s, files, faults)
	if err != nil {
		return nil, err
	}
	return c.try(s, compiled, hearing)
}

func (c *Compiler) try(s strategy.Source, compiled *compiled, hearing Hearing) ([]Trial, error) {
	var faults Faults
	var trials []Trial
	for _, f := range c.testFiles(s) {
		v, ok := open(f.path, f.text, &faults)
		if !ok {
			continue
		}
		var before *trialCase // what all cases of the file begin with
		var cases []*trialCase
		v.object(fields{
			"background": func(v value) { before = readBackground(v) },
			"tests": func(v value) {
				v.list(func(v value) {
					if t := readCase(v); t != nil {
						cases = append(cases, t)
					}
				})
			},
		}, "tests")
		for _, t := range cases {
			if before != nil {
				t.items, t.history = slices.Concat(before.items, t.items), slices.Concat(before.history, t.history)
			}
			for _, l := range []scene.Locale{scene.Chinese, scene.English} {
				trials = append(trials, t.run(compiled, l, hearing))
			}
		}
	}
	if len(faults) > 0 {
		return trials, faults.sorted()
	}
	return trials, nil
}

// testFiles are the files under tests/ of a source's packs, and the source's own.
func (c *Compiler) testFiles(s strategy.Source) (all []packFile) {
	found := map[string]string{}
	isTest := func(p string) bool {
		return strings.Contains("/"+p, "/tests/") && (path.Ext(p) == ".yaml" || path.Ext(p) == ".yml")
	}
	for _, name := range packsOf(s) {
		if c.FS == nil || !identifier.MatchString(name) {
			continue
		}
		_ = fs.WalkDir(c.FS, name, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && isTest(p) {
				if text, err := fs.ReadFile(c.FS, p); err == nil {
					found[p] = string(text)
				}
			}
			return nil
		})
	}
	for p, text := range s.Files {
		if p = own(p); isTest(p) {
			found[p] = text
		}
	}
	for _, p := range slices.Sorted(maps.Keys(found)) {
		all = append(all, newFile(p, []byte(found[p])))
	}
	return all
}

// trialCase is one case as written.
type trialCase struct {
	at       value
	name     string
	clause   string
	now      time.Time
	zone     string
	enquiry  candidate.Text
	off      bool
	unproven bool
	limit    int
	chance   bool
	device   string
	history  []happened
	items    []stocked
	needs    []needText
	unasked  string // the signal that made Rapport speak by itself
	foreseen string // or the need that is foreseen
	about    []need.Entity
	behalf   *decision.Behalf // for whom they ask, nil: for themselves
	expect   []expected
	answered []string // intents that a source answers
	tags     []string // exactly those that the person has; nil: whatever they are
	absent   []string
	rejected []refused
	statuses map[string]string
}

type happened struct {
	as, event, record, id string
	ago                   time.Duration
	fields                map[string]any
	traits                map[string]any
	preferences           map[string]any
}

type stocked struct {
	kind   string // item, relation or promotion
	id, as string
	fields map[string]any
}

type needText struct {
	label  string
	danger bool
}

type expected struct {
	action, nature, treatment string
	position                  int
	probability               float64
	cites                     []string
	says                      candidate.Text
	prefilled                 []string
}

type refused struct{ action, stage, rule string }

const usualNow = "2026-07-10T10:00:00+08:00"

func readCase(v value) *trialCase {
	before := len(*v.faults)
	t := &trialCase{at: v, zone: "Asia/Shanghai", statuses: map[string]string{}}
	t.now, _ = time.Parse(time.RFC3339, usualNow)
	v.object(fields{
		"name":   func(v value) { v.str(&t.name) },
		"clause": func(v value) { v.str(&t.clause) },
		"now": func(v value) {
			var s string
			v.str(&s)
			var err error
			if t.now, err = time.Parse(time.RFC3339, s); err != nil {
				v.fault("time_expected", usualNow)
			}
		},
		"zone":            func(v value) { v.str(&t.zone) },
		"enquiry":         func(v value) { v.text(&t.enquiry) },
		"predicted":       func(v value) { v.name(&t.unasked) },
		"foreseen":        func(v value) { v.str(&t.foreseen) },
		"personalization": func(v value) { var s string; v.choice(&s, "on", "off"); t.off = s == "off" },
		"proven":          func(v value) { proven := true; v.boolean(&proven); t.unproven = !proven },
		"draw":            func(v value) { var s string; v.choice(&s, "best", "chance"); t.chance = s == "chance" },
		"limit":           func(v value) { v.integer(&t.limit, 1) },
		"device":          func(v value) { v.choice(&t.device, "mobile", "desktop", "tablet", "speaker") },
		"history":         func(v value) { v.list(func(v value) { t.history = append(t.history, readHappened(v)) }) },
		"catalogue": func(v value) {
			v.list(func(v value) { t.items = append(t.items, readStocked(v)) })
		},
		"behalf": func(v value) {
			t.behalf = &decision.Behalf{Scope: []string{}}
			v.object(fields{
				"type":  func(v value) { v.name(&t.behalf.Type) },
				"role":  func(v value) { v.str(&t.behalf.Role) },
				"scope": func(v value) { v.strs(&t.behalf.Scope) },
			}, "type")
		},
		"needs": func(v value) {
			for _, l := range labels(v) {
				name, danger := strings.CutSuffix(l.name, "!")
				if !label.MatchString(name) {
					l.at.fault("label_danger", l.name)
				}
				t.needs = append(t.needs, needText{name, danger})
			}
		},
		"about": func(v value) {
			v.entries(func(k, v value) {
				var id string
				v.str(&id)
				t.about = append(t.about, need.Entity{Type: k.node.Value, ID: id, Text: id})
			})
		},
		"expect": func(v value) {
			v.list(func(v value) {
				var e expected
				v.object(fields{
					"action":      func(v value) { v.name(&e.action) },
					"nature":      func(v value) { v.choice(&e.nature, "right", "service", "goodwill", "sale") },
					"treatment":   func(v value) { v.name(&e.treatment) },
					"position":    func(v value) { v.integer(&e.position, 1) },
					"probability": func(v value) { v.number(&e.probability) },
					"cites":       func(v value) { v.strs(&e.cites) },
					"says":        func(v value) { v.text(&e.says) },
					"prefilled":   func(v value) { v.strs(&e.prefilled) },
				}, "action")
				t.expect = append(t.expect, e)
			})
		},
		"absent":   func(v value) { v.strs(&t.absent) },
		"answered": func(v value) { v.strs(&t.answered) },
		"tags": func(v value) {
			t.tags = []string{}
			v.strs(&t.tags)
		},
		"rejected": func(v value) {
			v.list(func(v value) {
				var r refused
				v.object(fields{
					"action": func(v value) { v.name(&r.action) },
					"stage":  func(v value) { v.str(&r.stage) },
					"rule":   func(v value) { v.str(&r.rule) },
				}, "action", "stage", "rule")
				t.rejected = append(t.rejected, r)
			})
		},
		"status": func(v value) {
			v.entries(func(k, v value) {
				var s string
				v.choice(&s, "answered", "partly", "unanswered", "clarify", "handover")
				t.statuses[k.node.Value] = s
			})
		},
	}, "name")
	if len(*v.faults) > before {
		return nil
	}
	return t
}

// readBackground reads what happened, and what is on the shelf, before every case
// of a file.
func readBackground(v value) *trialCase {
	t := &trialCase{}
	v.object(fields{
		"history":   func(v value) { v.list(func(v value) { t.history = append(t.history, readHappened(v)) }) },
		"catalogue": func(v value) { v.list(func(v value) { t.items = append(t.items, readStocked(v)) }) },
	})
	return t
}

// readStocked reads an item, or a relation written as {from, type, to, weight, as}.
func readStocked(v value) (s stocked) {
	s.kind = "item"
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == "from" {
			s.kind, s.fields = "relation", v.free()
			s.id = fmt.Sprint(s.fields["from"], "|", s.fields["type"], "|", s.fields["to"])
			s.as, _ = s.fields["as"].(string)
			delete(s.fields, "as")
			return s
		}
	}
	v.object(fields{
		"item":      func(v value) { v.str(&s.id) },
		"promotion": func(v value) { s.kind = "promotion"; v.str(&s.id) },
		"as":        func(v value) { v.name(&s.as) },
		"fields":    func(v value) { s.fields = v.free() },
	}, "fields")
	if s.id == "" {
		v.fault("stock_missing")
	}
	return s
}

func readHappened(v value) (h happened) {
	v.object(fields{
		"days_ago": func(v value) {
			n := 0
			v.integer(&n, 0)
			h.ago = time.Duration(n) * 24 * time.Hour
		},
		"ago":         func(v value) { v.duration(&h.ago) },
		"event":       func(v value) { v.str(&h.event) },
		"properties":  func(v value) { h.fields = v.free() },
		"record":      func(v value) { v.name(&h.record) },
		"id":          func(v value) { v.str(&h.id) },
		"fields":      func(v value) { h.fields = v.free() },
		"traits":      func(v value) { h.traits = v.free() },
		"preferences": func(v value) { h.preferences = v.free() },
		"as":          func(v value) { v.name(&h.as) },
	})
	return h
}

// free reads a mapping of any JSON-like values.
func (v value) free() map[string]any {
	out := map[string]any{}
	if v.node.Kind != yaml.MappingNode || v.node.Decode(&out) != nil {
		v.fault("plain_mapping")
		return nil
	}
	return out
}

// dated replaces values such as "now+60d" by that day.
func (t *trialCase) dated(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = t.dated(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = t.dated(e)
		}
		return out
	case time.Time:
		return v.Format(time.DateOnly)
	case string:
		if rest, ok := strings.CutPrefix(v, "now"); ok && len(rest) > 2 && strings.HasSuffix(rest, "d") {
			if n, err := strconv.Atoi(rest[:len(rest)-1]); err == nil {
				return t.local(t.now.AddDate(0, 0, n)).Format(time.DateOnly)
			}
		}
	}
	return v
}

func (t *trialCase) local(at time.Time) time.Time {
	return at.In(scene.Scene{Zone: t.zone}.Location())
}

// run tries the case in one language.
func (t *trialCase) run(c *compiled, l scene.Locale, hearing Hearing) Trial {
	out := Trial{File: t.at.path, Line: t.at.node.Line, Name: t.name, Locale: l}
	fail := func(code string, args ...any) {
		s := say(code, args...)
		out.Failed, out.failed = append(out.Failed, s.text.En), append(out.failed, s)
	}
	in, names, err := t.input(c, l, hearing)
	if err != nil {
		fail("try_error", err)
		return out
	}
	if hearing == AsHeard {
		t.heard(in.Needs, fail)
	}
	in.Results = append(in.Results, t.found(in.Needs))
	plan := *c.version.Decision
	if !t.chance {
		plan.Temperature, plan.Exploration = 0, 0 // a case says what is best, not what the dice say
	}
	d := decision.Decide(&plan, in)
	for _, e := range t.expect {
		t.check(e, d, names, l, fail)
	}
	if t.tags != nil {
		t.grouped(&plan, in, fail)
	}
	for _, action := range t.absent {
		if i := chosenAt(d, action); i >= 0 {
			fail("try_offered", action)
		}
	}
	for _, r := range t.rejected {
		if !slices.ContainsFunc(d.Rejected, func(o decision.Rejected) bool {
			return o.Action == r.action && string(o.Stage) == r.stage && o.Rule == r.rule && o.Reason.Zh != "" && o.Reason.En != ""
		}) {
			fail("try_not_rejected", r.action, r.stage, r.rule, stopped(d, r.action))
		}
	}
	for name, want := range t.statuses {
		i := slices.IndexFunc(d.Needs, func(n need.Need) bool { return n.Intent == name })
		if i < 0 {
			fail("try_no_need", name)
		} else if string(d.Needs[i].Status) != want {
			fail("try_status", name, d.Needs[i].Status, want)
		}
	}
	sum(d, fail)
	return out
}

// found is what the sources would have said: an answer to each need of the intents
// that the case names, whatever it says.
func (t *trialCase) found(needs []need.Need) (r candidate.Result) {
	for i := range needs {
		if slices.Contains(t.answered, needs[i].Intent) {
			r.Answers = append(r.Answers, candidate.Answer{Need: needs[i].ID})
		}
	}
	return r
}

// grouped checks that the person is in exactly the groups that the case names, each
// with proof and with a sentence for the customer.
func (t *trialCase) grouped(plan *decision.Plan, in decision.Input, fail func(string, ...any)) {
	got := []string{}
	for _, s := range decision.Tags(plan, in) {
		got = append(got, s.Tag)
		if len(s.Evidence) == 0 || !s.Stated && (s.Sentence.Zh == "" || s.Sentence.En == "" || strings.ContainsAny(s.Sentence.Zh+s.Sentence.En, "{}")) {
			fail("try_tag_bare", s.Tag, s)
		}
	}
	slices.Sort(t.tags)
	if !slices.Equal(got, t.tags) {
		fail("try_tags", got, t.tags)
	}
}

// sum checks what holds of every decision: terms add up, rights are sure and first.
func sum(d decision.Decision, fail func(string, ...any)) {
	seen := false
	for _, c := range d.Chosen {
		total := 0.0
		for _, term := range c.Terms {
			total += term.Value
		}
		if diff := total - c.Score; diff > 1e-9 || diff < -1e-9 {
			fail("try_sum", c.Action, total, c.Score)
		}
		if c.Nature == decision.Right && (c.Probability != 1 || seen) {
			fail("try_right", c.Action, c.Probability, c.Position)
		}
		seen = seen || c.Nature != decision.Right && !c.Safety
	}
}

func chosenAt(d decision.Decision, action string) int {
	return slices.IndexFunc(d.Chosen, func(c decision.Chosen) bool { return c.Action == action })
}

func stopped(d decision.Decision, action string) string {
	var all []string
	for _, r := range d.Rejected {
		if r.Action == action {
			all = append(all, string(r.Stage)+" "+r.Rule)
		}
	}
	if chosenAt(d, action) >= 0 {
		all = append(all, "it is offered")
	}
	if len(all) == 0 {
		return "nowhere"
	}
	return strings.Join(all, ", ")
}

func (t *trialCase) check(e expected, d decision.Decision, names map[string]evidence.Ref, l scene.Locale, fail func(string, ...any)) {
	i := chosenAt(d, e.action)
	if i < 0 {
		fail("try_not_offered", e.action, stopped(d, e.action))
		return
	}
	c := d.Chosen[i]
	if e.nature != "" && string(c.Nature) != e.nature {
		fail("try_nature", e.action, c.Nature, e.nature)
	}
	if e.position > 0 && c.Position != e.position {
		fail("try_position", e.action, c.Position, e.position)
	}
	if e.probability > 0 && c.Probability != e.probability {
		fail("try_probability", e.action, c.Probability, e.probability)
	}
	if e.treatment != "" && c.Treatment != e.treatment {
		fail("try_treatment", e.action, c.Treatment, e.treatment)
	}
	for _, f := range e.prefilled {
		if _, ok := c.Prefilled[f]; !ok {
			fail("try_prefilled", e.action, f)
		}
	}
	var said strings.Builder
	said.WriteString(c.Title.In(l) + "\n" + c.Body.In(l))
	var cited []evidence.Ref
	for _, r := range c.Reasons {
		said.WriteString("\n" + r.Text.In(l))
		for _, ref := range r.Evidence {
			if !slices.Contains(cited, ref) {
				cited = append(cited, ref)
			}
		}
	}
	if want := e.says.In(l); want != "" && !strings.Contains(said.String(), want) {
		fail("try_says", e.action, want, strings.ReplaceAll(said.String(), "\n", " | "))
	}
	if strings.ContainsAny(said.String(), "{}") {
		fail("try_brace", e.action, said.String())
	}
	if len(e.cites) == 0 {
		return
	}
	var want []evidence.Ref
	for _, name := range e.cites {
		ref, ok := names[name]
		if !ok {
			ref = evidence.Ref(name)
		}
		want = append(want, ref)
	}
	got := slices.Clone(cited)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		fail("try_cites", e.action, got, want)
	}
}

func (t *trialCase) heard(needs []need.Need, fail func(string, ...any)) {
	var got []string
	for i := range needs {
		label := needs[i].Intent
		if sub := needs[i].Sub(); sub != "" {
			label += "/" + sub
		}
		got = append(got, label)
	}
	for _, want := range t.needs {
		intent, sub, _ := strings.Cut(want.label, "/")
		i := slices.IndexFunc(needs, func(n need.Need) bool { return n.Intent == intent && (sub == "" || n.Sub() == sub) })
		switch {
		case i < 0:
			fail("try_not_heard", want.label, strings.Join(got, ", "))
		case needs[i].Danger != want.danger:
			fail("try_danger", want.label, needs[i].Danger, want.danger)
		}
	}
}

const trialSeed = 20260710

// input builds what Decide is asked: the customer's history folded as serving does.
func (t *trialCase) input(c *compiled, l scene.Locale, hearing Hearing) (in decision.Input, names map[string]evidence.Ref, err error) {
	names = map[string]evidence.Ref{}
	var events []*event.Event
	for i, h := range t.history {
		e, err := t.event(i, h)
		if err != nil {
			return in, nil, err
		}
		if h.as != "" {
			names[h.as] = evidence.Ref(e.ID.String())
		}
		events = append(events, e)
	}
	person := profile.Fold("per_trial", []identity.Key{{Kind: "user", Value: "trial"}}, events, uint64(len(events)))
	who := person.Masked(profile.Mask{Off: t.off, Fields: c.version.Decision.Fields})
	catalogue := candidate.NewCatalogue()
	for i, item := range t.items {
		body, err := json.Marshal(t.dated(item.fields))
		if err == nil {
			err = catalogue.Put(item.kind, item.id, body, false, t.now.AddDate(-1, 0, 0), uint64(i+1))
		}
		if err != nil {
			return in, nil, fmt.Errorf("%s %s: %w", item.kind, item.id, err)
		}
		if item.as != "" {
			names[item.as] = evidence.Make(evidence.Kind(item.kind), item.id, uint64(i+1))
		}
	}
	at := scene.Scene{Locale: l, Time: t.now.UTC(), Zone: t.zone, Channel: "web", Device: scene.Device{Type: t.device}}
	view := catalogue.At(uint64(len(t.items)))
	in = decision.Input{Person: who, Personal: !t.off, Proven: !t.unproven, Scene: at, Catalogue: view, Seed: trialSeed, Limit: t.limit, Behalf: t.behalf}
	if t.foreseen != "" {
		return t.ahead(c, in), names, nil
	}
	if t.unasked != "" {
		return t.predicted(c, in, l), names, nil
	}
	if hearing == AsHeard {
		r := c.version.Need.Recognise(need.Enquiry{Text: t.enquiry.In(l)}, who, at, view)
		in.Needs, in.Signals = r.Needs, r.Signals
		return in, names, nil
	}
	in.Needs = t.given(l, c)
	in.Signals = signal.Evaluate(c.signals, signal.Moment{Person: who, At: at.Time, Zone: at.Location()})
	return in, names, nil
}

// predicted is the input of what Rapport says by itself when a signal fires, of the
// group that holds first; without one there is nothing to say.
func (t *trialCase) predicted(c *compiled, in decision.Input, l scene.Locale) decision.Input {
	in.Unasked = true
	r := c.version.Need.Recognise(need.Enquiry{}, in.Person, in.Scene, in.Catalogue)
	in.Signals = r.Signals
	for i := range r.Signals {
		if s := &r.Signals[i]; s.Signal == t.unasked && s.Holds {
			in.Needs = c.version.Need.Only(r, s.Signal, s.Group).Needs
			break
		}
	}
	return in
}

// ahead is the input of what Rapport says by itself of a need that a model foresees, as
// serving has it: the need, and nothing that anybody said.
func (t *trialCase) ahead(c *compiled, in decision.Input) decision.Input {
	in.Unasked = true
	in.Signals = signal.Evaluate(c.signals, signal.Moment{Person: in.Person, At: in.Scene.Time, Zone: in.Scene.Location()})
	in.Needs = []need.Need{{
		ID: "n1", Origin: need.Predicted, Intent: t.foreseen, Confidence: 1, Entities: []need.Entity{}, RefersTo: []string{},
		Evidence: []evidence.Ref{evidence.Make(evidence.Model, "foresight", 1)},
	}}
	return in
}

func (t *trialCase) given(l scene.Locale, c *compiled) []need.Need {
	var needs []need.Need
	for i, n := range t.needs {
		intent, sub, _ := strings.Cut(n.label, "/")
		one := need.Need{ID: "n" + strconv.Itoa(i+1), Origin: need.Spoken, Intent: intent, Text: t.enquiry.In(l), Entities: t.about, Danger: n.danger, Confidence: 1}
		if sub != "" {
			one.Subintent = &sub
		}
		if _, known := c.version.Decision.Symptoms[sub]; known {
			one.Danger = one.Danger || c.dangers[sub]
		}
		needs = append(needs, one)
	}
	return needs
}

func (t *trialCase) event(i int, h happened) (*event.Event, error) {
	e := &event.Event{
		ID: event.MessageID("trial", t.name+"#"+strconv.Itoa(i)), Kind: event.Track, Name: h.event, UserID: "trial",
		Time: t.now.Add(-h.ago).UTC().Truncate(time.Millisecond), Verified: true,
	}
	e.Received = e.Time
	body := h.fields
	switch {
	case h.traits != nil:
		e.Kind, e.Name, body = event.Identify, "", h.traits
	case h.preferences != nil:
		e.Kind, e.Name, e.Subject, body = event.Record, "preference", "trial", h.preferences
	case h.record != "":
		e.Kind, e.Name, e.Subject = event.Record, h.record, h.id
	case h.event == "":
		return nil, fmt.Errorf("the %d. thing in the history says neither event, record, traits nor preferences", i+1)
	}
	if body == nil {
		body = map[string]any{}
	}
	raw, err := json.Marshal(t.dated(body))
	if err != nil {
		return nil, fmt.Errorf("history %d: %w", i+1, err)
	}
	e.Body = raw
	return e, nil
}
