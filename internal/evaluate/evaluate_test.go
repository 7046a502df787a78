package evaluate_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/internal/evaluate"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/split"
)

func write(t *testing.T, folder string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const parcels = "where is my parcel\nhas my parcel arrived\ntrack my parcel\nmy parcel is late\n"
const refunds = "refund my lamp\ni want a refund\nplease refund me\nmy refund please\n"

func TestAFormatIsKnownByItsFiles(t *testing.T) {
	t.Parallel()
	csv := "text,category\n\"where, oh where, is it\",parcel\nrefund me,refund\n"
	for name, files := range map[string]map[string]string{
		"CSV files":        {"train.csv": csv, "test.csv": csv},
		"seq.in and label": {"train/seq.in": "where is it\nrefund me\n", "train/label": "parcel\nrefund\n", "test/seq.in": "where\n", "test/label": "parcel\n"},
		"token blocks":     {"train.txt": "where O\nis O\nit O\nparcel\n\nrefund O\nme O\nrefund\n", "test.txt": "where O\nparcel\n"},
	} {
		set, err := evaluate.Load(write(t, t.TempDir(), files), "")
		if err != nil || len(set.Train) != 2 || len(set.Test) == 0 || set.Train[0].Intent != "parcel" || set.Train[1].Text != "refund me" {
			t.Errorf("%s: %+v, %v", name, set, err)
		}
	}
	folder := write(t, t.TempDir(), map[string]string{"all.json": `[{"text":"where","domain":"parcel"},{"text":"refund me","intent":"refund"}]`})
	if set, err := evaluate.Load(filepath.Join(folder, "all.json"), ""); err != nil || len(set.Train) != 2 || set.Train[1].Intent != "refund" {
		t.Errorf("JSON list: %+v, %v", set, err)
	}
	if _, err := evaluate.Load(t.TempDir(), ""); err == nil {
		t.Error("an empty folder was read")
	}
}

func TestIntentsAreMeasuredOnWhatWasNotLearned(t *testing.T) {
	t.Parallel()
	lines := func(label string, text string) string { return strings.Repeat(label+"\n", strings.Count(text, "\n")) }
	folder := write(t, t.TempDir(), map[string]string{
		"train/seq.in": parcels + refunds, "train/label": lines("parcel", parcels) + lines("refund", refunds),
		"test/seq.in": "is my parcel here\na refund now\nrefund it\nwhere is my refund\n", "test/label": "parcel\nrefund\nrefund\nparcel\n",
	})
	set, err := evaluate.Load(folder, "")
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	r, err := evaluate.Intents(context.Background(), set, classify.Options{}, &said)
	if err != nil {
		t.Fatal(err)
	}
	if r.Accuracy != 75 || r.Test != 4 || r.Train != 8 || r.Cost.P99 < r.Cost.P50 || len(r.Confused) != 1 || said.Len() == 0 {
		t.Errorf("%+v after %q", r, said.String())
	}
	set.Test = nil
	if r, err = evaluate.Intents(context.Background(), set, classify.Options{}, io.Discard); err != nil || r.Test != 8 || !strings.Contains(r.Protocol, "five-fold") {
		t.Errorf("without a test part: %+v, %v", r, err)
	}
	gone, stop := context.WithCancel(context.Background())
	stop()
	if _, err = evaluate.Intents(gone, set, classify.Options{}, io.Discard); err == nil {
		t.Error("went on after it was told to stop")
	}
}

func TestNeedsAreMatchedBySpanAndIntent(t *testing.T) {
	t.Parallel()
	folder := write(t, t.TempDir(), map[string]string{"x.jsonl": `{"text":"包裹呢，退款","subneeds":[{"intent":"parcel","source":"text","start":0,"end":3},{"intent":"refund","source":"text","start":4,"end":6},{"intent":"voucher","source":"history","implicit":true}]}
{"text":"退款吧","subneeds":[{"intent":"refund","source":"text","start":0,"end":3}]}
`})
	answers := map[string][]evaluate.Spoken{
		"包裹呢，退款": {{Intent: "parcel", Start: 0, End: 3}, {Intent: "parcel", Start: 4, End: 6}},
		"退款吧":    {{Intent: "refund", Start: 0, End: 2}},
	}
	r, err := evaluate.Needs(context.Background(), filepath.Join(folder, "x.jsonl"), func(s string) []evaluate.Spoken { return answers[s] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Exact != 50 || r.SpanF1 != 100 || r.Counted != 100 || r.Needs != 3 || r.NeedF1 < 66 || r.NeedF1 > 67 || len(r.Missed) != 1 {
		t.Errorf("%+v", r)
	}
}

// corpus is a folder of public data that is not part of the project.
func corpus(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("RAPPORT_BENCH_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the public data is not here: set RAPPORT_BENCH_DATA to its folder (%v)", err)
	}
	return path
}

func TestMission_1_1_CompoundUtterancesAreUnderstoodFromSingleOnes(t *testing.T) {
	t.Parallel()
	set, err := evaluate.Load(corpus(t, "nlu", "mixsnips", "single"), "")
	if err != nil {
		t.Fatal(err)
	}
	recognise, err := evaluate.Learn(set.Train, split.Words{}, classify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Needs(context.Background(), corpus(t, "nlu", "mixsnips", "mix", "dev.txt"), recognise, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("sets of intents exact: %.2f %%", r.SetExact)
	if r.SetExact < 95 {
		t.Errorf("sets of intents exact in %.2f %% of the development part, 95 are wanted", r.SetExact)
	}
}

func TestLinksAreCountedAgainstTheIds(t *testing.T) {
	t.Parallel()
	header := "rec_id, given_name, surname, born, phone\n"
	folder := write(t, t.TempDir(), map[string]string{
		"list.csv":    header + "rec-1-org, lina, moreau, 19880412, 5550001\nrec-1-dup-0, lina, moreu, 19880412, 5550001\nrec-2-org, omar, haddad, 19700101, 5559999\n",
		"sheeta.csv":  header + "rec-1-org, lina, moreau, 19880412, 5550001\nrec-2-org, omar, haddad, 19700101, 5559999\n",
		"sheetb.csv":  header + "rec-2-dup-0, omer, haddad, 19700101, 5559999\nrec-3-org, ida, voss, 19911224, 5557777\n",
		"ignored.txt": "no list",
	})
	reports, err := evaluate.Links(context.Background(), folder, io.Discard)
	if err != nil || len(reports) != 2 {
		t.Fatalf("%v, %v", reports, err)
	}
	for i, want := range []string{"list", "sheet"} {
		if r := reports[i]; r.Set != want || r.True != 1 || r.F1 != 1 || r.Wrong != 0 {
			t.Errorf("%+v", r)
		}
	}
	if _, err := evaluate.Links(context.Background(), write(t, t.TempDir(), map[string]string{"x.csv": "id,name\n1,a\n"}), io.Discard); err == nil {
		t.Error("a list without rec_id was measured")
	}
}

// The smallest list alone, all of them with RAPPORT_PROVE=1.
func TestPublicPersonRecordsAreLinked(t *testing.T) {
	t.Parallel()
	path := corpus(t, "identity")
	if os.Getenv("RAPPORT_PROVE") == "" {
		files, err := filepath.Glob(filepath.Join(path, "*1.csv"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no list in %s: %v", path, err)
		}
		path = files[0]
	}
	reports, err := evaluate.Links(context.Background(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		t.Logf("%s: F1 %.5f", r.Set, r.F1)
		if r.F1 < 0.9998 {
			t.Errorf("%s: F1 %.5f, wanted at least 0.9998: %v", r.Set, r.F1, r.Errors)
		}
	}
}

// A shop that sells lamps and knows that the weather is none of its business finds a question about
// poetry foreign, although nobody ever told it of poetry.
func TestSubjectsHeldOutAreFoundAndWhatIsKnownIsNotLost(t *testing.T) {
	t.Parallel()
	words := []string{"lamp", "sofa", "parcel", "invoice", "poem", "storm", "tooth", "violin"}
	acts := []string{"buy", "return"}
	var set evaluate.Set
	for _, w := range words {
		for _, a := range acts {
			for i := range 12 {
				text := fmt.Sprintf("%s the %s number %d please %s%s", a, w, i, w, a)
				e := classify.Example{Text: text, Intent: w + "_" + a}
				if i%4 == 0 {
					set.Test = append(set.Test, e)
				} else {
					set.Train = append(set.Train, e)
				}
			}
		}
	}
	s, err := evaluate.HeldOut(t.Context(), set, evaluate.Subjects, []uint64{1}, classify.Options{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if s.AUROC < 0.9 || s.Best < 60 {
		t.Errorf("foreign subjects are hardly told from known ones: %+v", s)
	}
	if _, err := evaluate.HeldOut(t.Context(), set, "weather", []uint64{1}, classify.Options{}, io.Discard); err == nil {
		t.Error("an unknown way to hold out is taken")
	}
	set.Train = set.Train[:40]
	if _, err := evaluate.HeldOut(t.Context(), set, evaluate.Subjects, []uint64{1}, classify.Options{}, io.Discard); err == nil {
		t.Error("three subjects cannot be dealt out into quarters, and it is not said")
	}
}
