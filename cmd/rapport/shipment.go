package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/ingest"
	"github.com/rapport-cx/rapport/scene"
)

// piece is what is sent in one request, and what could not be read before it.
type piece struct {
	body   bytes.Buffer
	lines  []sentLine
	faults []*ingest.Fault
	kinds  map[string]int
	file   int         // of the last input in it
	mark   ingest.Mark // behind that
	read   int64       // bytes of the file that were read by then
}

// sentLine is one record of a piece: where it lies in the body, and where it came from.
type sentLine struct {
	start, end int
	place      ingest.Place
}

// Bounds of a piece. The server tells of a thousand faulty lines a request.
const (
	pieceSize  = 512 << 10
	pieceLines = 1000
)

func (p *piece) full() bool {
	return p != nil && (p.body.Len() >= pieceSize || len(p.lines) >= pieceLines || len(p.faults) >= pieceLines)
}

func (p *piece) add(line []byte, place ingest.Place) {
	start := p.body.Len()
	p.body.Write(line)
	p.lines = append(p.lines, sentLine{start, p.body.Len(), place})
	p.body.WriteByte('\n')
	for name, value := range event.Members(line) {
		if name == "record" {
			p.kinds[strings.Trim(string(value), `"`)]++
			return
		}
	}
	p.kinds["?"]++
}

// shipment sends pieces, counts what became of them and remembers how far it is.
type shipment struct {
	client      *client // nil: nothing is sent
	con         *console
	language    scene.Locale
	source      string
	dry         bool
	patience    time.Duration
	started     time.Time
	shown       time.Time
	total, past int64 // bytes of all files, and of those that are done
	resumed     int64 // bytes that an earlier run has done
	records     int   // of this run
	rejectsPath string
	rejects     *os.File
	statePath   string
	state       importState

	Records    int            `json:"records"`
	Accepted   int            `json:"accepted"`
	Duplicates int            `json:"duplicates"`
	Rejected   int            `json:"rejected"`
	Kinds      map[string]int `json:"kinds"`
	Faults     []rejectedRow  `json:"faults,omitempty"` // the first twenty
	RejectedTo string         `json:"rejected_to,omitempty"`
	Resumed    bool           `json:"resumed,omitempty"`
}

// importState is how far an import is; it is written after each acknowledged piece.
type importState struct {
	Job      string         `json:"job"`
	File     int            `json:"file"`
	Mark     ingest.Mark    `json:"mark"`
	Read     int64          `json:"read"`    // bytes of that file
	Past     int64          `json:"past"`    // bytes of the files before it
	Rejects  int64          `json:"rejects"` // bytes of the file of refused rows
	Records  int            `json:"records"`
	Accepted int            `json:"accepted"`
	Known    int            `json:"duplicates"`
	Rejected int            `json:"rejected"`
	Kinds    map[string]int `json:"kinds"`
}

// rejectedRow is one refused row as it is written out.
type rejectedRow struct {
	ingest.Place
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Input   string          `json:"input,omitempty"`  // as it stands in the file
	Record  json.RawMessage `json:"record,omitempty"` // what was made of it
}

// jobOf names an import by all that makes it the same: where it goes, how it is
// mapped, and the files as they are now.
func jobOf(c *client, source string, mapping []byte, feeds []feed) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%x\x00%s\x00%x\x00", c.base, sha256.Sum256([]byte(c.key)), source, sha256.Sum256(mapping))
	for _, f := range feeds {
		fmt.Fprintf(h, "%s\x00%d\x00%d\x00", f.full, f.size, f.modified.UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// recall reads how far an earlier run of the same import came, and opens the file of
// refused rows where that run left it.
func (s *shipment) recall(path string, restart bool, job string) error {
	if path == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil // no place to remember: sending all again is safe, only slower
		}
		path = filepath.Join(dir, "rapport", "imports", job+".json")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	s.statePath = path
	text, err := os.ReadFile(path)
	var was importState
	if restart || err != nil || json.Unmarshal(text, &was) != nil || was.Job != job {
		s.state.Job = job
		return nil
	}
	s.state = was
	s.Records, s.Accepted, s.Duplicates, s.Rejected, s.Resumed = was.Records, was.Accepted, was.Known, was.Rejected, true
	if was.Kinds != nil {
		s.Kinds = was.Kinds
	}
	s.past, s.resumed = was.Past, was.Past+was.Read
	s.con.say("taking up again at %d records, line %d", was.Records, was.Mark.Line+1)
	if was.Rejects > 0 {
		f, err := os.OpenFile(s.rejectsPath, os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("refused rows of the earlier run: %w", err)
		}
		if err := f.Truncate(was.Rejects); err != nil {
			return err
		}
		if _, err := f.Seek(was.Rejects, io.SeekStart); err != nil {
			return err
		}
		s.rejects, s.RejectedTo = f, s.rejectsPath
	}
	return nil
}

// remember writes down that everything up to a piece's mark is done. A kill between
// the server's answer and this makes the piece be sent again, where it is known.
func (s *shipment) remember(p *piece) error {
	if p.file != s.state.File {
		s.past += s.state.Read
		s.state.Read = 0
	}
	s.state.File, s.state.Mark, s.state.Read, s.state.Past = p.file, p.mark, p.read, s.past
	if s.statePath == "" || s.dry {
		return nil
	}
	s.state.Records, s.state.Accepted, s.state.Known, s.state.Rejected, s.state.Kinds = s.Records, s.Accepted, s.Duplicates, s.Rejected, s.Kinds
	s.state.Rejects = 0
	if s.rejects != nil {
		at, err := s.rejects.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		s.state.Rejects = at
	}
	text, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	next := s.statePath + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.statePath)
}

// importReceipt is the server's answer to a piece.
type importReceipt struct {
	Accepted   int `json:"accepted"`
	Duplicates int `json:"duplicates"`
	Rejected   []struct {
		Line    int    `json:"line"`
		Code    string `json:"code"`
		Message string `json:"message"`
		Column  int    `json:"column"`
		Pointer string `json:"pointer"`
	} `json:"rejected"`
	Stopped *struct{ Message string } `json:"stopped"`
}

// send posts one piece until the server has answered it.
func (s *shipment) send(ctx context.Context, p *piece) error {
	for _, f := range p.faults {
		if err := s.refused(rejectedRow{Place: f.Place, Code: f.Code, Message: f.In(s.language), Input: strings.ToValidUTF8(string(f.Raw), "\uFFFD")}); err != nil {
			return err
		}
	}
	s.Records += len(p.lines)
	s.records += len(p.lines)
	for kind, n := range p.kinds {
		s.Kinds[kind] += n
	}
	if s.client != nil && len(p.lines) > 0 {
		receipt, err := s.post(ctx, p)
		if err != nil {
			return err
		}
		s.Accepted += receipt.Accepted
		s.Duplicates += receipt.Duplicates
		for _, r := range receipt.Rejected {
			if r.Line < 1 || r.Line > len(p.lines) {
				return fmt.Errorf("the server refused line %d of %d: %s", r.Line, len(p.lines), r.Message)
			}
			at := p.lines[r.Line-1]
			row := rejectedRow{Place: at.place, Code: r.Code, Message: r.Message}
			row.Pointer = r.Pointer
			if raw := p.body.Bytes()[at.start:at.end]; json.Valid(raw) {
				row.Record = bytes.Clone(raw)
			} else {
				row.Column, row.Input = r.Column, strings.ToValidUTF8(string(raw), "\uFFFD")
			}
			if err := s.refused(row); err != nil {
				return err
			}
		}
	}
	if err := s.remember(p); err != nil {
		return err
	}
	s.progress(false)
	return nil
}

// post waits for a server that does not answer, for as long as patience lasts.
func (s *shipment) post(ctx context.Context, p *piece) (importReceipt, error) {
	q := url.Values{}
	if s.source != "" {
		q.Set("source", s.source)
	}
	if s.dry {
		q.Set("dry_run", "true")
	}
	path := "/v1/import"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	began := time.Now()
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		var r importReceipt
		err := s.client.do(ctx, http.MethodPost, path, bytes.NewReader(p.body.Bytes()), &r)
		if err == nil && r.Stopped != nil {
			err = errors.New(r.Stopped.Message)
		}
		var refused *refusedError
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) && refused.status < 500 && refused.status != http.StatusTooManyRequests {
			return r, err
		}
		if time.Since(began) > s.patience {
			return r, fmt.Errorf("%w (waited %s; the same command takes it up again)", err, s.patience)
		}
		s.waiting(err)
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// refused writes one row out.
func (s *shipment) refused(r rejectedRow) error {
	s.Rejected++
	if len(s.Faults) < 20 {
		s.Faults = append(s.Faults, r)
	}
	if s.rejects == nil {
		f, err := os.OpenFile(s.rejectsPath, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("refused rows: %w", err)
		}
		s.rejects, s.RejectedTo = f, s.rejectsPath
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.rejects.Write(append(text, '\n'))
	return err
}

func (s *shipment) close() {
	if s.rejects != nil {
		s.rejects.Close()
	}
}

// barWidth is how many cells the bar has.
const barWidth = 24

// progress draws how far it is, on a terminal ten times a second, else a line every
// ten seconds.
func (s *shipment) progress(last bool) {
	every := 10 * time.Second
	if s.con.terminal {
		every = 100 * time.Millisecond
	}
	if s.con.json || s.con.err == nil || !last && time.Since(s.shown) < every {
		return
	}
	if s.shown.IsZero() && !s.con.terminal {
		s.shown = s.started // nothing to say of an import that is done before the first line
		return
	}
	s.shown = time.Now()
	line := bar(s.past+s.state.Read, s.total, s.resumed, s.records, s.Records, s.Rejected, time.Since(s.started))
	if s.con.terminal {
		fmt.Fprint(s.con.err, "\r\033[K"+line)
	} else {
		fmt.Fprintln(s.con.err, line)
	}
}

// bar is the line of progress: done and total are bytes, resumed those that an earlier
// run has done; sent are the records of this run, records all of them.
func bar(done, total, resumed int64, sent, records, rejected int, took time.Duration) string {
	share := 1.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	full := int(share * barWidth)
	seconds := max(took.Seconds(), 1e-9)
	left := "?"
	if speed := float64(done-resumed) / seconds; speed > 0 {
		left = (time.Duration(float64(total-done)/speed) * time.Second).String()
	}
	return fmt.Sprintf("[%s%s] %3.0f%%  %d records  %.0f/s  %d rejected  %s left",
		strings.Repeat("#", full), strings.Repeat("-", barWidth-full), share*100, records, float64(sent)/seconds, rejected, left)
}

func (s *shipment) waiting(err error) {
	if s.con.terminal {
		fmt.Fprintf(s.con.err, "\r\033[Kwaiting for the server: %v", err)
	}
}

func (s *shipment) finish(con *console) error {
	if con.terminal {
		fmt.Fprint(con.err, "\r\033[K")
	}
	if s.statePath != "" {
		if err := os.Remove(s.statePath); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	var failed error
	if s.Rejected > 0 {
		failed = fmt.Errorf("%d rows were rejected; they are in %s", s.Rejected, s.RejectedTo)
	}
	if con.json {
		return errors.Join(con.print(s), failed)
	}
	fmt.Fprintf(con.out, "%d records in %.1f s: %d accepted, %d there already, %d rejected\n",
		s.Records, time.Since(s.started).Seconds(), s.Accepted, s.Duplicates, s.Rejected)
	for _, kind := range sortedKeys(s.Kinds) {
		fmt.Fprintf(con.out, "  %-12s %d\n", kind, s.Kinds[kind])
	}
	for _, f := range s.Faults {
		fmt.Fprintf(con.out, "  rejected: %s: %s (%s)\n", f.Place, f.Message, f.Code)
	}
	return failed
}
