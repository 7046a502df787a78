package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/workspace"
)

// desk keeps papers in memory.
type desk struct {
	mu     sync.Mutex
	papers map[string]workspace.Paper
}

func (d *desk) key(of, kind, id string) string { return of + "\x00" + kind + "\x00" + id }

func (d *desk) SavePapers(_ context.Context, of string, all []workspace.Paper) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range all {
		if p.Body == nil {
			delete(d.papers, d.key(of, p.Kind, p.ID))
		} else {
			d.papers[d.key(of, p.Kind, p.ID)] = p
		}
	}
	return nil
}

func (d *desk) Papers(_ context.Context, of, kind, after string, limit int) (page []workspace.Paper, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, p := range d.papers {
		if strings.HasPrefix(k, of+"\x00"+kind+"\x00") && p.ID > after {
			page = append(page, p)
		}
	}
	slices.SortFunc(page, func(a, b workspace.Paper) int { return strings.Compare(a.ID, b.ID) })
	return page[:min(limit, len(page))], nil
}

func (d *desk) Paper(_ context.Context, of, kind, id string) (workspace.Paper, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.papers[d.key(of, kind, id)]
	return p, ok, nil
}

func (d *desk) CountPapers(ctx context.Context, of, kind string) (n int, bytes int64, err error) {
	page, _ := d.Papers(ctx, of, kind, "", 1<<30)
	for _, p := range page {
		bytes += int64(len(p.Body))
	}
	return len(page), bytes, nil
}

func newHub() *Hub {
	return NewHub(&desk{papers: map[string]workspace.Paper{}}, &States{Watch: NewWatch(nil), Now: func() time.Time { return noon }})
}

// However much cannot be taken, the letters stay within their bounds and the oldest go.
func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	h, ctx := newHub(), context.Background()
	bury := func(from, n, size int) {
		t.Helper()
		letters := make([]Letter, n)
		for i := range letters {
			letters[i] = Letter{At: noon.Add(time.Duration(from+i) * time.Second), Form: Line, Raw: []byte(strings.Repeat("x", size)), Code: "not_json", Faults: 1}
		}
		if err := h.Bury(ctx, "shop", "crm", "seed", letters); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 11 {
		bury(i*1000, 1000, 10)
	}
	st, err := h.Status(ctx, "shop", Definition{Name: "crm"}, noon)
	if err != nil || st.Letters != MostLetters {
		t.Fatalf("%d letters, %v", st.Letters, err)
	}
	oldest, _ := h.Letters(ctx, "shop", "crm", "", 1)
	if got := oldest[0].At.Sub(noon); got != 1000*time.Second {
		t.Errorf("the oldest is of second %v", got)
	}
	for i := range 5 {
		bury(20_000+i*100, 100, 200<<10)
	}
	if st, _ = h.Status(ctx, "shop", Definition{Name: "crm"}, noon); st.LetterBytes > MostLetterBytes {
		t.Errorf("%d bytes are kept", st.LetterBytes)
	}
	bury(30_000, 1, longestKept+1)
	if page, _ := h.Letters(ctx, "shop", "crm", fmt.Sprintf("%013d", noon.Add(29_000*time.Second).UnixMilli()), 10); len(page) != 0 {
		t.Error("a letter longer than may be is kept in part")
	}
}

func TestAPublicKeyCannotFloodTheLetters(t *testing.T) {
	t.Parallel()
	h := newHub()
	kept := 0
	for i := range 1000 {
		if h.MayBury("shop", "segment", noon.Add(time.Duration(i)*10*time.Millisecond)) {
			kept++
		}
	}
	if kept < 50 || kept > 60 {
		t.Errorf("%d of 1000 faulty calls in ten seconds are kept", kept)
	}
	if !h.MayBury("bank", "segment", noon) {
		t.Error("one workspace's flood silences another")
	}
}
