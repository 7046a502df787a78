package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
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
	// Between the two stands what tells when to kill: the importer once a piece of its
	// was taken and the answer did not arrive, the server with a piece on its way.
	// Where the server is now, it knows as well: a port that was left may be another's.
	var server atomic.Pointer[neturl.URL]
	stands := func(at *child) {
		target, err := neturl.Parse(at.url)
		if err != nil {
			t.Fatal(err)
		}
		server.Store(target)
	}
	stands(c)
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(server.Load()) }, ErrorLog: log.New(io.Discard, "", 0)}
	unanswered, onItsWay := make(chan struct{}), make(chan struct{})
	var sent atomic.Int64
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch sent.Add(1) {
		case int64(rows / pieceLines / 4):
			through.ServeHTTP(httptest.NewRecorder(), r)
			close(unanswered)
			<-r.Context().Done()
			return
		case int64(rows / pieceLines / 2):
			close(onItsWay)
		}
		through.ServeHTTP(w, r)
	}))
	defer between.Close()
	args := []string{"--url", between.URL, "--key", key, "--map", filepath.Join("..", "..", "examples", "import", "shop-events.yaml"), "--state", state, file}
	first := importer(t, args...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-unanswered
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
	<-onItsWay
	c.kill(t)
	again := startChild(t, filepath.Join(dir, "data")) // the importer has waited
	defer again.kill(t)
	stands(again)
	if err := second.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var got shipment
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	t.Logf("%d records, %d accepted, %d there already, %d rejected; the resumed run took %s, importer CPU %s", got.Records, got.Accepted, got.Duplicates, got.Rejected, time.Since(began).Round(time.Millisecond), second.ProcessState.UserTime()+second.ProcessState.SystemTime())
	if got.Records != rows || got.Rejected != 0 || got.Duplicates < pieceLines || !got.Resumed {
		t.Errorf("%d of %d records, %d there already, %d rejected, resumed %v", got.Records, rows, got.Duplicates, got.Rejected, got.Resumed)
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

// A file with faults of every sort: each is written out with its place and reason, in
// the language asked for, and everything else is taken.
func TestRefusedRowsAreWrittenOutAndTheRestGoesIn(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mapping := write("map.yaml", []byte(`source: till
files:
  - path: orders.csv
    format: csv
    encoding: gb18030
    zone: Asia/Shanghai
    columns: {编号: text, 会员: text, 时间: time, 金额: number, 状态: text}
    map: |
      if .["会员"] == "nobody" then error("no customer") else . end
      | { record: "order", id: .["编号"], person: (if .["会员"] == "?" then 7 else "user:" + .["会员"] end),
          updated_at: .["时间"], status: .["状态"] }
`))
	table := "编号,会员,时间,金额,状态,备注\n" +
		"a1,lin,2026-10-01 20:00:00,12.5,已发货,快\n" +
		"a2,lin,not a time,1,已发货,x\n" +
		"a3,nobody,2026-10-01 20:00:00,1,已发货,x\n" +
		"a4,?,2026-10-01 20:00:00,1,已发货,x\n" +
		"a5,lin\n" +
		"a6,wang,2026/10/1 20:00,3,shipped,\"两行\n备注\"\n"
	encoded, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(table))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(encoded); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := write("orders.csv.gz", packed.Bytes())
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{"import", "--url", s.http.URL, "--key", s.w.SecretKey, "--map", mapping, "--language", "zh-CN", "--state", filepath.Join(dir, "state"), file}, &out, &errs)
	if status != 1 || !strings.Contains(out.String(), "3 records") || !strings.Contains(errs.String(), "5 rows were rejected") {
		t.Errorf("status %d\n%s\n%s", status, out.String(), errs.String())
	}
	text, err := os.ReadFile(file + ".rejected.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		var r rejectedRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if !strings.ContainsFunc(r.Message, func(c rune) bool { return c > 0x4e00 }) {
			t.Errorf("not in Chinese: %s", r.Message)
		}
		got = append(got, fmt.Sprintf("%d:%d %s", r.Line, r.Column, r.Code))
	}
	slices.Sort(got)
	if want := "1:6 column_unknown|3:3 column_type|4:0 mapping_failed|5:0 wrong_type|6:0 csv_fields"; strings.Join(got, "|") != want {
		t.Errorf("refused %s\nwanted  %s", strings.Join(got, "|"), want)
	}
	if o := s.do("GET", "/v1/records/order/a1", nil); o["updated_at"] != "2026-10-01T12:00:00Z" || o["source"] != "till" || o["foreign_status"] != "已发货" {
		t.Errorf("a1 %v", o)
	}
	if o := s.do("GET", "/v1/records/order/a6", nil); o["status"] != "shipped" {
		t.Errorf("a6 %v", o)
	}
	if letters := items(t, s.do("GET", "/v1/sources/till/dead-letters", nil)); len(letters) != 1 || letters[0]["pointer"] != "/person" {
		t.Errorf("the server's letters %v", letters)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); !os.IsNotExist(err) {
		t.Errorf("a finished import still has its state: %v", err)
	}
}

func TestTheBarTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	got := bar(600, 1000, 200, 4000, 6000, 3, 4*time.Second)
	if want := "[##############----------]  60%  6000 records  1000/s  3 rejected  4s left"; got != want {
		t.Errorf("%s\nwanted %s", got, want)
	}
	if got := bar(0, 0, 0, 0, 0, 0, 0); !strings.Contains(got, "100%") {
		t.Errorf("nothing to do: %s", got)
	}
}

// What an interrupted run had refused is not refused twice.
func TestRefusedRowsOfAnInterruptedRunStandOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	dir := t.TempDir()
	file, state := filepath.Join(dir, "r.ndjson"), filepath.Join(dir, "state")
	var text strings.Builder
	for i := range 3000 {
		if i%100 == 0 {
			fmt.Fprintf(&text, "{\"record\":\"planet\",\"n\":%d}\n", i)
			continue
		}
		fmt.Fprintf(&text, `{"record":"event","type":"track","userId":"u%d","event":"E","messageId":"r%d"}`+"\n", i%7, i)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// A server that dies under the third piece.
	pieces := 0
	dying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pieces++; pieces == 3 {
			panic(http.ErrAbortHandler)
		}
		s.h.handler.ServeHTTP(w, r)
	}))
	defer dying.Close()
	args := []string{"--json", "import", "--url", dying.URL, "--key", s.w.SecretKey, "--state", state, "--patience", "0s", file}
	var out, errs bytes.Buffer
	if status := run(t.Context(), args, &out, &errs); status != 1 || !strings.Contains(errs.String(), "takes it up again") {
		t.Fatalf("%d %s", status, errs.String())
	}
	out.Reset()
	if status := run(t.Context(), args, &out, &errs); status != 1 { // rows were refused
		t.Fatalf("%d %s", status, errs.String())
	}
	var got shipment
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(file + ".rejected.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(rows, []byte("\n")); n != 30 || got.Rejected != 30 || got.Accepted != 2970 || !got.Resumed {
		t.Errorf("%d rows, %+v", n, got)
	}
}
