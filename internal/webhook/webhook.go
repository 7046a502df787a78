// Package webhook carries what Rapport sends by itself to the company's own system,
// behind step 6: one signed HTTP call a message to the one address that a workspace
// has given. It tries once; when to try again is the corridor's matter.
//
// A call is a POST of JSON with the headers Rapport-Delivery (the delivery's id, the
// same on every try), Rapport-Timestamp (seconds since 1970) and Rapport-Signature:
// "v1=" and the hexadecimal HMAC-SHA256, under the workspace's webhook secret, of the
// timestamp, a full stop and the body. [Verify] is what the other side does.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/workspace"
)

// The headers of a call.
const (
	DeliveryHeader  = "Rapport-Delivery"
	TimestampHeader = "Rapport-Timestamp"
	SignatureHeader = "Rapport-Signature"
)

const (
	patience = 10 * time.Second // for one try
	kind     = "webhook"        // of the paper that holds the settings; a workspace has one
)

// Papers keeps the settings, which hold a secret, beside the log and not in it.
type Papers interface {
	SavePapers(ctx context.Context, of string, papers []workspace.Paper) error
	// Paper reads one; ok is false when there is none.
	Paper(ctx context.Context, of, kind, id string) (p workspace.Paper, ok bool, err error)
}

// Settings are where a workspace's messages go.
type Settings struct {
	URL    string    `json:"url"`
	Secret string    `json:"secret"` // whsec_…
	Paused bool      `json:"paused,omitempty"`
	Since  time.Time `json:"since"`
}

// Courier carries parcels; it is an engine.Courier. It is safe for concurrent use.
type Courier struct {
	papers Papers
	client *http.Client
	clock  func() time.Time
}

// New makes a courier over a store's papers; clock nil is the machine's.
func New(papers Papers, clock func() time.Time) *Courier {
	if clock == nil {
		clock = time.Now
	}
	return &Courier{papers: papers, clock: clock, client: &http.Client{
		Timeout: patience,
		// Another address may be anybody's; who moves tells us the new one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Settings reads where a workspace's messages go; ok is false when nowhere.
func (c *Courier) Settings(ctx context.Context, of string) (s Settings, ok bool, err error) {
	p, ok, err := c.papers.Paper(ctx, of, kind, kind)
	if err != nil || !ok {
		return s, false, err
	}
	if err := json.Unmarshal(p.Body, &s); err != nil {
		return s, false, fmt.Errorf("webhook of %s: %w", of, err)
	}
	return s, true, nil
}

// ErrAddress says that an address is none that messages can be sent to.
var ErrAddress = errors.New("an address of the form https://host/path is wanted")

// Save changes where a workspace's messages go.
func (c *Courier) Save(ctx context.Context, of string, s Settings) error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return fmt.Errorf("webhook of %s: %w", of, ErrAddress)
	}
	if s.Since.IsZero() {
		s.Since = c.clock().UTC().Truncate(time.Second)
	}
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return c.papers.SavePapers(ctx, of, []workspace.Paper{{Kind: kind, ID: kind, Body: body}})
}

// Remove ends sending.
func (c *Courier) Remove(ctx context.Context, of string) error {
	return c.papers.SavePapers(ctx, of, []workspace.Paper{{Kind: kind, ID: kind}})
}

// Ready tells whether a workspace has a place that messages are sent to.
func (c *Courier) Ready(ctx context.Context, of string) (bool, error) {
	s, ok, err := c.Settings(ctx, of)
	return ok && !s.Paused, err
}

// Carry tries once. Every answer of 2xx is a receipt; 410 Gone, and an address that
// was taken away, end it; everything else is tried again.
func (c *Courier) Carry(ctx context.Context, of, id string, _ time.Time, body []byte) error {
	s, ok, err := c.Settings(ctx, of)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("the workspace has no webhook any more: %w", engine.ErrRefused)
	case s.Paused:
		return errors.New("the webhook is paused")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrRefused, err)
	}
	at := strconv.FormatInt(c.clock().Unix(), 10)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Rapport")
	req.Header.Set(DeliveryHeader, id)
	req.Header.Set(TimestampHeader, at)
	req.Header.Set(SignatureHeader, "v1="+Sign(s.Secret, at, body))
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return fmt.Errorf("answered %s: %w", res.Status, engine.ErrRefused)
	}
	return fmt.Errorf("answered %s", res.Status)
}

// Sign is the hexadecimal HMAC-SHA256 of a call.
func Sign(secret, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(timestamp + "."))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// Verify tells whether a call is the workspace's own and not older than tolerance, so
// that a call that was overheard cannot be made again for long.
func Verify(secret string, h http.Header, body []byte, now time.Time, tolerance time.Duration) bool {
	at := h.Get(TimestampHeader)
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	return hmac.Equal([]byte(strings.TrimPrefix(h.Get(SignatureHeader), "v1=")), []byte(Sign(secret, at, body)))
}
