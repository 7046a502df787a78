package decision_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// when is a rule that asks one fact; it is what a pack's compiled rule looks like
// from this room.
type when struct {
	fact string
	is   func(any) bool
}

func (w when) Source() string { return w.fact }

func (w when) Eval(f decision.Facts) decision.Verdict {
	v, ok := f.Lookup(w.fact)
	if !ok {
		return decision.Verdict{Missing: []string{w.fact}, Unknown: true}
	}
	return decision.Verdict{Holds: w.is(v)}
}

func yes(v any) bool { return v == true }
func no(v any) bool  { return v == false }

func both(s string) candidate.Text { return candidate.Text{Zh: s, En: s} }

var noon = time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC)

func spoken(intents ...string) []need.Need {
	var all []need.Need
	for i, intent := range intents {
		all = append(all, need.Need{ID: "n" + strconv.Itoa(i+1), Origin: need.Spoken, Intent: intent, Confidence: 1})
	}
	return all
}

func input(needs []need.Need) decision.Input {
	return decision.Input{Needs: needs, Person: &profile.Profile{}, Personal: true, Scene: scene.Scene{Time: noon, Zone: "Asia/Shanghai"}, Seed: 7}
}

func offer(id string, nature decision.Nature, value float64, needs ...string) decision.Action {
	return decision.Action{ID: id, Nature: nature, Title: both(id), Needs: needs, Value: value, Lever: 1,
		Treatments: []decision.Treatment{{ID: "card_short"}}, Reasons: []decision.Because{{Text: both("because")}}}
}

func chosen(d decision.Decision) (ids []string) {
	for _, c := range d.Chosen {
		ids = append(ids, c.Action)
	}
	return ids
}

func stoppedBy(d decision.Decision, action string) string {
	for _, r := range d.Rejected {
		if r.Action == action {
			return string(r.Stage) + "/" + r.Rule
		}
	}
	return ""
}

func TestOffersStandInTheOrderOfTheirNature(t *testing.T) {
	t.Parallel()
	stop := offer("stop", decision.Service, 1, "support.troubleshoot")
	stop.Safety = true
	resolve := offer("replace", decision.Right, 1, "support.troubleshoot")
	resolve.Resolves = true
	plan := &decision.Plan{Problems: []string{"support.*"}, Actions: []decision.Action{
		offer("plan", decision.Sale, 50, "support.troubleshoot"), offer("gift", decision.Goodwill, 40, "support.troubleshoot"),
		offer("guide", decision.Service, 30, "support.troubleshoot"), resolve, stop,
	}}
	in := input(spoken("support.troubleshoot"))
	in.Limit = 5
	d := decision.Decide(plan, in)
	if want := []string{"stop", "replace", "guide", "gift", "plan"}; !slices.Equal(chosen(d), want) {
		t.Errorf("shown %v, wanted %v", chosen(d), want)
	}
	for i, c := range d.Chosen {
		if c.Position != i+1 {
			t.Errorf("%s stands %d. and is numbered %d", c.Action, i+1, c.Position)
		}
	}
	if d.Chosen[1].Probability != 1 || d.Chosen[1].Propensity != nil || d.Chosen[1].Score != 0 {
		t.Errorf("a right is not weighed: %+v", d.Chosen[1])
	}
}

func TestMission_3_5_ARightIsToldWhateverTheLimitAndTheCap(t *testing.T) {
	t.Parallel()
	a, b := offer("replace", decision.Right, 1, "aftersale.repair"), offer("repair", decision.Right, 1, "aftersale.repair")
	for _, right := range []*decision.Action{&a, &b} {
		right.Cap = &decision.Cap{Shown: 1, Within: 24 * time.Hour, Suppress: 24 * time.Hour}
		right.Policies = []decision.Policy{{ID: "never", Stage: decision.ContactPolicy, Rule: when{"enquiry.asked", no}}}
	}
	in := input(spoken("aftersale.repair"))
	in.Limit = 1
	in.Person = &profile.Profile{Contacts: []profile.Contact{{Action: "replace", Shown: noon.Add(-time.Hour), Dismissed: noon.Add(-time.Hour)}}}
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{a, b, offer("help", decision.Service, 9, "aftersale.repair")}}, in)
	if !slices.Equal(chosen(d), []string{"repair", "replace"}) {
		t.Errorf("shown %v; both rights are told and nothing else has room", chosen(d))
	}
	if stoppedBy(d, "help") != "arbitration/limit" {
		t.Errorf("the service was stopped by %q", stoppedBy(d, "help"))
	}
}

func TestNothingIsAskedThatNeedNotBe(t *testing.T) {
	t.Parallel()
	ask := offer("which_one", decision.Service, 9, "presale.recommend", "presale.stock")
	ask.Asks = true
	settle := offer("lesson", decision.Service, 1, "presale.recommend")
	settle.Resolves = true
	plan := &decision.Plan{Actions: []decision.Action{ask, settle}}

	d := decision.Decide(plan, input(spoken("presale.recommend")))
	if !slices.Equal(chosen(d), []string{"lesson"}) || stoppedBy(d, "which_one") != "arbitration/nothing_to_ask" {
		t.Errorf("a need that an offer resolves needs no question, yet: shown %v, the question was stopped by %q", chosen(d), stoppedBy(d, "which_one"))
	}
	if d := decision.Decide(plan, input(spoken("presale.recommend", "presale.stock"))); !slices.Equal(chosen(d), []string{"which_one", "lesson"}) {
		t.Errorf("the other need still waits for the question, yet: shown %v", chosen(d))
	}
	if d := decision.Decide(plan, input(spoken("presale.stock"))); !slices.Equal(chosen(d), []string{"which_one"}) {
		t.Errorf("without an offer that resolves it, we ask, yet: shown %v", chosen(d))
	}
}

func TestNothingIsSoldBesideANeedThatWaitsForTheCustomersWord(t *testing.T) {
	t.Parallel()
	ask := offer("which_one", decision.Service, 1, "presale.stock")
	ask.Asks = true
	plan := &decision.Plan{Actions: []decision.Action{ask, offer("plan", decision.Sale, 50, "presale.stock")}}
	in := input(spoken("presale.stock"))
	if d := decision.Decide(plan, in); !slices.Equal(chosen(d), []string{"which_one"}) || stoppedBy(d, "plan") != "arbitration/question_first" {
		t.Errorf("shown %v, the sale was stopped by %q", chosen(d), stoppedBy(d, "plan"))
	}
	named, sub := input(spoken("presale.stock")), "trade_in"
	named.Needs[0].Subintent = &sub
	plan.Actions = append(plan.Actions, offer("trade_in", decision.Sale, 1, "presale.stock/trade_in"))
	if d := decision.Decide(plan, named); !slices.Equal(chosen(d), []string{"which_one", "trade_in"}) {
		t.Errorf("what was asked about by name may be offered, yet: shown %v", chosen(d))
	}
	in.Results = []candidate.Result{{Source: "stock", Answers: []candidate.Answer{{Need: "n1"}}}}
	if d := decision.Decide(plan, in); !slices.Equal(chosen(d), []string{"which_one", "plan"}) {
		t.Errorf("an answered need leaves room for a sale, yet: shown %v", chosen(d))
	}
}

func TestNothingIsSoldInFrontOfAnUnsolvedProblem(t *testing.T) {
	t.Parallel()
	fix := offer("replace", decision.Goodwill, 5, "support.troubleshoot")
	fix.Resolves = true
	plan := &decision.Plan{Problems: []string{"support.*"}, Explained: []string{"support.howto"},
		Actions: []decision.Action{offer("plan", decision.Sale, 5, "support.troubleshoot", "support.howto")}}
	answer := []candidate.Result{{Source: "articles", Answers: []candidate.Answer{{Need: "n1", Passage: &candidate.Passage{}}}}}

	in := input(spoken("support.troubleshoot"))
	in.Results = answer
	if d := decision.Decide(plan, in); len(d.Chosen) != 0 || stoppedBy(d, "plan") != "arbitration/problem_first" {
		t.Errorf("tips do not solve a fault, yet: shown %v, %s", chosen(d), stoppedBy(d, "plan"))
	}
	in.Needs = spoken("support.howto")
	if d := decision.Decide(plan, in); !slices.Equal(chosen(d), []string{"plan"}) {
		t.Errorf("a usage question that is answered leaves room for a sale, yet: shown %v, %s", chosen(d), stoppedBy(d, "plan"))
	}
	in.Needs = spoken("support.troubleshoot")
	solved := *plan
	solved.Actions = append(slices.Clone(plan.Actions), fix)
	d := decision.Decide(&solved, in)
	if !slices.Equal(chosen(d), []string{"replace", "plan"}) {
		t.Errorf("with the fault settled: shown %v", chosen(d))
	}
	if len(d.Answers) != 0 {
		t.Errorf("whoever gets a new device still reads tips for the old one")
	}
}

func TestGoodwillIsNotOfferedBesideTheSameRight(t *testing.T) {
	t.Parallel()
	right, gift := offer("replace", decision.Right, 1, "aftersale.repair"), offer("replace_kindly", decision.Goodwill, 1, "aftersale.repair")
	right.Grants, gift.Grants = "replacement", "replacement"
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{gift, right}}, input(spoken("aftersale.repair")))
	if !slices.Equal(chosen(d), []string{"replace"}) || stoppedBy(d, "replace_kindly") != "arbitration/already_a_right" {
		t.Errorf("shown %v; goodwill stopped by %q", chosen(d), stoppedBy(d, "replace_kindly"))
	}
}

func TestScoresAreTheSumOfTheirTermsAndPropensityOfItsParts(t *testing.T) {
	t.Parallel()
	a := offer("plan", decision.Sale, 3.7, "order.place")
	a.Lever = 1.3
	a.Prior = decision.Prior{Base: -1.2, Parts: []decision.Weight{{Name: "family", Rule: when{"person.traits.household_size", func(v any) bool { return v.(float64) >= 3 }}, Value: .7}}}
	a.Contexts = []decision.Weight{{Name: "evening", Rule: when{"scene.hour", func(v any) bool { return v.(int64) == 12 }}, Value: .25}}
	in := input(spoken("order.place"))
	in.Person = &profile.Profile{Traits: map[string]profile.Trait{"household_size": {Value: 4.0, Evidence: "evt_size"}}}
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{a}}, in)
	c := d.Chosen[0]
	sum := 0.0
	for _, term := range c.Terms {
		sum += term.Value
	}
	if math.Abs(sum-c.Score) > 1e-9 || len(c.Terms) != 4 {
		t.Errorf("terms %+v add up to %v, the score is %v", c.Terms, sum, c.Score)
	}
	logit := 0.0
	for _, part := range c.Parts {
		logit += part.Value
	}
	if p := 1 / (1 + math.Exp(-logit)); math.Abs(p-*c.Propensity) > 1e-12 || math.Abs(c.Terms[0].Value-math.Log(p)) > 1e-12 {
		t.Errorf("parts add up to a chance of %v, stated is %v", p, *c.Propensity)
	}
	if want := math.Log(*c.Propensity) + .25 + math.Log(3.7) + math.Log(1.3); math.Abs(want-c.Score) > 1e-9 {
		t.Errorf("score %v, wanted %v", c.Score, want)
	}
	if !slices.Equal(c.Parts[1].Evidence, []evidence.Ref{"evt_size"}) {
		t.Errorf("the part about the household cites %v", c.Parts[1].Evidence)
	}
}

func drawn(n int, spread float64) *decision.Plan {
	plan := &decision.Plan{Temperature: .5, Floor: .03, Sales: 9}
	for i := range n {
		plan.Actions = append(plan.Actions, offer("s"+strconv.Itoa(i), decision.Sale, 1+spread*float64(i), "order.place"))
	}
	return plan
}

// Over many seeds every candidate is chosen as often as its logged probability
// says, for one position and for several.
func TestDrawsMatchTheLoggedProbabilities(t *testing.T) {
	t.Parallel()
	const rounds = 20000
	for _, limit := range []int{1, 2, 3} {
		plan, counts, stated := drawn(5, .6), map[string]float64{}, map[string]float64{}
		for seed := range uint64(rounds) {
			in := input(spoken("order.place"))
			in.Seed, in.Limit = seed, limit
			d := decision.Decide(plan, in)
			if len(d.Chosen) != limit {
				t.Fatalf("%d chosen of %d positions", len(d.Chosen), limit)
			}
			for _, c := range d.Chosen {
				counts[c.Action]++
			}
			total := 0.0
			for _, c := range d.Draw.Probabilities {
				stated[c.Action] = c.Probability
				total += c.Probability
				if c.Probability < plan.Floor {
					t.Fatalf("%s has a chance of %v, below the floor", c.Action, c.Probability)
				}
			}
			if math.Abs(total-float64(limit)) > 1e-9 {
				t.Fatalf("the chances of %d positions add up to %v", limit, total)
			}
			for i, p := range d.Draw.Positions {
				if p.Taken != d.Chosen[i].Action || p.Position != i+1 {
					t.Fatalf("position %d logs %s, shown is %s", p.Position, p.Taken, d.Chosen[i].Action)
				}
			}
		}
		for id, p := range stated {
			// Five standard errors: one false alarm in some 100,000 runs of 15 candidates.
			if got := counts[id] / rounds; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/rounds) {
				t.Errorf("limit %d: %s was chosen in %.4f of the rounds, logged is %.4f", limit, id, got, p)
			}
		}
	}
}

func TestAtTemperatureZeroTheBestAreTaken(t *testing.T) {
	t.Parallel()
	plan := drawn(4, .5)
	plan.Temperature = 0
	in := input(spoken("order.place"))
	in.Limit = 2
	d := decision.Decide(plan, in)
	if !slices.Equal(chosen(d), []string{"s3", "s2"}) || d.Chosen[0].Probability != 1 {
		t.Errorf("shown %v", chosen(d))
	}
}

func TestALargePoolStaysExact(t *testing.T) {
	t.Parallel()
	in := input(spoken("order.place"))
	in.Limit = 4
	d := decision.Decide(drawn(200, .01), in)
	total := 0.0
	for _, c := range d.Draw.Probabilities {
		total += c.Probability
	}
	if len(d.Draw.Probabilities) != 200 || math.Abs(total-4) > 1e-9 {
		t.Errorf("%d chances add up to %v", len(d.Draw.Probabilities), total)
	}
}

func TestTheSameInputGivesTheSameDecision(t *testing.T) {
	t.Parallel()
	in := input(spoken("order.place", "support.howto"))
	first, _ := json.Marshal(decision.Decide(drawn(9, .1), in))
	for range 20 {
		if again, _ := json.Marshal(decision.Decide(drawn(9, .1), in)); string(again) != string(first) {
			t.Fatalf("the same input gave\n%s\nand\n%s", first, again)
		}
	}
}

func TestWhatIsNotKnownStopsAnOfferAndSaysSo(t *testing.T) {
	t.Parallel()
	a := offer("plan", decision.Sale, 1, "order.place")
	a.Policies = []decision.Policy{{ID: "young", Stage: decision.Suitability, Rule: when{"device.age_months", yes}, Reason: both("too old")}}
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{a}}, input(spoken("order.place")))
	if len(d.Rejected) != 1 {
		t.Fatalf("rejected %+v", d.Rejected)
	}
	r := d.Rejected[0]
	if r.Stage != decision.Suitability || !slices.Equal(r.Missing, []string{"device.age_months"}) || r.Reason.En != "not known: age of the device in months" {
		t.Errorf("rejected with %+v", r)
	}
}

func TestConsentAndContactPoliciesBindWhatIsOfferedNotWhatIsAsked(t *testing.T) {
	t.Parallel()
	sale, help := offer("plan", decision.Sale, 1, "order.place"), offer("help", decision.Service, 1, "order.place")
	limit := &decision.Cap{Shown: 1, Within: 30 * 24 * time.Hour}
	sale.Cap, help.Cap = limit, limit
	in := input(spoken("order.place"))
	in.Person = &profile.Profile{Contacts: []profile.Contact{
		{Action: "plan", Shown: noon.Add(-48 * time.Hour), Evidence: []evidence.Ref{"evt_a"}}, {Action: "help", Shown: noon.Add(-48 * time.Hour)},
	}}
	plan := &decision.Plan{Actions: []decision.Action{sale, help}}
	d := decision.Decide(plan, in)
	if !slices.Equal(chosen(d), []string{"help"}) || stoppedBy(d, "plan") != "contact_policy/frequency_cap" {
		t.Errorf("shown %v, the sale stopped by %q", chosen(d), stoppedBy(d, "plan"))
	}
	if i := slices.IndexFunc(d.Rejected, func(r decision.Rejected) bool { return r.Action == "plan" }); !slices.Equal(d.Rejected[i].Evidence, []evidence.Ref{"evt_a"}) {
		t.Errorf("the cap cites %v", d.Rejected[i].Evidence)
	}
	plan.Actions[0].Cap, plan.Actions[0].Consent = nil, []string{"marketing"}
	if d := decision.Decide(plan, in); stoppedBy(d, "plan") != "consent/consent.marketing" {
		t.Errorf("without consent the sale was stopped by %q", stoppedBy(d, "plan"))
	}
	in.Person = &profile.Profile{Preferences: profile.Preferences{Consent: map[string]bool{"marketing": true}}}
	if d := decision.Decide(plan, in); !slices.Contains(chosen(d), "plan") {
		t.Errorf("with consent: shown %v", chosen(d))
	}
}

func TestEveryNeedHasAStatus(t *testing.T) {
	t.Parallel()
	person := offer("person", decision.Service, 1)
	person.Handover, person.Fallback = true, true
	helped := offer("track", decision.Service, 1, "logistics.track")
	helped.Resolves = true
	plan := &decision.Plan{Actions: []decision.Action{person, helped, offer("claim", decision.Service, 1, "payment.issue")}}
	in := input(spoken("logistics.track", "presale.stock", "policy.rule", "order.cancel", "finance.advice", "payment.issue"))
	in.Limit = 4
	in.Needs[3].Negated = true
	in.Needs[4].Readings = []need.Reading{{Intent: "finance.advice"}, {Intent: "account.query"}}
	in.Results = []candidate.Result{{Answers: []candidate.Answer{{Need: "n3", Passage: &candidate.Passage{}}}}}
	d := decision.Decide(plan, in)
	want := []need.Status{need.Answered, need.Handover, need.Answered, need.Answered, need.Clarify, need.Partly}
	for i, n := range d.Needs {
		if n.Status != want[i] {
			t.Errorf("%s is %s, wanted %s", n.Intent, n.Status, want[i])
		}
	}
	if in.Needs[0].Status != "" {
		t.Error("the input was changed")
	}
	plan.Actions = plan.Actions[1:]
	if d := decision.Decide(plan, in); d.Needs[1].Status != need.Unanswered {
		t.Errorf("with nobody to ask, presale.stock is %s", d.Needs[1].Status)
	}
}

func TestTipsAreKeptFromSomebodyInDanger(t *testing.T) {
	t.Parallel()
	in := input(spoken("support.troubleshoot"))
	in.Needs[0].Danger = true
	in.Results = []candidate.Result{{Answers: []candidate.Answer{{Need: "n1", Passage: &candidate.Passage{}}}}}
	if d := decision.Decide(&decision.Plan{}, in); len(d.Answers) != 0 {
		t.Error("a dangerous fault is answered with an article")
	}
}

func TestNobodyInDangerIsQuizzed(t *testing.T) {
	t.Parallel()
	person := offer("person_now", decision.Service, 1)
	person.Safety, person.Handover = true, true
	person.Policies = []decision.Policy{{ID: "danger", Stage: decision.Applicability, Rule: when{"need.danger", yes}, Reason: both("no danger")}}
	in := input(spoken("support.troubleshoot", "presale.stock"))
	in.Needs[0].Danger = true
	in.Needs[1].Readings = []need.Reading{{Intent: "presale.stock"}, {Intent: "policy.rule"}}
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{person}}, in)
	if d.Needs[1].Status != need.Handover {
		t.Errorf("what is unclear beside a danger is %s and should go to the person who comes", d.Needs[1].Status)
	}
}

func overheated(count int, days ...int) need.SignalState {
	s := need.SignalState{Signal: "repeat", Group: map[string]string{"device": "L1", "asset_id": "L1", "symptom": "overheat"}, Count: count, Holds: count >= 2}
	for i, ago := range days {
		s.Events = append(s.Events, evidence.Ref("evt_"+strconv.Itoa(i)))
		s.Times = append(s.Times, noon.AddDate(0, 0, -ago))
	}
	if !s.Holds {
		s.Fault = "count"
	}
	return s
}

func replacement() *decision.Plan {
	right := offer("replace", decision.Right, 1, "support.troubleshoot")
	right.Signal, right.Resolves, right.Grants = "repeat", true, "replacement"
	right.Policies = []decision.Policy{{ID: "warranty", Stage: decision.Eligibility, Rule: when{"device.under_warranty", yes}, Reason: both("over")}}
	right.Reasons = []decision.Because{
		{Text: candidate.Text{Zh: "{dates}{times}报修", En: "reported {times}, on {dates}"}, Cites: []string{"group"}},
		{Text: candidate.Text{Zh: "保修到{device.warranty_until}", En: "under warranty until {device.warranty_until}"}, Cites: []string{"device.under_warranty"}},
	}
	gift := offer("replace_kindly", decision.Goodwill, 1, "support.troubleshoot")
	gift.Signal, gift.Grants = "repeat", "replacement"
	return &decision.Plan{Actions: []decision.Action{right, gift}, Signals: map[string]decision.Pattern{
		"repeat": {Title: both("two repairs"), Event: candidate.Text{Zh: "报修", En: "reports"}, AtLeast: 2, Within: 90 * 24 * time.Hour},
	}}
}

func laptop(until string) *profile.Profile {
	return &profile.Profile{Records: map[evidence.Kind]map[string]*profile.Record{evidence.Asset: {
		"L1": {Kind: evidence.Asset, ID: "L1", Fields: map[string]any{"product_id": "P1", "warranty_until": until}},
	}}}
}

func TestMission_1_4_ReasonsCiteExactlyTheirRecordsAndSpeakOfLocalDays(t *testing.T) {
	t.Parallel()
	in := input(spoken("support.troubleshoot"))
	in.Person, in.Signals = laptop("2026-09-01"), []need.SignalState{overheated(2, 69, 20)}
	d := decision.Decide(replacement(), in)
	if len(d.Chosen) == 0 {
		t.Fatalf("nothing offered: %+v", d.Rejected)
	}
	c := d.Chosen[0]
	want := []decision.Reason{
		{Text: candidate.Text{Zh: "5 月 2 日和 6 月 20 日两次报修", En: "reported twice, on 2 May and 20 June"}, Evidence: []evidence.Ref{"evt_0", "evt_1"}},
		{Text: candidate.Text{Zh: "保修到 9 月 1 日", En: "under warranty until 1 September"}, Evidence: []evidence.Ref{"asset:L1"}},
	}
	if c.Action != "replace" || !reflect.DeepEqual(c.Reasons, want) {
		t.Errorf("%s because %+v", c.Action, c.Reasons)
	}
}

func TestANearMissNamesTheRuleThatFailed(t *testing.T) {
	t.Parallel()
	in := input(spoken("support.troubleshoot"))
	in.Person, in.Signals = laptop("2026-09-01"), []need.SignalState{overheated(1, 20)}
	d := decision.Decide(replacement(), in)
	if len(d.Chosen) != 0 || len(d.Rejected) != 2 {
		t.Fatalf("shown %v, rejected %+v", chosen(d), d.Rejected)
	}
	r := d.Rejected[0]
	if r.Stage != decision.Applicability || r.Rule != "signal.repeat" || r.Reason.En != "reports within 90 days: 1; it takes 2" ||
		r.Reason.Zh != "90 天内报修只有 1 次，需要 2 次" || !slices.Equal(r.Evidence, []evidence.Ref{"evt_0"}) {
		t.Errorf("rejected with %+v", r)
	}
}

func TestCounterfactualsAreWhatWouldHaveBeenDecided(t *testing.T) {
	t.Parallel()
	plan, in := replacement(), input(spoken("support.troubleshoot"))
	in.Person, in.Signals = laptop("2026-09-01"), []need.SignalState{overheated(2, 69, 20)}
	d := decision.Decide(plan, in)
	all := decision.Counterfactuals(plan, in, d)
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	for i, ref := range []evidence.Ref{"evt_0", "evt_1"} {
		if all[i].Without != ref || !slices.Equal(all[i].Gone, []string{"replace"}) || len(all[i].Instead) != 0 {
			t.Errorf("without %s: %+v", ref, all[i])
		}
	}
	last := all[2]
	if last.Fact != "device.under_warranty" || !slices.Equal(last.Gone, []string{"replace"}) || !slices.Equal(last.Instead, []string{"replace_kindly"}) {
		t.Errorf("out of warranty: %+v", last)
	}
	if last.Change.Zh != "如果这台设备已过保修期" || last.Outcome.Zh != "「replace」会换成「replace_kindly」" {
		t.Errorf("it says %q, %q", last.Change.Zh, last.Outcome.Zh)
	}
	if again := decision.Decide(plan, in); !reflect.DeepEqual(again, d) {
		t.Error("asking what if changed the input")
	}
	plan.Actions[1].Title = plan.Actions[0].Title
	if told := decision.Counterfactuals(plan, in, d)[2].Outcome; told.Zh != "「replace」就不是应有的权利，而是额外的心意" || told.En != "“replace” would be goodwill and not a right" {
		t.Errorf("the same thing as goodwill: %+v", told)
	}
}

func TestWhatWasRuledOutIsServedByNothing(t *testing.T) {
	t.Parallel()
	in := input(spoken("aftersale.return_refund"))
	in.Needs[0].Negated = true
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{offer("return", decision.Right, 1, "aftersale.return_refund")}}, in)
	if len(d.Chosen) != 0 {
		t.Errorf("shown %v to somebody who does not want it", chosen(d))
	}
}

func TestWithoutAnEnquiryOnlyOffersForAnyNeedAreMade(t *testing.T) {
	t.Parallel()
	in := input(nil)
	in.Person = nil
	d := decision.Decide(&decision.Plan{Actions: []decision.Action{offer("greet", decision.Service, 1), offer("track", decision.Service, 1, "logistics.track")}}, in)
	if !slices.Equal(chosen(d), []string{"greet"}) || d.Chosen[0].Need != "" {
		t.Errorf("shown %v", chosen(d))
	}
}

func TestOnlyWhatHasArrivedIsSentBack(t *testing.T) {
	t.Parallel()
	fill := func(intent string) string {
		a := offer("form", decision.Service, 1, intent)
		a.Form = []decision.Field{{Name: "order", From: "order.id"}}
		in := input(spoken(intent))
		in.Person = &profile.Profile{Records: map[evidence.Kind]map[string]*profile.Record{evidence.Order: {
			"here":      {Kind: evidence.Order, ID: "here", CreatedAt: noon.AddDate(0, 0, -9), Fields: map[string]any{"status": "delivered"}},
			"on_my_way": {Kind: evidence.Order, ID: "on_my_way", CreatedAt: noon.AddDate(0, 0, -1), Fields: map[string]any{"status": "shipped"}},
		}}}
		id, _ := decision.Decide(&decision.Plan{Actions: []decision.Action{a}}, in).Chosen[0].Prefilled["order"].(string)
		return id
	}
	for intent, want := range map[string]string{"aftersale.return_refund": "here", "aftersale.exchange": "here", "logistics.track": "on_my_way", "order.cancel": "on_my_way"} {
		if got := fill(intent); got != want {
			t.Errorf("%s is about the order %q, wanted %q", intent, got, want)
		}
	}
}

func TestWhatStandsInNoOrderIsNotReturnedWithTheNewestOne(t *testing.T) {
	t.Parallel()
	ret := offer("return", decision.Service, 1, "aftersale.return_refund")
	ret.Form = []decision.Field{{Name: "order", From: "order.id"}}
	bought := func(id string, days int, product string) *profile.Record {
		return &profile.Record{Kind: evidence.Order, ID: id, CreatedAt: noon.AddDate(0, 0, -days), Fields: map[string]any{"lines": []any{map[string]any{"product_id": product}}}}
	}
	in := input(spoken("aftersale.return_refund"))
	in.Person = &profile.Profile{Records: map[evidence.Kind]map[string]*profile.Record{
		evidence.Order: {"old": bought("old", 30, "phone"), "new": bought("new", 1, "earbuds")},
		evidence.Asset: {"SN1": {Kind: evidence.Asset, ID: "SN1", Fields: map[string]any{"product_id": "laptop"}}, "SN2": {Kind: evidence.Asset, ID: "SN2", Fields: map[string]any{"product_id": "phone"}}},
	}}
	for _, x := range []struct {
		about, also string
		order       string
	}{{"", "", "new"}, {"phone", "", "old"}, {"SN2", "", "old"}, {"SN1", "", "new"}, {"SN1", "SN1", ""}, {"laptop", "laptop", ""}, {"laptop", "phone", "new"}} {
		in.Needs = spoken("aftersale.return_refund", "support.troubleshoot")
		if x.about != "" {
			in.Needs[0].RefersTo = []string{x.about}
		}
		if x.also != "" {
			in.Needs[1].RefersTo = []string{x.also}
		}
		d := decision.Decide(&decision.Plan{Actions: []decision.Action{ret}}, in)
		if got, _ := d.Chosen[0].Prefilled["order"].(string); got != x.order {
			t.Errorf("about %q, the enquiry about %q: the order %q is filled in, wanted %q", x.about, x.also, got, x.order)
		}
	}
}

// Who has a laptop and asks about a purifier is told nothing of the laptop.
func TestWhatTheyHaveIsNoAnswerAboutAnotherKindOfThing(t *testing.T) {
	t.Parallel()
	person := &profile.Profile{Records: map[evidence.Kind]map[string]*profile.Record{
		evidence.Asset: {"SN-1": {Kind: evidence.Asset, ID: "SN-1", Fields: map[string]any{"product_id": "laptop", "warranty_until": "2027-01-01"}}},
		evidence.Order: {"O-1": {Kind: evidence.Order, ID: "O-1", Fields: map[string]any{"status": "delivered", "product_id": "laptop", "returnable_until": "2026-07-20"}}},
		evidence.Case:  {"C-1": {Kind: evidence.Case, ID: "C-1", Fields: map[string]any{"status": "open", "kind": "repair", "asset_id": "SN-1"}}},
	}}
	knows := func(fact string) decision.Action {
		a := offer(fact, decision.Service, 1, "support.troubleshoot")
		a.Policies = []decision.Policy{{ID: "known", Stage: decision.Eligibility, Rule: when{fact, func(v any) bool { return v != nil }}}}
		return a
	}
	twice := offer("replace", decision.Right, 1, "support.troubleshoot")
	twice.Signal = "same_fault"
	visits := offer("call", decision.Service, 1, "support.troubleshoot")
	visits.Signal = "worried"
	facts := []string{"device.under_warranty", "order.id", "case.id", "returnable.id"}
	plan := &decision.Plan{Actions: []decision.Action{twice, visits}}
	for _, f := range facts {
		plan.Actions = append(plan.Actions, knows(f))
	}
	in := input(spoken("support.troubleshoot"))
	in.Person, in.Limit = person, 10
	in.Signals = []need.SignalState{{Signal: "same_fault", Holds: true, Group: map[string]string{"asset_id": "SN-1"}}, {Signal: "worried", Holds: true}}
	if got := chosen(decision.Decide(plan, in)); len(got) != 6 {
		t.Fatalf("of their own laptop they are told %v", got)
	}
	in.Needs[0].Unowned = true
	d := decision.Decide(plan, in)
	if got := chosen(d); !slices.Equal(got, []string{"call"}) {
		t.Errorf("of another kind of thing they are told %v", got)
	}
	if by := stoppedBy(d, "replace"); by != "applicability/other_thing" {
		t.Errorf("the replacement of the laptop is stopped by %q", by)
	}
}
