package webhook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/internal/webhook"
	"github.com/rapport-cx/rapport/workspace"
)

// drawer keeps papers in memory.
type drawer struct {
	mu     sync.Mutex
	papers map[string][]byte
}

func (d *drawer) SavePapers(_ context.Context, of string, papers []workspace.Paper) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.papers == nil {
		d.papers = map[string][]byte{}
	}
	for _, p := range papers {
		d.papers[of+"/"+p.Kind+"/"+p.ID] = p.Body
	}
	return nil
}

func (d *drawer) Paper(_ context.Context, of, kind, id string) (workspace.Paper, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body := d.papers[of+"/"+kind+"/"+id]
	return workspace.Paper{Kind: kind, ID: id, Body: body}, body != nil, nil
}

func TestACallIsSignedAndKeepsItsID(t *testing.T) {
	t.Parallel()
	const secret = "whsec_0123456789abcdef"
	var got []string
	answer := http.StatusOK
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !webhook.Verify(secret, r.Header, body, time.Now(), time.Minute) {
			t.Errorf("the signature %q does not verify", r.Header.Get(webhook.SignatureHeader))
		}
		if webhook.Verify("whsec_another_secret", r.Header, body, time.Now(), time.Minute) || webhook.Verify(secret, r.Header, append(body, ' '), time.Now(), time.Minute) {
			t.Error("another secret, or another body, verifies too")
		}
		if webhook.Verify(secret, r.Header, body, time.Now().Add(time.Hour), time.Minute) {
			t.Error("an old call verifies")
		}
		got = append(got, r.Header.Get(webhook.DeliveryHeader))
		w.WriteHeader(answer)
	}))
	defer other.Close()
	c := webhook.New(&drawer{}, nil)
	ctx := t.Context()
	if ready, err := c.Ready(ctx, "shop"); ready || err != nil {
		t.Errorf("ready %v, %v before there is an address", ready, err)
	}
	if err := c.Save(ctx, "shop", webhook.Settings{URL: other.URL + "/in", Secret: secret}); err != nil {
		t.Fatal(err)
	}
	carry := func() error { return c.Carry(ctx, "shop", "dlv_1", time.Now(), []byte(`{"a":1}`)) }
	if err := carry(); err != nil {
		t.Error(err)
	}
	answer = http.StatusInternalServerError
	if err := carry(); err == nil || errors.Is(err, engine.ErrRefused) {
		t.Errorf("a failing receiver gives %v; it is tried again", err)
	}
	answer = http.StatusGone
	if err := carry(); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("a receiver that is gone gives %v", err)
	}
	for _, id := range got {
		if id != "dlv_1" {
			t.Errorf("a try has the id %q", id)
		}
	}
	if err := c.Remove(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if err := carry(); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("without an address: %v", err)
	}
}

func TestARedirectIsNotFollowedAndAnAddressMustBeOne(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	other := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer other.Close()
	c := webhook.New(&drawer{}, nil)
	if err := c.Save(t.Context(), "shop", webhook.Settings{URL: other.URL, Secret: "whsec_0123456789abcdef"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Carry(t.Context(), "shop", "dlv_1", time.Now(), []byte("{}")); err == nil {
		t.Error("a redirect counts as a receipt")
	}
	for _, address := range []string{"", "shop.example/in", "ftp://shop.example", "https://user:pass@shop.example/", "file:///etc/passwd"} {
		if err := c.Save(t.Context(), "shop", webhook.Settings{URL: address}); !errors.Is(err, webhook.ErrAddress) {
			t.Errorf("%q is taken as an address: %v", address, err)
		}
	}
}
