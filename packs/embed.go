// Package packs carries the industry packs inside the binary, as files and as nothing else: sentences that train the classifier, words, symptoms, rules. The room pack reads them when a strategy is published; serving never does.
package packs

import "embed"

// Files holds every pack, one folder each (base, and the industries on top of it). Paths are slash-separated and start with the pack's name.
//
//go:embed all:base all:electronics all:retail all:banking all:education all:logistics
var Files embed.FS
