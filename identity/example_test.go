package identity_test

import (
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// A visitor signs in on her phone, and so does somebody else on the tablet that
// both use.
func ExampleGraph() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := identity.NewGraph("shop")
	for _, e := range []event.Event{
		{Kind: event.Page, AnonymousID: "phone", Time: noon},
		{Kind: event.Track, AnonymousID: "phone", UserID: "lin", Time: noon},
		{Kind: event.Track, AnonymousID: "tablet", UserID: "lin", Time: noon},
		{Kind: event.Track, AnonymousID: "tablet", UserID: "wang", Time: noon},
		{Kind: event.Track, AnonymousID: "guest", UserID: "wang", Time: noon},
	} {
		g.Observe(&e)
	}
	for _, id := range []string{"phone", "tablet", "guest"} {
		person, _, known := g.Resolve(identity.Anonymous(id))
		fmt.Println(id, known, person.Keys)
	}
	// Output:
	// phone true [anon:phone user:lin]
	// tablet true [anon:tablet]
	// guest false [anon:guest]
}
