package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// print writes a value as indented JSON.
func (c *console) print(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// show writes a report: as JSON where that is asked for, else as it tells itself.
func (c *console) show(report fmt.Stringer) error {
	if c.json {
		return c.print(report)
	}
	_, err := fmt.Fprintln(c.out, report)
	return err
}

func (c *console) say(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// yamlFile reads a configuration file: the flags' names, nested by command or not.
//
//	addr: 0.0.0.0:8080
//	serve:
//	  data: /var/lib/rapport
func yamlFile(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && err != io.EOF {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return kong.ResolverFunc(func(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
		at := values
		if parent != nil && parent.Command != nil {
			for _, name := range strings.Fields(parent.Command.Path()) {
				if nested, ok := at[name].(map[string]any); ok {
					at = nested
				}
			}
			if v, ok := at[flag.Name]; ok {
				return scalar(v), nil
			}
		}
		if v, ok := values[flag.Name]; ok {
			return scalar(v), nil
		}
		return nil, nil
	}), nil
}

// scalar gives kong the text it parses flags from.
func scalar(v any) any {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = fmt.Sprint(x)
		}
		return strings.Join(parts, ",")
	case bool:
		return v
	default:
		return fmt.Sprint(v)
	}
}
