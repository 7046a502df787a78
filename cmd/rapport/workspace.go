package main

import (
	"context"
	"fmt"

	"github.com/rapport-cx/rapport/workspace"
)

func newWorkspace(id, name string) workspace.Workspace {
	return workspace.Workspace{ID: id, Name: name, WriteKey: secret("wk_"), SecretKey: secret("sk_"), IdentitySecret: secret("is_")}
}

type workspaceCommand struct {
	Add  workspaceAdd  `cmd:"" help:"Add a workspace and print its keys."`
	List workspaceList `cmd:"" help:"List the workspaces."`
	Key  workspaceKey  `cmd:"" help:"Print the keys of a workspace."`
}

// folder is the data folder of a server that is not running.
type folder struct {
	Data     string `help:"Data folder of the (stopped) server." default:"rapport-data" type:"path" placeholder:"DIR"`
	Database string `help:"PostgreSQL address, instead of the data folder." placeholder:"URL"`
}

func (f folder) with(ctx context.Context, do func(*house) error) error {
	h, err := openHouseOn(ctx, memory{dir: f.Data, database: f.Database}, "")
	if err != nil {
		return err
	}
	defer h.close()
	return do(h)
}

type workspaceAdd struct {
	folder `embed:""`
	ID     string   `arg:"" help:"Short name, in lower case."`
	Name   string   `help:"Name shown to people." placeholder:"NAME"`
	Packs  []string `help:"Packs to begin with." default:"base"`
}

func (a *workspaceAdd) Run(ctx context.Context, con *console) error {
	return a.with(ctx, func(h *house) error {
		w, err := h.engine.AddWorkspace(ctx, newWorkspace(a.ID, orElse(a.Name, a.ID)), a.Packs)
		if err != nil {
			return err
		}
		return con.keys(w)
	})
}

type workspaceList struct {
	folder `embed:""`
}

func (l *workspaceList) Run(ctx context.Context, con *console) error {
	return l.with(ctx, func(h *house) error {
		all := h.engine.Workspaces()
		if con.json {
			return con.print(all)
		}
		for _, w := range all {
			fmt.Fprintf(con.out, "%-16s %-24s %s\n", w.ID, w.Name, w.Created.Format("2006-01-02 15:04"))
		}
		return nil
	})
}

type workspaceKey struct {
	folder `embed:""`
	ID     string `arg:"" help:"The workspace."`
}

func (k *workspaceKey) Run(ctx context.Context, con *console) error {
	return k.with(ctx, func(h *house) error {
		for _, w := range h.engine.Workspaces() {
			if w.ID == k.ID {
				return con.keys(w)
			}
		}
		return fmt.Errorf("there is no workspace %q in %s", k.ID, k.Data)
	})
}

func (c *console) keys(w workspace.Workspace) error {
	if c.json {
		return c.print(w)
	}
	_, err := fmt.Fprintf(c.out, "workspace        %s\nwrite key        %s\nsecret key       %s\nidentity secret  %s\n", w.ID, w.WriteKey, w.SecretKey, w.IdentitySecret)
	return err
}
