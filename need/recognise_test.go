package need_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

var update = flag.Bool("update", false, "rewrite the expected needs in testdata")

var now = time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)

type bilingual struct {
	Zh []string `yaml:"zh"`
	En []string `yaml:"en"`
}

func (b bilingual) byLocale() map[scene.Locale][]string {
	return map[scene.Locale][]string{scene.Chinese: b.Zh, scene.English: b.En}
}

type kindFile struct {
	ID       string    `yaml:"id"`
	Parent   string    `yaml:"parent"`
	Danger   bool      `yaml:"danger"`
	Implied  bool      `yaml:"implied"`
	Aliases  []string  `yaml:"aliases"`
	Cues     bilingual `yaml:"cues"`
	Examples bilingual `yaml:"examples"`
}

// definition reads what the base and the electronics pack say about needs. The
// room pack does this for a publish, with all its checks; here the bare content
// is enough.
func definition() (need.Definition, error) {
	def := need.Definition{Words: map[string]map[scene.Locale][]string{}}
	err := fs.WalkDir(packs.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		raw, err := packs.Files.ReadFile(path)
		if err != nil {
			return err
		}
		var file struct {
			Intents []struct {
				Intent   string    `yaml:"intent"`
				Examples bilingual `yaml:"examples"`
			} `yaml:"intents"`
			Subintents []kindFile           `yaml:"subintents"`
			Symptoms   []kindFile           `yaml:"symptoms"`
			Lexicon    map[string]bilingual `yaml:"lexicon"`
		}
		var which map[string]yaml.Node
		if err := yaml.Unmarshal(raw, &which); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(which["intents"].Content)+len(which["subintents"].Content)+len(which["symptoms"].Content)+len(which["lexicon"].Content) == 0 {
			return nil
		}
		if err := yaml.Unmarshal(raw, &file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, i := range file.Intents {
			def.Intents = append(def.Intents, need.IntentDefinition{Label: i.Intent, Examples: i.Examples.byLocale()})
		}
		for _, k := range append(file.Subintents, file.Symptoms...) {
			def.Subintents = append(def.Subintents, need.SubintentDefinition{ID: k.ID, Parent: k.Parent, Danger: k.Danger, Implied: k.Implied, Aliases: k.Aliases, Cues: k.Cues.byLocale(), Examples: k.Examples.byLocale()})
		}
		for class, words := range file.Lexicon {
			def.Words[class] = words.byLocale()
		}
		return nil
	})
	slices.SortFunc(def.Intents, func(a, b need.IntentDefinition) int { return strings.Compare(a.Label, b.Label) })
	return def, err
}

var compiled = sync.OnceValues(func() (*need.Plan, error) {
	def, err := definition()
	if err != nil {
		return nil, err
	}
	p, _, err := need.Compile(def, nil)
	return p, err
})

func plan(t testing.TB) *need.Plan {
	t.Helper()
	p, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shelf is a small catalogue: names in plain form.
type shelf map[string]need.Entity

func (s shelf) Find(runes []rune) (found []need.Entity) {
	letter := func(i int) bool { return i >= 0 && i < len(runes) && text.Letter(runes[i]) }
	for i := 0; i < len(runes); {
		longest := 0
		var e need.Entity
		for name, item := range s {
			n := []rune(name)
			if len(n) > longest && i+len(n) <= len(runes) && slices.Equal(runes[i:i+len(n)], n) && !(letter(i) && letter(i-1)) && !(letter(i+len(n)-1) && letter(i+len(n))) {
				longest, e = len(n), item
				e.Span = need.Span{i, i + len(n)}
				e.Text = name
			}
		}
		if longest > 0 {
			found = append(found, e)
			i += longest
			continue
		}
		i++
	}
	return found
}

// Titles are the names of a thing.
func (s shelf) Titles(id string) (titles []string) {
	for name, e := range s {
		if e.ID == id && e.Type != "category" {
			titles = append(titles, name)
		}
	}
	return titles
}

func aShelf(entries ...string) shelf {
	s := shelf{}
	for _, entry := range entries {
		kind, rest, _ := strings.Cut(entry, ":")
		id, names, _ := strings.Cut(rest, "=")
		for _, name := range strings.Split(names, "|") {
			s[text.Plain(name)] = need.Entity{Type: kind, ID: id}
		}
	}
	return s
}

var goods = aShelf("product:A=A|A款", "product:B=B|B款", "product:P9=晨光P9|dawn p9|P9手机|p9 phone", "product:P9C=晨光P9保护壳|p9 case", "product:V3=云雀V3|lark v3", "product:V5=云雀V5|lark v5|v5|云雀V5笔记本", "product:H2=H2耳机|h2 headphones", "product:K1=K1电饭煲|k1 rice cooker",
	"category:phone=手机|phone", "category:laptop=笔记本|laptop", "category:vacuum=扫地机|扫地机器人|robot vacuum", "category:earphone=耳机|headphones|earbuds", "category:cooker=电饭煲|rice cooker", "category:washer=洗衣机|washing machine", "category:lamp=台灯|desk lamp")

// person builds the profiles that test files name.
func person(name string) *profile.Profile {
	p := &profile.Profile{Records: map[evidence.Kind]map[string]*profile.Record{}, Traits: map[string]profile.Trait{}}
	put := func(kind evidence.Kind, id string, fields map[string]any) {
		if p.Records[kind] == nil {
			p.Records[kind] = map[string]*profile.Record{}
		}
		p.Records[kind][id] = &profile.Record{Kind: kind, ID: id, Fields: fields}
		if at, ok := p.Records[kind][id].Time("bought"); ok {
			p.Records[kind][id].CreatedAt = at.Add(9 * time.Hour)
		}
	}
	switch name {
	case "mei": // one phone, one order on its way
		put(evidence.Asset, "SN-77001", map[string]any{"product_id": "P9"})
		put(evidence.Order, "#W1002", map[string]any{"status": "shipped"})
	case "lena": // one laptop, bought with it a bag
		put(evidence.Asset, "SN-9", map[string]any{"product_id": "V5"})
		put(evidence.Order, "#W3001", map[string]any{"status": "delivered", "lines": []any{map[string]any{"product_id": "V5"}}})
	case "tom": // two devices, two orders, one of them delivered
		put(evidence.Asset, "SN-1", map[string]any{"product_id": "P9"})
		put(evidence.Asset, "SN-2", map[string]any{"product_id": "V3"})
		put(evidence.Order, "#W2001", map[string]any{"status": "delivered", "bought": "2026-05-20"})
		put(evidence.Order, "#W2002", map[string]any{"status": "shipped", "bought": "2026-05-31"})
		put(evidence.Case, "C-55", map[string]any{"status": "open"})
	}
	return p
}

// describe prints needs as a test file shows them.
func describe(r need.Recognition) string {
	var b strings.Builder
	if len(r.Needs) == 0 {
		b.WriteString("nothing\n")
	}
	for _, n := range r.Needs {
		fmt.Fprintf(&b, "%s %s %s", n.ID, n.Origin, orDash(n.Intent))
		if n.Sub() != "" {
			fmt.Fprintf(&b, "/%s", n.Sub())
		}
		if n.Span != nil {
			fmt.Fprintf(&b, " [%d,%d) %q", n.Span[0], n.Span[1], n.Text)
		}
		if n.Danger {
			b.WriteString(" DANGER")
		}
		if n.Unowned {
			b.WriteString(" UNOWNED")
		}
		if n.Negated {
			b.WriteString(" negated")
		}
		if n.Status != "" {
			fmt.Fprintf(&b, " %s", n.Status)
		}
		b.WriteByte('\n')
		for _, e := range n.Entities {
			fmt.Fprintf(&b, "   %s %q [%d,%d)", e.Type, e.Text, e.Span[0], e.Span[1])
			if e.ID != "" && e.Type != "symptom" {
				fmt.Fprintf(&b, " is %s", e.ID)
			}
			if e.Value != nil {
				fmt.Fprintf(&b, " = %+v", e.Value)
			}
			b.WriteByte('\n')
		}
		if len(n.RefersTo) > 0 {
			fmt.Fprintf(&b, "   refers to %s\n", strings.Join(n.RefersTo, ", "))
		}
		if c := n.Condition; c != nil {
			fmt.Fprintf(&b, "   if %q of %s", c.Text, orDash(c.Need))
			if c.Failing {
				b.WriteString(" fails")
			}
			b.WriteByte('\n')
		}
		if len(n.Constraints) > 0 {
			fmt.Fprintf(&b, "   within %s\n", strings.Join(quoted(n.Constraints), ", "))
		}
		for _, x := range n.Readings {
			fmt.Fprintf(&b, "   or %s\n", x.Intent)
		}
	}
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func quoted(all []string) (out []string) {
	for _, s := range all {
		out = append(out, strconv.Quote(s))
	}
	return out
}

// packsNow names the state of the packs, by which the expectations were printed.
func packsNow(t *testing.T) string {
	h := sha256.New()
	err := fs.WalkDir(packs.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := packs.Files.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n", path, len(raw))
		h.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x\n", h.Sum(nil)[:8])
}

// TestEnquiries reads testdata/*.txt: an enquiry, the lines before it, and below
// "->" the needs that the system found. -update rewrites them; read the diff.
// What is found depends on the sentences of the packs as well: who edits a pack
// runs -update. Until then nine of ten expectations must still hold.
func TestEnquiries(t *testing.T) {
	t.Parallel()
	const stamp = "testdata/packs"
	printed, _ := os.ReadFile(stamp)
	same := string(printed) == packsNow(t)
	if *update {
		if err := os.WriteFile(stamp, []byte(packsNow(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no test files:", err)
	}
	p := plan(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			all, changed := 0, 0
			for i, part := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n\n") {
				if i > 0 {
					out.WriteString("\n\n")
				}
				asked, expected, _ := strings.Cut(part, "\n->\n")
				if strings.HasPrefix(part, "# ") && !strings.Contains(part, "\n") {
					out.WriteString(part)
					continue
				}
				got := strings.TrimRight(describe(recognise(p, asked)), "\n")
				all++
				if got != expected && !*update {
					changed++
					say := t.Errorf
					if !same {
						say = t.Logf
					}
					say("%s\ngot\n%s\nwanted\n%s", asked, got, expected)
				}
				fmt.Fprintf(&out, "%s\n->\n%s", asked, got)
			}
			out.WriteByte('\n')
			if !same && changed*10 > all+9 {
				t.Errorf("the packs have changed, and %d of %d expectations with them: run with -update and read the diff", changed, all)
			}
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// recognise asks what a test file says: "who: NAME", "user: …" and "agent: …" are
// the lines before; the last line is the enquiry.
func recognise(p *need.Plan, asked string) need.Recognition {
	var e need.Enquiry
	who := person("")
	for line := range strings.SplitSeq(asked, "\n") {
		switch {
		case strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "who: "):
			who = person(strings.TrimPrefix(line, "who: "))
		case strings.HasPrefix(line, "user: "), strings.HasPrefix(line, "agent: "):
			role, words, _ := strings.Cut(line, ": ")
			e.Messages = append(e.Messages, need.Turn{Role: role, Text: words})
		default:
			e.Text = line
		}
	}
	return p.Recognise(e, who, scene.Scene{Time: now}, goods)
}
