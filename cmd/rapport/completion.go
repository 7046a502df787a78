package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script made from the command line's own model, so that it cannot
// lag behind it.
func (c completionCommand) Run(con *console) error {
	words := map[string][]string{}
	collect(con.parser.Model.Node, "", words)
	paths := sortedKeys(words)
	switch c.Shell {
	case "fish":
		for _, path := range paths {
			for _, w := range words[path] {
				if path == "" {
					fmt.Fprintf(con.out, "complete -c rapport -n __fish_use_subcommand -f -a %q\n", w)
				} else {
					fmt.Fprintf(con.out, "complete -c rapport -n '__fish_seen_subcommand_from %s' -f -a %q\n", lastWord(path), w)
				}
			}
		}
	case "zsh":
		fmt.Fprintln(con.out, "#compdef rapport\nautoload -U +X bashcompinit && bashcompinit")
		fallthrough
	case "bash":
		fmt.Fprintln(con.out, "_rapport() {\n  local path=\"\" w\n  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do case \"$w\" in -*) ;; *) path=\"${path:+$path }$w\" ;; esac; done\n  local words=\"\"\n  case \"$path\" in")
		for _, path := range slices.Backward(paths) {
			fmt.Fprintf(con.out, "    %q*) words=%q ;;\n", path, strings.Join(words[path], " "))
		}
		fmt.Fprintln(con.out, "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _rapport rapport")
	}
	return nil
}

// collect lists, for every command path, the sub-commands and flags that may follow.
func collect(n *kong.Node, path string, into map[string][]string) {
	var words []string
	for _, child := range n.Children {
		words = append(words, child.Name)
		collect(child, strings.TrimSpace(path+" "+child.Name), into)
	}
	for _, f := range n.Flags {
		words = append(words, "--"+f.Name)
	}
	into[path] = words
}

func lastWord(path string) string { return path[strings.LastIndexByte(path, ' ')+1:] }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
