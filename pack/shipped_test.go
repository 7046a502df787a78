package pack_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// reworded gives a file of a pack that teaches the reader, with one comment more: it says
// the same, and is another file.
func reworded(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := packs.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{name: string(text) + "\n# looked through again\n"}
}

func ships(name string) bool {
	_, err := packs.Files.ReadFile(name + "/model.bin")
	return !errors.Is(err, fs.ErrNotExist)
}

// Packs are compiled by what they ship of their own words, or by reading those words:
// both ways they read the same enquiries the same way.
func TestPacksReadAlikeByWhatTheyShipAndByTheirWords(t *testing.T) {
	t.Parallel()
	if !ships(pack.Base) {
		t.Skip("the packs ship nothing: make build makes it")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, industry := range append([]string{pack.Base}, industries...) {
		t.Run(industry, func(t *testing.T) {
			t.Parallel()
			c := &pack.Compiler{FS: packs.Files}
			quick, s, err := c.Compile(t.Context(), strategy.Source{Packs: []string{industry}})
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Model) > 0 {
				t.Error("a workspace would keep a classifier that the packs ship")
			}
			whole, _, err := c.Compile(t.Context(), strategy.Source{Packs: []string{industry}, Files: reworded(t, "base/subintents.yaml")})
			if err != nil {
				t.Fatal(err)
			}
			if quick == whole || quick.Digest == whole.Digest {
				t.Fatal("another file, and the same version")
			}
			if !reflect.DeepEqual(quick.Treatment, whole.Treatment) || !reflect.DeepEqual(quick.Candidate, whole.Candidate) || !reflect.DeepEqual(quick.Decision.Symptoms, whole.Decision.Symptoms) {
				t.Error("titles, symptoms or sources differ")
			}
			sentences := c.Sentences(strategy.Source{Packs: []string{industry}})
			random := rand.New(rand.NewPCG(seed, 1))
			joints := []string{"，", "，另外", "，但是不要", ". ", " and ", ", also "}
			for range 150 {
				words := ""
				for range 1 + random.IntN(3) {
					words += sentences[random.IntN(len(sentences))].Text + joints[random.IntN(len(joints))]
				}
				a, b := quick.Need.Recognise(need.Enquiry{Text: words}, nil, scene.Scene{}, nil), whole.Need.Recognise(need.Enquiry{Text: words}, nil, scene.Scene{}, nil)
				if !reflect.DeepEqual(a, b) {
					t.Fatalf("%q:\nby what is shipped %+v\nby the words       %+v", words, a, b)
				}
			}
		})
	}
}

// edited is the shipped packs with some files changed on disk.
func edited(t *testing.T, change map[string]string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(packs.Files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(p, "base/") || strings.Contains(p, "/tests/") {
			return err
		}
		b, err := packs.Files.ReadFile(p)
		files[p] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for p, text := range change {
		files[p] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// What is shipped must never speak for a pack that somebody has edited since.
func TestAnEditedPackIsReadAsItStands(t *testing.T) {
	t.Parallel()
	if !ships(pack.Base) {
		t.Skip("the packs ship nothing: make build makes it")
	}
	c := &pack.Compiler{FS: edited(t, reworded(t, "base/lexicon.yaml"))}
	if fits, err := c.Fits(nil); err != nil || fits {
		t.Error("what is shipped stands for a file that has been edited:", err)
	}
	// A word of a workspace's own, and a subintent beside the rules.
	of := func(own map[string]string) *strategy.Version {
		v, _, err := (&pack.Compiler{FS: packs.Files}).Compile(t.Context(), strategy.Source{Files: own})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := of(map[string]string{"own/words.yaml": "lexicon:\n  brands: {zh: [飞鸢], en: [skykite]}\n"})
	r := v.Need.Recognise(need.Enquiry{Text: "飞鸢的保修多久"}, nil, scene.Scene{}, nil)
	if !slices.ContainsFunc(r.Needs, func(n need.Need) bool {
		return slices.ContainsFunc(n.Entities, func(e need.Entity) bool { return e.Type == "brand" && e.Text == "飞鸢" })
	}) {
		t.Errorf("a brand of the workspace's own is not known: %+v", r.Needs)
	}
	own := "subintents:\n  - id: engraving\n    parent: presale.question\n    title: {zh: 刻字, en: Engraving}\n    cues: {zh: [刻字], en: [engraving]}\n"
	own = strings.ReplaceAll(own, "presale.question", slices.Sorted(maps.Keys(v.Treatment.Titles))[0])
	if v := of(map[string]string{"own/kinds.yaml": own}); !slices.ContainsFunc(slices.Collect(maps.Values(v.Treatment.Titles)), func(t candidate.Text) bool { return t.En == "Engraving" }) {
		t.Error("a subintent of the workspace's own has no title")
	}
	// Faults in the rules are told as ever, with their place.
	_, _, err := (&pack.Compiler{FS: packs.Files}).Compile(t.Context(), strategy.Source{Files: map[string]string{"own/rules.yaml": "actions:\n  - id: x\n    natur: service\n"}})
	var faults pack.Faults
	if !errors.As(err, &faults) || !slices.ContainsFunc(faults, func(f pack.Fault) bool { return f.Line == 3 && strings.Contains(f.Message, "natur") }) {
		t.Error("a fault beside what is shipped:", err)
	}
}
