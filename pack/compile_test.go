package pack_test

import (
	"testing"
	"time"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

func TestTheShippedPacksCompile(t *testing.T) {
	t.Parallel()
	c := &pack.Compiler{FS: packs.Files}
	at := time.Now()
	v, _, err := c.Compile(t.Context(), strategy.Source{Number: 1, Packs: []string{"electronics"}})
	if err != nil {
		t.Fatalf("the shipped packs do not compile:\n%v", err)
	}
	t.Logf("compiled %d actions in %v", len(v.Decision.Actions), time.Since(at))
}
