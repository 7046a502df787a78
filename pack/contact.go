package pack

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
)

// contactPolicy reads what Rapport may send by itself. A later pack replaces what it
// states again: the quiet hours, a cap of the same id.
func (c *content) contactPolicy(v value) {
	v.object(fields{
		"quiet": func(v value) {
			if v.is(yaml.ScalarNode) {
				var none string
				if v.choice(&none, "none"); none != "" {
					c.contact.Quiet = nil
				}
			}
			if !v.is(yaml.MappingNode) {
				return
			}
			h := &decision.Hours{}
			hours(v, h, fields{})
			c.contact.Quiet = h
		},
		"caps": func(v value) {
			v.list(func(v value) {
				limit := decision.ContactCap{}
				v.object(fields{
					"id":      func(v value) { v.name(&limit.ID) },
					"topic":   func(v value) { v.name(&limit.Topic) },
					"channel": func(v value) { v.choice(&limit.Channel, "conversation", "webhook") },
					"at_most": func(v value) { v.integer(&limit.AtMost, 0) },
					"within":  func(v value) { v.duration(&limit.Within) },
				}, "id", "at_most", "within")
				if i := slices.IndexFunc(c.contact.Caps, func(o decision.ContactCap) bool { return o.ID == limit.ID }); i >= 0 {
					c.contact.Caps[i] = limit
					return
				}
				c.contact.Caps = append(c.contact.Caps, limit)
			})
		},
		"suppress": func(v value) { v.duration(&c.contact.Suppress) },
		"again":    func(v value) { v.duration(&c.contact.Again) },
	})
}

// onDuty reads whom customers can be put through to. One of the same id replaces
// one of an earlier pack.
func (c *content) onDuty(v value) {
	d := decision.Duty{}
	hours(v, &d.Hours, fields{
		"id":    func(v value) { v.name(&d.ID) },
		"name":  func(v value) { v.text(&d.Name) },
		"phone": func(v value) { v.str(&d.Phone) },
		"days": func(v value) {
			v.list(func(v value) {
				n := 0
				if v.integer(&n, 1); n > 7 {
					v.fault("weekday")
				}
				d.Days = append(d.Days, n)
			})
		},
	}, "id", "name", "zone")
	if d.Name == (candidate.Text{}) {
		return
	}
	if i := slices.IndexFunc(c.duty, func(o decision.Duty) bool { return o.ID == d.ID }); i >= 0 {
		c.duty[i] = d
		return
	}
	c.duty = append(c.duty, d)
}

// hours reads {from: "21:00", until: "09:00", zone: Asia/Shanghai} and more keys.
func hours(v value, h *decision.Hours, more fields, required ...string) {
	more["from"] = func(v value) { v.clock(&h.From) }
	more["until"] = func(v value) { v.clock(&h.Until) }
	more["zone"] = func(v value) {
		var s string
		v.str(&s)
		zone, err := time.LoadLocation(s)
		if err != nil || s == "Local" {
			v.fault("no_time_zone", s)
			return
		}
		h.Zone = zone
	}
	v.object(more, append(required, "from", "until")...)
}

// clock reads a time of the day, "21:00", as minutes after midnight; 24:00 is its end.
func (v value) clock(into *int) {
	if v.shape != nil {
		v.note(map[string]any{"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"})
		return
	}
	s, ok := v.scalar()
	if !ok {
		return
	}
	hour, minute, _ := strings.Cut(s, ":")
	h, err := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	if err != nil || err2 != nil || h < 0 || m < 0 || m > 59 || h*60+m > 24*60 {
		v.fault("clock_expected", s)
		return
	}
	*into = h*60 + m
}
