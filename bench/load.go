package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is what a run of requests came to.
type load struct {
	requests int
	units    int // events or decisions
	wall     time.Duration
	cpu      time.Duration // of the server
	times    []time.Duration
}

func (l load) perUnit() time.Duration { return l.cpu / time.Duration(max(l.units, 1)) }
func (l load) rate() float64          { return float64(l.units) / l.wall.Seconds() }

// percentile of the answer times, 0 < p <= 1.
func (l load) percentile(p float64) time.Duration {
	if len(l.times) == 0 {
		return 0
	}
	slices.Sort(l.times)
	return l.times[min(len(l.times)-1, int(p*float64(len(l.times))))]
}

// request is one request written out: its bytes and how many units it carries.
type request func(n int) (body []byte, units int)

// drive keeps connections busy for a time. rate 0 is a closed loop; else requests
// leave at that many a second in all, and their time counts from when they were due.
func drive(p *process, path string, connections int, rate float64, length time.Duration, make request) (load, error) {
	var (
		total   load
		mu      sync.Mutex
		failed  error
		counter atomic.Int64
		work    sync.WaitGroup
	)
	begun, cpu := time.Now(), p.cpu()
	until := begun.Add(length)
	for range connections {
		work.Go(func() {
			own, err := p.client(path, rate, begun, until, &counter, make)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
			}
			total.requests += own.requests
			total.units += own.units
			total.times = append(total.times, own.times...)
		})
	}
	work.Wait()
	total.wall, total.cpu = time.Since(begun), p.cpu()-cpu
	return total, failed
}

// client is one keep-alive connection.
func (p *process) client(path string, rate float64, begun, until time.Time, counter *atomic.Int64, make request) (own load, err error) {
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return own, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	head := "POST " + path + " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + p.key + "\r\nContent-Type: application/json\r\nContent-Length: "
	var out []byte
	for {
		n := int(counter.Add(1))
		due := time.Now()
		if rate > 0 {
			due = begun.Add(time.Duration(float64(n) / rate * float64(time.Second)))
			time.Sleep(time.Until(due)) // the open loop's pace
		}
		if due.After(until) {
			return own, nil
		}
		body, units := make(n)
		out = append(out[:0], head...)
		out = strconv.AppendInt(out, int64(len(body)), 10)
		out = append(out, "\r\n\r\n"...)
		out = append(out, body...)
		if _, err := conn.Write(out); err != nil {
			return own, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return own, err
		}
		said, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return own, err
		}
		if res.StatusCode != http.StatusOK {
			return own, fmt.Errorf("%s: %s %s", path, res.Status, said)
		}
		own.requests++
		own.units += units
		own.times = append(own.times, time.Since(due))
	}
}

var errNothing = errors.New("nothing was measured")
