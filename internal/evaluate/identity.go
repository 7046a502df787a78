package evaluate

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/identity/link"
)

// LinkReport is what was measured on one set of person records.
type LinkReport struct {
	Set       string  `json:"set"`
	Protocol  string  `json:"protocol"`
	Records   int     `json:"records"`
	True      int     `json:"true_pairs"`
	Compared  int     `json:"compared_pairs"`
	Found     int     `json:"found"`  // true pairs found
	Wrong     int     `json:"wrong"`  // pairs found that are none
	Missed    int     `json:"missed"` // true pairs not found
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	// CPU is the processor time of fitting and grouping.
	CPU time.Duration `json:"cpu_ns"`
	// Errors are the first wrong and missed pairs, in words.
	Errors []string `json:"errors,omitempty"`
}

// LinkReports are those of a folder.
type LinkReports []LinkReport

// Links measures how well the records of one person find one another, set by set.
// path is a CSV file or a folder of them, with a header and a first column rec_id as
// FEBRL's generator writes it: "rec-17-org" and "rec-17-dup-0" are one person's. The
// parameters are fitted without looking at it; it is read afterwards, to count.
// Two files whose names differ in a last "a" and "b" are two lists, each of
// which holds a person once: they are linked to one another, one to one. All others
// are searched for duplicates.
func Links(ctx context.Context, path string, progress io.Writer) (LinkReports, error) {
	sets, err := linkSets(path)
	if err != nil {
		return nil, err
	}
	var all LinkReports
	for _, files := range sets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := links(files, progress)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// linkSets lists the files of each set.
func linkSets(path string) ([][]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	if !info.IsDir() {
		return [][]string{{path}}, nil
	}
	files, err := filepath.Glob(filepath.Join(path, "*.csv"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(fmt.Errorf("evaluate: no CSV file in %s", path), err)
	}
	slices.Sort(files)
	var sets [][]string
	for i := 0; i < len(files); i++ {
		one, isA := strings.CutSuffix(files[i], "a.csv")
		if isA && i+1 < len(files) && files[i+1] == one+"b.csv" {
			sets = append(sets, []string{files[i], files[i+1]})
			i++
			continue
		}
		sets = append(sets, []string{files[i]})
	}
	return sets, nil
}

func links(files []string, progress io.Writer) (LinkReport, error) {
	r := LinkReport{Set: strings.TrimSuffix(filepath.Base(files[0]), ".csv"), Protocol: "duplicates in one list"}
	if len(files) > 1 {
		r.Set, r.Protocol = strings.TrimSuffix(r.Set, "a"), "two lists, one to one"
	}
	var columns []string
	var records []link.Record
	for source, file := range files {
		names, rows, err := personRows(file)
		if err != nil {
			return r, fmt.Errorf("evaluate: %s: %w", file, err)
		}
		if columns == nil {
			columns = names
		}
		if !slices.Equal(columns, names) {
			return r, fmt.Errorf("evaluate: %s: its columns are not those of %s", file, files[0])
		}
		for _, row := range rows {
			records = append(records, link.Record{ID: row[0], Source: source, Values: row[1:]})
		}
	}
	r.Records = len(records)
	fmt.Fprintf(progress, "%s: fitting %d records\n", r.Set, r.Records)
	before := processCPU()
	blind := slices.Clone(records) // the fit sees no names
	for i := range blind {
		blind[i].ID = ""
	}
	m, err := link.Fit(link.Describe(columns, blind), blind, link.Options{Seed: Seed})
	if err != nil {
		return r, fmt.Errorf("evaluate: %s: %w", r.Set, err)
	}
	var found [][2]int
	if len(files) > 1 {
		for _, p := range link.OneToOne(m.Pairs(0)) {
			found = append(found, [2]int{p.A, p.B})
		}
	} else {
		for _, g := range m.Groups() {
			for i := range g {
				for j := range i {
					found = append(found, [2]int{g[j], g[i]})
				}
			}
		}
	}
	r.CPU = processCPU() - before
	r.Compared = m.Compared()
	return r, r.count(records, found)
}

func personRows(file string) (columns []string, rows [][]string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	c := csv.NewReader(f)
	c.TrimLeadingSpace = true
	all, err := c.ReadAll()
	if err != nil {
		return nil, nil, err
	}
	if len(all) < 2 || len(all[0]) < 2 || all[0][0] != "rec_id" {
		return nil, nil, errors.New("the first column of the header is not rec_id, or no record follows")
	}
	for i := range all {
		for j := range all[i] {
			all[i][j] = strings.TrimSpace(all[i][j])
		}
	}
	return all[0][1:], all[1:], nil
}

// count compares what was found with the truth that stands in the record ids.
func (r *LinkReport) count(records []link.Record, found [][2]int) error {
	person := make([]string, len(records))
	sizes, perSource := map[string]int{}, map[[2]any]int{}
	for i, rec := range records {
		parts := strings.Split(rec.ID, "-")
		if len(parts) < 3 || parts[0] != "rec" {
			return fmt.Errorf("evaluate: %s: %q is no id of the form rec-17-org or rec-17-dup-0", r.Set, rec.ID)
		}
		person[i] = parts[1]
		sizes[person[i]]++
		perSource[[2]any{person[i], rec.Source}]++
	}
	pairs := func(n int) int { return n * (n - 1) / 2 }
	for _, n := range sizes {
		r.True += pairs(n)
	}
	if records[0].Source != records[len(records)-1].Source {
		for _, n := range perSource {
			r.True -= pairs(n)
		}
	}
	for _, p := range found {
		if person[p[0]] == person[p[1]] {
			r.Found++
			continue
		}
		r.Wrong++
		if len(r.Errors) < 10 {
			r.Errors = append(r.Errors, "wrongly linked: "+records[p[0]].ID+" and "+records[p[1]].ID)
		}
	}
	r.Missed = r.True - r.Found
	r.Precision = float64(r.Found) / float64(max(1, r.Found+r.Wrong))
	r.Recall = float64(r.Found) / float64(max(1, r.True))
	r.F1 = 2 * float64(r.Found) / float64(max(1, 2*r.Found+r.Wrong+r.Missed))
	return nil
}

func (all LinkReports) String() string {
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "%s: F1 %.5f (precision %.5f, recall %.5f), %s\n", r.Set, r.F1, r.Precision, r.Recall, r.Protocol)
		fmt.Fprintf(&b, "  %d of %d pairs found, %d wrong; %d records, %d pairs compared, %.1f s CPU; fitted without the truth\n",
			r.Found, r.True, r.Wrong, r.Records, r.Compared, r.CPU.Seconds())
		for _, e := range r.Errors {
			fmt.Fprintf(&b, "    %s\n", e)
		}
	}
	return b.String()
}
