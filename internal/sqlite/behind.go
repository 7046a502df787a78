package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// What restarts need is written behind the log: in the transaction of a group that
// commits anyway, or alone when nobody waits, and never more than a slice at once,
// for a checkpoint written as a whole stalls commits for up to 0.7 s.
//
//   - The index (known ids, words, keys, identity) only grows: what is new since the
//     last time is appended, and its mark is exact.
//   - Heads of chains change in place: pages of them are written in rounds. A page may
//     be newer than the round's mark; reading the tail again does no harm, for a
//     head only moves forward.
//   - Followers are saved in rounds, each with its own mark, and more seldom the longer
//     it takes. The writer stands still meanwhile, unless they can give a snapshot.
//
// A start reads the pieces and then the log from the oldest mark on.
const (
	restEvery  = 20 * time.Second
	indexEvery = 16 << 10  // events
	roundEvery = 250_000   // events: at most so many and a half are read again
	sliceBytes = 256 << 10 // of a follower's state
	// Saving a follower may take a 200th of the time, a 50th when it is written out
	// beside the writer, but is not put off for longer than so many events.
	saveShare   = 200
	besideShare = 50
	saveEvents  = 400_000
	pageKeys    = 4096 // heads a page
	headBytes   = 16
	markIndex   = "index"
	markHeads   = "heads"
	markRebuild = "rebuilding"

	generationDays = 10

	// A workspace's identity that has come to so many parts is written whole, which
	// may take a second for a million keys: when the store is closed, or at a rest.
	partsAtClose = 16
	partsAtRest  = 1024
)

type behind struct {
	generation int64  // of the ids that come now
	slots      []byte // ids since the index was last written
	words      []byte // definitions of workspaces and names since then
	keys       int    // how many keys are written
	part       int64  // the next part's number; parts of one name are read in order
	parts      map[string]int

	indexEvery, roundEvery int

	flushed uint64 // position of the index mark
	rounded uint64 // position of the last round
	events  int    // since the last round
	pages   map[uint32]bool
	round   []step
	planned []uint32 // pages of the round
	saves   []saving // by follower
	ageing  []step   // of generations of ids
	// States of followers that were written out beside the writer.
	states chan state
	// The store is being closed: nothing is written beside the writer any more.
	closing bool
	// The write-ahead log holds pages of before an erasure.
	truncate bool

	checkpoints chan checkpoint
}

// saving is when and where a follower was saved last.
type saving struct {
	position uint64
	at       time.Time
	took     time.Duration
	events   int // since then
	share    time.Duration
	turn     int // of its saves: what an earlier turn gives is of no use any more
	underway bool
}

// state is what a follower gave at a position.
type state struct {
	follower, turn int
	position       uint64
	body           []byte
	err            error
	took           time.Duration
}

// due tells that a follower has something to save and it is time.
func (v *saving) due(position uint64) bool {
	return !v.underway && v.position < position && (v.events >= saveEvents || time.Since(v.at) >= v.share*v.took)
}

// step writes one slice of a round in the transaction that is open.
type step func(w *writer) error

func newBehind(o *Options) behind {
	b := behind{
		indexEvery: indexEvery, roundEvery: roundEvery,
		keys: 1, parts: map[string]int{}, pages: map[uint32]bool{}, checkpoints: make(chan checkpoint, 64),
		states: make(chan state),
	}
	if o.testOnlyEvery > 0 {
		b.indexEvery, b.roundEvery = o.testOnlyEvery, 4*o.testOnlyEvery
	}
	return b
}

func generationAt(t time.Time) int64 { return t.Unix() / (86400 * generationDays) }

func (b *behind) remember(s *slot) {
	b.slots = append(b.slots, s[:]...)
	b.events++
}

func (b *behind) dirty(key uint32) { b.pages[key/pageKeys] = true }

func (b *behind) busy() bool { return len(b.round) > 0 || len(b.checkpoints) > 0 || len(b.ageing) > 0 }

// ride writes a slice in the transaction of a group.
func (b *behind) ride(w *writer) error {
	if len(b.slots) >= b.indexEvery*slotSize {
		if err := b.writeIndex(w); err != nil {
			return err
		}
	}
	if b.events >= b.roundEvery && len(b.round) == 0 {
		b.begin(w, false)
	}
	return b.step(w)
}

// step does one step of the round, or keeps one profile.
func (b *behind) step(w *writer) error {
	if len(b.round) > 0 {
		next := b.round[0]
		b.round = b.round[1:]
		return next(w)
	}
	if len(b.ageing) > 0 {
		next := b.ageing[0]
		b.ageing = b.ageing[1:]
		return next(w)
	}
	select {
	case c := <-b.checkpoints:
		if w.erased(c.keys) {
			return nil
		}
		_, err := w.saveCheckpoint.exec(c.keys, int64(c.position), int64(c.events), c.body)
		return err
	default:
		return nil
	}
}

// erased tells that one of packed keys was erased since they were packed.
func (w *writer) erased(keys []byte) bool {
	for ; len(keys) >= 4; keys = keys[4:] {
		if w.s.words.key(binary.LittleEndian.Uint32(keys)) == (identity.Key{}) {
			return true
		}
	}
	return false
}

// slice does a step in a transaction of its own.
func (w *writer) slice() {
	w.alone(w.behind.step)
}

// alone runs what is written behind in a transaction of its own. It holds nothing
// that was acknowledged, but a disk that fails here will fail the next commit too.
func (w *writer) alone(f func(w *writer) error) {
	if _, err := w.begin.exec(); err != nil {
		w.fail(fmt.Errorf("write behind: begin: %w", err))
		return
	}
	if err := f(w); err != nil {
		w.fail(fmt.Errorf("write behind: %w", err))
		return
	}
	if _, err := w.commit.exec(); err != nil {
		w.fail(fmt.Errorf("write behind: commit: %w", err))
	}
}

// rest is called every restEvery, between groups.
func (b *behind) rest(w *writer) {
	if w.failure() != nil {
		return
	}
	b.generation = generationAt(w.s.clock())
	if b.flushed < w.s.position {
		w.alone(b.writeIndex)
	}
	b.compact(w, partsAtRest)
	if oldest := generationAt(w.s.clock().Add(-w.s.options.RetainIDs)); len(b.ageing) == 0 {
		for _, g := range w.s.ids.generations {
			if g.number < oldest {
				b.age(w, g)
			}
		}
	}
	due := b.rounded < w.s.position
	for i := range b.saves {
		due = due || b.saves[i].due(w.s.position)
	}
	if due && len(b.round) == 0 {
		b.begin(w, false)
	}
	b.truncateLog(w)
}

// truncateLog empties the write-ahead log after an erasure: the pages in the
// database are overwritten (secure_delete), older copies of them may stand here.
// Who reads at this moment holds it up; then it is done at the next rest.
func (b *behind) truncateLog(w *writer) {
	if !b.truncate {
		return
	}
	w.c.exec("PRAGMA busy_timeout=100")
	err := w.c.once("PRAGMA wal_checkpoint(TRUNCATE)", func(row []driver.Value) error {
		b.truncate = integer(row[0]) != 0
		return nil
	})
	if err != nil {
		b.truncate = true
	}
	w.c.exec("PRAGMA busy_timeout=10000")
}

// finish writes everything: the store is being closed.
func (b *behind) finish(w *writer) {
	if w.failure() != nil {
		return
	}
	if b.flushed < w.s.position {
		w.alone(b.writeIndex)
	}
	b.compact(w, partsAtClose)
	b.closing = true
	defer func() { b.closing = false }()
	for i := range b.saves { // what is being written out is of an earlier position
		b.saves[i].turn++
		b.saves[i].underway = false
	}
	due := b.rounded < w.s.position || len(b.round) > 0
	for i := range b.saves {
		due = due || b.saves[i].position < w.s.position
	}
	if due {
		b.begin(w, true)
	}
	b.ageing = nil // it can wait for the next start
	for b.busy() && w.failure() == nil {
		w.alone(func(w *writer) error {
			for i := 0; i < 16 && b.busy(); i++ {
				if err := b.step(w); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func seenPiece(generation int64) string  { return "seen/" + strconv.FormatInt(generation, 10) }
func identityPiece(number uint32) string { return "identity/" + strconv.Itoa(int(number)) }

func (b *behind) piece(w *writer, name string, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	b.part++
	if _, err := w.insertPiece.exec(name, b.part, body); err != nil {
		return fmt.Errorf("piece %s: %w", name, err)
	}
	b.parts[name]++
	return nil
}

// writeIndex appends what the index has gained, up to the newest event in work.
func (b *behind) writeIndex(w *writer) error {
	s := w.s
	if err := b.piece(w, seenPiece(b.generation), b.slots); err != nil {
		return err
	}
	if err := b.piece(w, "words", b.words); err != nil {
		return err
	}
	places := s.words.keys[b.keys:]
	body := make([]byte, 0, 8*len(places))
	for _, p := range places {
		body = binary.LittleEndian.AppendUint32(body, p.workspace)
		body = binary.LittleEndian.AppendUint32(body, p.number)
	}
	if err := b.piece(w, "keys", body); err != nil {
		return err
	}
	for _, t := range s.words.tenants[1:] {
		name := identityPiece(t.number)
		if err := b.piece(w, name, t.graph.Dirty()); err != nil {
			return err
		}
	}
	position := w.last()
	if _, err := w.setMark.exec(markIndex, int64(position)); err != nil {
		return err
	}
	b.slots, b.words, b.keys, b.flushed = b.slots[:0], b.words[:0], len(s.words.keys), position
	return nil
}

// compact writes identities whole that have come to many parts.
func (b *behind) compact(w *writer, parts int) {
	for _, t := range w.s.words.tenants[1:] {
		if b.parts[identityPiece(t.number)] >= parts {
			w.alone(func(w *writer) error {
				if err := b.writeIdentity(w, t); err != nil {
					return err
				}
				return b.writeIndex(w) // they are of one position
			})
		}
	}
}

// writeIdentity replaces the parts of a workspace's identity by one.
func (b *behind) writeIdentity(w *writer, t *tenant) error {
	name := identityPiece(t.number)
	if _, err := w.deletePieces.exec(name); err != nil {
		return err
	}
	b.parts[name] = 0
	body := t.graph.Save()
	t.graph.Clean()
	return b.piece(w, name, body)
}

// begin plans a round from the published state; all saves every follower.
func (b *behind) begin(w *writer, all bool) {
	// A round that was not finished is planned anew: its pages must be written.
	for _, p := range b.planned {
		b.pages[p] = true
	}
	b.round, b.planned = nil, nil
	from := w.s.position
	b.rounded = from
	for page := range b.pages {
		b.planned = append(b.planned, page)
		b.round = append(b.round, func(w *writer) error { return writePage(w, page) })
	}
	b.pages = map[uint32]bool{}
	b.round = append(b.round, func(w *writer) error {
		b.planned = nil
		_, err := w.setMark.exec(markHeads, int64(from))
		return err
	})
	for i := range b.saves {
		b.saves[i].events += b.events
		if all && b.saves[i].position < from || b.saves[i].due(from) {
			b.round = append(b.round, func(w *writer) error { return b.save(w, i) })
		}
	}
	b.events = 0
}

func writePage(w *writer, page uint32) error {
	heads := w.s.heads
	first := int(page) * pageKeys
	heads = heads[first:min(first+pageKeys, len(heads))]
	body := make([]byte, 0, len(heads)*headBytes)
	for _, h := range heads {
		body = binary.LittleEndian.AppendUint64(body, h.last)
		body = binary.LittleEndian.AppendUint64(body, uint64(h.newest))
	}
	_, err := w.insertPiece.exec("heads", int64(page), body)
	return err
}

func followerMark(name string) string { return "follower/" + name }

func followerPiece(name string, position uint64) string {
	return "follower/" + name + "@" + strconv.FormatUint(position, 10)
}

// save takes a follower's state now and plans its slices.
func (b *behind) save(w *writer, i int) error {
	f, v := w.s.options.Followers[i], &b.saves[i]
	if v.underway {
		return nil
	}
	v.turn++
	x := state{follower: i, turn: v.turn, position: w.s.position}
	save, began := f.Save, time.Now()
	if s, ok := f.(journal.Snapshotter); ok {
		save = s.Snapshot()
		if !b.closing {
			v.underway = true
			go func() {
				x.body, x.err = save()
				x.took = time.Since(began)
				select {
				case b.states <- x:
				case <-w.s.queue.Ended():
				}
			}()
			return nil
		}
	}
	x.body, x.err = save()
	x.took = time.Since(began)
	b.arrived(w, x)
	return nil
}

// arrived plans the slices of a follower's state.
func (b *behind) arrived(w *writer, x state) {
	f, v := w.s.options.Followers[x.follower], &b.saves[x.follower]
	if x.turn != v.turn {
		return // somebody was erased since
	}
	v.at, v.took, v.underway = time.Now(), x.took, false
	if x.err != nil {
		// The state saved before stays; the next start reads more of the log.
		w.s.stats.unsaved.Add(1)
		return
	}
	piece := followerPiece(f.Name(), x.position)
	var steps []step
	for part, rest := int64(0), x.body; ; part++ {
		n := min(len(rest), sliceBytes)
		slice := rest[:n:n]
		rest = rest[n:]
		steps = append(steps, func(w *writer) error {
			_, err := w.insertPiece.exec(piece, part, slice)
			return err
		})
		if len(rest) == 0 {
			break
		}
	}
	steps = append(steps, func(w *writer) error {
		if _, err := w.setMark.exec(followerMark(f.Name()), int64(x.position)); err != nil {
			return err
		}
		v.position, v.events = x.position, 0
		_, err := w.deleteSaves.exec("follower/"+f.Name()+"@", piece)
		return err
	})
	b.round = append(steps, b.round...)
}
