package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

type doctorCommand struct {
	Data string `help:"Data folder to look at." default:"rapport-data" type:"path" placeholder:"DIR"`
	URL  string `help:"Running server to ask; default: the demo started last, if it runs." placeholder:"URL"`
}

// finding is one thing the doctor looked at.
type finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Run looks and tells; it changes nothing. A fault makes the exit status 1.
func (d *doctorCommand) Run(ctx context.Context, con *console) error {
	all := []finding{
		{"machine", true, fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())},
		clockFinding(time.Now()),
		syncFinding(d.Data),
		d.folder(ctx),
		d.server(ctx),
	}
	sick := 0
	for _, f := range all {
		if !f.OK {
			sick++
		}
	}
	if con.json {
		if err := con.print(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			mark := "ok"
			if !f.OK {
				mark = "!!"
			}
			fmt.Fprintf(con.out, "%s  %-8s %s\n", mark, f.What, f.Detail)
		}
	}
	if sick > 0 {
		return fmt.Errorf("%d of %d checks failed", sick, len(all))
	}
	return nil
}

// clockFinding: a clock far off puts every event at the wrong time.
func clockFinding(now time.Time) finding {
	if now.Year() < 2024 {
		return finding{"clock", false, "says " + now.Format(time.RFC3339) + ": set it, or every event gets a wrong time"}
	}
	return finding{"clock", true, now.Format(time.RFC3339)}
}

// syncFinding measures what an acknowledged event costs on this disk.
func syncFinding(dir string) finding {
	at := dir
	for !exists(at) && filepath.Dir(at) != at {
		at = filepath.Dir(at)
	}
	f, err := os.CreateTemp(at, "rapport-doctor-*")
	if err != nil {
		return finding{"disk", false, fmt.Sprintf("%s cannot be written: %v", at, err)}
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const rounds = 50
	started := time.Now()
	for range rounds {
		if _, err := f.Write(make([]byte, 256)); err != nil {
			return finding{"disk", false, err.Error()}
		}
		if err := f.Sync(); err != nil {
			return finding{"disk", false, fmt.Sprintf("fsync: %v", err)}
		}
	}
	each := time.Since(started) / rounds
	return finding{"disk", true, fmt.Sprintf("%s: %s a flush", at, each.Round(10*time.Microsecond))}
}

func (d *doctorCommand) folder(ctx context.Context) finding {
	if !exists(d.Data) {
		return finding{"data", true, d.Data + " is not there yet; 'rapport serve' makes it"}
	}
	h, err := openHouse(ctx, d.Data, "")
	if err != nil {
		if strings.Contains(err.Error(), "in use") {
			return finding{"data", true, d.Data + " is in use by a running server"}
		}
		return finding{"data", false, err.Error()}
	}
	defer h.close()
	if err := h.engine.Ready(); err != nil {
		return finding{"data", false, err.Error()}
	}
	return finding{"data", true, fmt.Sprintf("%s: %d workspaces, every strategy compiles", d.Data, len(h.engine.Workspaces()))}
}

func (d *doctorCommand) server(ctx context.Context) finding {
	url, named := d.URL, d.URL != ""
	if !named {
		file, err := readDemo("")
		if err != nil {
			return finding{"server", true, "none named (--url)"}
		}
		url = file.URL
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/readyz", nil)
	if err != nil {
		return finding{"server", false, err.Error()}
	}
	started := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if !named {
			return finding{"server", true, "the demo started last is not running"}
		}
		return finding{"server", false, errors.Unwrap(err).Error()}
	}
	res.Body.Close()
	return finding{"server", res.StatusCode == http.StatusOK, fmt.Sprintf("%s answers %s in %s", url, res.Status, time.Since(started).Round(time.Millisecond))}
}
