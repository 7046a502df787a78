// Package scene holds the moment a customer is in: device, network, channel,
// language, place, time and the public warnings in force there. It is a leaf:
// api makes one Scene per enquiry and every room reads it.
package scene

import (
	"sync"
	"time"
)

// Locale is a language the product speaks.
type Locale string

// The two languages; they are equals.
const (
	Chinese Locale = "zh-CN"
	English Locale = "en"
)

// ParseLocale maps a BCP 47 tag or an Accept-Language value to a language of
// ours; ok is false when it names neither.
func ParseLocale(tag string) (l Locale, ok bool) {
	for len(tag) > 0 && (tag[0] == ' ' || tag[0] == ',') {
		tag = tag[1:]
	}
	if len(tag) < 2 {
		return "", false
	}
	switch tag[:2] {
	case "zh", "ZH", "Zh":
		return Chinese, true
	case "en", "EN", "En":
		return English, true
	}
	return "", false
}

// LocaleOf tells the language of a text by its letters: Chinese as soon as Han
// characters are a fifth of the letters, for "iPhone 15 怎么退货" is a Chinese sentence.
func LocaleOf(text string) (l Locale, ok bool) {
	han, other := 0, 0
	for _, r := range text {
		switch {
		case r >= 0x3400 && r <= 0x9fff || r >= 0x20000 && r <= 0x3ffff:
			han++
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			other++
		}
	}
	if han == 0 && other == 0 {
		return "", false
	}
	if han*4 >= other {
		return Chinese, true
	}
	return English, true
}

// Device is what the customer holds.
type Device struct {
	Type       string   `json:"type,omitempty"`       // mobile, desktop, tablet, speaker
	Modalities []string `json:"modalities,omitempty"` // text, voice, video
}

// Network is what the customer's line can carry.
type Network struct {
	EffectiveType string `json:"effective_type,omitempty"` // slow-2g, 2g, 3g, 4g
	SaveData      bool   `json:"save_data,omitempty"`
}

// Place is where the customer is; each part may be missing.
type Place struct {
	Adcode  string   `json:"adcode,omitempty"`
	Lat     *float64 `json:"lat,omitempty"`
	Lon     *float64 `json:"lon,omitempty"`
	Country string   `json:"country,omitempty"`
}

// Scene is one moment of one customer. Time is the clock of the decision: every
// window, age and promise is counted from it.
type Scene struct {
	Channel string    `json:"channel,omitempty"`
	Locale  Locale    `json:"locale,omitempty"`
	Time    time.Time `json:"time"`
	Zone    string    `json:"zone,omitempty"` // IANA name of the customer's time zone
	Brand   string    `json:"brand,omitempty"`
	Store   string    `json:"store,omitempty"`
	Device  Device    `json:"device,omitzero"`
	Network Network   `json:"network,omitzero"`
	Place   Place     `json:"place,omitzero"`
}

// Location is the customer's time zone, UTC when none or an unknown one is named.
func (s Scene) Location() *time.Location {
	if s.Zone == "" {
		return time.UTC
	}
	if l, ok := zones.Load(s.Zone); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(s.Zone)
	if err != nil {
		return time.UTC // not remembered: names of zones that do not exist have no end
	}
	zones.Store(s.Zone, l)
	return l
}

// zones remembers time zones by name; loading one reads a file (12 µs).
var zones sync.Map
