package link

import (
	"strings"
	"unicode"
)

// Describe says of columns how their values are to be compared, by what stands in
// them: digits or words, few different values or many. Two columns of names, or two
// lines of an address, are also compared crosswise; that they are such the column's
// name tells.
func Describe(names []string, records []Record) []Field {
	fields := make([]Field, len(names))
	for f, name := range names {
		fields[f] = Field{Name: name, Kind: Words}
		letters, digits, stated := 0, 0, 0
		different := map[string]bool{}
		at := 0
		for i := range records {
			v := records[i].Values[f]
			if v == "" {
				continue
			}
			stated++
			different[v] = true
			for _, r := range v {
				switch {
				case unicode.IsDigit(r):
					digits++
				case unicode.IsLetter(r):
					letters++
				case r == '@':
					at++
				}
			}
		}
		switch {
		case at*2 > stated:
			fields[f].Kind = Exact
		case digits > 4*letters:
			fields[f].Kind = Digits
		case stated >= 200 && len(different)*20 < stated && len(different) <= 100:
			fields[f].Kind = Choice
		case strings.Contains(name, "name"):
			fields[f].Swap = "name"
		case strings.Contains(name, "address"):
			fields[f].Swap = "address"
		}
	}
	for f := range fields { // crosswise is between two
		group := 0
		for g := range fields {
			if fields[g].Swap == fields[f].Swap {
				group++
			}
		}
		if group != 2 {
			fields[f].Swap = ""
		}
	}
	return fields
}
