package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// asServer makes the test binary behave as the product, so that a test can kill it.
const asServer = "RAPPORT_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Setenv("LC_ALL", "C") // tests that name no language read English, whoever runs them
	os.Exit(apart(m))
}

// apart runs the tests with a cache folder of their own, so that the demo that somebody
// started last on this machine stays theirs.
func apart(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rapport-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Setenv("XDG_CACHE_HOME", dir); err != nil {
		panic(err)
	}
	return m.Run()
}

// child is a server in a process of its own.
type child struct {
	cmd *exec.Cmd
	url string
	key string // said on an empty folder only
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	return startChildAt(t, dir, "127.0.0.1:0")
}

func startChildAt(t *testing.T, dir, addr string, more ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], append([]string{"serve", "--addr", addr, "--data", dir}, more...)...)}
	c.cmd.Env = append(os.Environ(), asServer+"=1")
	said, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, key, ok := strings.Cut(lines.Text(), "secret key"); ok {
			c.key = strings.TrimSpace(key)
		}
		if _, url, ok := strings.Cut(lines.Text(), "ready at "); ok {
			c.url = strings.TrimSpace(url)
			go io.Copy(io.Discard, said)
			return c
		}
	}
	_ = c.cmd.Wait()
	t.Fatal("the server ended before it was ready")
	return nil
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait()
}

// send posts a batch for one person and tells whether it was acknowledged, and with what.
func (c *child) send(key string, user, first, count int) (accepted, duplicates int, ok bool) {
	var body bytes.Buffer
	body.WriteString(`{"batch":[`)
	for i := range count {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"type":"track","userId":"u%d","event":"Product Viewed","messageId":"m%d-%d","timestamp":"2026-01-02T03:04:05Z","properties":{"product_id":"p%d"}}`, user, user, first+i, i)
	}
	body.WriteString(`]}`)
	req, err := http.NewRequest("POST", c.url+"/v1/batch", &body)
	if err != nil {
		return 0, 0, false
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, false // killed under it: nothing was promised
	}
	defer res.Body.Close()
	var receipt struct{ Accepted, Duplicates int }
	if res.StatusCode != 200 || json.NewDecoder(res.Body).Decode(&receipt) != nil {
		return 0, 0, false
	}
	return receipt.Accepted, receipt.Duplicates, true
}

// count is how many events of a person there are, read back page by page.
func (c *child) count(t *testing.T, key string, user int) int {
	t.Helper()
	n, cursor := 0, ""
	seen := map[string]bool{}
	for {
		req, _ := http.NewRequest("GET", fmt.Sprintf("%s/v1/people/u%d/timeline?limit=1000&cursor=%s", c.url, user, cursor), nil)
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []struct{ Ref string }
			Next  *string `json:"next_cursor"`
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			if seen[it.Ref] {
				t.Errorf("%s is there twice", it.Ref)
			}
			seen[it.Ref] = true
			n++
		}
		if page.Next == nil || *page.Next == "" {
			return n
		}
		cursor = *page.Next
	}
}

// Every event that was acknowledged is there once, however the process ended.
func TestEveryAcknowledgedEventSurvivesKill9(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	dir, key := t.TempDir(), ""
	const people, batch = 8, 20
	type sent struct{ user, first int }
	var acknowledged []sent
	next := make([]int, people)
	for round := range 3 {
		c := startChild(t, dir)
		if round == 0 {
			key = c.key
		}
		enough := 20 + dice.IntN(60) // batches before the kill
		var mu sync.Mutex
		var work sync.WaitGroup
		reached := make(chan struct{})
		var once sync.Once
		for user := range people {
			work.Go(func() {
				for {
					mu.Lock()
					first := next[user]
					next[user] += batch
					mu.Unlock()
					if _, _, ok := c.send(key, user, first, batch); !ok {
						return
					}
					mu.Lock()
					acknowledged = append(acknowledged, sent{user, first})
					if len(acknowledged) >= enough*(round+1) {
						once.Do(func() { close(reached) })
					}
					mu.Unlock()
				}
			})
		}
		<-reached
		c.kill(t)
		work.Wait()
	}
	c := startChild(t, dir)
	defer c.kill(t)
	for _, s := range acknowledged {
		accepted, duplicates, ok := c.send(key, s.user, s.first, batch)
		if !ok || accepted != 0 || duplicates != batch {
			t.Fatalf("u%d from m%d on: %d of %d were lost", s.user, s.first, accepted, batch)
		}
	}
	for user := range people {
		want := 0
		for _, s := range acknowledged {
			if s.user == user {
				want += batch
			}
		}
		if got := c.count(t, key, user); got < want || got > next[user] {
			t.Errorf("u%d has %d events, %d were acknowledged, %d sent", user, got, want, next[user])
		}
	}
	t.Logf("%d batches of %d were acknowledged and are there", len(acknowledged), batch)
}
