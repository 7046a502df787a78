package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The clauses that issue an entitlement, walked through HTTP: what is put and sent
// is what a shop's own systems would send.

type repairs struct {
	days     []int    // before now, one each
	symptoms []string // of each; "overheat" when missing
	units    []string // of each; "s1" when missing
	warranty string   // until when
	off      bool     // personalisation switched off
	text     string
}

// offered asks as u1 and gives the answer.
func (c repairs) offered(d *door) map[string]any {
	d.t.Helper()
	d.want(200, "", "PUT", "/v1/items/nb-14", "sk_shop", `{"kind":"product","title":{"zh":"轻羽 14","en":"Feather 14"},"category":"laptop","warranty":{"months":24}}`)
	for _, unit := range []string{"s1", "s2"} {
		d.want(200, "", "PUT", "/v1/records/asset/"+unit, "sk_shop", fmt.Sprintf(`{"person":"u1","product_id":"nb-14","serial":%q,"bought_at":"2025-06-01T00:00:00Z","warranty_until":%q}`, unit, c.warranty))
	}
	for i, days := range c.days {
		symptom, unit := "overheat", "s1"
		if c.symptoms != nil {
			symptom = c.symptoms[i]
		}
		if c.units != nil {
			unit = c.units[i]
		}
		d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(
			`{"messageId":"repair-%d","userId":"u1","event":"Repair Reported","timestamp":%q,"properties":{"case_id":"c%d","product_id":"nb-14","asset_id":%q,"symptom":%q}}`,
			i, noon.AddDate(0, 0, -days).Format(time.RFC3339), i, unit, symptom))
	}
	if c.off {
		d.want(200, "", "PUT", "/v1/people/u1/preferences", "sk_shop", `{"personalization":"off"}`)
	}
	text := c.text
	if text == "" {
		text = "设备发热严重"
	}
	return d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"u1","enquiry":{"text":%q},"scene":{"channel":"web"}}`, text)).json(d.t.(*testing.T))
}

// replacement is the action that replaces the device, nil when none is offered.
func replacement(answer map[string]any) map[string]any {
	for _, a := range answer["actions"].([]any) {
		if a := a.(map[string]any); strings.HasPrefix(a["action"].(string), "replace_device") {
			return a
		}
	}
	return nil
}

// reasonEvents are the refs of the events that the reasons of an action cite.
func reasonEvents(answer, action map[string]any) []string {
	var refs []string
	for _, r := range action["reasons"].([]any) {
		for _, name := range r.(map[string]any)["evidence"].([]any) {
			record := answer["evidence"].(map[string]any)[name.(string)].(map[string]any)
			if ref := record["ref"].(string); strings.HasPrefix(ref, "evt_") && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	slices.Sort(refs)
	return refs
}

const valid, ended = "2027-06-01T00:00:00Z", "2026-01-01T00:00:00Z"

func TestMission_1_4_TwoRepairsOfOneFaultBringAReplacement(t *testing.T) {
	t.Parallel()
	d := whole(t)
	answer := repairs{days: []int{80, 20}, warranty: valid}.offered(d)
	a := replacement(answer)
	if a == nil || a["nature"] != "right" || a["probability"] != 1.0 || a["position"] != 1.0 {
		t.Fatalf("offered %v", answer["actions"])
	}
	refs := reasonEvents(answer, a)
	if len(refs) != 2 {
		t.Fatalf("the reasons cite %v", refs)
	}
	for _, ref := range refs {
		if r := d.want(200, "", "GET", "/v1/refs/"+ref, "sk_shop", ""); !strings.Contains(r.body, "Repair Reported") || !strings.Contains(r.body, "overheat") {
			t.Error(r.body)
		}
		// Without either of them there is no right, and the explanation says which rule failed.
		changed := d.want(200, "", "POST", "/v1/decisions/"+answer["id"].(string)+"/replay", "sk_shop", fmt.Sprintf(`{"without":[%q]}`, ref)).json(t)
		if changed["identical"] != false || len(changed["changed"].([]any)) == 0 || replacement(changed["decision"].(map[string]any)) != nil {
			t.Errorf("without %s: %v", ref, changed)
		}
	}
	if same := d.want(200, "", "POST", "/v1/decisions/"+answer["id"].(string)+"/replay", "sk_shop", "").json(t); same["identical"] != true {
		t.Errorf("replayed, it differs at %v", same["changed"])
	}
}

func TestMission_1_4_OtherHistoriesBringNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]repairs{
		"one repair":                  {days: []int{20}, warranty: valid},
		"the first 100 days ago":      {days: []int{100, 20}, warranty: valid},
		"two different faults":        {days: []int{80, 20}, symptoms: []string{"overheat", "battery"}, warranty: valid},
		"two units of one model":      {days: []int{80, 20}, units: []string{"s1", "s2"}, warranty: valid},
		"100 days, out of warranty":   {days: []int{100, 20}, warranty: ended},
		"two units, out of warranty":  {days: []int{80, 20}, units: []string{"s1", "s2"}, warranty: ended},
		"two faults, out of warranty": {days: []int{80, 20}, symptoms: []string{"overheat", "battery"}, warranty: ended},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := whole(t)
			answer := c.offered(d)
			if a := replacement(answer); a != nil {
				t.Fatalf("offered %v", a)
			}
			x := d.want(200, "", "GET", "/v1/decisions/"+answer["id"].(string)+"/explanation", "sk_shop", "").json(t)
			for _, r := range x["rejected"].([]any) {
				if r := r.(map[string]any); r["action"] == "replace_device" && r["rule"] != "" && r["reason"] != "" {
					return
				}
			}
			t.Errorf("nothing says why there is no replacement: %v", x["rejected"])
		})
	}
}

func TestMission_3_5_ARightIsNoOffer(t *testing.T) {
	t.Parallel()
	t.Run("it stays with personalisation switched off", func(t *testing.T) {
		t.Parallel()
		answer := repairs{days: []int{80, 20}, warranty: valid, off: true}.offered(whole(t))
		if a := replacement(answer); a == nil || a["nature"] != "right" || a["probability"] != 1.0 {
			t.Errorf("offered %v", answer["actions"])
		}
	})
	t.Run("out of warranty it is goodwill", func(t *testing.T) {
		t.Parallel()
		answer := repairs{days: []int{80, 20}, warranty: ended}.offered(whole(t))
		if a := replacement(answer); a == nil || a["nature"] != "goodwill" {
			t.Errorf("offered %v", answer["actions"])
		}
	})
	t.Run("in English it is the same", func(t *testing.T) {
		t.Parallel()
		answer := repairs{days: []int{80, 20}, warranty: valid, text: "my laptop is overheating badly"}.offered(whole(t))
		if a := replacement(answer); a == nil || a["nature"] != "right" || answer["locale"] != "en" {
			t.Errorf("offered %v in %v", answer["actions"], answer["locale"])
		}
	})
}

// compared asks u1's question about two air purifiers, for a household of four.
func compared(d *door, device, text string) map[string]any {
	d.t.Helper()
	d.want(200, "", "PUT", "/v1/attributes/people", "sk_shop", `{"label":{"zh":"适用人数","en":"Suits"},"fits":"household_size"}`)
	for id, v := range map[string]string{
		"A": `"people":"1-2","tank":{"value":3,"unit":"L"},"noise":{"value":40,"unit":"dB"},"power":{"value":45,"unit":"W"},"weight":{"value":4.1,"unit":"kg"},"filter_life":{"value":6,"unit":"month"},"cord":{"value":1.5,"unit":"m"}`,
		"B": `"people":"3-5","tank":{"value":6,"unit":"L"},"noise":{"value":35,"unit":"dB"},"power":{"value":60,"unit":"W"},"weight":{"value":6.2,"unit":"kg"},"filter_life":{"value":12,"unit":"month"},"wifi":true`,
	} {
		d.want(200, "", "PUT", "/v1/items/"+id, "sk_shop", fmt.Sprintf(
			`{"kind":"product","title":{"zh":"净界 %[1]s","en":"ClearAir %[1]s"},"aliases":["%[1]s型号","model %[1]s"],"category":"air purifier","price":{"amount":%[2]d,"currency":"CNY"},"attributes":{%[3]s}}`,
			id, map[string]int{"A": 199900, "B": 219900}[id], v))
	}
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"u1","traits":{"household_size":4}}`)
	return d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"u1","enquiry":{"text":%q},"scene":{"channel":"web","device":{"type":%q}}}`, text, device)).json(d.t.(*testing.T))
}

// plan is an answer's needs as "origin intent/subintent status".
func plan(answer map[string]any) (all []string) {
	for _, n := range answer["needs"].([]any) {
		n := n.(map[string]any)
		sub := ""
		if n["subintent"] != nil {
			sub = "/" + n["subintent"].(string)
		}
		all = append(all, fmt.Sprintf("%s %s%s %s", n["origin"], n["intent"], sub, n["status"]))
	}
	return all
}

func TestMission_1_2_OneSolutionForAComparisonAFitAndADecision(t *testing.T) {
	t.Parallel()
	for language, text := range map[string]string{"zh-CN": "对比A和B型号的功能差异并推荐适合家庭使用的版本", "en": "compare model A and model B and recommend the one that suits a family"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			answer := compared(whole(t), "desktop", text)
			if answer["locale"] != language {
				t.Errorf("answered in %v", answer["locale"])
			}
			want := []string{"spoken presale.compare answered", "spoken presale.recommend/for_family answered", "implied presale.recommend/decide answered"}
			if got := plan(answer); !slices.Equal(got, want) {
				t.Errorf("needs %v, want %v", got, want)
			}
			var tables int
			for _, b := range answer["blocks"].([]any) {
				b := b.(map[string]any)
				if b["kind"] != "table" {
					continue
				}
				tables++
				for _, r := range b["rows"].([]any) {
					r := r.(map[string]any)
					for i, c := range r["cells"].([]any) {
						c := c.(map[string]any)
						other := r["cells"].([]any)[1-i].(map[string]any)
						if c["stated"] == true && other["stated"] != true && c["best"] == true {
							t.Errorf("%v: what is not stated loses", r["attribute"])
						}
					}
				}
			}
			if tables != 1 {
				t.Errorf("%d comparison tables", tables)
			}
		})
	}
}

func TestMission_2_1_APhoneAndADesktopAreShownTheSameDecisionDifferently(t *testing.T) {
	t.Parallel()
	d := whole(t)
	desktop, phone := compared(d, "desktop", "对比A和B型号的功能差异"), compared(d, "mobile", "对比A和B型号的功能差异")
	if !slices.Equal(plan(desktop), plan(phone)) {
		t.Errorf("the needs differ: %v and %v", plan(desktop), plan(phone))
	}
	rows := func(answer map[string]any) (n int) {
		for _, b := range answer["blocks"].([]any) {
			if rows, ok := b.(map[string]any)["rows"].([]any); ok {
				n += len(rows)
			}
		}
		return n
	}
	if rows(phone) >= rows(desktop) {
		t.Errorf("a phone is shown %d rows, a desktop %d", rows(phone), rows(desktop))
	}
}

func TestADecisionIsTheSameAfterARestartAndAfterItsItemsChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, shut := wholeIn(t, dir)
	answer := compared(d, "desktop", "对比A和B型号的功能差异并推荐适合家庭使用的版本")
	right := repairs{days: []int{80, 20}, warranty: valid}.offered(d)
	same := func(d *door, when string) {
		for _, a := range []map[string]any{answer, right} {
			if r := d.want(200, "", "POST", "/v1/decisions/"+a["id"].(string)+"/replay", "sk_shop", "").json(t); r["identical"] != true {
				t.Errorf("%s: replayed, it differs at %v", when, r["changed"])
			}
		}
	}
	same(d, "at once")
	d.set(d.now().Add(time.Hour))
	d.want(200, "", "PUT", "/v1/items/A", "sk_shop", `{"kind":"product","title":{"zh":"改名"},"price":{"amount":1,"currency":"CNY"}}`)
	d.want(200, "", "DELETE", "/v1/items/B", "sk_shop", "")
	d.want(200, "", "PUT", "/v1/records/asset/s1", "sk_shop", `{"person":"u1","product_id":"nb-14","warranty_until":"2020-01-01T00:00:00Z"}`)
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"u1","traits":{"household_size":1}}`)
	same(d, "after the items changed")
	shut()
	d, shut = wholeIn(t, dir)
	defer shut()
	same(d, "after a restart")
	for _, r := range answer["evidence"].(map[string]any) {
		ref := r.(map[string]any)["ref"].(string)
		if opened := d.want(200, "", "GET", "/v1/refs/"+ref, "sk_shop", "").body; strings.HasPrefix(ref, "item:A") && strings.Contains(opened, "改名") {
			t.Errorf("%s opens onto another version than the one decided on: %s", ref, opened)
		}
	}
}
