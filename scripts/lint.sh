#!/usr/bin/env bash
# Format, vet, staticcheck, module files in order. Each says what it does; the first fault stops.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\033[1m==> %s\033[0m\n' "$*"; }

say "gofmt"
files=$(git ls-files '*.go' | xargs -r gofmt -l)
if [ -n "$files" ]; then
  printf 'gofmt would change:\n%s\n' "$files"
  exit 1
fi

say "go mod tidy -diff"
go mod tidy -diff

say "go vet"
go vet ./...

say "staticcheck"
go tool staticcheck ./...
