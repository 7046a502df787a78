package ingest

import (
	"crypto/hmac"
	"crypto/sha1" // as some senders still sign
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature says how a delivery proves its sender: an HMAC over its body, in a header.
type Signature struct {
	Algorithm       string `json:"algorithm,omitempty" yaml:"algorithm" doc:"hmac-sha256 (the default), hmac-sha512 or hmac-sha1."`
	Secret          string `json:"secret,omitempty" yaml:"secret" doc:"The key; it is never shown again. Left out when the source is put again, it stays."`
	Header          string `json:"header" yaml:"header" doc:"The header that holds the signature, X-Hub-Signature-256 for example."`
	Field           string `json:"field,omitempty" yaml:"field" doc:"Name of the part that holds it, in a header such as t=1,v1=abc."`
	Prefix          string `json:"prefix,omitempty" yaml:"prefix" doc:"What stands in front of it, sha256= for example."`
	Encoding        string `json:"encoding,omitempty" yaml:"encoding" doc:"hex (the default) or base64."`
	Signed          string `json:"signed,omitempty" yaml:"signed" doc:"What is signed, {body} by default; {timestamp}.{body} for example."`
	TimestampHeader string `json:"timestamp_header,omitempty" yaml:"timestamp_header" doc:"The header that holds the time of sending, in seconds or milliseconds since 1970."`
	TimestampField  string `json:"timestamp_field,omitempty" yaml:"timestamp_field" doc:"Name of the part that holds the time, in a header such as t=1,v1=abc."`
	Tolerance       int    `json:"tolerance,omitempty" yaml:"tolerance" doc:"Seconds by which that time may differ from ours; 300 when there is such a header."`
}

var (
	algorithms = map[string]func() hash.Hash{"hmac-sha256": sha256.New, "hmac-sha512": sha512.New, "hmac-sha1": sha1.New}
	encodings  = []string{"hex", "base64"}
)

// check fills in the defaults and gives every fault with its pointer.
func (s *Signature) check() (faults []*Fault) {
	bad := func(member, code string, args ...string) {
		faults = append(faults, &Fault{Place: Place{Pointer: "/signature/" + member}, Code: code, Args: args})
	}
	if s.Algorithm == "" {
		s.Algorithm = "hmac-sha256"
	}
	if s.Encoding == "" {
		s.Encoding = "hex"
	}
	if s.Signed == "" {
		s.Signed = "{body}"
	}
	timed := strings.Contains(s.Signed, "{timestamp}")
	if timed && s.Tolerance == 0 {
		s.Tolerance = 300
	}
	if algorithms[s.Algorithm] == nil {
		bad("algorithm", "signature_algorithm", "choices", "hmac-sha256, hmac-sha512, hmac-sha1")
	}
	if !slices.Contains(encodings, s.Encoding) {
		bad("encoding", "signature_encoding", "choices", strings.Join(encodings, ", "))
	}
	if s.Header == "" {
		bad("header", "signature_header")
	}
	if len(s.Secret) < 8 || len(s.Secret) > 512 {
		bad("secret", "signature_secret")
	}
	rest := strings.Replace(strings.ReplaceAll(s.Signed, "{timestamp}", ""), "{body}", "", 1)
	if !strings.Contains(s.Signed, "{body}") || strings.ContainsAny(rest, "{}") {
		bad("signed", "signature_signed")
	}
	if timed && s.TimestampHeader == "" {
		bad("timestamp_header", "signature_timestamp")
	}
	return faults
}

// Verify tells whether a delivery is its sender's, at the time now.
func (s *Signature) Verify(h http.Header, body []byte, now time.Time) bool {
	make := algorithms[s.Algorithm]
	if make == nil || s.Secret == "" {
		return false
	}
	stamp := ""
	if s.TimestampHeader != "" {
		values := part(h.Get(s.TimestampHeader), s.TimestampField)
		if len(values) != 1 || !s.recent(values[0], now) {
			return false
		}
		stamp = values[0]
	}
	m := hmac.New(make, []byte(s.Secret))
	before, after, _ := strings.Cut(s.Signed, "{body}")
	m.Write([]byte(strings.ReplaceAll(before, "{timestamp}", stamp)))
	m.Write(body)
	m.Write([]byte(strings.ReplaceAll(after, "{timestamp}", stamp)))
	want := m.Sum(nil)
	for _, given := range part(h.Get(s.Header), s.Field) { // while a sender changes its key there may be two
		given, ok := strings.CutPrefix(given, s.Prefix)
		if !ok {
			continue
		}
		var got []byte
		var err error
		if s.Encoding == "base64" {
			got, err = base64.StdEncoding.DecodeString(given)
		} else {
			got, err = hex.DecodeString(given)
		}
		if err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}

// part gives the values of one name of a header such as t=1,v1=abc, or the whole
// header where no name is given.
func part(header, name string) (values []string) {
	if header == "" {
		return nil
	}
	if name == "" {
		return []string{strings.TrimSpace(header)}
	}
	for p := range strings.SplitSeq(header, ",") {
		if n, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && n == name && len(values) < 8 {
			values = append(values, v)
		}
	}
	return values
}

func (s *Signature) recent(stamp string, now time.Time) bool {
	if s.Tolerance <= 0 {
		return true
	}
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		t, ok := ParseTime(stamp, nil)
		if !ok {
			return false
		}
		n = t.UnixMilli()
	} else if n < 1e11 {
		n *= 1000
	}
	apart := time.Duration(now.UnixMilli()-n) * time.Millisecond
	return apart.Abs() <= time.Duration(s.Tolerance)*time.Second
}
