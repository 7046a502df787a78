// Command rapport is the whole product in one binary: the server, its demo, and
// the tools of the people who run it. It only wires: flags, configuration,
// construct, run, close.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker; a plain go build says so.
var version = "dev"

// commands is the command line. Each command is a type with its flags as fields
// and Run as its work.
type commands struct {
	Config kong.ConfigFlag `help:"YAML file that sets any of the flags." placeholder:"FILE"`
	JSON   bool            `name:"json" help:"Print JSON instead of text."`

	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Demo       demoCommand       `cmd:"" help:"Run the server with the demo workspaces, in a temporary folder."`
	Import     importCommand     `cmd:"" help:"Send files of records to a server."`
	Decide     decideCommand     `cmd:"" help:"Ask for one decision."`
	Why        whyCommand        `cmd:"" help:"Explain a decision."`
	Replay     replayCommand     `cmd:"" help:"Make a decision again, as it was or with something changed."`
	Need       needCommand       `cmd:"" help:"Show how a text is understood."`
	Eval       evalCommand       `cmd:"" help:"Measure recognition on labelled files."`
	Pack       packCommand       `cmd:"" help:"Make, check and install packs."`
	Key        keyCommand        `cmd:"" help:"Who works on a workspace: keys for persons and programs, two approvers."`
	Strategy   strategyCommand   `cmd:"" help:"Versions of a strategy: compare, publish, roll back."`
	Workspace  workspaceCommand  `cmd:"" help:"Add and list workspaces (on a stopped server's data folder)."`
	Rebuild    rebuildCommand    `cmd:"" help:"Make everything derived again from the log (of a stopped server)."`
	Doctor     doctorCommand     `cmd:"" help:"Check the machine, a data folder and a running server."`
	Completion completionCommand `cmd:"" help:"Print a completion script for a shell."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// Garbage that the collector lets stand while the program starts, in percent of what
// it keeps: nearly all is garbage, given back when it is ready. A folder with something
// in it keeps more.
const (
	startGC  = 800
	loadedGC = 400
)

// usualGC lets garbage stand for a start, and says how much of it is let stand usually.
var usualGC = sync.OnceValue(func() int { return debug.SetGCPercent(startGC) })

// console is where a command reads and writes; a test brings its own.
type console struct {
	out, err io.Writer
	json     bool
	terminal bool // err is a terminal: progress may be drawn
	parser   *kong.Kong
}

func main() {
	usualGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and gives its exit status.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("rapport"),
		kong.Description("Rapport (默契): a service adviser for every customer."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Configuration(yamlFile),
		kong.DefaultEnvars("RAPPORT"),
		kong.Writers(out, errs),
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(errs, "rapport:", err)
		return 2
	}
	line, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(errs, "rapport: %v\nTry 'rapport --help'.\n", err)
		return 2
	}
	if first, _, _ := strings.Cut(line.Command(), " "); first != "serve" && first != "demo" {
		debug.SetGCPercent(usualGC())
	}
	con := &console{out: out, err: errs, json: c.JSON, terminal: isTerminal(errs), parser: parser}
	line.BindTo(ctx, (*context.Context)(nil))
	if err := line.Run(con); err != nil {
		fmt.Fprintln(errs, "rapport:", err)
		return 1
	}
	return 0
}

type versionCommand struct{}

func (versionCommand) Run(con *console) error {
	if con.json {
		return con.print(map[string]string{"version": version})
	}
	_, err := fmt.Fprintln(con.out, "rapport", version)
	return err
}
