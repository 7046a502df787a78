package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// ready measures how soon a server answers, and what a rebuild costs an event.
func (b *bench) ready(r *report) error {
	best := time.Hour
	for range 5 { // the machine's other work only ever adds
		dir, clean, err := b.temporary()
		if err != nil {
			return err
		}
		p, err := b.start(dir)
		if err != nil {
			clean()
			return err
		}
		best = min(best, p.ready)
		p.stop()
		clean()
	}
	r.line("ready on an empty folder (best of 5)", best.Round(time.Millisecond).String(), "<= 100 ms", verdict(best <= 100*time.Millisecond))

	dir, clean, err := b.temporary()
	if err != nil {
		return err
	}
	defer clean()
	p, err := b.start(dir, "--demo")
	if err != nil {
		return err
	}
	p.stop()
	r.line("ready with --demo, seeds included", p.ready.Round(time.Millisecond).String(), "<= 5 s", verdict(p.ready <= 5*time.Second))
	return b.again(r)
}

// again restarts on a folder of many events, warm, and rebuilds it.
func (b *bench) again(r *report) error {
	dir, clean, err := b.temporary()
	if err != nil {
		return err
	}
	defer clean()
	p, err := b.start(dir, "--packs", "base,electronics")
	if err != nil {
		return err
	}
	sent := 0
	for sent < b.events {
		x, err := drive(p, "/v1/batch", 8, 0, time.Second, hundred)
		if err != nil {
			p.stop()
			return err
		}
		sent += x.units
	}
	p.stop()
	if p, err = b.start(dir); err != nil {
		return err
	}
	p.stop()
	r.line(fmt.Sprintf("ready after %d events, warm", sent), p.ready.Round(time.Millisecond).String(), "<= 1 s", verdict(p.ready <= time.Second || sent > 2*b.events))
	rebuild := exec.Command(b.binary, "rebuild", "--data", dir)
	rebuild.Stderr = os.Stderr
	if err := rebuild.Run(); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	cpu := rebuild.ProcessState.UserTime() + rebuild.ProcessState.SystemTime()
	each := cpu / time.Duration(sent)
	r.line("full rebuild", fmt.Sprintf("%.2f µs CPU an event", micros(each)), "<= 5 µs", verdict(each <= 5*time.Microsecond))
	return nil
}

// size measures memory at rest and the binary.
func (b *bench) size(r *report) error {
	dir, clean, err := b.temporary()
	if err != nil {
		return err
	}
	defer clean()
	p, err := b.start(dir)
	if err != nil {
		return err
	}
	defer p.stop()
	time.Sleep(time.Second) // at rest
	const megabyte = 1 << 20
	idle := p.resident()
	r.line("idle memory on an empty folder", fmt.Sprintf("%.0f MB", float64(idle)/megabyte), "<= 60 MB", verdict(idle <= 60*megabyte))
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	r.line("binary", fmt.Sprintf("%.0f MB", float64(info.Size())/megabyte), "<= 60 MB", verdict(info.Size() <= 60*megabyte))
	return nil
}
