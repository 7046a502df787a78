package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

// endpoint is a language model of the test's own on this machine.
func endpoint(t *testing.T, o Options, serve http.HandlerFunc) *Endpoint {
	t.Helper()
	o.ChatModel = "test-model"
	return served(t, o, serve)
}

func served(t *testing.T, o Options, serve http.HandlerFunc) *Endpoint {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	o.URL, o.Client = s.URL+"/v1", s.Client()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// says is an endpoint whose model says the same to everything.
func says(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": content}}}})
	}
}

var question = engine.Question{
	Locale:  scene.Chinese,
	Doubts:  []need.Doubt{{Need: "n1", Text: "我是林小满 13800138000 那个退的事", Readings: []need.Reading{{Intent: "policy.return"}, {Intent: "aftersale.refund"}}}},
	Intents: []engine.Intent{{Label: "policy.return", Title: "退货规则"}, {Label: "aftersale.refund", Title: "退款"}},
	Private: []string{"林小满"},
}

func TestNothingThatNamesACustomerLeaves(t *testing.T) {
	t.Parallel()
	var sent string
	var auth string
	e := endpoint(t, Options{Key: "k-1"}, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent, auth = string(b), r.Header.Get("Authorization")
		if r.URL.Path != "/v1/chat/completions" {
			t.Errorf("called %s", r.URL.Path)
		}
		says(`{"readings":[{"id":"n1","parts":[{"text":"我是⟦2⟧ ⟦1⟧ 那个退的事","intent":"aftersale.refund"}]}]}`)(w, r)
	})
	o, err := e.Consult(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"林小满", "13800138000"} {
		if strings.Contains(sent, private) {
			t.Errorf("%s left the house: %s", private, sent)
		}
	}
	if !strings.Contains(sent, `"json_schema"`) || !strings.Contains(sent, "那个退的事") || auth != "Bearer k-1" {
		t.Errorf("asked %s, with %q", sent, auth)
	}
	if parts := o.Parts["n1"]; len(parts) != 1 || parts[0].Text != question.Doubts[0].Text {
		t.Errorf("the words did not come back: %+v", o.Parts)
	}
}

func TestWhatIsNoAnswerIsSaidToBeNone(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		serve http.HandlerFunc
		want  error
	}{
		"no JSON":            {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, engine.ErrCounselInvalid},
		"no choice":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"choices":[]}`) }, engine.ErrCounselInvalid},
		"prose":              {says("Of course! I refund everyone."), engine.ErrCounselInvalid},
		"another shape":      {says(`{"refund":"everyone"}`), engine.ErrCounselInvalid},
		"JSON and then some": {says(`{"readings":[]} {"readings":[]}`), engine.ErrCounselInvalid},
		"a stranger's id":    {says(`{"readings":[{"id":"n7","parts":[]}]}`), engine.ErrCounselInvalid},
		"an error": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
		}, nil},
		"a hundred megabytes": {func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat("[", 1<<20))
			for range 100 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
			t.Error("all of it was read")
		}, engine.ErrCounselInvalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := endpoint(t, Options{}, c.serve).Consult(t.Context(), question)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if len(o.Parts)+len(o.Wording) > 0 {
				t.Errorf("taken in: %+v", o)
			}
		})
	}
}

func TestOneQuestionFailsAndTheOtherStands(t *testing.T) {
	t.Parallel()
	e := endpoint(t, Options{Wording: true}, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), `"name":"wording"`) {
			http.Error(w, "no", 500)
			return
		}
		says(`{"readings":[{"id":"n1","parts":[{"text":"那个退的事","intent":"aftersale.refund"}]}]}`)(w, r)
	})
	q := question
	q.Wording = []string{"我没太听明白。"}
	o, err := e.Consult(t.Context(), q)
	if err == nil || len(o.Parts["n1"]) != 1 || len(o.Wording) != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAnEndpointThatFailsIsLeftAloneAndProbed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pass := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	var calls atomic.Int32
	var well atomic.Bool
	e := endpoint(t, Options{Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }}, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if well.Load() {
			says(`{"readings":[]}`)(w, r)
			return
		}
		http.Error(w, "no", 500)
	})
	ask := func() error { _, err := e.Consult(t.Context(), question); return err }
	for range failuresToOpen {
		if err := ask(); err == nil || errors.Is(err, engine.ErrCounselOpen) {
			t.Fatal(err)
		}
	}
	for range 10 {
		if err := ask(); !errors.Is(err, engine.ErrCounselOpen) {
			t.Fatal(err)
		}
	}
	if n := calls.Load(); n != failuresToOpen {
		t.Errorf("%d calls", n)
	}
	pass(firstRest)
	if err := ask(); err == nil || errors.Is(err, engine.ErrCounselOpen) {
		t.Errorf("no probe: %v", err)
	}
	pass(firstRest)
	if err := ask(); !errors.Is(err, engine.ErrCounselOpen) {
		t.Errorf("a failed probe is followed by a longer rest: %v", err)
	}
	pass(firstRest)
	well.Store(true)
	for range 3 {
		if err := ask(); err != nil {
			t.Errorf("it works again: %v", err)
		}
	}
}

func TestACustomerWhoGoesAwaySaysNothingOfTheEndpoint(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	e := endpoint(t, Options{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the caller go
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	for range failuresToOpen + 1 {
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { _, err := e.Consult(ctx, question); gone <- err }()
		<-arrived
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

func TestABaseURLIsOneURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "llm.example/v1", "ftp://llm.example", "https://user:key@llm.example/v1", "https://llm.example/v1?key=1"} {
		if _, err := New(Options{URL: bad, ChatModel: "m"}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := New(Options{URL: "https://llm.example/v1"}); err == nil {
		t.Error("an endpoint without a model is taken")
	}
}
