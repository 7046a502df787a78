package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/scene"
)

// target says which server and workspace a command speaks to. Without flags it is
// the demo that was started last.
type target struct {
	reader `embed:""`

	URL       string `help:"Address of the server; default: the demo started last." placeholder:"URL"`
	Key       string `help:"Secret key of the workspace." placeholder:"KEY"`
	Workspace string `help:"Demo workspace whose key to use." default:"electronics" placeholder:"ID"`
	Data      string `help:"Data folder of the demo; default: the one started last." placeholder:"DIR" type:"path"`
}

// reader is a command that tells its reader what is wrong in their language.
type reader struct {
	Language string `help:"Language of faults and reasons; default: the environment's." enum:"en,zh-CN," default:""`
}

// locale is the language to tell in.
func (r reader) locale() scene.Locale {
	if strings.HasPrefix(r.asked(os.Getenv), "zh") {
		return scene.Chinese
	}
	return scene.English
}

// asked is the language that the flag or the environment names; "" when neither does.
func (r reader) asked(environment func(string) string) string {
	if r.Language != "" {
		return r.Language
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} { // POSIX: the first that is set
		switch said, _, _ := strings.Cut(environment(name), "."); said {
		case "":
		case "C", "POSIX":
			return ""
		default:
			return strings.ReplaceAll(said, "_", "-")
		}
	}
	return ""
}

// client speaks the public API with one secret key.
type client struct {
	base, key string
	language  string // of reasons; "" leaves it to the server
	http      *http.Client
}

func (t target) open() (*client, error) {
	c := &client{base: strings.TrimRight(t.URL, "/"), key: t.Key, language: t.asked(os.Getenv), http: &http.Client{Timeout: 10 * time.Minute}}
	if c.base != "" && c.key != "" {
		return c, nil
	}
	d, err := readDemo(t.Data)
	if err != nil {
		return nil, fmt.Errorf("no server named (--url and --key) and %w", err)
	}
	if c.base == "" {
		c.base = strings.TrimRight(d.URL, "/")
	}
	if c.key == "" {
		w, ok := d.workspace(t.Workspace)
		if !ok {
			return nil, fmt.Errorf("the demo has no workspace %q", t.Workspace)
		}
		c.key = w.SecretKey
	}
	return c, nil
}

// do makes one call; a problem document becomes an error with its code and sentence.
func (c *client) do(ctx context.Context, method, path string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if c.language != "" {
		req.Header.Set("Accept-Language", c.language)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return problem(res)
	}
	if into == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw, err = io.ReadAll(res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func (c *client) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, bytes.NewReader(text), into)
}

func problem(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var p struct{ Code, Title, Detail string }
	if json.Unmarshal(text, &p) == nil && (p.Detail != "" || p.Title != "") {
		if p.Detail == "" {
			p.Detail = p.Title
		}
		return &refusedError{res.StatusCode, fmt.Sprintf("%d %s: %s", res.StatusCode, p.Code, p.Detail)}
	}
	return &refusedError{res.StatusCode, fmt.Sprintf("%s: %s", res.Status, strings.TrimSpace(string(text)))}
}

// refusedError is an answer that is no success.
type refusedError struct {
	status int
	said   string
}

func (e *refusedError) Error() string { return e.said }

// demoFile is what demo.json in a data folder holds.
type demoFile struct {
	URL        string          `json:"url"`
	Workspaces []demoWorkspace `json:"workspaces"`
}

type demoWorkspace struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	WriteKey       string `json:"write_key"`
	SecretKey      string `json:"secret_key"`
	IdentitySecret string `json:"identity_secret"`
}

func (d demoFile) workspace(id string) (demoWorkspace, bool) {
	for _, w := range d.Workspaces {
		if w.ID == id {
			return w, true
		}
	}
	return demoWorkspace{}, false
}

// lastDemo is the file that remembers the folder of the demo started last.
func lastDemo() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "rapport", "last-demo"), nil
}

func readDemo(dir string) (demoFile, error) {
	var d demoFile
	if dir == "" {
		pointer, err := lastDemo()
		if err != nil {
			return d, err
		}
		text, err := os.ReadFile(pointer)
		if errors.Is(err, os.ErrNotExist) {
			return d, errors.New("no demo was started on this machine yet: run 'rapport demo'")
		}
		if err != nil {
			return d, err
		}
		dir = strings.TrimSpace(string(text))
	}
	text, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		return d, fmt.Errorf("demo in %s: %w", dir, err)
	}
	return d, json.Unmarshal(text, &d)
}

// write keeps the demo's keys for its owner alone and remembers the folder.
func (d demoFile) write(dir string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { // with a database nothing else is kept in it
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "demo.json"), append(text, '\n'), 0o600); err != nil {
		return err
	}
	pointer, err := lastDemo()
	if err != nil {
		return nil // no cache folder: --data names the demo instead
	}
	if err := os.MkdirAll(filepath.Dir(pointer), 0o700); err != nil {
		return nil
	}
	return os.WriteFile(pointer, []byte(dir+"\n"), 0o600)
}
