// Package web is the built front end: console, demo page and chat widget, as files
// under stable names. The sources stand beside it; `make web` builds them into
// dist, which is committed, so that Go alone builds the product. A test notices
// when dist is older than its sources. Package console (internal/console) serves it.
package web

import "embed"

// Dist holds dist/widget.js, dist/demo and dist/console.
//
//go:embed dist
var Dist embed.FS
