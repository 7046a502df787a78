package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// BenchmarkMapRow reads, maps and completes one row of a shop's event export with the
// example's mapping; ns/op are CPU time, the loop being one goroutine.
func BenchmarkMapRow(b *testing.B) {
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "import", "shop-events.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	_, program, _ := strings.Cut(string(text), "map: |\n")
	m, err := Compile(program)
	if err != nil {
		b.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString("event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n")
	for i := range 1000 {
		fmt.Fprintf(&table, "2026-10-01 08:%02d:%02d UTC,view,%d,2053013555631882655,home.kitchen.c%d,brand%d,12.5,%d,s-%08x\n", i/60%60, i%60, 1000+i, i%40, i%300, 500_000+i, i)
	}
	types := map[string]string{}
	for _, c := range regexp.MustCompile(`(?m)^      (\w+): (\w+\??)$`).FindAllStringSubmatch(string(text), -1) {
		types[c[1]] = c[2]
	}
	if len(types) != 9 {
		b.Fatalf("columns %v", types)
	}
	b.ReportAllocs()
	var source Source
	for b.Loop() {
		if source == nil {
			source = CSV(bytes.NewReader(table.Bytes()), nil, "events.csv", Columns{Types: types}, Mark{})
		}
		in, err := source.Read(context.Background())
		if errors.Is(err, io.EOF) {
			source = nil
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		lines, err := m.Apply(context.Background(), in.Value, Vars{File: "events.csv", Line: in.Place.Line})
		if err != nil {
			b.Fatal(err)
		}
		for i, line := range lines {
			WithDefaults(line, "seed", i, time.Time{})
		}
	}
}
