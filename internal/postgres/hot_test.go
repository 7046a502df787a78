//go:build linux

package postgres

import (
	"testing"
	"time"

	"github.com/rapport-cx/rapport/internal/storage/storetest"
)

func TestAPersonWithAVeryLongLifeStaysFlat(t *testing.T) {
	h := home{database(t)}
	storetest.HotPerson(t, h, func() time.Duration { return used(server).sum() })
}
