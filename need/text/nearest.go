package text

import "unicode/utf8"

// Nearest gives the known name that a wrong one was probably meant to be, "" when
// none is near: one edit for short names, a third of the length for long ones.
func Nearest(name string, known []string) string {
	best, found := max(1, utf8.RuneCountInString(name)/3)+1, ""
	for _, k := range known {
		if d := edits(name, k, best); d < best {
			best, found = d, k
		}
	}
	return found
}

// edits is the number of bytes to add, drop, change or swap with their neighbour
// (optimal string alignment), or limit when it is no less.
func edits(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return min(row[len(b)], limit)
}
