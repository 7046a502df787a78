package sqlite

import "sync"

type people struct {
	mu    sync.Mutex
	bytes int64
	limit int64
}

type checkpoint struct {
	keys     []byte
	position uint64
	events   int
	body     []byte
}

func newPeople(limit int64) *people  { return &people{limit: limit} }
func (p *people) size() (int, int64) { return 0, p.bytes }
