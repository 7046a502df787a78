package treatment_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

var noon = time.Date(2026, 7, 3, 4, 0, 0, 0, time.UTC)

func on(device string, l scene.Locale) scene.Scene {
	return scene.Scene{Locale: l, Time: noon, Zone: "Asia/Shanghai", Device: scene.Device{Type: device}}
}

func both(zh, en string) candidate.Text { return candidate.Text{Zh: zh, En: en} }

func spoken(id, intent, text string, status need.Status) need.Need {
	return need.Need{ID: id, Origin: need.Spoken, Intent: intent, Text: text, Status: status}
}

var plan = &treatment.Plan{Brand: both("知音", "Zhiyin"), Titles: map[string]candidate.Text{
	"presale.compare": both("比较商品", "Compare items"), "logistics.track": both("查物流", "Track a parcel"),
	"order.cancel": both("取消订单", "Cancel an order"),
}}

func kinds(s treatment.Solution) (out []string) {
	for _, b := range s.Blocks {
		out = append(out, b.Kind)
	}
	return out
}

// Both catalogues must say the same things with the same blanks.
func TestEverySentenceStandsInBothLanguages(t *testing.T) {
	t.Parallel()
	blank, forms := regexp.MustCompile(`\{[a-z]+\}`), regexp.MustCompile(`\|[^}]*\}`)
	counted := regexp.MustCompile(`\{(count|ahead|minutes|days|months|times|left|hours|number|n)\} [a-z]+s\b`)
	wrong := regexp.MustCompile(`\b1 ([a-z]+s|[a-z]+ are|[a-z]+ were)\b|\b[02] (thing|position|person|minute)\b`)
	braces := regexp.MustCompile(`\{([^}]+)\}`)
	read := func(name string) map[string]string {
		text, err := os.ReadFile("messages/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		if err := yaml.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	zh, en := read("zh-CN"), read("en")
	for key, a := range zh {
		b, ok := en[key]
		if !ok {
			t.Errorf("%s is missing in English", key)
			continue
		}
		x, y := blank.FindAllString(a, -1), blank.FindAllString(forms.ReplaceAllString(b, "}"), -1)
		slices.Sort(x)
		slices.Sort(y)
		if !slices.Equal(slices.Compact(x), slices.Compact(y)) {
			t.Errorf("%s: blanks %v and %v", key, x, y)
		}
		if counted.MatchString(b) {
			t.Errorf("%s has no word for one: %s", key, b)
		}
		for _, number := range []string{"0", "1", "2"} {
			said := braces.ReplaceAllStringFunc(b, func(s string) string {
				if _, words := candidate.Blank(s[1 : len(s)-1]); words != "" {
					return candidate.Counted(number, words)
				}
				return "X"
			})
			if wrong.MatchString(said) || strings.ContainsAny(said, "{|}") {
				t.Errorf("%s with %s: %s", key, number, said)
			}
		}
		for _, banned := range []string{"亲", "尊敬的", "！", "给您带来不便", "系统检测到"} {
			if strings.Contains(a, banned) {
				t.Errorf("%s says %q", key, banned)
			}
		}
		for _, banned := range []string{"kindly", "inconvenience", "valued customer", "!"} {
			if strings.Contains(strings.ToLower(b), banned) {
				t.Errorf("%s says %q", key, banned)
			}
		}
	}
	for key := range en {
		if _, ok := zh[key]; !ok {
			t.Errorf("%s is missing in Chinese", key)
		}
	}
}

func comparison() candidate.Answer {
	stated := func(s string) candidate.Cell { return candidate.Cell{Stated: true, Text: s} }
	c := &candidate.Comparison{Items: []candidate.ItemName{{ID: "A", Title: both("甲", "Ay"), Ref: "item:A@1"}, {ID: "B", Title: both("乙", "Bee"), Ref: "item:B@1"}}}
	for _, name := range []string{"noise", "width", "flow", "life", "tank"} {
		c.Rows = append(c.Rows, candidate.Row{Attribute: name, Differs: true, Cells: []candidate.Cell{stated("1"), stated("2")}, Best: []int{0}})
	}
	c.Rows = append(c.Rows, candidate.Row{Attribute: "lock", Differs: true, Cells: []candidate.Cell{stated("yes"), {}}})
	c.Rows = append(c.Rows, candidate.Row{Attribute: "colour", Cells: []candidate.Cell{stated("white"), stated("white")}})
	return candidate.Answer{Need: "n1", Comparison: c}
}

func TestMission_2_1_APhoneGetsTheFirstDifferencesADesktopTheTable(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{Needs: []need.Need{spoken("n1", "presale.compare", "甲和乙", need.Answered)}, Answers: []candidate.Answer{comparison()}}
	desktop := treatment.Compose(plan, d, on("desktop", scene.Chinese)).Blocks[0]
	phone := treatment.Compose(plan, d, on("mobile", scene.Chinese)).Blocks[0]
	speaker := treatment.Compose(plan, d, on("speaker", scene.English)).Blocks[0]
	if len(desktop.Rows) != 7 || len(phone.Rows) != 3 {
		t.Errorf("rows: desktop %d, phone %d", len(desktop.Rows), len(phone.Rows))
	}
	if !strings.Contains(phone.Text, "3") {
		t.Errorf("the phone does not say that there is more: %q", phone.Text)
	}
	if speaker.Kind != "text" || !strings.Contains(speaker.Text, "Ay") {
		t.Errorf("a speaker cannot show %+v", speaker)
	}
	if last := desktop.Rows[5]; last.Cells[1].Stated || last.Cells[1].Text != "没有写明" {
		t.Errorf("what is not stated must say so: %+v", last)
	}
}

func TestSafetyStandsFirstAndNothingIsAskedThatCanWait(t *testing.T) {
	t.Parallel()
	danger := spoken("n1", "support.troubleshoot", "鼓包了", need.Handover)
	danger.Danger = true
	unsure := spoken("n2", "presale.stock", "还能充吗", need.Clarify)
	unsure.Readings = []need.Reading{{Intent: "presale.compare"}, {Intent: "logistics.track"}}
	d := &decision.Decision{
		Needs: []need.Need{danger, unsure},
		Chosen: []decision.Chosen{
			{Action: "repair", Nature: decision.Right, Need: "n1", Title: both("维修", "Repair")},
			{Action: "stop", Nature: decision.Service, Need: "n1", Safety: true, Title: both("先停用", "Stop using it")},
		},
	}
	s := treatment.Compose(plan, d, on("mobile", scene.Chinese))
	if s.Blocks[0].Action != "stop" {
		t.Errorf("first block %+v", s.Blocks[0])
	}
	if slices.Contains(kinds(s), "clarify") {
		t.Errorf("asked back in a danger: %v", kinds(s))
	}
}

func TestARightStandsBeforeTheAnswersAndASaleAfterThem(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{
		Needs: []need.Need{spoken("n1", "presale.compare", "甲和乙", need.Answered)}, Answers: []candidate.Answer{comparison()},
		Chosen: []decision.Chosen{
			{Action: "plan", Nature: decision.Sale, Need: "n1", Title: both("延保", "Care plan")},
			{Action: "replace", Nature: decision.Right, Need: "n1", Title: both("换新机", "A new one")},
		},
	}
	s := treatment.Compose(plan, d, on("desktop", scene.English))
	if s.Blocks[0].Action != "replace" || s.Blocks[1].Kind != "table" || s.Blocks[2].Action != "plan" {
		t.Errorf("order %v %+v", kinds(s), s.Blocks)
	}
	if len(s.Actions) != 2 || s.Actions[1].Title != "A new one" {
		t.Errorf("actions %+v", s.Actions)
	}
}

func TestNothingIsSaidTwice(t *testing.T) {
	t.Parallel()
	status := func(n string) candidate.Answer {
		return candidate.Answer{Need: n, Status: &candidate.Status{Kind: evidence.Order, ID: "1001", State: "shipped", UpdatedAt: noon}}
	}
	d := &decision.Decision{
		Needs:   []need.Need{spoken("n1", "logistics.track", "到哪了", need.Answered), spoken("n2", "logistics.track", "几天到", need.Answered), spoken("n3", "order.cancel", "取消", need.Handover)},
		Answers: []candidate.Answer{status("n1"), status("n2")},
		Chosen:  []decision.Chosen{{Action: "hand_over", Need: "n1", Serves: []string{"n3"}, Handover: true, Nature: decision.Service, Title: both("找人", "A person")}},
	}
	s := treatment.Compose(plan, d, on("desktop", scene.Chinese))
	if got := kinds(s); !slices.Equal(got, []string{"text", "status", "handover"}) {
		t.Errorf("blocks %v", got)
	}
	if strings.Count(s.Blocks[0].Text, "查物流") != 1 {
		t.Errorf("understood: %q", s.Blocks[0].Text)
	}
}

func TestAForeignStateIsNeverShown(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{
		Needs:   []need.Need{spoken("n1", "logistics.track", "到哪了", need.Answered)},
		Answers: []candidate.Answer{{Need: "n1", Status: &candidate.Status{Kind: evidence.Case, ID: "R1", State: "22", UpdatedAt: noon, Fields: map[string]any{"promised_at": "2026-07-05T00:00:00Z"}}}},
	}
	for l, date := range map[scene.Locale]string{scene.Chinese: "7 月 5 日", scene.English: "5 July"} {
		b := treatment.Compose(plan, d, on("desktop", l)).Blocks[0]
		if strings.Contains(b.Text, "22") {
			t.Errorf("shown: %q", b.Text)
		}
		if len(b.Fields) != 1 || b.Fields[0].Value != date {
			t.Errorf("fields %+v, wanted the promise for %s", b.Fields, date)
		}
	}
}

func TestAFormSaysWhatIsFilledInAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{
		Needs: []need.Need{spoken("n1", "order.cancel", "取消", need.Answered)},
		Chosen: []decision.Chosen{{Action: "cancel", Nature: decision.Service, Need: "n1", Title: both("取消订单", "Cancel"),
			Form:      []decision.Field{{Name: "order", Label: both("订单号", "Order number")}, {Name: "why", Label: both("原因", "Reason")}},
			Prefilled: map[string]any{"order": "1001"}}},
	}
	b := treatment.Compose(plan, d, on("mobile", scene.Chinese)).Blocks[0]
	if b.Kind != "form" || b.Text != "已经替您填好一项，只差原因。" || b.Fields[0].Value != "1001" {
		t.Errorf("%+v", b)
	}
	if b := treatment.Compose(plan, d, on("mobile", scene.English)).Blocks[0]; b.Text != "I've filled in one field. Still to fill in: reason." {
		t.Errorf("in English: %q", b.Text)
	}
	d.Chosen[0].Shown = map[string]candidate.Text{"order": both("七月的订单", "July's order")}
	if b := treatment.Compose(plan, d, on("mobile", scene.English)).Blocks[0]; b.Fields[0].Value != "July's order" {
		t.Errorf("an id is shown where there is a name: %+v", b.Fields)
	}
}

func TestOnlyWhatWouldBeDoneWaitsForAnUnknownCondition(t *testing.T) {
	t.Parallel()
	n := spoken("n1", "order.cancel", "取消", need.Answered)
	n.Condition = &need.Condition{Text: "如果不喜欢"}
	d := &decision.Decision{Needs: []need.Need{n}, Answers: []candidate.Answer{comparison()}, Conditions: []decision.Conditioned{{Need: "n1"}}}
	held := func() bool {
		return slices.ContainsFunc(treatment.Compose(plan, d, on("desktop", scene.Chinese)).Blocks, func(b treatment.Block) bool {
			return strings.Contains(b.Text, "如果不喜欢")
		})
	}
	if held() {
		t.Error("who only asks how it would be gets the answer, and no word on whether it is so")
	}
	d.Chosen = []decision.Chosen{{Action: "cancel", Nature: decision.Service, Need: "n1", Title: both("取消订单", "Cancel")}}
	if !held() {
		t.Error("what would be done on a condition that nobody can tell is left to the customer")
	}
}

func TestWhatIsNotUnderstoodIsAskedBackWithButtons(t *testing.T) {
	t.Parallel()
	n := spoken("n1", "presale.compare", "那个呢", need.Clarify)
	n.Readings = []need.Reading{{Intent: "presale.compare"}, {Intent: "logistics.track"}}
	d := &decision.Decision{Needs: []need.Need{n}, Chosen: []decision.Chosen{{Action: "clarify", Need: "n1", Nature: decision.Service}}}
	s := treatment.Compose(plan, d, on("desktop", scene.English))
	if len(s.Blocks) != 1 || s.Blocks[0].Kind != "clarify" || len(s.Blocks[0].Options) != 3 || s.Blocks[0].Options[0].Label != "Compare items" {
		t.Errorf("%+v", s.Blocks)
	}
}

func TestVoiceComesFirstOnAPhoneAndNoVideoOnAThinLine(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{
		Needs: []need.Need{spoken("n1", "support.howto", "怎么换", need.Answered)},
		Answers: []candidate.Answer{{Need: "n1", Passage: &candidate.Passage{Title: "换滤芯", Lang: scene.Chinese, Ref: "article:a@1",
			Voice: "/v.mp3", Video: "/v.mp4", Steps: []candidate.Step{{Text: "关水", Basic: true}, {Text: "旋出"}}}}},
	}
	if got := kinds(treatment.Compose(plan, d, on("mobile", scene.Chinese))); !slices.Equal(got, []string{"voice", "video", "steps"}) {
		t.Errorf("phone %v", got)
	}
	thin := on("mobile", scene.Chinese)
	thin.Network.SaveData = true
	if got := kinds(treatment.Compose(plan, d, thin)); slices.Contains(got, "video") {
		t.Errorf("data saver %v", got)
	}
	d.Answers[0].Passage.Experienced = true
	s := treatment.Compose(plan, d, on("desktop", scene.Chinese))
	if b := s.Blocks[0]; b.Skipped != 1 || len(b.Steps) != 1 {
		t.Errorf("who has done it before reads %+v", b)
	}
}

func TestTheProcedureIsToldInTheReadersWords(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{Needs: []need.Need{spoken("n1", "logistics.track", "到哪了", need.Answered), spoken("n2", "logistics.track", "几天到", need.Answered)}}
	course := treatment.Course{Plan: plan, Proven: true, Personal: false, Keys: 1, Events: 4, Decision: d, Strategy: 3,
		Results: []candidate.Result{{Source: "status"}, {Source: "llm", Degraded: &candidate.Degraded{Source: "llm", Reason: "timeout"}}}}
	zh := strings.Join(treatment.Procedure(course, on("desktop", scene.Chinese)), "\n")
	for _, said := range []string{"识别诉求：查物流。", "订单和服务单", "没有等到的来源：llm", "个性化已关闭", "第 3 版"} {
		if !strings.Contains(zh, said) {
			t.Errorf("%q is not told in\n%s", said, zh)
		}
	}
	course.Proven, course.Personal, course.Results = false, true, nil
	en := strings.Join(treatment.Procedure(course, on("desktop", scene.English)), "\n")
	if !strings.Contains(en, "Track a parcel") || !strings.Contains(en, "not proven") || strings.Contains(en, "Personalisation is off") {
		t.Error(en)
	}
}

func TestWhatIsOnOfferIsToldWithoutAProduct(t *testing.T) {
	t.Parallel()
	d := &decision.Decision{Needs: []need.Need{spoken("n1", "presale.price_promo", "有什么活动", need.Answered)},
		Answers: []candidate.Answer{{Need: "n1", Facts: &candidate.Facts{Promotions: []candidate.Promotion{
			{ID: "a", Title: both("满 400 减 60", "60 off 400"), Ref: "promotion:a@1"}, {ID: "b", Title: both("多保一年", "one more year"), Ref: "promotion:b@2"},
		}}}}}
	b := treatment.Compose(plan, d, on("desktop", scene.Chinese)).Blocks[0]
	if b.Title != "现在的优惠" || b.Text != "在用的优惠：满 400 减 60。\n在用的优惠：多保一年。" || !slices.Equal(b.Ev, []evidence.Ref{"promotion:a@1", "promotion:b@2"}) {
		t.Errorf("%+v", b)
	}
}

func TestAYesAnswersWhatWasOffered(t *testing.T) {
	t.Parallel()
	say := func(c need.Courtesy, d decision.Dialogue) treatment.Block {
		d.Courtesy = c
		s := treatment.Compose(plan, &decision.Decision{Dialogue: d}, on("mobile", scene.English))
		if len(s.Blocks) != 1 {
			t.Fatalf("%s: %+v", c, s.Blocks)
		}
		return s.Blocks[0]
	}
	if b := say(need.Assent, decision.Dialogue{Offered: true, Turns: 1}); !strings.Contains(b.Text, "above") || len(b.Options) != 1 {
		t.Errorf("a yes to an offer: %+v", b)
	}
	if b := say(need.Assent, decision.Dialogue{Turns: 1}); strings.Contains(b.Text, "above") {
		t.Errorf("a yes to nothing: %s", b.Text)
	}
	if b := say(need.Refusal, decision.Dialogue{Offered: true, Turns: 1}); !strings.Contains(b.Text, "leave it") {
		t.Errorf("a no to an offer: %s", b.Text)
	}
	if b := say(need.Wordless, decision.Dialogue{Waiting: true, Ahead: 2, Turns: 3}); !strings.Contains(b.Text, "2 people are ahead") {
		t.Errorf("who waits and says ??? is told how long: %s", b.Text)
	}
}

func TestAThingGoesByItsNameAndAnOrderByItsNumber(t *testing.T) {
	t.Parallel()
	items := []candidate.ItemName{{ID: "wy180", Title: both("稳盈 180 天", "Wenying 180 days"), Ref: "item:wy180@1"}}
	for kind, title := range map[evidence.Kind]string{evidence.Holding: "稳盈 180 天", evidence.Asset: "稳盈 180 天", evidence.Order: "订单 X-1"} {
		s := treatment.Compose(plan, &decision.Decision{
			Needs:   []need.Need{spoken("n1", "account.query", "查一下", need.Answered)},
			Answers: []candidate.Answer{{Need: "n1", Status: &candidate.Status{Kind: kind, ID: "X-1", Items: items, UpdatedAt: noon, Fields: map[string]any{"amount": map[string]any{"amount": 50000000.0, "currency": "CNY"}}}}},
		}, on("mobile", scene.Chinese))
		b := s.Blocks[0]
		if b.Title != title {
			t.Errorf("a %s is called %q", kind, b.Title)
		}
		if !slices.ContainsFunc(b.Fields, func(f treatment.Field) bool { return f.Value == "¥500,000" }) {
			t.Errorf("%+v", b.Fields)
		}
	}
}

func TestWhatIsOptionalIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := treatment.Compose(plan, &decision.Decision{
		Needs: []need.Need{spoken("n1", "feedback.complaint", "气死了", need.Handover)},
		Chosen: []decision.Chosen{{Action: "complaint", Nature: decision.Service, Need: "n1", Handover: true, Title: both("登记投诉", "File"), Body: both("我记下。", "Noted."),
			Form: []decision.Field{{Name: "case_id", Label: both("服务单号", "Case number"), Optional: true}}}},
	}, on("mobile", scene.Chinese))
	if b := s.Blocks[0]; len(b.Fields) > 0 || strings.Contains(b.Text, "服务单号") {
		t.Errorf("who is angry is asked for a number: %+v", b)
	}
}
