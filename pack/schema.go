package pack

import (
	"encoding/json"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/profile"
)

// Schema is the JSON Schema (2020-12) of a file of a pack, for editors. It is what the
// reader itself asks of a value, noted down instead of read, so it says what is read.
// What it cannot say (rules, names that must exist, numbers that fit together) the
// compiler does.
func Schema() map[string]any {
	c := &content{faults: &Faults{}, sources: map[string][]string{}, traits: map[string]decision.FactType{}, classes: map[string]profile.Field{}, seen: map[string]value{}}
	c.need.Words = map[string]map[locale][]string{}
	root := &shape{}
	c.read(value{&file{faults: c.faults}, &yaml.Node{}}.described(root))
	all := root.schema()
	all["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	all["title"] = "A file of a Rapport pack"
	return all
}

// scalars is any text, written with quotes or without.
var scalars = map[string]any{"type": []string{"string", "number", "boolean"}}

// shape is what a value may be: one of the ways in which it is read.
type shape struct{ ways []map[string]any }

// MarshalJSON implements json.Marshaler.
func (s *shape) MarshalJSON() ([]byte, error) { return json.Marshal(s.schema()) }

// schema gives one way as it is, several as alternatives. What is kept for later,
// unread, is a rule or a time: a text.
func (s *shape) schema() map[string]any {
	switch len(s.ways) {
	case 0:
		return maps.Clone(scalars)
	case 1:
		return maps.Clone(s.ways[0])
	}
	return map[string]any{"anyOf": s.ways}
}

// object notes a mapping, and what each of its keys takes.
func (s *shape) object(v value, known fields, required []string) {
	properties := make(map[string]any, len(known))
	way := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		way["required"] = required
	}
	v.note(way)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		child := &shape{}
		properties[name] = child
		known[name](v.described(child))
	}
}

// described is a value that is not there, whose reading is noted in a shape; as the key
// of a mapping it is a name like any other.
func (v value) described(s *shape) value {
	return value{&file{path: v.path, faults: v.faults, shape: s}, &yaml.Node{Value: "x"}}
}

func (v value) note(way map[string]any) { v.shape.ways = append(v.shape.ways, way) }

// is tells whether a value is a node of a kind; one that is described is of every kind.
// What is neither mapping nor list counts as a scalar, so that its fault is told there.
func (v value) is(kind yaml.Kind) bool {
	if v.shape != nil {
		return true
	}
	return v.node.Kind == kind || kind == yaml.ScalarNode && v.node.Kind != yaml.MappingNode
}
