package api

import (
	"net/http"
	"time"

	"github.com/rapport-cx/rapport/profile/click"
)

// Heat tells where people click; click.Heat is one.
type Heat interface {
	Ask(workspace string, q click.Question) click.Picture
}

// HeatMap is one page as people click it, or, when no page is named, which pages there are.
type HeatMap struct {
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
	Device  string     `json:"device,omitempty"`
	Segment string     `json:"segment,omitempty"`
	click.Picture
}

func (s *server) heatRoute() {
	if s.Heat == nil {
		return
	}
	add(s, route{method: "GET", path: "/v1/heatmap", tag: "Metrics", who: secretKey,
		query: []string{
			"path: the page; without it all pages are listed", "from: RFC 3339; counted by the hour for a week, by the day for 400 days", "to: RFC 3339, exclusive",
			"device: desktop, mobile or tablet", "segment: one segment of customers",
		},
		summary: "Where people click on a page, and where it fails them.",
		details: "The page is a grid of `columns` by `rows`; a cell or element that is not listed was never clicked. Dead: clicked again after half a second to half a minute, nothing having happened in between, or so reported by the page. Rage: three clicks on one spot within two seconds. Abandoned: a field was begun and the page left.",
	}, func(c *call, _ *none) (HeatMap, error) {
		q := c.r.URL.Query()
		ask := click.Question{Path: q.Get("path"), Device: q.Get("device"), Segment: q.Get("segment")}
		var err error
		if ask.From, ask.To, err = stretch(c.r); err != nil {
			return HeatMap{}, err
		}
		switch ask.Device {
		case "", "desktop", "mobile", "tablet":
		default:
			return HeatMap{}, refuse(http.StatusBadRequest, "one_of", "choices", "desktop, mobile, tablet")
		}
		return HeatMap{moment(ask.From), moment(ask.To), ask.Device, ask.Segment, s.Heat.Ask(c.workspace.ID, ask)}, nil
	})
}

// stretch reads ?from= and &to=; a zero time is open.
func stretch(r *http.Request) (from, to time.Time, err error) {
	q := r.URL.Query()
	for name, into := range map[string]*time.Time{"from": &from, "to": &to} {
		if text := q.Get(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return from, to, refuse(http.StatusBadRequest, "bad_timestamp")
			}
		}
	}
	return from, to, nil
}
