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
	everywhere

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

// everywhere are the flags of all commands.
type everywhere struct {
	Config kong.ConfigFlag `help:"YAML file that sets any of the flags." placeholder:"FILE"`
	JSON   bool            `name:"json" help:"Print JSON instead of text."`
}

// onlyServe is the command line of a server that starts.
type onlyServe struct {
	everywhere

	Serve serveCommand `cmd:""`
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
	terminal bool       // err is a terminal: progress may be drawn
	parser   *kong.Kong // nil while a server starts
}

func main() {
	usualGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and gives its exit status.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	con := &console{out: out, err: errs, terminal: isTerminal(errs)}
	line := con.serving(args)
	if line == nil {
		var c commands
		exit := -1
		var err error
		if con.parser, err = kong.New(&c, con.options(kong.Exit(func(code int) { exit = code }))...); err != nil {
			fmt.Fprintln(errs, "rapport:", err)
			return 2
		}
		line, err = con.parser.Parse(args)
		if exit >= 0 { // --help
			return exit
		}
		if err != nil {
			fmt.Fprintf(errs, "rapport: %v\nTry 'rapport --help'.\n", err)
			return 2
		}
		con.json = c.JSON
	}
	if first, _, _ := strings.Cut(line.Command(), " "); first != "serve" && first != "demo" {
		debug.SetGCPercent(usualGC())
	}
	line.BindTo(ctx, (*context.Context)(nil))
	if err := line.Run(con); err != nil {
		fmt.Fprintln(errs, "rapport:", err)
		return 1
	}
	return 0
}

// serving reads a command line that starts a server; nil when it does not, or when
// anything is wrong with it or asked about it. A parser of all commands takes longer to
// make (3.6 ms) than a server has for it.
func (c *console) serving(args []string) *kong.Context {
	if len(args) == 0 || args[0] != "serve" {
		return nil
	}
	var only onlyServe
	parser, err := kong.New(&only, c.options(kong.NoDefaultHelp())...)
	if err != nil {
		return nil
	}
	line, err := parser.Parse(args)
	if err != nil {
		return nil
	}
	c.json = only.JSON
	return line
}

func (c *console) options(more ...kong.Option) []kong.Option {
	return append([]kong.Option{
		kong.Name("rapport"),
		kong.Description("Rapport (默契): a service adviser for every customer."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Configuration(yamlFile),
		kong.DefaultEnvars("RAPPORT"),
		kong.Writers(c.out, c.err),
	}, more...)
}

type versionCommand struct{}

func (versionCommand) Run(con *console) error {
	if con.json {
		return con.print(map[string]string{"version": version})
	}
	_, err := fmt.Fprintln(con.out, "rapport", version)
	return err
}
