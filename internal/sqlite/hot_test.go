//go:build unix

package sqlite

import (
	"syscall"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/internal/storage/storetest"
)

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestAPersonWithAVeryLongLifeStaysFlat(t *testing.T) {
	storetest.HotPerson(t, folder{t.TempDir()}, processorTime)
}
