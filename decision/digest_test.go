package decision

import (
	"reflect"
	"testing"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
)

func oneOfEach() Decision {
	chance, half := Chance{"repair", map[string]string{"device": "d1"}, .5}, .5
	title := candidate.Text{Zh: "维修", En: "Repair"}
	terms := []candidate.Term{{Name: "value", Value: .25, Evidence: []evidence.Ref{"order:1"}}}
	return Decision{
		Chosen: []Chosen{{
			Action: "repair", Nature: Right, Need: "n1", Group: map[string]string{"device": "d1"}, Treatment: "t", Title: title, Body: title,
			Score: 1, Terms: terms, Parts: terms, Propensity: &half, Probability: 1, Position: 1, Reasons: []Reason{{title, []evidence.Ref{"order:1"}}},
			Serves: []string{"n2"}, Prefilled: map[string]any{"serial": "s1"}, Shown: map[string]candidate.Text{"serial": title}, Form: []Field{{Name: "serial", Label: title, From: "device.serial", Optional: true}}, Missing: []string{"address"},
			Learn: &Learnable{Offer: propensity.Offer{Parent: "sale", Action: "repair", Treatment: "t"}, Prior: -1, Context: propensity.Context{{Feature: "scene.channel", Bin: "web"}}},
		}},
		Rejected: []Rejected{{
			Action: "voucher", Nature: Goodwill, Title: title, Need: "n1", Group: map[string]string{"device": "d1"}, Stage: Suitability, Rule: "r1",
			Reason: title, Missing: []string{"age"}, Evidence: []evidence.Ref{"order:1"}, Score: .5, Terms: terms,
		}},
		Draw: Draw{Seed: 7, Probabilities: []Chance{chance}, Positions: []DrawPosition{{Position: 1, Chances: []Chance{chance}, Taken: "repair"}}},
	}
}

// leaves calls change once for every place of v that holds a plain value, with
// that place changed, and puts it back.
func leaves(v reflect.Value, name string, change func(place string)) {
	set := func(to any) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		v.Set(reflect.ValueOf(to).Convert(v.Type()))
		change(name)
		v.Set(was)
	}
	switch v.Kind() {
	case reflect.String:
		set(v.String() + "x")
	case reflect.Float64:
		set(v.Float() + 1)
	case reflect.Int:
		set(v.Int() + 1)
	case reflect.Uint64:
		set(v.Uint() + 1)
	case reflect.Bool:
		set(!v.Bool())
	case reflect.Map:
		one := reflect.MakeMap(v.Type())
		one.SetMapIndex(reflect.ValueOf("other"), reflect.Zero(v.Type().Elem()))
		set(one.Interface())
	case reflect.Pointer:
		set(reflect.Zero(v.Type()).Interface())
		leaves(v.Elem(), name, change)
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), name+"."+v.Type().Field(i).Name, change)
		}
	case reflect.Slice:
		set(v.Slice(0, 0).Interface())
		for i := range v.Len() {
			leaves(v.Index(i), name, change)
		}
	}
}

func TestWhateverChangesInADecisionChangesItsDigest(t *testing.T) {
	t.Parallel()
	d := oneOfEach()
	digest, places := d.Digest(), 0
	for _, part := range []any{&d.Chosen, &d.Rejected, &d.Draw} {
		leaves(reflect.ValueOf(part).Elem(), reflect.TypeOf(part).Elem().String(), func(place string) {
			places++
			if d.Digest() == digest {
				t.Errorf("%s may change unseen", place)
			}
		})
	}
	if again := oneOfEach(); again.Digest() != digest {
		t.Error("the same decision has two digests")
	}
	if places < 60 {
		t.Errorf("only %d places were tried", places)
	}
}

func BenchmarkDecisionDigest(b *testing.B) {
	d := oneOfEach()
	b.ReportAllocs()
	for b.Loop() {
		d.Digest()
	}
}
