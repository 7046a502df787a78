// Package demo is what the demo workspaces start with: records as any company
// would import them, through the public API, and the customers one can be on the
// demo page. A text "@-20d" or "@+30d2h" is a time that far from now, "@-2m" the middle
// of the month two months before this one.
package demo

import "embed"

// Files are the seeds (<workspace>.ndjson, <workspace>-crowd.ndjson) stories.yaml (electronics)
// and stories-<workspace>.yaml.
//
//go:embed *.ndjson stories*.yaml
var Files embed.FS
