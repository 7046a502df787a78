#!/usr/bin/env bash
# Go tests with the race detector. It watches each number that is read, so that most of the
# time went where nothing is shared: into training classifiers anew, and into reading YAML
# (a test of the packs: 19 s of CPU with the parser watched, 4 s without). So the parser is
# compiled without it, and need/classify is watched in its own tests alone. What
# synchronises is the standard library's and watched there: code around the two that races
# is still seen.
set -euo pipefail
cd "$(dirname "$0")/.."
classifier=$(go list ./need/classify)
# vet is part of the lint, which reads every package with more analysers.
go test -race -vet=off -timeout 45m "$classifier"
go list ./... | grep -vxF "$classifier" |
  xargs go test -race -vet=off -timeout 45m -gcflags="$classifier=-race=false" -gcflags=go.yaml.in/yaml/v3=-race=false
