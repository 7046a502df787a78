package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// process is a server under measurement.
type process struct {
	cmd   *exec.Cmd
	addr  string
	key   string // secret key of its workspace
	dir   string
	ready time.Duration // from start to the first 200 of /readyz
	said  *bytes.Buffer
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

var secretLine = regexp.MustCompile(`secret key\s+(\S+)`)

// start runs the product on a folder and waits until it is ready.
func (b *bench) start(dir string, args ...string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &process{addr: addr, dir: dir, said: &bytes.Buffer{}}
	p.cmd = exec.Command(b.binary, append([]string{"serve", "--addr", addr, "--data", dir}, args...)...)
	p.cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir) // the demo that somebody started last stays theirs
	p.cmd.Stderr = p.said
	begun := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.await(begun); err != nil {
		return nil, err
	}
	p.key = p.readKey()
	return p, nil
}

func (p *process) await(begun time.Time) error {
	for time.Since(begun) < time.Minute {
		res, err := http.Get("http://" + p.addr + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				p.ready = time.Since(begun)
				return nil
			}
		}
		time.Sleep(time.Millisecond) // a measurement's poll, at the resolution it is read at
	}
	p.stop()
	return fmt.Errorf("not ready within a minute: %s", p.said)
}

// readKey finds the secret key: said once on an empty folder, kept beside it for the next start.
func (p *process) readKey() string {
	kept := filepath.Join(p.dir, "bench.key")
	if m := secretLine.FindSubmatch(p.said.Bytes()); m != nil {
		_ = os.WriteFile(kept, m[1], 0o600)
		return string(m[1])
	}
	if text, err := os.ReadFile(kept); err == nil {
		return string(text)
	}
	var demo struct {
		Workspaces []struct {
			ID        string `json:"id"`
			SecretKey string `json:"secret_key"`
		} `json:"workspaces"`
	}
	if text, err := os.ReadFile(filepath.Join(p.dir, "demo.json")); err == nil && json.Unmarshal(text, &demo) == nil {
		for _, w := range demo.Workspaces {
			if w.ID == "electronics" {
				return w.SecretKey
			}
		}
	}
	return ""
}

// cpu is the process's user and system time so far.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

// resident is the process's memory in use.
func (p *process) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// stop interrupts the process, and kills it when it does not listen: a shell's
// background job passes on that interrupts are ignored.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	insist := time.AfterFunc(15*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	insist.Stop()
}

func (p *process) send(method, path string, text []byte) error {
	req, err := http.NewRequest(method, "http://"+p.addr+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, said)
	}
	return nil
}

// bareServer is the loop that ingest is compared with: net/http, one JSON body
// decoded into a struct, a constant answer.
func bareServer() {
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {})
	http.HandleFunc("POST /v1/track", func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Type, Event, UserID, AnonymousID, MessageID, Timestamp string
			Properties                                             map[string]any
			Context                                                map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"accepted":1,"duplicates":0,"rejected":[]}`)
	})
	_ = http.Serve(l, nil)
}

func startBare() (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{addr: addr, said: &bytes.Buffer{}}
	p.cmd = exec.Command(self, "bare", addr)
	p.cmd.Stderr = p.said
	begun := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.await(begun)
}
