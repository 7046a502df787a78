package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/internal/webhook"
	"github.com/rapport-cx/rapport/outbox"
)

// Webhooks keeps where the workspaces' messages go; *webhook.Courier does.
type Webhooks interface {
	Settings(ctx context.Context, workspace string) (s webhook.Settings, ok bool, err error)
	// Save refuses an address that is none: webhook.ErrAddress.
	Save(ctx context.Context, workspace string, s webhook.Settings) error
	Remove(ctx context.Context, workspace string) error
}

// Webhook is where a workspace's messages go, and how that is going.
type Webhook struct {
	URL       string     `json:"url,omitempty"`
	Secret    string     `json:"secret,omitempty" doc:"Signs every call: HMAC-SHA256 of Rapport-Timestamp, a full stop and the body."`
	Paused    bool       `json:"paused"`
	Since     *time.Time `json:"since,omitempty"`
	Waiting   int        `json:"waiting" doc:"Deliveries that are tried or wait for their next try."`
	Dead      int        `json:"dead" doc:"Deliveries that were given up."`
	Delivered int        `json:"delivered" doc:"Deliveries received, of the last 30 days."`
}

// WebhookChange is what is to change; what is left out stays as it is.
type WebhookChange struct {
	URL    string `json:"url,omitempty" maxLength:"2000" doc:"https://…; needed the first time."`
	Secret string `json:"secret,omitempty" minLength:"16" maxLength:"200" doc:"Made anew when missing the first time."`
	Rotate bool   `json:"rotate,omitempty" doc:"Make a new secret."`
	Paused *bool  `json:"paused,omitempty"`
}

// Delivery is one message on its way to the webhook.
type Delivery struct {
	ID          string     `json:"id" doc:"The same on every try; the header Rapport-Delivery."`
	Type        string     `json:"type" enum:"message.sent,message.superseded"`
	State       string     `json:"state" enum:"pending,delivered,dead"`
	Decision    string     `json:"decision_id"`
	Firing      string     `json:"firing"`
	Signal      string     `json:"signal" doc:"Or foreseen:INTENT when a need was foreseen."`
	Title       string     `json:"title" doc:"What that is, in the caller's language."`
	At          time.Time  `json:"at"`
	Tries       int        `json:"tries" doc:"That failed since the server started."`
	NextTry     *time.Time `json:"next_try,omitempty"`
	Failure     string     `json:"failure,omitempty"`
	Withdrawn   string     `json:"withdrawn,omitempty" doc:"Why it was taken back."`
	Superseded  bool       `json:"superseded,omitempty"`
	InDialogue  string     `json:"conversation,omitempty" enum:"pending,delivered,dead" doc:"What became of it in the customer's conversation."`
	UserID      string     `json:"user_id,omitempty"`
	AnonymousID string     `json:"anonymous_id,omitempty"`
}

func (s *server) webhookRoutes() {
	if s.Webhooks == nil {
		return
	}
	add(s, route{method: "GET", path: "/v1/webhook", tag: "Webhook", who: secretKey, summary: "Where messages that nobody asked for are sent, and how that is going."}, func(c *call, _ *none) (Webhook, error) {
		return s.webhook(c)
	})
	add(s, route{
		method: "PUT", path: "/v1/webhook", tag: "Webhook", who: secretKey, summary: "Set or change the webhook.",
		details: "A workspace has one. Calls carry Rapport-Delivery, Rapport-Timestamp and Rapport-Signature: v1= and the hexadecimal HMAC-SHA256, under the secret, of the timestamp, a full stop and the body. An answer of 2xx is a receipt; anything else is tried again with growing pauses for a day.",
	}, func(c *call, in *WebhookChange) (Webhook, error) {
		now, there, err := s.Webhooks.Settings(c.context(), c.workspace.ID)
		if err != nil {
			return Webhook{}, unavailable(err)
		}
		switch {
		case in.URL != "":
			now.URL = in.URL
		case !there:
			return Webhook{}, faulty("/url", "missing")
		}
		switch {
		case in.Secret != "":
			now.Secret = in.Secret
		case !there || in.Rotate:
			now.Secret = s.secret("whsec_")
		}
		if in.Paused != nil {
			now.Paused = *in.Paused
		}
		if err := s.Webhooks.Save(c.context(), c.workspace.ID, now); errors.Is(err, webhook.ErrAddress) {
			return Webhook{}, faulty("/url", "pattern")
		} else if err != nil {
			return Webhook{}, unavailable(err)
		}
		return s.webhook(c)
	})
	add(s, route{method: "DELETE", path: "/v1/webhook", tag: "Webhook", who: secretKey, summary: "Send nothing there any more."}, func(c *call, _ *none) (Webhook, error) {
		if err := s.Webhooks.Remove(c.context(), c.workspace.ID); err != nil {
			return Webhook{}, unavailable(err)
		}
		return s.webhook(c)
	})
	add(s, route{
		method: "GET", path: "/v1/webhook/deliveries", tag: "Webhook", who: secretKey, summary: "Messages on their way, delivered and given up, newest first.",
		query: append([]string{"state: pending, delivered or dead"}, pageQuery...),
	}, s.deliveries)
	add(s, route{method: "POST", path: "/v1/webhook/deliveries/{id}/retry", tag: "Webhook", who: secretKey, optional: true, summary: "Try one that was given up again."}, func(c *call, _ *none) (Delivery, error) {
		id := c.r.PathValue("id")
		all := s.Engine.Letters(c.workspace.ID)
		for i := range all {
			if l := &all[i]; l.Hook == outbox.Dead && engine.DeliveryID(l.Decision, false) == id {
				if err := s.Engine.SendAgain(c.context(), l); err != nil {
					return Delivery{}, unavailable(err)
				}
				again, _ := s.Engine.Letter(c.workspace.ID, l.Decision)
				return s.delivery(c, &again, false), nil
			}
		}
		return Delivery{}, refuse(http.StatusNotFound, "not_found")
	})
}

func (s *server) webhook(c *call) (Webhook, error) {
	at, there, err := s.Webhooks.Settings(c.context(), c.workspace.ID)
	if err != nil {
		return Webhook{}, unavailable(err)
	}
	w := Webhook{URL: at.URL, Secret: at.Secret, Paused: at.Paused}
	if there {
		w.Since = &at.Since
	}
	all := s.Engine.Letters(c.workspace.ID)
	for i := range all {
		switch l := &all[i]; {
		case l.Hook == outbox.Dead:
			w.Dead++
		case l.Hook == outbox.Delivered:
			w.Delivered++
		case l.Hook == outbox.Pending && l.Gone == "":
			w.Waiting++
		}
	}
	return w, nil
}

func (s *server) delivery(c *call, l *outbox.Letter, recall bool) Delivery {
	d := Delivery{
		ID: engine.DeliveryID(l.Decision, recall), Type: "message.sent", State: string(l.Hook), Decision: l.Decision, Firing: l.Firing, Signal: l.Signal, Title: s.occasion(c, l.Signal),
		At: l.At, Withdrawn: l.Gone, Superseded: l.Undone, InDialogue: string(l.Shown),
	}
	if recall {
		d.Type, d.State = "message.superseded", string(l.Recall)
	}
	if d.State != string(outbox.Delivered) {
		d.Failure = l.Failure
	}
	if d.State == string(outbox.Pending) {
		d.Tries = l.Tries
		if !l.Next.IsZero() {
			d.NextTry = &l.Next
		}
	}
	if l.To.Kind == "user" {
		d.UserID = l.To.Value
	} else {
		d.AnonymousID = l.To.Value
	}
	return d
}

func (s *server) deliveries(c *call, _ *none) (Page[Delivery], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[Delivery]{}, err
	}
	state := c.r.URL.Query().Get("state")
	if state != "" && state != string(outbox.Pending) && state != string(outbox.Delivered) && state != string(outbox.Dead) {
		return Page[Delivery]{}, faulty("/state", "one_of", "choices", "pending, delivered, dead")
	}
	var items []Delivery
	all := s.Engine.Letters(c.workspace.ID)
	for i := len(all) - 1; i >= 0 && len(items) <= limit; i-- {
		for _, recall := range [...]bool{true, false} {
			d := s.delivery(c, &all[i], recall)
			if d.State == "" || state != "" && d.State != state {
				continue
			}
			if after != "" {
				if d.ID == after {
					after = ""
				}
				continue
			}
			items = append(items, d)
		}
	}
	return paged(items, limit, func(d Delivery) string { return d.ID }), nil
}
