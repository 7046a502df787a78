package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/engine"
	demo "github.com/rapport-cx/rapport/examples/demo"
)

// demoTenant is one of the four demo workspaces.
type demoTenant struct {
	id, name string
	packs    []string
}

var demoTenants = []demoTenant{
	{"electronics", "知音电器 Zhiyin Electronics", []string{"base", "electronics"}},
	{"retail", "禾木百货 Hemu Store", []string{"base", "retail"}},
	{"banking", "安渡银行 Andu Bank", []string{"base", "banking"}},
	{"education", "知行学堂 Zhixing School", []string{"base", "education"}},
}

// seedDemo makes the demo workspaces and sends their seeds through the public API
// of the server that is already listening. A folder that has them stays as it is,
// keys included.
func (h *house) seedDemo(ctx context.Context, dir, url string, con *console) error {
	file, err := readDemo(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := err != nil
	file.URL = url
	made := map[string]bool{}
	if fresh {
		for _, t := range demoTenants {
			con.say("making workspace %s", t.id)
			made[t.id] = !slices.ContainsFunc(h.engine.Workspaces(), func(w engine.Workspace) bool { return w.ID == t.id })
			w, err := h.engine.AddWorkspace(ctx, newWorkspace(t.id, t.name), t.packs)
			if err != nil {
				return fmt.Errorf("demo workspace %s: %w", t.id, err)
			}
			file.Workspaces = append(file.Workspaces, demoWorkspace{w.ID, w.Name, w.WriteKey, w.SecretKey, w.IdentitySecret})
		}
		for _, w := range file.Workspaces {
			if !made[w.ID] {
				continue // another server on the same database has seeded it
			}
			if err := seedPreferences(ctx, &client{base: url, key: w.SecretKey, http: h.loopback}, w.ID); err != nil {
				return fmt.Errorf("preferences of %s: %w", w.ID, err)
			}
			if err := seed(ctx, &client{base: url, key: w.SecretKey, http: h.loopback}, w.ID, h.clock()); err != nil {
				return fmt.Errorf("seed of %s: %w", w.ID, err)
			}
		}
	}
	h.stories.load(file)
	return file.write(dir)
}

// seed sends a workspace's files, as anyone would import them.
func seed(ctx context.Context, c *client, workspace string, now time.Time) error {
	for _, name := range []string{workspace + ".ndjson", workspace + "-crowd.ndjson"} {
		text, err := demo.Files.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var receipt struct {
			Rejected []json.RawMessage `json:"rejected"`
		}
		if err := c.do(ctx, "POST", "/v1/import", bytes.NewReader(datedFrom(text, now)), &receipt); err != nil {
			return err
		}
		if len(receipt.Rejected) > 0 {
			return fmt.Errorf("%s: %d records were rejected, the first: %s", name, len(receipt.Rejected), receipt.Rejected[0])
		}
	}
	return nil
}

// seedPreferences says what the customers of a workspace's stories have agreed to,
// before anything of them is told.
func seedPreferences(ctx context.Context, c *client, workspace string) error {
	t, err := readStories(workspace)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, customer := range t.Customers {
		if customer.Prefer == nil {
			continue
		}
		if err := c.post(ctx, "/v1/identify", map[string]any{"userId": customer.User, "messageId": "story-" + customer.User}, nil); err != nil {
			return err
		}
		text, err := json.Marshal(customer.Prefer)
		if err != nil {
			return err
		}
		if err := c.do(ctx, "PUT", "/v1/people/user:"+customer.User+"/preferences", bytes.NewReader(text), nil); err != nil {
			return err
		}
	}
	return nil
}

var (
	relativeTime  = regexp.MustCompile(`"@([+-])(\d+)d(?:(\d+)h)?"`)
	relativeMonth = regexp.MustCompile(`"@-(\d+)m"`)
)

// datedFrom writes the relative times of a seed ("@-20d", "@+3d2h") as times from now,
// and "@-2m" as the middle of the month two months before this one.
func datedFrom(text []byte, now time.Time) []byte {
	now = now.UTC().Truncate(time.Second)
	var out bytes.Buffer
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := relativeMonth.ReplaceAllFunc(lines.Bytes(), func(m []byte) []byte {
			months, _ := strconv.Atoi(string(relativeMonth.FindSubmatch(m)[1]))
			return []byte(strconv.Quote(time.Date(now.Year(), now.Month()-time.Month(months), 15, 12, 0, 0, 0, time.UTC).Format(time.RFC3339)))
		})
		out.Write(relativeTime.ReplaceAllFunc(line, func(m []byte) []byte {
			part := relativeTime.FindSubmatch(m)
			days, _ := strconv.Atoi(string(part[2]))
			hours, _ := strconv.Atoi(string(part[3]))
			d := time.Duration(days)*24*time.Hour + time.Duration(hours)*time.Hour
			if part[1][0] == '-' {
				d = -d
			}
			return []byte(strconv.Quote(now.Add(d).Format(time.RFC3339)))
		}))
		out.WriteByte('\n')
	}
	return out.Bytes()
}
