package profile_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile"
)

// Two reports of the same device, the older one arriving last.
func ExampleFold() {
	report := func(n byte, day int, body string) *event.Event {
		return &event.Event{ID: event.ID{n}, Kind: event.Track, Name: "Repair Reported", UserID: "lin", Time: time.Date(2026, 3, day, 9, 0, 0, 0, time.UTC), Body: json.RawMessage(body)}
	}
	events := []*event.Event{
		report(1, 20, `{"case_id":"c2","asset_id":"SN1","symptom":"overheat"}`),
		report(2, 2, `{"case_id":"c1","asset_id":"SN1","product_id":"phone","symptom":"overheat"}`),
	}
	keys := []identity.Key{identity.User("lin")}
	p := profile.Fold(identity.PersonOf("shop", keys[0]), keys, events, 2)
	for _, r := range p.RecordsOf(evidence.Case) {
		fmt.Println(r.Ref(), r.Text("kind"), r.Text("status"), r.Text("symptom"), len(r.Evidence))
	}
	device, _ := p.Device("SN1")
	fmt.Println(device.ProductID, len(device.Reports))
	// Output:
	// case:c1 repair reported overheat 1
	// case:c2 repair reported overheat 1
	// phone 2
}
