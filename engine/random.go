package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

func randomBytes() (b [16]byte) {
	rand.Read(b[:]) // never fails: crypto/rand crashes the process instead
	return b
}

func compare(a, b string) int { return cmp.Compare(a, b) }

var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// decisionID is "dec_", 48 bits of milliseconds and 80 random bits: ids sort by
// time and cannot be guessed.
func decisionID(at time.Time, random [16]byte) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	copy(b[6:], random[:10])
	return "dec_" + idAlphabet.EncodeToString(b[:])
}
