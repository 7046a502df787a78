package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestTheOperatorSeesHowTheStoreIsDoing(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.ask("ann", "帮我推荐一款", object{})
	res, err := http.Get(s.http.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"rapport_store_failed 0\n", "rapport_store_queue ", `rapport_store_commit_seconds_bucket{le="+Inf"} `, `rapport_store_memory_bytes{holds="profiles"} `, `rapport_store_folds_total{why="cold"} `} {
		if !strings.Contains(string(text), line) {
			t.Errorf("%q is not in the metrics", line)
		}
	}
	if strings.Contains(string(text), "rapport_store_requests_total 0\n") {
		t.Error("a decision was committed, and no request was counted")
	}
}
