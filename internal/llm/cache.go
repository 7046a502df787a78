package llm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// A cache is one file: magic; entries; a CRC-32C of all that. An entry is the hash of
// model and text (16 bytes), dimensions (2), scale (4, float32) and one signed byte a
// dimension, all little endian: a quarter of the size, and the same neighbours. The
// entries stand in the order in which they were last used, the newest first; what does
// not fit any more falls off the end. It is written whole beside the old one and then
// takes its place.
const (
	cacheMagic = "rapport-embeddings-1\n"
	cacheEntry = 16 + 2 + 4
	usualCache = 256 << 20 // bytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type cacheKey [16]byte

// cache is what is known of known sentences while a head is made. It is for one goroutine.
type cache struct {
	path  string // "": it is forgotten
	model string
	most  int64
	old   []byte // entries of the file that was there
	at    map[cacheKey][]byte
	used  []cacheKey // in this run, in order
	in    map[cacheKey]bool
	dirty bool
}

func openCache(path, model string, most int64) (*cache, error) {
	c := &cache{path: path, model: model, most: most, at: map[cacheKey][]byte{}, in: map[cacheKey]bool{}}
	if path == "" {
		return c, nil
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 2*most+1<<20 {
		return c, nil // of a time when more was allowed, or not ours: it is written anew
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("llm: reading kept embeddings: %w", err)
	}
	if len(b) < len(cacheMagic)+4 || string(b[:len(cacheMagic)]) != cacheMagic || crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return c, nil // damaged: everything is asked for again
	}
	c.old = b[len(cacheMagic) : len(b)-4]
	for entry := range entries(c.old) {
		c.at[cacheKey(entry[:16])] = entry
	}
	return c, nil
}

// entries tells the entries of a file one by one.
func entries(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) >= cacheEntry {
			n := cacheEntry + int(binary.LittleEndian.Uint16(b[16:]))
			if n > len(b) || !yield(b[:n:n]) {
				return
			}
			b = b[n:]
		}
	}
}

func (c *cache) key(text string) cacheKey {
	sum := sha256.Sum256([]byte(c.model + "\x00" + text))
	return cacheKey(sum[:16])
}

// missing are the texts that are not known, each once; those that are count as used.
func (c *cache) missing(texts []string) (all []string) {
	asked := map[string]bool{}
	for _, t := range texts {
		k := c.key(t)
		switch {
		case c.at[k] != nil:
			c.use(k)
		case !asked[t]:
			asked[t] = true
			all = append(all, t)
		}
	}
	return all
}

func (c *cache) use(k cacheKey) {
	if !c.in[k] {
		c.in[k] = true
		c.used = append(c.used, k)
	}
}

// add keeps embeddings.
func (c *cache) add(texts []string, vectors [][]float32) error {
	if len(vectors) != len(texts) {
		return fmt.Errorf("llm: %d embeddings for %d texts", len(vectors), len(texts))
	}
	for i, v := range vectors {
		most := float32(0)
		for _, x := range v {
			most = max(most, x, -x)
		}
		scale := most / math.MaxInt8
		k := c.key(texts[i])
		entry := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(slices.Clone(k[:]), uint16(len(v))), math.Float32bits(scale))
		for _, x := range v {
			entry = append(entry, byte(int8(math.Round(float64(x/scale)))))
		}
		c.at[k] = entry
		c.use(k)
		c.dirty = true
	}
	return nil
}

// all are the embeddings of texts; nil where one is not known.
func (c *cache) all(texts []string) [][]float32 {
	vectors := make([][]float32, len(texts))
	shared := map[cacheKey][]float32{}
	for i, t := range texts {
		k := c.key(t)
		if shared[k] == nil {
			entry := c.at[k]
			if entry == nil {
				continue
			}
			scale := math.Float32frombits(binary.LittleEndian.Uint32(entry[18:]))
			v := make([]float32, len(entry)-cacheEntry)
			for d := range v {
				v[d] = scale * float32(int8(entry[cacheEntry+d]))
			}
			shared[k] = v
		}
		vectors[i] = shared[k]
	}
	return vectors
}

// save writes what is known in the place of the old file, when anything is new.
func (c *cache) save() error {
	if c.path == "" || !c.dirty {
		return nil
	}
	var b bytes.Buffer
	b.WriteString(cacheMagic)
	room := c.most - int64(len(cacheMagic)) - 4
	put := func(entry []byte) {
		if room -= int64(len(entry)); room >= 0 {
			b.Write(entry)
		}
	}
	for _, k := range c.used {
		put(c.at[k])
	}
	for entry := range entries(c.old) {
		if !c.in[cacheKey(entry[:16])] {
			put(entry)
		}
	}
	b.Write(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b.Bytes(), castagnoli)))
	if err := replace(c.path, b.Bytes()); err != nil {
		return fmt.Errorf("llm: keeping embeddings: %w", err)
	}
	c.dirty = false
	return nil
}

// replace writes a file whole: whoever opens it finds the old one or the new one.
func replace(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
