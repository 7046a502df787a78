package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type clock = func() time.Time

// buffers hold bodies and answers; a large one is not kept.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBuffer = 1 << 20

func buffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func release(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

var unzippers sync.Pool

// unzip gives a reader of gzip data and how to give it back.
func unzip(r io.Reader) (z *gzip.Reader, done func(), err error) {
	z, _ = unzippers.Get().(*gzip.Reader)
	if z == nil {
		if z, err = gzip.NewReader(r); err != nil {
			return nil, nil, err
		}
	} else if err = z.Reset(r); err != nil {
		unzippers.Put(z)
		return nil, nil, err
	}
	return z, func() { unzippers.Put(z) }, nil
}

// bodyTime is how long a body may take to arrive; of an import, each group of lines.
const bodyTime = 30 * time.Second

// mostDiscarded is how much of a body that is too large is taken nevertheless, so
// that its sender lives to read why it was refused.
const mostDiscarded = 4 << 20

// read takes a body of at most limit bytes, counted after decompression, into b.
// What Content-Encoding says counts; Content-Type does not.
func read(b *bytes.Buffer, w http.ResponseWriter, r *http.Request, limit int) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	// Who sends a byte a minute must not hold a place for ever.
	patience := http.NewResponseController(w)
	if patience.SetReadDeadline(time.Now().Add(bodyTime)) == nil {
		defer func() { _ = patience.SetReadDeadline(time.Time{}) }()
	}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "body_too_large", "limit", strconv.Itoa(limit))
	var source io.Reader = r.Body
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		if r.ContentLength > int64(limit) {
			// Many a client reads the answer only after it has sent everything.
			_, _ = io.CopyN(io.Discard, r.Body, mostDiscarded)
			return tooLarge
		}
		if r.ContentLength > 0 {
			b.Grow(int(r.ContentLength) + bytes.MinRead)
		}
	case "gzip", "x-gzip":
		z, done, err := unzip(io.LimitReader(r.Body, int64(limit)+1024))
		if err != nil {
			return &refusal{status: http.StatusBadRequest, code: "encoding_broken", cause: err}
		}
		defer done()
		source = z
	default:
		return refuse(http.StatusUnsupportedMediaType, "encoding_unsupported")
	}
	_, err := b.ReadFrom(io.LimitReader(source, int64(limit)+1))
	var maxBytes *http.MaxBytesError
	switch {
	case b.Len() > limit || errors.As(err, &maxBytes):
		return tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{status: http.StatusRequestTimeout, code: "too_slow", cause: err}
	case err != nil:
		return &refusal{status: http.StatusBadRequest, code: "encoding_broken", cause: err}
	}
	return nil
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, v any) { writeAs(w, status, "application/json", v) }

// encoded is a value that has its JSON already; nil when it has not.
type encoded interface{ Encoded() []byte }

func writeAs(w http.ResponseWriter, status int, kind string, v any) {
	b := buffer()
	defer release(b)
	if ready, ok := v.(encoded); ok && ready.Encoded() != nil {
		b.Write(ready.Encoded())
		b.WriteByte('\n')
	} else {
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(err) // our own types; serve turns it into a problem
		}
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a caller who has gone needs no answer
}
