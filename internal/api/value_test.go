package api

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/engine"
)

// treats is a pack of two favours for who asks what is on offer, and what comes of them.
const treats = `
pack: treats
draw: {temperature: 1, exploration: 0, floor: 0.05}
metrics:
  - {id: came_back, title: {zh: 7 天内下单, en: Ordered within 7 days}, event: Order Completed, within: 7d}
  - {id: spent, title: {zh: 7 天内消费, en: Spent within 7 days}, event: Order Completed, within: 7d, sum: total}
actions:
  - id: tea
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 请您喝茶, en: A cup of tea}
    eligibility: [{id: cafe, rule: scene.store == 'cafe', reason: {zh: 不在咖啡店, en: not in the café}}]
    value: 2
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
  - id: cake
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 送您一块蛋糕, en: A piece of cake}
    eligibility: [{id: cafe, rule: scene.store == 'cafe', reason: {zh: 不在咖啡店, en: not in the café}}]
    value: 1
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
`

// estimate is an estimate as it is answered.
type estimate struct{ Value, Low, High, Error float64 }

type valued struct {
	Reward           string
	Rounds           int
	NotYet           int `json:"not_yet"`
	Lost             int
	Effective, Tried float64
	Enough           bool
	Missing, Model   string
	Explained        float64
	Logged, IPS, DR  estimate
	SNIPS            estimate
}

func (d *door) value(version int, body string) (v valued) {
	d.t.Helper()
	var s struct{ Value valued }
	if err := json.Unmarshal([]byte(d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/simulate", version), "sk_shop", body).body), &s); err != nil {
		d.t.Fatal(err)
	}
	return s.Value
}

// chances reads with which probability a version in force draws each action.
func (d *door) chances() map[string]float64 {
	d.t.Helper()
	a := d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"looker","limit":2,"scene":{"store":"cafe"},"enquiry":{"text":"现在有什么优惠活动"},"explain":true}`).json(d.t)
	out := map[string]float64{}
	for _, x := range a["explanation"].(map[string]any)["draw"].(map[string]any)["probabilities"].([]any) {
		c := x.(map[string]any)
		out[c["action"].(string)] = c["probability"].(float64)
	}
	return out
}

// Customers take tea in one case of five and cake in three of five, and those who took
// cake come back. What a version that prefers cake would bring is known, and estimated
// from the log of one that prefers tea.
func TestWhatAVersionWouldHaveBroughtIsEstimated(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(2026, 11))
	d, shut := wholeWith(t, t.TempDir(), func(o *engine.Options) {
		o.Random = func() (b [16]byte) {
			binary.LittleEndian.PutUint64(b[:8], dice.Uint64())
			binary.LittleEndian.PutUint64(b[8:], dice.Uint64())
			return b
		}
	})
	defer shut()
	d.set(time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"own/treats.yaml": treats})
	rates := map[string]float64{"tea": .2, "cake": .6}
	took := rand.New(rand.NewPCG(5, 7))
	for i := range 700 {
		d.set(d.now().Add(time.Minute))
		user := fmt.Sprint("p", i)
		a := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":%q,"limit":2,"scene":{"store":"cafe"},"enquiry":{"text":"现在有什么优惠活动"}}`, user)).json(t)
		actions := a["actions"].([]any)
		if len(actions) != 2 {
			t.Fatalf("%d actions: %v", len(actions), actions)
		}
		action := actions[1].(map[string]any)["action"].(string) // after the question which product is meant
		if i%10 == 9 {
			continue // they never saw it
		}
		at := "/v1/decisions/" + a["id"].(string) + "/outcomes"
		d.want(200, "", "POST", at, "sk_shop", fmt.Sprintf(`{"outcome":"shown","action":%q}`, action))
		if took.Float64() < rates[action] {
			d.want(200, "", "POST", at, "sk_shop", fmt.Sprintf(`{"outcome":"accepted","action":%q}`, action))
			if action == "cake" {
				d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"userId":%q,"event":"Order Completed","timestamp":%q,"properties":{"order_id":"o%d","total":50}}`, user, d.now().Add(time.Hour).Format(time.RFC3339), i))
			}
		}
	}
	cakes := d.draft(map[string]string{"own/treats.yaml": strings.Replace(treats, "value: 1", "value: 8", 1)})
	bread := d.draft(map[string]string{"own/treats.yaml": strings.Replace(treats, "value: 1", "value: 8", 1) + "  - id: bread\n    nature: goodwill\n    serves: [presale.price_promo]\n    title: {zh: 送您面包, en: A loaf of bread}\n    eligibility: [{id: cafe, rule: scene.store == 'cafe', reason: {zh: 不在咖啡店, en: not in the café}}]\n    value: 9\n    reasons: [{text: {zh: 谢谢您, en: Thank you}}]\n"})
	if v := d.value(cakes, ""); v.Rounds != 0 || v.NotYet != 700 || v.Enough || v.Missing != "rounds" {
		t.Errorf("before anybody has had time to accept: %+v", v)
	}
	d.set(d.now().AddDate(0, 0, 8))
	v := d.value(cakes, "")
	same := d.value(2, "")
	spent, back := d.value(cakes, `{"reward":"spent"}`), d.value(cakes, `{"reward":"came_back"}`)
	untried := d.value(bread, "")
	d.want(400, "one_of", "POST", fmt.Sprintf("/v1/strategies/%d/simulate", cakes), "sk_shop", `{"reward":"joy"}`)

	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", cakes), "sk_shop", "")
	p := d.chances()
	if math.Abs(p["tea"]+p["cake"]-1) > 1e-9 || p["cake"] < .7 {
		t.Fatalf("the version draws with %v", p)
	}
	truth := p["tea"]*rates["tea"] + p["cake"]*rates["cake"]
	if v.Rounds != 630 || v.NotYet != 70 || v.Lost != 0 || !v.Enough || v.Tried < .999 {
		t.Errorf("630 answers were shown: %+v", v)
	}
	holds := func(what string, e estimate, truth float64) {
		t.Helper()
		// Three and a half standard errors: the world is fixed, the code around it is not.
		if !(e.Low < e.Value && e.Value < e.High) || math.Abs(e.Value-truth) > 3.5*e.Error || e.Error > truth/4 {
			t.Errorf("%s is estimated as %+v, the truth is %.3f", what, e, truth)
		}
	}
	holds("IPS", v.IPS, truth)
	holds("SNIPS", v.SNIPS, truth)
	holds("DR", v.DR, truth)
	holds("what was spent", spent.IPS, p["cake"]*rates["cake"]*50)
	holds("what was spent, doubly robust", spent.DR, p["cake"]*rates["cake"]*50)
	holds("who came back, doubly robust", back.DR, p["cake"]*rates["cake"])
	if v.Model != "propensity" || spent.Model != "fitted" || back.Model != "fitted" || spent.Explained < .05 {
		t.Errorf("the models are %q, %q and %q, which explains %.3f", v.Model, spent.Model, back.Model, spent.Explained)
	}
	if spent.DR.Error >= spent.IPS.Error || back.DR.Error >= back.IPS.Error {
		t.Errorf("the model narrows nothing: %+v %+v, %+v %+v", spent.DR, spent.IPS, back.DR, back.IPS)
	}
	holds("who came back", back.SNIPS, p["cake"]*rates["cake"])
	if v.IPS.Low < v.Logged.Value {
		t.Errorf("that cake is liked better is not seen: %+v", v)
	}
	if math.Abs(same.IPS.Value-same.Logged.Value) > 1e-9 || math.Abs(same.Effective-630) > 1e-6 {
		t.Errorf("the version that decided brings what it brought: %+v", same)
	}
	if few := d.value(cakes, `{"reward":"spent","limit":60}`); few.Enough || few.Missing != "overlap" {
		t.Errorf("sixty decisions are enough: %+v", few)
	}
	if untried.Enough || untried.Missing != "trials" || untried.Tried > .6 {
		t.Errorf("nobody was ever offered bread: %+v", untried)
	}
}

// A canary can be watched by what a pack measures.
func TestAGuardrailWatchesAMetricOfThePack(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC))
	two := d.draft(map[string]string{"own/treats.yaml": treats})
	d.want(400, "bad_guardrail", "POST", "/v1/strategies/1/publish", "sk_shop", `{"canary":0.9,"guardrails":[{"metric":"came_back","min":0.1,"after":3}]}`)
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", `{"canary":0.9,"guardrails":[{"metric":"came_back","min":0.1,"after":3}]}`)
	shown := 0
	for i := 0; i < 40 && shown < 5; i++ {
		version, _, id := d.servedBy(fmt.Sprint("p", i))
		if version == two {
			d.want(200, "", "POST", "/v1/decisions/"+id+"/outcomes", "sk_shop", `{"outcome":"shown"}`)
			shown++
		}
	}
	for _, days := range []int{6, 1} {
		if s := d.state(two); s != "canary" {
			t.Errorf("it is %s before anybody has had time to come back", s)
		}
		d.set(d.now().AddDate(0, 0, days).Add(time.Minute))
		if err := d.corridor.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	v := d.want(200, "", "GET", fmt.Sprintf("/v1/strategies/%d", two), "sk_shop", "").json(t)
	if r := v["rollout"].(map[string]any); v["state"] != "superseded" || r["reason"] != "guardrail came_back: 0.0000 of 5" {
		t.Errorf("nobody comes back and the canary goes on: %v", v)
	}
}
