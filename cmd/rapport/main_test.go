package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A server's command line is read by a parser of its own: it must read what the
// parser of all commands reads, and leave to that one what it does not understand.
func TestAServersCommandLineIsReadAsEveryOther(t *testing.T) {
	t.Setenv("RAPPORT_LLM_MODEL", "small")
	t.Setenv("RAPPORT_PACKS", "base,retail")
	settings := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(settings, []byte("addr: 127.0.0.1:9999\nserve:\n  data: /srv/data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"serve", "serve --json", "serve --demo --addr 0.0.0.0:1", "serve --data d --packs base,electronics", "serve --llm-url http://x --no-llm-wording",
		"serve --config " + settings, "serve --database postgres://db", "serve --addr=:0 --config=" + settings + " --json",
	} {
		con := &console{out: io.Discard, err: io.Discard}
		var all commands
		parser, err := kong.New(&all, con.options()...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(line)); err != nil {
			t.Fatal(line, err)
		}
		read := con.serving(strings.Fields(line))
		if read == nil {
			t.Errorf("%q is not read as a server's", line)
			continue
		}
		serve := read.Selected().Target.Addr().Interface().(*serveCommand)
		if !reflect.DeepEqual(*serve, all.Serve) || con.json != all.JSON || read.Command() != "serve" {
			t.Errorf("%q: a server's parser reads %+v, the parser of all commands %+v", line, *serve, all.Serve)
		}
	}
	for _, line := range []string{"", "version", "--config x serve", "serve --help", "serve -h", "serve --adr x", "serve more", "serve --config /nowhere/at/all"} {
		if (&console{out: io.Discard, err: io.Discard}).serving(strings.Fields(line)) != nil {
			t.Errorf("%q is read as if all were well", line)
		}
	}
}
