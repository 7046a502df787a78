package storetest

import (
	"fmt"
	"testing"

	"github.com/rapport-cx/rapport/workspace"
)

func papersAreKept(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	ctx := t.Context()
	var all []workspace.Paper
	for i := range 5 {
		all = append(all, workspace.Paper{Kind: "letter", ID: fmt.Sprintf("%02d", i), Body: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	save := func(of string, papers ...workspace.Paper) {
		t.Helper()
		if err := s.SavePapers(ctx, of, papers); err != nil {
			t.Fatal(err)
		}
	}
	save("shop", append(all, workspace.Paper{Kind: "source", ID: "订单", Body: []byte("{}")})...)
	save("other", workspace.Paper{Kind: "letter", ID: "07", Body: []byte("theirs")})
	save("shop",
		workspace.Paper{Kind: "letter", ID: "01", Body: []byte("changed")},
		workspace.Paper{Kind: "letter", ID: "02"},
		workspace.Paper{Kind: "letter", ID: "no such"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = h.Open(t, newShelf())
	page, err := s.Papers(ctx, "shop", "letter", "00", 2)
	if err != nil || len(page) != 2 || page[0].ID != "01" || string(page[0].Body) != "changed" || page[1].ID != "03" {
		t.Fatalf("the page behind 00 is %v, %v", page, err)
	}
	if n, size, err := s.CountPapers(ctx, "shop", "letter"); n != 4 || size != 3*int64(len(`{"n":0}`))+int64(len("changed")) || err != nil {
		t.Errorf("%d letters of %d bytes, %v", n, size, err)
	}
	if p, ok, err := s.Paper(ctx, "shop", "source", "订单"); !ok || string(p.Body) != "{}" || err != nil {
		t.Errorf("the source is %v %v %v", p, ok, err)
	}
	if _, ok, _ := s.Paper(ctx, "shop", "letter", "07"); ok {
		t.Error("one workspace reads another's paper")
	}
}
