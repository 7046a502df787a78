package candidate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// wash is a shop with two washing machines that a family could choose between.
func wash(t testing.TB) *shop {
	return newShop(t).
		put("attribute", "persons", `{"label":{"zh":"适合人数","en":"Household"},"unit":"人","fits":"household_size"}`).
		put("attribute", "spin", `{"label":{"zh":"转速","en":"Spin speed"},"unit":"rpm","better":"higher"}`).
		put("attribute", "depth", `{"label":{"zh":"厚度","en":"Depth"},"unit":"cm","better":"lower"}`).
		put("attribute", "noise", `{"label":{"zh":"噪音","en":"Noise"},"unit":"dB","better":"lower"}`).
		put("item", "A", `{"kind":"product","title":{"zh":"晨露洗衣机 A型","en":"Dew Washer A"},"category":"washer","price":{"amount":209900,"currency":"CNY"},"warranty":{"months":12},
			"attributes":{"persons":"1-3人","spin":{"value":1200,"unit":"rpm"},"depth":{"value":600,"unit":"mm"},"noise":{"value":52,"unit":"dB"},"colour":"白"},"tags":["small_flat"]}`).
		put("item", "B", `{"kind":"product","title":{"zh":"晨露洗衣机 B型","en":"Dew Washer B"},"category":"washer","price":{"amount":279900,"currency":"CNY"},"warranty":{"months":36},
			"attributes":{"persons":"4-6人","spin":{"value":1400,"unit":"rpm"},"depth":{"value":65,"unit":"cm"},"colour":"白"},"tags":["family","pets"],"available":true}`)
}

// spoken makes a need of a sentence as the need room would: its names found by the shelf.
func spoken(v candidate.View, id, intent, sentence string, more ...need.Entity) need.Need {
	return need.Need{ID: id, Origin: need.Spoken, Intent: intent, Text: sentence, Entities: append(v.Find(text.Normalise(sentence).Runes), more...)}
}

func deciding(id string) need.Need {
	decide := "decide"
	return need.Need{ID: id, Origin: need.Implied, Intent: "presale.recommend", Subintent: &decide}
}

func customer(traits map[string]any) *profile.Profile {
	p := &profile.Profile{Traits: map[string]profile.Trait{}, Records: map[evidence.Kind]map[string]*profile.Record{}, History: map[string][]*event.Event{}}
	for name, v := range traits {
		p.Traits[name] = profile.Trait{Value: v, At: opening, Evidence: "evt_0123456789abcdefghjkmnpqrs", Verified: true}
	}
	return p
}

func enquire(v candidate.View, who *profile.Profile, needs ...need.Need) *candidate.Request {
	return &candidate.Request{Needs: needs, Person: who, Catalogue: v, Scene: scene.Scene{Locale: scene.Chinese, Time: opening.AddDate(0, 1, 0)}}
}

// answered gathers and checks what holds of every result: it survives storage to
// the byte, and a recommendation's score is the sum of its terms.
func answered(t *testing.T, sources []candidate.Source, r *candidate.Request) map[string][]candidate.Answer {
	t.Helper()
	results := candidate.Gather(t.Context(), sources, r, time.Minute)
	stored, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	var back []candidate.Result
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, results) {
		t.Errorf("the results change in storage:\n%#v\n%#v", results, back)
	}
	if again := candidate.Gather(t.Context(), sources, r, time.Minute); !reflect.DeepEqual(again, results) {
		t.Error("the same request was answered differently")
	}
	by := map[string][]candidate.Answer{}
	for _, res := range results {
		if res.Degraded != nil {
			t.Errorf("%s is degraded: %s", res.Source, res.Degraded.Reason)
		}
		for _, a := range res.Answers {
			by[a.Need+" "+res.Source] = append(by[a.Need+" "+res.Source], a)
			if rec := a.Recommendation; rec != nil {
				sum := 0.0
				for _, term := range rec.Terms {
					sum += term.Value
					if len(term.Evidence) == 0 {
						t.Errorf("term %s has no record behind it", term.Name)
					}
				}
				if math.Abs(sum-rec.Score) > 1e-9 {
					t.Errorf("score %v, terms sum to %v", rec.Score, sum)
				}
			}
		}
	}
	return by
}

func row(t *testing.T, c *candidate.Comparison, attribute string) candidate.Row {
	t.Helper()
	for _, r := range c.Rows {
		if r.Attribute == attribute {
			return r
		}
	}
	t.Fatalf("no row %s", attribute)
	return candidate.Row{}
}

func TestMission_1_2_OneEnquiryThreeSources(t *testing.T) {
	t.Parallel()
	shop := wash(t)
	v := shop.At(0)
	log := newLog(t)
	for i := range 36 {
		log.at(uint32(i + 1)).identify(4).viewed("A").viewed("B")
		if i < 28 {
			log.bought("B")
		} else if i < 32 {
			log.bought("A")
		}
	}
	for _, c := range []struct{ compare, recommend string }{
		{"对比A和B型号的功能差异", "推荐适合家庭使用的版本"},
		{"compare the features of A and B", "recommend the one that suits a family"},
	} {
		r := enquire(v, customer(map[string]any{"household_size": 4.0}),
			spoken(v, "n1", "presale.compare", c.compare), spoken(v, "n2", "presale.recommend", c.recommend), deciding("n3"))
		by := answered(t, candidate.Sources(log.Of("w")), r)

		table := by["n1 comparison"]
		if len(table) != 1 || len(by["n2 comparison"])+len(by["n3 comparison"]) != 0 {
			t.Fatalf("one table was wanted: %v", by)
		}
		var order []string
		for _, r := range table[0].Comparison.Rows {
			order = append(order, r.Attribute)
		}
		if got := strings.Join(order, " "); got != "persons depth price spin warranty noise colour" {
			t.Errorf("rows: %s", got)
		}
		depth := row(t, table[0].Comparison, "depth")
		if depth.Cells[0].Text != "60 cm" || depth.Cells[1].Text != "65 cm" || !slices.Equal(depth.Best, []int{0}) {
			t.Errorf("600 mm against 65 cm: %+v", depth)
		}
		noise := row(t, table[0].Comparison, "noise")
		if !noise.Cells[0].Stated || noise.Cells[1].Stated || noise.Best != nil {
			t.Errorf("B does not state its noise and must not lose by it: %+v", noise)
		}
		if price := row(t, table[0].Comparison, "price"); price.Cells[0].Text != "¥2099" || !slices.Equal(price.Best, []int{0}) {
			t.Errorf("price: %+v", price)
		}

		fit := by["n2 fit"]
		if len(fit) != 1 || fit[0].Fit.People != 4 || fit[0].Fit.Inferred || fit[0].Fit.Basis == "" {
			t.Fatalf("fit: %+v", fit)
		}
		if a, b := fit[0].Fit.Items[0], fit[0].Fit.Items[1]; a.Verdict != candidate.Tight || b.Verdict != candidate.Fits {
			t.Errorf("four people: A %s, B %s", a.Verdict, b.Verdict)
		}

		choice := by["n3 recommendation"]
		if len(choice) != 1 || len(by["n2 recommendation"]) != 0 {
			t.Fatalf("the decision was to be answered: %v", by)
		}
		rec := choice[0].Recommendation
		if rec.Item.ID != "B" || rec.Cohort == nil || rec.Cohort.Compared != 36 || rec.Cohort.Chose != 28 || rec.Cohort.Similarity != "household" {
			t.Errorf("recommendation: %+v %+v", rec, rec.Cohort)
		}
		if rec.Instead == nil || rec.Instead.Item.ID != "A" || rec.Instead.People >= 4 || rec.Instead.Saves == nil || rec.Instead.Saves.Amount != 70000 {
			t.Errorf("what would change it: %+v", rec.Instead)
		}
		data, ok := log.Opens("w", func() string { id, _ := rec.Cohort.Ref.ID(); return id }())
		if opened := data.(candidate.Opened); !ok || opened.Then.Compared != 36 || opened.Now == nil || opened.Now.Counts[1] != 28 {
			t.Errorf("the cohort opens onto %+v", data)
		}
	}
}

func TestFitOfAHousehold(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	people := func(n float64) need.Entity {
		return need.Entity{Type: "scene", Text: "一家人", Value: map[string]any{"count": n}}
	}
	for name, c := range map[string]struct {
		who      *profile.Profile
		sentence string
		more     []need.Entity
		want     string
	}{
		"the words count before the trait": {customer(map[string]any{"household_size": 5.0}), "A和B哪个适合我们", []need.Entity{people(2)}, "2 fits unfit"},
		"one more than the most is tight":  {customer(map[string]any{"household_size": "7"}), "A和B推荐哪个", nil, "7 unfit tight"},
		"members of the household are one more": {customer(map[string]any{"household": []any{map[string]any{"relation": "spouse"}, map[string]any{"relation": "child", "age": 6.0}}}),
			"A和B推荐哪个", nil, "3 fits fits"},
		"a family of nobody knows how many is inferred": {nil, "A和B哪个适合家庭", nil, "3? fits fits"},
	} {
		r := enquire(v, c.who, spoken(v, "n1", "presale.recommend", c.sentence, c.more...))
		fit := answered(t, candidate.Sources(nil), r)["n1 fit"]
		if len(fit) != 1 {
			t.Errorf("%s: %d verdicts", name, len(fit))
			continue
		}
		f := fit[0].Fit
		got := fmt.Sprint(f.People)
		if f.Inferred {
			got += "?"
		}
		for _, it := range f.Items {
			got += " " + string(it.Verdict)
		}
		if got != c.want {
			t.Errorf("%s: %s, wanted %s", name, got, c.want)
		}
	}
	r := enquire(v, nil, spoken(v, "n1", "presale.recommend", "家里养猫，A和B选哪个"))
	f := answered(t, candidate.Sources(nil), r)["n1 fit"][0].Fit
	if f.Items[0].Verdict != candidate.Unknown || f.Items[1].Verdict != candidate.Fits {
		t.Errorf("for a home with a cat: %+v", f.Items)
	}
}

func TestNobodyIsRecognisedInACohort(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	for i := range 4 {
		log.at(uint32(i + 1)).identify(3).viewed("A").bought("B")
	}
	c := log.Of("w")
	if n, _ := c.Choice([]string{"A", "B"}, 3); n != 0 {
		t.Errorf("four people are told: %d", n)
	}
	log.at(5).identify(4).bought("A").bought("B")
	if n, chose := c.Choice([]string{"A", "B"}, 3); n != 5 || chose[0] != 1 || chose[1] != 5 {
		t.Errorf("the fifth, one more at home, counts: %d %v", n, chose)
	}
	if n, _ := c.Choice([]string{"A", "B"}, 1); n != 0 {
		t.Errorf("a household of one is not like three: %d", n)
	}
	log.at(6).viewed("A").viewed("B").order("o-6", "A", "B")
	if n, chose := c.Choice([]string{"A", "B"}, 0); n != 6 || chose[0] != 2 {
		t.Errorf("everyone: %d %v", n, chose)
	}
	log.track("Order Cancelled", `{"order_id":"o-6"}`)
	if n, chose := c.Choice([]string{"A", "B"}, 0); n != 6 || chose[0] != 1 || chose[1] != 5 {
		t.Errorf("a cancelled order is no purchase: %d %v", n, chose)
	}
	log.Join("w", 6, 5)
	if n, _ := c.Choice([]string{"A", "B"}, 0); n != 5 {
		t.Errorf("two ids of one person count once: %d", n)
	}
	log.Part("w", 6, 5)
	if n, _ := log.at(6).viewed("A").viewed("B").Of("w").Choice([]string{"A", "B"}, 0); n != 6 {
		t.Errorf("who was taken apart counts for themself: %d", n)
	}
	log.Forget("w", 6)
	log.Forget("w", 5)
	if n, _ := c.Choice([]string{"A", "B"}, 0); n != 0 {
		t.Errorf("who was erased is counted: %d", n)
	}
}

func TestCountsSurviveARestart(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	for i := range 20 {
		log.at(uint32(i+1)).identify(i%5+1).viewed("A").viewed("B").order(fmt.Sprint("o", i), "B")
	}
	log.Join("w", 20, 19)
	saved, err := log.Save()
	if err != nil {
		t.Fatal(err)
	}
	again := candidate.NewCohorts()
	if err := again.Load(saved); err != nil {
		t.Fatal(err)
	}
	if twice, _ := again.Save(); string(twice) != string(saved) {
		t.Error("saved counts differ from those they were loaded from")
	}
	for household := range 6 {
		a, b := log.Of("w"), again.Of("w")
		n, chose := a.Choice([]string{"A", "B"}, household)
		m, chosen := b.Choice([]string{"A", "B"}, household)
		if n != m || !slices.Equal(chose, chosen) {
			t.Errorf("household %d: %d %v, then %d %v", household, n, chose, m, chosen)
		}
	}
	for cut := range len(saved) - 1 {
		if candidate.NewCohorts().Load(saved[:cut]) == nil && cut > 1 {
			t.Errorf("%d of %d bytes are taken for whole", cut, len(saved))
			break
		}
	}
	log.at(3).track("Order Refunded", `{"order_id":"o2"}`)
	other := &logOf{Cohorts: again, t: t, person: 3, n: log.n}
	other.track("Order Refunded", `{"order_id":"o2"}`)
	a, _ := log.Save()
	if b, _ := other.Save(); string(a) != string(b) {
		t.Error("what follows a restart is counted differently")
	}
}

func TestRecommendationUnderConstraints(t *testing.T) {
	t.Parallel()
	v := wash(t).
		put("item", "C", `{"title":{"zh":"晨露洗衣机 C型"},"category":"washer","price":{"amount":159900,"currency":"CNY"},"attributes":{"persons":"4-6","spin":{"value":1000,"unit":"rpm"}}}`).
		put("item", "bar-nut", `{"title":{"zh":"坚果燕麦棒"},"category":"snack","attributes":{"ingredients":"燕麦、花生、蜂蜜"},"price":{"amount":900,"currency":"CNY"}}`).
		put("item", "bar-plain", `{"title":{"zh":"原味燕麦棒"},"category":"snack","attributes":{"ingredients":"燕麦、蜂蜜，不含花生"},"price":{"amount":1100,"currency":"CNY"}}`).
		put("item", "bar-mystery", `{"title":{"zh":"神秘燕麦棒"},"category":"snack","price":{"amount":800,"currency":"CNY"}}`).
		put("item", "fund-r4", `{"kind":"financial_product","title":{"zh":"进取基金"},"category":"fund","attributes":{"risk_level":"R4","yield":6}}`).
		put("item", "fund-r2", `{"kind":"financial_product","title":{"zh":"稳健基金"},"category":"fund","attributes":{"risk_level":"R2","yield":3}}`).
		put("attribute", "yield", `{"label":{"zh":"收益"},"better":"higher"}`).
		At(0)
	choice := func(who *profile.Profile, n need.Need) *candidate.Recommendation {
		t.Helper()
		if a := answered(t, candidate.Sources(nil), enquire(v, who, n))["n1 recommendation"]; len(a) == 1 {
			return a[0].Recommendation
		}
		return nil
	}
	family := customer(map[string]any{"household_size": 4.0})
	n := spoken(v, "n1", "presale.recommend", "推荐一台洗衣机，预算两千以内", need.Entity{Type: "category", ID: "washer"},
		need.Entity{Type: "budget", Value: map[string]any{"max": 200000.0, "currency": "CNY"}})
	if rec := choice(family, n); rec == nil || rec.Item.ID != "C" {
		t.Errorf("within the budget: %+v", rec)
	}
	n.Entities[len(n.Entities)-1].Value = map[string]any{"max": 50000.0, "currency": "CNY"}
	if rec := choice(family, n); rec != nil {
		t.Errorf("nothing is within 500, yet %s is recommended", rec.Item.ID)
	}
	n = spoken(v, "n1", "presale.recommend", "推荐燕麦棒，不要含花生的", need.Entity{Type: "category", ID: "snack"})
	n.Constraints = []string{"不要含花生的"}
	if rec := choice(nil, n); rec == nil || rec.Item.ID != "bar-plain" {
		t.Errorf("without peanuts: %+v", rec)
	}
	n = spoken(v, "n1", "presale.recommend", "推荐一只基金", need.Entity{Type: "category", ID: "fund"})
	if rec := choice(customer(map[string]any{"risk_level": "C2"}), n); rec == nil || rec.Item.ID != "fund-r2" {
		t.Errorf("at a customer's own risk level: %+v", rec)
	}
	if rec := choice(nil, n); rec != nil {
		t.Errorf("a fund is recommended to somebody who was never assessed: %s", rec.Item.ID)
	}
}

func TestNothingIsRecommendedAtRandom(t *testing.T) {
	t.Parallel()
	v := newShop(t).put("item", "P", `{"title":{"zh":"皮球 P"}}`).put("item", "Q", `{"title":{"zh":"皮球 Q"}}`).At(0)
	r := enquire(v, nil, spoken(v, "n1", "presale.recommend", "P和Q选哪个"))
	if by := answered(t, candidate.Sources(nil), r); len(by["n1 recommendation"]) != 0 {
		t.Errorf("nothing tells them apart: %+v", by["n1 recommendation"][0].Recommendation)
	}
}

func TestAReplayCountsWhatWasCountedThen(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	log := newLog(t)
	for i := range 9 {
		log.at(uint32(i + 1)).viewed("A").viewed("B").bought("A")
	}
	sources := candidate.Sources(log.Of("w"))
	r := enquire(v, nil, spoken(v, "n1", "presale.recommend", "A和B选哪个"))
	before := candidate.Gather(t.Context(), sources, r, time.Minute)
	for i := range 90 {
		log.at(uint32(i + 100)).viewed("A").viewed("B").bought("B")
	}
	after := candidate.Gather(t.Context(), candidate.Recorded(sources, before, nil), r, time.Minute)
	if !reflect.DeepEqual(after, before) {
		t.Errorf("counted again: %+v, then %+v", before, after)
	}
	cohort := before[2].Answers[0].Recommendation.Cohort.Ref
	without := candidate.Gather(t.Context(), candidate.Recorded(sources, before, []evidence.Ref{cohort}), r, time.Minute)
	if rec := without[2].Answers[0].Recommendation; rec.Cohort != nil {
		t.Errorf("without the cohort: %+v", rec)
	}
}

func TestQuestionsAboutOneProduct(t *testing.T) {
	t.Parallel()
	v := wash(t).
		put("item", "tee", `{"title":{"zh":"棉布短袖","en":"Cotton Tee"},"category":"clothes"}`).
		put("item", "tee-w", `{"title":{"zh":"棉布短袖 白色","en":"Cotton Tee white"},"variant_of":"tee","attributes":{"colour":"白色"},"price":{"amount":5900,"currency":"CNY"},"available":false}`).
		put("item", "tee-k", `{"title":{"zh":"棉布短袖 黑色","en":"Cotton Tee black"},"variant_of":"tee","attributes":{"colour":"黑色"},"price":{"amount":6900,"currency":"CNY"},"available":true}`).
		put("promotion", "spring", `{"title":{"zh":"春季洗衣机立减","en":"Spring washers"},"categories":["washer"],"valid_from":"2026-03-01","valid_until":"2026-05-01"}`).
		put("promotion", "past", `{"title":{"zh":"元旦立减"},"valid_until":"2026-01-05"}`).
		At(0)
	facts := func(intent, sentence string) *candidate.Facts {
		t.Helper()
		a := answered(t, candidate.Sources(nil), enquire(v, nil, spoken(v, "n1", intent, sentence)))["n1 facts"]
		if len(a) != 1 {
			t.Fatalf("%s: %d answers", sentence, len(a))
		}
		return a[0].Facts
	}
	if f := facts("presale.product_info", "B型的转速是多少"); len(f.Rows) != 1 || f.Rows[0].Cells[0].Text != "1400 rpm" {
		t.Errorf("spin speed: %+v", f.Rows)
	}
	if f := facts("presale.product_info", "B的噪音大吗"); len(f.Rows) != 1 || f.Rows[0].Cells[0].Stated {
		t.Errorf("what is not stated says so: %+v", f.Rows)
	}
	if f := facts("presale.stock", "棉布短袖有货吗"); f.Available == nil || !*f.Available || f.Rows[0].Cells[0].Text != "¥59–69" {
		t.Errorf("a product can be had when a variant can: %+v", f)
	}
	if f := facts("presale.stock", "棉布短袖白色有货吗"); f.Available == nil || *f.Available || f.Item.ID != "tee-w" {
		t.Errorf("the white one: %+v", f)
	}
	if f := facts("presale.product_info", "what colours does the Cotton Tee come in"); len(f.Rows) != 1 || f.Rows[0].Cells[0].Text != "白色, 黑色" {
		t.Errorf("colours of the variants: %+v", f.Rows)
	}
	both := enquire(v, nil, spoken(v, "n1", "presale.stock", "棉布短袖黑色有货吗"), spoken(v, "n2", "presale.price_promo", "多少钱"))
	if f := answered(t, candidate.Sources(nil), both)["n2 facts"]; len(f) != 1 || f[0].Facts.Item.ID != "tee-k" {
		t.Errorf("the price of the one just asked about: %+v", f)
	}
	if f := facts("presale.price_promo", "最近有什么活动"); len(f.Promotions) != 1 || f.Promotions[0].ID != "spring" {
		t.Errorf("who asks what is on gets all that is: %+v", f.Promotions)
	}
	if f := facts("presale.price_promo", "A有优惠吗"); len(f.Promotions) != 1 || f.Promotions[0].ID != "spring" {
		t.Errorf("promotions: %+v", f.Promotions)
	}
}

func TestWhereMyOrderStands(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	who := customer(nil)
	order := func(id, product, status string, day int) {
		if who.Records[evidence.Order] == nil {
			who.Records[evidence.Order] = map[string]*profile.Record{}
		}
		at := opening.AddDate(0, 0, day)
		who.Records[evidence.Order][id] = &profile.Record{Kind: evidence.Order, ID: id, CreatedAt: at, UpdatedAt: at,
			Fields: map[string]any{"status": status, "lines": []any{map[string]any{"product_id": product, "quantity": 1.0}}}}
	}
	order("W1001", "A", "delivered", 1)
	order("W1002", "B", "in_transit", 2)
	order("W1003", "Z", "delivered", 3)
	who.Records[evidence.Case] = map[string]*profile.Record{
		"c1": {Kind: evidence.Case, ID: "c1", CreatedAt: opening, UpdatedAt: opening, Fields: map[string]any{"kind": "refund", "status": "approved"}},
		"c2": {Kind: evidence.Case, ID: "c2", CreatedAt: opening.AddDate(0, 0, 1), UpdatedAt: opening, Fields: map[string]any{"kind": "repair", "status": "received"}},
	}
	for sentence, c := range map[string]struct {
		intent string
		more   []need.Entity
		want   string
	}{
		"我的快递到哪了":        {"logistics.track", nil, "W1002"},
		"A型的订单到哪了":       {"logistics.track", nil, "W1001"},
		"where is 1003?": {"order.status", []need.Entity{{Type: "order_id", Text: "1003"}}, "W1003"},
		"订单#W1001 到了吗":   {"order.status", []need.Entity{{Type: "order_id", Text: "#W1001"}}, "W1001"},
		"不想要了，退掉":        {"aftersale.return_refund", nil, "W1003"},
		"退款到哪一步了":        {"aftersale.refund_progress", nil, "c1"},
		"修好了吗":           {"aftersale.repair", nil, "c2"},
	} {
		got := answered(t, candidate.Sources(nil), enquire(v, who, spoken(v, "n1", c.intent, sentence, c.more...)))["n1 status"]
		if len(got) != 1 || got[0].Status.ID != c.want || len(got[0].Status.Evidence) == 0 {
			t.Errorf("%s: %+v, wanted %s", sentence, got, c.want)
		}
	}
}

func TestKnowledgeAnswersOrKeepsSilent(t *testing.T) {
	t.Parallel()
	v := newShop(t).
		put("article", "descale-zh", `{"title":"电热水壶怎么除垢","body":"水垢会让加热变慢。用白醋煮一次即可。","steps":[{"text":"倒入半壶水和白醋","basic":true},"煮沸后静置一小时"],"tags":["support.howto"],"media":{"video":"https://shop.example/descale.mp4"}}`).
		put("article", "descale-en", `{"title":"How to descale the kettle","lang":"en","body":"Limescale slows the kettle down. Boil it once with vinegar."}`).
		At(0)
	ask := func(locale scene.Locale, sentence string) *candidate.Passage {
		r := enquire(v, nil, spoken(v, "n1", "support.howto", sentence))
		r.Scene.Locale = locale
		if a := answered(t, candidate.Sources(nil), r)["n1 knowledge"]; len(a) == 1 {
			return a[0].Passage
		}
		return nil
	}
	if p := ask(scene.Chinese, "水壶有水垢，怎么除垢"); p == nil || p.Article != "descale-zh" || len(p.Steps) != 2 || !p.Steps[0].Basic || p.Video == "" || p.Ref == "" {
		t.Errorf("in Chinese: %+v", p)
	}
	if p := ask(scene.English, "How can I descale my kettle?"); p == nil || p.Article != "descale-en" {
		t.Errorf("in English: %+v", p)
	}
	if p := ask(scene.Chinese, "怎么申请开具增值税专用发票"); p != nil {
		t.Errorf("an article that does not answer: %+v", p)
	}
}

// stuck is a source that asks a network which never answers.
type stuck struct{}

func (stuck) Name() string { return "stuck" }
func (stuck) Waits() bool  { return true }
func (stuck) Propose(ctx context.Context, _ *candidate.Request) ([]candidate.Answer, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

type broken struct{ err error }

func (broken) Name() string { return "broken" }
func (b broken) Propose(context.Context, *candidate.Request) ([]candidate.Answer, error) {
	if b.err == nil {
		panic("no luck")
	}
	return nil, b.err
}

func TestUnitsInTheCustomersLanguage(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	r := enquire(v, nil, spoken(v, "n1", "presale.compare", "compare A and B"))
	r.Scene.Locale = scene.English
	c := answered(t, candidate.Sources(nil), r)["n1 comparison"][0].Comparison
	if got := row(t, c, "persons").Cells[1].Text + ", " + row(t, c, "warranty").Cells[0].Text; got != "4–6 people, 12 months" {
		t.Error(got)
	}
	r.Scene.Locale = scene.Chinese
	c = answered(t, candidate.Sources(nil), r)["n1 comparison"][0].Comparison
	if got := row(t, c, "persons").Cells[1].Text + ", " + row(t, c, "warranty").Cells[0].Text; got != "4–6 人, 12 个月" {
		t.Error(got)
	}
}

func TestUnitsAreAligned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{`{"value":45,"unit":"mm"}`, `"4 cm"`, "45 mm | 40 mm, second"},
		{`"1.5kg"`, `"900克"`, "1.5 kg | 0.9 kg, second"},
		{`"1500 ml"`, `"1.8L"`, "1500 ml | 1800 ml, first"},
		{`"2kW"`, `"1800W"`, "2 kW | 1.8 kW, second"},
		{`"1TB"`, `"512GB"`, "1 TB | 0.5 TB, second"},
		{`"5000mAh"`, `"20Wh"`, "5000 mAh | 20 Wh, none"},
		{`"4-6"`, `"约5"`, "4–6 | 5, none"},
		{`3`, `"3.0"`, "3 | 3, none"},
		{`"快"`, `7`, "快 | 7, none"},
	} {
		v := newShop(t).
			put("attribute", "x", `{"better":"lower"}`).
			put("item", "m-1", `{"attributes":{"x":`+c.a+`}}`).
			put("item", "m-2", `{"attributes":{"x":`+c.b+`}}`).At(0)
		r := enquire(v, nil, spoken(v, "n1", "presale.compare", "m-1 和 m-2 比"))
		x := row(t, answered(t, candidate.Sources(nil), r)["n1 comparison"][0].Comparison, "x")
		best := "none"
		if len(x.Best) == 1 {
			best = []string{"first", "second"}[x.Best[0]]
		}
		if got := x.Cells[0].Text + " | " + x.Cells[1].Text + ", " + best; got != c.want {
			t.Errorf("%s against %s: %s, wanted %s", c.a, c.b, got, c.want)
		}
	}
}

func TestAVeryLongMessageIsReadInOneGo(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	for _, sentence := range []string{strings.Repeat("a", 10000), strings.Repeat("洗衣机", 4000), strings.Repeat(",", 1000) + "A和B", strings.Repeat("\u200b\u202e", 5000)} {
		n := spoken(v, "n1", "presale.recommend", sentence)
		candidate.Gather(t.Context(), candidate.Sources(nil), enquire(v, nil, n), time.Minute)
	}
}

func FuzzCohortRef(f *testing.F) {
	f.Add(string(candidate.Question{Kind: "choice", Household: 4, Items: []string{"A", "b.7~", "空调"}, Compared: 36, Counts: []int{3, 28, 0}}.Ref()))
	f.Add("cohort:bought.0.0.5.1.A")
	f.Fuzz(func(t *testing.T, ref string) {
		id, _ := evidence.Ref(ref).ID()
		q, ok := candidate.ParseQuestion(id)
		if !ok {
			return
		}
		back, _ := q.Ref().ID()
		if again, ok := candidate.ParseQuestion(back); !ok || !reflect.DeepEqual(again, q) {
			t.Fatalf("%q reads as %+v, then as %+v", ref, q, again)
		}
	})
}

func TestALateOrBrokenSourceIsLeftOut(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	r := enquire(v, nil, spoken(v, "n1", "presale.compare", "对比A和B"))
	results := candidate.Gather(t.Context(), []candidate.Source{
		stuck{}, candidate.Comparer{}, broken{}, broken{errors.New("down")}, broken{&candidate.Unavailable{Reason: "unconfigured"}},
	}, r, time.Millisecond)
	got := ""
	for _, res := range results {
		got += res.Source
		if res.Degraded != nil {
			got += "!" + res.Degraded.Reason
		}
		got += fmt.Sprint(len(res.Answers), " ")
	}
	if got != "stuck!timeout0 comparison1 broken!error0 broken!error0 broken!unconfigured0 " {
		t.Error(got)
	}
}

// logOf feeds cohorts as the store's writer does.
type logOf struct {
	*candidate.Cohorts
	t      testing.TB
	person uint32
	n      uint64
}

func newLog(t testing.TB) *logOf { return &logOf{Cohorts: candidate.NewCohorts(), t: t} }

func (l *logOf) at(person uint32) *logOf { l.person = person; return l }

func (l *logOf) event(kind event.Kind, name, body string) *logOf {
	l.n++
	l.Follow(journal.Committed{Workspace: "w", Position: l.n, Person: l.person, Event: &event.Event{Kind: kind, Name: name, Time: opening.Add(time.Duration(l.n) * time.Minute), Body: json.RawMessage(body)}})
	return l
}

func (l *logOf) track(name, body string) *logOf { return l.event(event.Track, name, body) }
func (l *logOf) identify(household int) *logOf {
	return l.event(event.Identify, "", fmt.Sprintf(`{"household_size":%d}`, household))
}
func (l *logOf) viewed(id string) *logOf {
	return l.track("Product Viewed", fmt.Sprintf(`{"product_id":%q}`, id))
}
func (l *logOf) bought(ids ...string) *logOf {
	return l.order(fmt.Sprint("order of ", l.person, ids), ids...)
}
func (l *logOf) order(id string, products ...string) *logOf {
	body := ""
	for i, p := range products {
		if i > 0 {
			body += ","
		}
		body += fmt.Sprintf(`{"product_id":%q,"quantity":1}`, p)
	}
	return l.track("Order Completed", fmt.Sprintf(`{"order_id":%q,"products":[%s]}`, id, body))
}

func BenchmarkGatherTwoNeeds1000Items(b *testing.B) {
	s := wash(b)
	for i := range 1000 {
		s.put("item", fmt.Sprint("sku", i), fmt.Sprintf(`{"title":{"zh":"商品%d号"},"category":"c%d","price":{"amount":%d,"currency":"CNY"},"attributes":{"persons":"%d-%d","spin":%d}}`, i, i%20, 1000+i, i%4+1, i%4+3, 800+i))
	}
	v := s.At(0)
	log := newLog(b)
	for i := range 5000 {
		log.at(uint32(i + 1)).identify(i%6 + 1).viewed("A").viewed("B")
		if i%3 == 0 {
			log.bought("B")
		}
	}
	r := enquire(v, customer(map[string]any{"household_size": 4.0}),
		spoken(v, "n1", "presale.compare", "对比A和B型号的功能差异"), spoken(v, "n2", "presale.recommend", "推荐适合家庭使用的版本"), deciding("n3"))
	sources := candidate.Sources(log.Of("w"))
	b.ReportAllocs()
	for b.Loop() {
		candidate.Gather(b.Context(), sources, r, time.Minute)
	}
}

func BenchmarkRecommendFromACategory(b *testing.B) {
	s := wash(b)
	for i := range 1000 {
		s.put("item", fmt.Sprint("sku", i), fmt.Sprintf(`{"title":{"zh":"商品%d号"},"category":"c%d","price":{"amount":%d,"currency":"CNY"},"attributes":{"persons":"%d-%d","spin":%d}}`, i, i%20, 1000+i, i%4+1, i%4+3, 800+i))
	}
	v := s.At(0)
	r := enquire(v, customer(map[string]any{"household_size": 4.0}), spoken(v, "n1", "presale.recommend", "推荐适合家庭使用的", need.Entity{Type: "category", ID: "c3"}))
	sources := candidate.Sources(newLog(b).Of("w"))
	b.ReportAllocs()
	for b.Loop() {
		candidate.Gather(b.Context(), sources, r, time.Minute)
	}
}

func BenchmarkFollowAView(b *testing.B) {
	log := newLog(b)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		log.at(uint32(i%100000)).track("Product Viewed", `{"product_id":"sku-`+strconv.Itoa(i%1000)+`","name":"晨露洗衣机","price":2099,"currency":"CNY"}`)
	}
}

func BenchmarkChoiceCountedAnew(b *testing.B) {
	log := newLog(b)
	for i := range 5000 {
		log.at(uint32(i + 1)).identify(i%6 + 1).viewed("A").viewed("B")
	}
	c := log.Of("w")
	i := uint32(10000)
	for b.Loop() {
		i++
		log.at(i).viewed("A")
		c.Choice([]string{"A", "B"}, 3)
	}
}

func TestAnOpenCaseComesBeforeADeliveredOrder(t *testing.T) {
	t.Parallel()
	v := wash(t).At(0)
	who := customer(nil)
	who.Records[evidence.Order] = map[string]*profile.Record{
		"W1": {Kind: evidence.Order, ID: "W1", CreatedAt: opening, UpdatedAt: opening,
			Fields: map[string]any{"status": "delivered", "lines": []any{map[string]any{"product_id": "A", "quantity": 1.0}}}},
	}
	who.Records[evidence.Case] = map[string]*profile.Record{
		"R1": {Kind: evidence.Case, ID: "R1", CreatedAt: opening.AddDate(0, 2, 0), UpdatedAt: opening.AddDate(0, 2, 1),
			Fields: map[string]any{"kind": "repair", "status": "waiting_result", "product_id": "A"}},
	}
	for _, sentence := range []string{"我寄修的晨露洗衣机 A型检测完了吗", "has the test finished"} {
		got := answered(t, candidate.Sources(nil), enquire(v, who, spoken(v, "n1", "order.status", sentence)))["n1 status"]
		if len(got) != 1 || got[0].Status.ID != "R1" {
			t.Errorf("%s: told of %+v", sentence, got)
		}
	}
}
