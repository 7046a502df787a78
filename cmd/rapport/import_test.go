package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeShopEvents writes rows in the shape of a shop's event export. Every eleventh
// brand holds a comma and a quote; rows of one customer are many.
func writeShopEvents(t testing.TB, path string, rows int, seed uint64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	dice := rand.New(rand.NewPCG(seed, 1))
	fmt.Fprintln(w, "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session")
	at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		kind := "view"
		switch n := dice.IntN(100); {
		case n < 2:
			kind = "purchase"
		case n < 6:
			kind = "cart"
		case n < 7:
			kind = "remove_from_cart"
		}
		brand := fmt.Sprintf("brand%d", dice.IntN(300))
		if i%11 == 0 {
			brand = fmt.Sprintf(`"Oak, ""fine"" %d"`, dice.IntN(9))
		}
		at = at.Add(time.Duration(dice.IntN(3000)) * time.Millisecond)
		fmt.Fprintf(w, "%s UTC,%s,%d,%d,home.kitchen.c%d,%s,%.2f,%d,s-%08x\n", at.Format("2006-01-02 15:04:05"), kind, 1000+dice.IntN(5000),
			2000+dice.IntN(90), dice.IntN(40), brand, 1+dice.Float64()*300, 500_000+dice.IntN(max(rows/40, 5)), dice.Uint32())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// importer runs an import in a process of its own.
func importer(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"--json", "import"}, args...)...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	return cmd
}

// A large export goes in once, whoever is killed on the way.
func TestAnImportSurvivesKill9OfEitherSide(t *testing.T) {
	t.Parallel()
	rows := 30_000
	if os.Getenv("RAPPORT_PROVE") != "" {
		rows = 1_000_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d rows", seed, rows)
	dir := t.TempDir()
	file, state := filepath.Join(dir, "events.csv"), filepath.Join(dir, "state.json")
	writeShopEvents(t, file, rows, seed)
	c := startChild(t, filepath.Join(dir, "data"))
	key := c.key
	addr := strings.TrimPrefix(c.url, "http://")
	args := []string{"--url", c.url, "--key", key, "--map", filepath.Join("..", "..", "examples", "import", "shop-events.yaml"), "--state", state, file}

	progressed := func(to int) bool { // what the state file says
		text, err := os.ReadFile(state)
		var s importState
		return err == nil && json.Unmarshal(text, &s) == nil && s.Records >= to
	}
	reach := func(cmd *exec.Cmd, to int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Minute); !progressed(to); {
			if time.Now().After(deadline) {
				t.Fatalf("%d records are not reached", to)
			}
			time.Sleep(2 * time.Millisecond) // polls another process's file
		}
	}
	// First the importer is killed, then, under the next one, the server.
	first := importer(t, args...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	reach(first, rows/4)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	second := importer(t, args...)
	var out, said bytes.Buffer
	second.Stdout, second.Stderr = &out, &said
	began := time.Now()
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	reach(second, rows/2)
	c.kill(t)
	again := startChildAt(t, filepath.Join(dir, "data"), addr) // the importer has waited
	defer again.kill(t)
	if err := second.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var got shipment
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	t.Logf("%d records, %d accepted, %d there already, %d rejected; the resumed run took %s, importer CPU %s", got.Records, got.Accepted, got.Duplicates, got.Rejected, time.Since(began).Round(time.Millisecond), second.ProcessState.UserTime()+second.ProcessState.SystemTime())
	if got.Records != rows || got.Rejected != 0 || !got.Resumed {
		t.Errorf("%d of %d records, %d rejected, resumed %v", got.Records, rows, got.Rejected, got.Resumed)
	}
	if n := acceptedOf(t, again.url, key, "shop-export"); n != rows {
		t.Errorf("the log holds %d events of %d", n, rows)
	}
	// The same file once more changes nothing.
	third := importer(t, args...)
	text, err := third.Output()
	if err != nil {
		t.Fatal(err)
	}
	got = shipment{}
	if err := json.Unmarshal(text, &got); err != nil || got.Accepted != 0 || got.Duplicates != rows {
		t.Errorf("sent again: %d accepted, %d there already, %v", got.Accepted, got.Duplicates, err)
	}
	if n := acceptedOf(t, again.url, key, "shop-export"); n != rows {
		t.Errorf("after sending it again the log holds %d events of %d", n, rows)
	}
}

// acceptedOf is how many events of a source the log holds.
func acceptedOf(t testing.TB, url, key, source string) int {
	t.Helper()
	var out struct {
		Status struct {
			Accepted int `json:"accepted"`
		} `json:"status"`
	}
	c := &client{base: url, key: key, http: http.DefaultClient}
	if err := c.do(context.Background(), "GET", "/v1/sources/"+source, nil, &out); err != nil {
		t.Fatal(err)
	}
	return out.Status.Accepted
}
