package ingest

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// Encoding finds a file's encoding by name; nil is UTF-8.
func Encoding(name string) (encoding.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "utf-8", "utf8":
		return nil, nil
	case "gb18030", "gb2312":
		return simplifiedchinese.GB18030, nil
	case "gbk":
		return simplifiedchinese.GBK, nil
	case "utf-16", "utf16":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	}
	return nil, fmt.Errorf("encoding %q is none of utf-8, gb18030, gbk, utf-16", name)
}

// File is an export that is being read. Marks count the bytes of its UTF-8 text.
type File struct {
	path, encoding string
	name           string
	files          []*os.File
	text           io.Reader
	read           atomic.Int64
}

// OpenFile opens an export for reading from a mark on; one whose name ends in .gz is
// unpacked.
func OpenFile(path, encoding string, from Mark) (*File, error) {
	f := &File{path: path, encoding: encoding, name: filepath.Base(path)}
	var err error
	if f.text, err = f.open(from.Offset, true); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// open gives the text behind an offset.
func (f *File) open(offset int64, counted bool) (io.Reader, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	f.files = append(f.files, file)
	enc, err := Encoding(f.encoding)
	if err != nil {
		return nil, err
	}
	var r io.Reader = file
	plain := enc == nil && !strings.HasSuffix(f.path, ".gz")
	if plain && offset > 0 {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			return nil, err
		}
		f.read.Store(offset)
	}
	if counted {
		r = &counter{file, &f.read}
	}
	if strings.HasSuffix(f.path, ".gz") {
		if r, err = gzip.NewReader(bufio.NewReader(r)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if enc != nil {
		r = enc.NewDecoder().Reader(r)
	}
	if !plain && offset > 0 {
		if _, err := io.CopyN(io.Discard, r, offset); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return r, nil
}

type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Read is how many bytes of the file were read.
func (f *File) Read() int64 { return f.read.Load() }

// Source reads the file's inputs: json, ndjson or csv.
func (f *File) Source(format string, c Columns, from Mark) (Source, error) {
	switch format {
	case "ndjson":
		return NDJSON(f.text, f.name, from), nil
	case "csv":
		var head io.Reader
		if from.Offset > 0 {
			var err error
			if head, err = f.open(0, false); err != nil {
				return nil, err
			}
		}
		return CSV(f.text, head, f.name, c, from), nil
	}
	if from.Offset > 0 {
		return Document(nil, f.name).(*document).over(), nil
	}
	text, err := io.ReadAll(f.text)
	if err != nil {
		return nil, err
	}
	return Document(text, f.name), nil
}

// over is a document that was read already.
func (s *document) over() Source { s.done = true; return s }

// Close closes the file.
func (f *File) Close() error {
	var first error
	for _, file := range f.files {
		if err := file.Close(); first == nil {
			first = err
		}
	}
	return first
}
