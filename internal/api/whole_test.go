package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/sqlite"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
	"github.com/rapport-cx/rapport/profile/topic"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// compiler is shared by all tests: it remembers the classifier it trained.
var compiler = sync.OnceValue(func() *pack.Compiler { return &pack.Compiler{FS: packs.Files} })

// whole is the edge before a real house: SQLite, the real corridor, the real packs.
func whole(t testing.TB) *door {
	t.Helper()
	d, shut := wholeIn(t, t.TempDir())
	t.Cleanup(shut)
	return d
}

// wholeIn opens the house over a data folder; shut closes it, as at the end of a process.
func wholeIn(t testing.TB, dir string) (d *door, shut func()) {
	t.Helper()
	return wholeWith(t, dir, func(*engine.Options) {})
}

// wholeWith opens a house that is not quite the usual one.
func wholeWith(t testing.TB, dir string, change func(*engine.Options)) (d *door, shut func()) {
	t.Helper()
	d = &door{t: t, testClock: atNoon(), logins: NewLogins()}
	clock := d.now
	shelves, registry, cohorts, desk, heat, topics := &candidate.Shelves{}, &profile.Registry{}, candidate.NewCohorts(), conversation.NewDesk(), &click.Heat{}, &topic.Topics{}
	switches, rollouts, acts, members := &strategy.Switches{}, &strategy.Rollouts{}, &strategy.Acts{}, &workspace.Members{}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Shelf: shelves, Clock: clock, Followers: []journal.Follower{registry, cohorts, desk, switches, rollouts, acts, members, heat, topics}})
	if err != nil {
		t.Fatal(err)
	}
	shut = func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	o := engine.Options{
		Store: store, Compiler: compiler(), Clock: clock, Deadline: time.Minute, // on a busy machine, too
		Counts: cohorts.Opens, Desk: desk, Switches: switches, Rollouts: rollouts, Acts: acts, Papers: store,
		Sources: func(w string) []candidate.Source { return candidate.Sources(cohorts.Of(w)) },
	}
	change(&o)
	e, err := engine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []engine.Workspace{tenant("shop"), tenant("bank")} {
		if _, err := e.AddWorkspace(t.Context(), w, []string{"base", "electronics"}); err != nil {
			t.Fatal(err)
		}
	}
	d.corridor = e
	d.Handler = New(Options{
		Engine: e, Clock: clock, Logins: d.logins, Records: registry, Heat: heat, Topics: topics, Members: members, Logger: slog.New(slog.DiscardHandler),
		Shelf: func(w string) Shelf { return shelves.Of(w) },
	})
	return d, shut
}

func TestTheWholeHouseAnswersThroughItsFrontDoor(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "PUT", "/v1/items/pod-3", "sk_shop", `{"kind":"product","title":{"zh":"云雀 3","en":"Lark 3"},"aliases":["云雀3"],"warranty":{"months":24},"price":{"amount":299900,"currency":"CNY"}}`)
	d.want(200, "", "PUT", "/v1/records/asset/s1", "sk_shop", `{"person":"u1","product_id":"pod-3","serial":"s1","bought_at":"2025-12-01T00:00:00Z","warranty_until":"2027-12-01T00:00:00Z"}`)
	repair := func(n int, daysAgo int) string {
		at := noon.AddDate(0, 0, -daysAgo).Format(time.RFC3339)
		return fmt.Sprintf(`{"messageId":"r%d","userId":"u1","event":"Repair Reported","timestamp":"%s","properties":{"case_id":"c%d","product_id":"pod-3","asset_id":"s1","symptom":"overheat"}}`, n, at, n)
	}
	d.want(200, "", "POST", "/v1/track", "sk_shop", repair(1, 80))
	d.want(200, "", "POST", "/v1/track", "sk_shop", repair(2, 20))
	ask := `{"user_id":"u1","enquiry":{"text":"设备发热严重"},"scene":{"channel":"web","device":{"type":"desktop"}}}`
	answer := d.want(200, "", "POST", "/v1/decisions", "sk_shop", ask).json(t)
	actions := answer["actions"].([]any)
	if len(actions) == 0 {
		t.Fatalf("nothing is offered: %v", answer)
	}
	first := actions[0].(map[string]any)
	if first["nature"] != "right" || first["probability"] != 1.0 {
		t.Errorf("%v", first)
	}
	evidence := answer["evidence"].(map[string]any)
	opened := 0
	for _, e := range evidence {
		ref := e.(map[string]any)["ref"].(string)
		r := d.want(200, "", "GET", "/v1/refs/"+ref, "sk_shop", "")
		if strings.Contains(r.body, "Repair Reported") {
			opened++
		}
		if !strings.HasPrefix(ref, "rule:") && !strings.HasPrefix(ref, "model:") {
			d.want(404, "not_found", "GET", "/v1/refs/"+ref, "sk_bank", "")
		}
	}
	if opened < 2 {
		t.Errorf("the two repairs are not among the evidence: %v", evidence)
	}
	id := answer["id"].(string)
	if r := d.want(200, "", "POST", "/v1/decisions/"+id+"/replay", "sk_shop", "").json(t); r["identical"] != true {
		t.Errorf("a replay differs at %v", r["changed"])
	}
	d.want(200, "", "GET", "/v1/decisions/"+id+"/explanation", "sk_shop", "")
	if o := d.want(200, "", "GET", "/v1/records/asset/s1", "sk_shop", "").json(t); o["serial"] != "s1" {
		t.Error(o)
	}
	if l := d.want(200, "", "GET", "/v1/records/asset", "sk_shop", "").json(t); len(l["items"].([]any)) != 1 {
		t.Error(l)
	}
	d.want(404, "not_found", "GET", "/v1/records/asset/s1", "sk_bank", "")

	// Who only claims to be u1 is told nothing of u1.
	stranger := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"user_id":"u1","anonymous_id":"stranger","enquiry":{"text":"设备发热严重"}}`)
	for _, secret := range []string{"s1", "Repair Reported", "c1", "evt_", answer["person"].(map[string]any)["id"].(string)} {
		if strings.Contains(stranger.body, `"`+secret) {
			t.Errorf("a stranger is told %s: %s", secret, stranger.body)
		}
	}
	mine := "X-Identity-Token: " + pass("shop", "u1", noon.Add(time.Hour))
	p := d.want(200, "", "GET", "/v1/me", "wk_shop", "", mine).json(t)
	if len(p["assets"].([]any)) != 1 || len(p["signals"].([]any)) == 0 {
		t.Error(p)
	}
	d.want(200, "", "POST", "/v1/decisions/"+id+"/outcomes", "sk_shop", `{"outcome":"shown"}`)
	d.want(200, "", "POST", "/v1/decisions/"+id+"/outcomes", "sk_shop", `{"outcome":"accepted","action":"replace_device"}`)
	came := d.want(200, "", "GET", "/v1/decisions/"+id+"/outcomes", "sk_shop", "").json(t)["items"].([]any)
	if len(came) != 2 {
		t.Fatalf("what came of it: %v", came)
	}
	kinds := map[any]any{}
	for _, o := range came {
		kinds[o.(map[string]any)["kind"]] = o.(map[string]any)["action"]
	}
	if _, shown := kinds["impression"]; !shown || kinds["accept"] != "replace_device" {
		t.Errorf("what came of it: %v", came)
	}
	d.want(200, "", "GET", "/v1/me/export", "wk_shop", "", mine)
	if g := d.want(200, "", "GET", "/v1/people/u1/graph", "sk_shop", "").json(t); len(g["edges"].([]any)) == 0 {
		t.Error(g)
	}
	d.want(200, "", "GET", "/v1/me/graph", "wk_shop", "", mine)
	cnv := d.want(201, "", "POST", "/v1/conversations", "wk_shop", `{"anonymous_id":"a5"}`).json(t)["id"].(string)
	said := d.want(200, "", "POST", "/v1/conversations/"+cnv+"/messages", "wk_shop", `{"anonymous_id":"a5","text":"你们几点上班"}`).json(t)
	if said["id"] == nil {
		t.Error(said)
	}
	if body := d.want(200, "", "GET", "/v1/people/anon:a5", "sk_shop", "").body; strings.Contains(body, "null") && !strings.Contains(body, `"value":null`) {
		t.Errorf("an empty list is null: %s", body)
	}
	receipt := d.want(200, "", "DELETE", "/v1/people/u1", "sk_shop", "").json(t)
	if receipt["events"].(float64) < 3 || receipt["decisions"].(float64) < 1 {
		t.Error(receipt)
	}
	d.want(410, "account_erased", "GET", "/v1/decisions/"+id, "sk_shop", "")
	d.want(410, "account_erased", "POST", "/v1/decisions/"+id+"/replay", "sk_shop", "")
}

func TestAWorkspaceThatCouldNotAnswerIsNotMade(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(422, "strategy_faulty", "POST", "/v1/workspaces", "sk_shop", `{"id":"school","packs":["base","unheard_of"]}`)
	d.want(200, "", "GET", "/readyz", "", "")
	d.want(201, "", "POST", "/v1/workspaces", "sk_shop", `{"id":"school"}`)
	d.want(200, "", "GET", "/readyz", "", "")
}

func TestAFaultyStrategyIsRefusedWithEveryPlace(t *testing.T) {
	t.Parallel()
	d := whole(t)
	draft := d.want(201, "", "POST", "/v1/strategies", "sk_shop", `{"base":1,"files":{"electronics/pack.yaml":"actions:\n  - id: [\n"}}`).json(t)
	v := fmt.Sprint(draft["version"])
	if r := d.want(200, "", "POST", "/v1/strategies/"+v+"/validate", "sk_shop", "").json(t); r["valid"] != false || len(r["faults"].([]any)) == 0 {
		t.Error(r)
	}
	r := d.want(422, "strategy_faulty", "POST", "/v1/strategies/"+v+"/publish", "sk_shop", "")
	if !strings.Contains(r.body, "pack.yaml:") {
		t.Error(r.body)
	}
}

// sink takes events and keeps none, so that a benchmark sees the edge alone.
type sink struct{ *house }

func (sink) Observe(_ context.Context, _ string, events []event.Event) (engine.Receipt, error) {
	return engine.Receipt{Duplicates: make([]bool, len(events))}, nil
}

// posted sends one body over and over without a network.
func posted(b *testing.B, h http.Handler, path, body string) {
	b.Helper()
	b.ReportAllocs()
	source := strings.NewReader(body)
	r := httptest.NewRequest("POST", path, source)
	r.Header.Set("Authorization", "Bearer wk_shop")
	w := &blank{header: http.Header{}}
	for b.Loop() {
		source.Reset(body)
		r.Body, w.status = io.NopCloser(source), 200
		h.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

type blank struct {
	header http.Header
	status int
}

func (w *blank) Header() http.Header         { return w.header }
func (w *blank) Write(p []byte) (int, error) { return len(p), nil }
func (w *blank) WriteHeader(status int)      { w.status = status }

const viewed = `{"messageId":"5f1c9a52-7c1e-4c54-9a51-1c9be1a5d0aa","userId":"customer-00012345","anonymousId":"b8f1e7a0-0c9b-4d5a","event":"Product Viewed","properties":{"product_id":"kettle-17","category":"kitchen","price":129.5,"currency":"CNY"},"context":{"locale":"zh-CN"},"timestamp":"2026-05-02T11:59:58.120Z"}`

func BenchmarkEdgeTrack(b *testing.B) {
	posted(b, New(Options{Engine: sink{newHouse(tenant("shop"))}, Logger: slog.New(slog.DiscardHandler)}), "/v1/track", viewed)
}

func BenchmarkEdgeBatchOf100(b *testing.B) {
	call := strings.Replace(viewed, "{", `{"type":"track",`, 1)
	posted(b, New(Options{Engine: sink{newHouse(tenant("shop"))}, Logger: slog.New(slog.DiscardHandler)}), "/v1/batch", `{"batch":[`+strings.Repeat(call+",", 99)+call+`]}`)
}

func BenchmarkBareJSONPost(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/track", func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			MessageID, UserID, AnonymousID, Event string
			Properties, Context                   map[string]any
			Timestamp                             time.Time
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			w.WriteHeader(400)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]int{"accepted": 1})
	})
	posted(b, mux, "/v1/track", viewed)
}

func TestTheHeatMapShowsWhereAPageFails(t *testing.T) {
	t.Parallel()
	d := whole(t)
	press := func(n int, after time.Duration, selector string, x, y int) {
		at := noon.Add(after - time.Hour).Format(time.RFC3339Nano)
		d.want(200, "", "POST", "/v1/track", "wk_shop", fmt.Sprintf(`{"messageId":"k%d","anonymousId":"a9","event":"Element Clicked","timestamp":"%s","context":{"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile"},"properties":{"path":"/checkout?step=2","selector":"%s","x":%d,"y":%d,"width":1000,"height":2000}}`, n, at, selector, x, y))
	}
	press(1, 0, "button.pay", 500, 1000)
	press(2, 300*time.Millisecond, "button.pay", 500, 1000)
	press(3, 600*time.Millisecond, "button.pay", 500, 1000)
	press(4, 10*time.Second, "a.help", 10, 10)
	press(5, 12*time.Second, "a.help", 10, 10)
	m := d.want(200, "", "GET", "/v1/heatmap?path=/checkout&device=mobile&from="+noon.Add(-2*time.Hour).Format(time.RFC3339), "sk_shop", "").json(t)
	total := m["total"].(map[string]any)
	if total["clicks"] != 5.0 || total["rage"] != 1.0 || total["dead"] != 1.0 {
		t.Errorf("the page as a whole: %v", total)
	}
	if cells := m["cells"].([]any); len(cells) != 2 || fmt.Sprint(cells[1]) != "map[abandoned:0 clicks:3 column:10 dead:0 rage:1 row:25]" {
		t.Errorf("cells: %v", cells)
	}
	if e := m["elements"].([]any)[0].(map[string]any); e["selector"] != "button.pay" || e["clicks"] != 3.0 {
		t.Errorf("the most clicked element: %v", e)
	}
	if all := d.want(200, "", "GET", "/v1/heatmap", "sk_shop", "").json(t); fmt.Sprint(all["pages"].([]any)[0].(map[string]any)["name"]) != "/checkout" {
		t.Errorf("pages: %v", all)
	}
	if other := d.want(200, "", "GET", "/v1/heatmap?path=/checkout&device=desktop", "sk_shop", "").json(t); other["total"].(map[string]any)["clicks"] != 0.0 {
		t.Errorf("desktop: %v", other)
	}
	d.want(400, "bad_timestamp", "GET", "/v1/heatmap?from=yesterday", "sk_shop", "")
	d.want(400, "one_of", "GET", "/v1/heatmap?device=fridge", "sk_shop", "")
	if bank := d.want(200, "", "GET", "/v1/heatmap", "sk_bank", "").json(t); len(bank["pages"].([]any)) != 0 {
		t.Errorf("the bank sees %v", bank)
	}
	// What was found is among the person's events, and opens onto a click.
	p := d.want(200, "", "GET", "/v1/people/anon:a9", "sk_shop", "").json(t)
	if counts := p["counts"]; counts == nil || counts.(map[string]any)["Rage Click"] != 1.0 || counts.(map[string]any)["Dead Click"] != 1.0 {
		t.Errorf("the person's events: %v", p)
	}
}

func TestWhatIsSaidInPublicBelongsToATopicAndAPerson(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"messageId":"s1","userId":"u7","event":"Social Interaction","timestamp":"2026-04-30T08:00:00Z","properties":{"network":"weibo","kind":"comment","text":"#云雀3# 又死机了，太失望了"}}`)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"messageId":"s2","anonymousId":"weibo:88","event":"Social Interaction","timestamp":"2026-04-30T09:00:00Z","properties":{"network":"weibo","kind":"mention","text":"#云雀3# 音质很好，喜欢"}}`)
	one := d.want(200, "", "GET", "/v1/topics/"+url.PathEscape("云雀3"), "sk_shop", "").json(t)
	if one["interactions"] != 2.0 || one["negative"] != 1.0 || one["positive"] != 1.0 {
		t.Errorf("the topic: %v", one)
	}
	ref := one["recent"].([]any)[1].(string)
	if r := d.want(200, "", "GET", "/v1/refs/"+ref, "sk_shop", ""); !strings.Contains(r.body, `"sentiment_label":"negative"`) {
		t.Errorf("what was said opens as %s", r.body)
	}
	if l := d.want(200, "", "GET", "/v1/topics", "sk_shop", "").json(t); len(l["items"].([]any)) != 1 {
		t.Error(l)
	}
	if l := d.want(200, "", "GET", "/v1/people/u7/timeline", "sk_shop", ""); !strings.Contains(l.body, "Social Interaction") {
		t.Errorf("the person's timeline: %s", l.body)
	}
	d.want(404, "not_found", "GET", "/v1/topics/unheard", "sk_shop", "")
}

func TestMission_4_1_TheDemandGraphAtAnyTime(t *testing.T) {
	t.Parallel()
	d := whole(t)
	send := func(id string, daysAgo int, kind, name, body string) {
		at := noon.AddDate(0, 0, -daysAgo).Format(time.RFC3339)
		d.want(200, "", "POST", "/v1/"+kind, "sk_shop", fmt.Sprintf(`{"messageId":"%s","userId":"u9",%s"timestamp":"%s",%s}`, id, name, at, body))
	}
	d.want(200, "", "PUT", "/v1/items/pod-3", "sk_shop", `{"kind":"product","title":{"zh":"云雀 3","en":"Lark 3"},"aliases":["云雀3"],"warranty":{"months":24},"price":{"amount":299900,"currency":"CNY"}}`)
	send("g1", 60, "identify", "", `"traits":{"household":[{"relation":"child","age":6},{"relation":"self"}]}`)
	send("g2", 50, "track", `"event":"Product Viewed",`, `"properties":{"product_id":"pod-3"}`)
	send("g3", 40, "track", `"event":"Order Completed",`, `"properties":{"order_id":"o9","products":[{"product_id":"pod-3","quantity":1}]}`)
	send("g4", 30, "track", `"event":"Repair Reported",`, `"properties":{"case_id":"c9","product_id":"pod-3","symptom":"overheat"}`)
	send("g5", 10, "track", `"event":"Social Interaction",`, `"properties":{"network":"weibo","text":"#开学季# 又要修"}`)
	answer := d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"u9","enquiry":{"text":"设备发热严重"}}`).json(t)
	decided := answer["id"].(string)
	edges := func(daysAgo int) map[string][]any {
		g := d.want(200, "", "GET", "/v1/people/u9/graph?at="+url.QueryEscape(noon.AddDate(0, 0, -daysAgo).Format(time.RFC3339)), "sk_shop", "").json(t)
		all := map[string][]any{}
		for _, e := range g["edges"].([]any) {
			e := e.(map[string]any)
			to := e["to"].(string)
			if strings.HasPrefix(to, "need:") {
				to = "need"
			}
			all[e["type"].(string)+" "+to] = e["events"].([]any)
			if w := e["weight"].(float64); w <= 0 || len(e["events"].([]any)) == 0 {
				t.Errorf("an edge of weight %v with the events %v", w, e["events"])
			}
			for _, ref := range e["events"].([]any) {
				if r := ref.(string); strings.HasPrefix(r, "evt_") || strings.HasPrefix(r, "dec_") {
					d.want(200, "", "GET", "/v1/refs/"+r, "sk_shop", "")
				}
			}
		}
		return all
	}
	for _, c := range []struct {
		ago  int
		want []string
		not  []string
	}{
		{55, []string{"lives_with member:child~206"}, []string{"viewed product:pod-3", "owns product:pod-3"}},
		{45, []string{"viewed product:pod-3"}, []string{"bought product:pod-3"}},
		{35, []string{"bought product:pod-3", "placed order:o9"}, []string{"suffers issue:overheat"}},
		{20, []string{"suffers issue:overheat", "has case:c9"}, []string{"speaks_of topic:开学季", "needs need"}},
		{0, []string{"suffers issue:overheat", "needs need", "lives_with member:child~206"}, nil},
	} {
		all := edges(c.ago)
		for _, w := range c.want {
			if all[w] == nil {
				t.Errorf("%d days ago %q is missing among %v", c.ago, w, all)
			}
		}
		for _, n := range c.not {
			if all[n] != nil {
				t.Errorf("%d days ago %q was not known yet", c.ago, n)
			}
		}
	}
	if from := edges(0)["needs need"]; len(from) == 0 || fmt.Sprint(from[0]) != decided && fmt.Sprint(from[len(from)-1]) != decided {
		t.Errorf("the need comes from %v, not from %s", from, decided)
	}
	p := d.want(200, "", "GET", "/v1/people/u9?at="+url.QueryEscape(noon.AddDate(0, 0, -45).Format(time.RFC3339)), "sk_shop", "").json(t)
	if len(p["orders"].([]any)) != 0 || p["traits"].(map[string]any)["household_size"] == nil {
		t.Errorf("the person 45 days ago: %v", p)
	}
	d.want(400, "bad_timestamp", "GET", "/v1/people/u9?at=then", "sk_shop", "")
}
