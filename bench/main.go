// Command bench measures what the house promises about speed: CPU time a unit of
// the server's process, and the ratio to a bare loop measured in the same run.
// Wall times are printed for orientation; on a shared machine they are noise.
//
//	go run ./bench [-binary bin/rapport] [-seconds 4] [-only ingest,postgres,decide,needs,rules,signals,ready,size]
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// report prints one line a figure, with its promise beside it.
type report struct{ broken int }

// line prints a figure; ok nil means that nothing is promised of it.
func (r *report) line(what, figure, promise string, ok *bool) {
	mark := "    "
	if ok != nil {
		mark = " ok "
		if !*ok {
			mark = "MISS"
			r.broken++
		}
	}
	fmt.Printf("%s  %-44s %-34s %s\n", mark, what, figure, promise)
}

func verdict(ok bool) *bool { return &ok }

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		bareServer()
		return
	}
	binary := flag.String("binary", "bin/rapport", "the server to measure")
	seconds := flag.Int("seconds", 4, "how long each load lasts")
	only := flag.String("only", "ingest,postgres,decide,needs,rules,signals,ready,size", "which measurements")
	events := flag.Int("events", 1_000_000, "how many events the restart is measured after")
	people := flag.Int("persons", 0, "of how many people signals are remembered; 0: a million, or as many as two thirds of the free memory hold")
	flag.Parse()
	b := &bench{binary: *binary, length: time.Duration(*seconds) * time.Second, events: *events, persons: *people}
	all := []struct {
		name string
		do   func(*report) error
	}{
		{"ingest", b.ingest}, {"postgres", b.postgres}, {"decide", b.decide}, {"needs", b.needs}, {"rules", b.rules}, {"signals", b.signals}, {"ready", b.ready}, {"size", b.size},
	}
	var r report
	wanted := strings.Split(*only, ",")
	for _, m := range all {
		if !slices.Contains(wanted, m.name) {
			continue
		}
		fmt.Printf("\n%s\n", m.name)
		if err := m.do(&r); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", m.name, err)
			os.Exit(1)
		}
	}
	if r.broken > 0 {
		fmt.Printf("\n%d promises missed\n", r.broken)
		os.Exit(1)
	}
}

type bench struct {
	persons int
	binary  string
	length  time.Duration
	events  int
}
