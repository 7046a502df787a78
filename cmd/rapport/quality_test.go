package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/internal/api"
)

func TestTheSentencesOfAPackAreJudged(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "salon")
	if status, _, errs := command(t, "pack", "new", "salon", dir); status != 0 {
		t.Fatal(errs)
	}
	// One sentence under two intents, and one that is there twice.
	more := `intents:
  - intent: order.cancel
    title: {zh: 取消订单, en: Cancelling}
    examples:
      zh: [把周六的剪发改到隔壁店吧]
      en: [drop my saturday slot, "Drop my Saturday slot!"]
  - intent: order.modify
    title: {zh: 修改订单, en: Changing}
    examples:
      zh: [把周六的剪发改到隔壁店吧]
      en: []
`
	if err := os.WriteFile(filepath.Join(dir, "more.yaml"), []byte(more), 0o644); err != nil {
		t.Fatal(err)
	}
	status, out, errs := command(t, "pack", "quality", dir, "--json", "--folds", "3")
	if status != 0 {
		t.Fatal(errs)
	}
	var q api.ClassifierQuality
	if err := json.Unmarshal([]byte(out), &q); err != nil {
		t.Fatal(err)
	}
	has := func(all []api.RepeatedSentence, text string) bool {
		for _, r := range all {
			if r.Text == text {
				return true
			}
		}
		return false
	}
	if q.Accuracy < 0.5 || len(q.Intents) < 20 || !has(q.Contradictions, "把周六的剪发改到隔壁店吧") || !has(q.Duplicates, "drop my saturday slot") {
		t.Errorf("accuracy %v, %d intents\ncontradictions %+v\nduplicates %+v", q.Accuracy, len(q.Intents), q.Contradictions, q.Duplicates)
	}
	s := openShop(t)
	status, out, errs = command(t, "pack", "quality", "--rows", "3", "--url", s.http.URL, "--key", s.w.SecretKey)
	if status != 0 || !strings.Contains(out, "The weakest intents (3 of ") || !strings.Contains(out, "precision") {
		t.Errorf("of a server: %s%s", out, errs)
	}
	if status, _, errs := command(t, "pack", "quality", dir, "--folds", "1"); status == 0 {
		t.Errorf("one fold is taken: %s", errs)
	}
}
