package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/scene"
)

// What recognition is measured with: as many intents as a large house has, and a
// catalogue of at least so many names.
const (
	wideIntents = 150
	wideNames   = 100_000
	wideItems   = wideNames / 2 // each has a name in both languages, and its id
)

// spoken is what the base pack says of one intent.
type spoken struct {
	Intent   string
	Examples map[scene.Locale][]string
}

// spokenIntents reads the intents of the base pack.
func spokenIntents() (all []spoken, err error) {
	err = fs.WalkDir(packs.Files, "base/intents", func(file string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(file) != ".yaml" {
			return err
		}
		raw, err := packs.Files.ReadFile(file)
		if err != nil {
			return err
		}
		var content struct {
			Intents []struct {
				Intent   string `yaml:"intent"`
				Examples struct {
					Zh []string `yaml:"zh"`
					En []string `yaml:"en"`
				} `yaml:"examples"`
			} `yaml:"intents"`
		}
		if err := yaml.Unmarshal(raw, &content); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, one := range content.Intents {
			all = append(all, spoken{one.Intent, map[scene.Locale][]string{scene.Chinese: one.Examples.Zh, scene.English: one.Examples.En}})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b spoken) int { return strings.Compare(a.Intent, b.Intent) })
	return all, err
}

// wideNeeds deals the examples of every intent out to six trades, each told by a word
// of its own, so that there are 150 intents of some hundred examples each.
func wideNeeds(of []spoken) (def need.Definition, examples int) {
	def.Words = map[string]map[scene.Locale][]string{}
	trades := []string{"", "船", "琴", "茶", "棋", "鞋"}
	for k, trade := range trades {
		for _, s := range of {
			if len(def.Intents) == wideIntents {
				return def, examples
			}
			one := need.IntentDefinition{Label: fmt.Sprintf("%s_%d", s.Intent, k), Examples: map[scene.Locale][]string{}}
			for l, sentences := range s.Examples {
				for i := k; i < len(sentences); i += len(trades) {
					one.Examples[l] = append(one.Examples[l], sentences[i]+trade)
					examples++
				}
			}
			def.Intents = append(def.Intents, one)
		}
	}
	return def, examples
}

// wideCatalogue is a shop of 50,000 things with a name in both languages.
func wideCatalogue(r *rand.Rand) (candidate.View, error) {
	syllables := []rune("云杉白鹭青松晨光远山流水明月清风长河落日电热壶风扇台灯耳机键盘手环冰箱净化器")
	c := candidate.NewCatalogue()
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for i := range wideItems {
		name := make([]rune, 4+r.IntN(6))
		for j := range name {
			name[j] = syllables[r.IntN(len(syllables))]
		}
		body := fmt.Appendf(nil, `{"title":{"zh":%q,"en":"Thing %d"}}`, string(name), i)
		if err := c.Put("item", fmt.Sprintf("sku-%d", i), body, false, at, uint64(i+1)); err != nil {
			return nil, err
		}
	}
	return c.At(0), nil
}

// message joins what customers say until it is of the length wanted, in characters.
func message(r *rand.Rand, of []spoken, least, most int) string {
	l, join := scene.Chinese, "，"
	if r.IntN(2) == 0 {
		l, join = scene.English, ", "
	}
	for {
		said := ""
		for len([]rune(said)) < least {
			list := of[r.IntN(len(of))].Examples[l]
			if said != "" {
				said += join
			}
			said += list[r.IntN(len(list))]
			if r.IntN(3) == 0 {
				said += fmt.Sprintf(" sku-%d", r.IntN(wideItems))
			}
		}
		if len([]rune(said)) <= most {
			return said
		}
	}
}

// needs measures recognition in a large house: training, and what a message costs.
func (b *bench) needs(r *report) error {
	of, err := spokenIntents()
	if err != nil {
		return err
	}
	def, examples := wideNeeds(of)
	before := ownCPU()
	plan, _, err := need.Compile(def, nil)
	if err != nil {
		return err
	}
	trained := ownCPU() - before
	r.line(fmt.Sprintf("training, %d examples of %d intents", examples, len(def.Intents)), fmt.Sprintf("%.1f s CPU", trained.Seconds()), "<= 20 s", verdict(trained <= 20*time.Second))
	random := rand.New(rand.NewPCG(11, 13))
	shelf, err := wideCatalogue(random)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := scene.Scene{Time: time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)}
	for _, length := range []struct {
		name        string
		least, most int
		promised    time.Duration
	}{
		{"a message of up to 40 characters", 4, 40, 300 * time.Microsecond},
		{"a message of 190 to 210 characters", 190, 210, time.Millisecond},
	} {
		each := make([]time.Duration, 2000)
		for i := range each {
			words := message(random, of, length.least, length.most)
			before := threadCPU()
			plan.Recognise(need.Enquiry{Text: words}, nil, now, shelf)
			each[i] = threadCPU() - before
		}
		slices.Sort(each)
		median, p99 := each[len(each)/2], each[len(each)*99/100]
		r.line(fmt.Sprintf("%s, %d names", length.name, wideNames), fmt.Sprintf("%.2f ms CPU median", micros(median)/1000), fmt.Sprintf("<= %.1f ms", micros(length.promised)/1000), verdict(median <= length.promised))
		r.line("  its slowest hundredth", fmt.Sprintf("%.2f ms CPU p99", micros(p99)/1000), "<= 10 ms", verdict(p99 <= 10*time.Millisecond))
	}
	return nil
}
