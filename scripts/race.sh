#!/usr/bin/env bash
# Go tests with the race detector. Most of their time went into classifiers that are
# trained anew: sums over millions of numbers, each of which the detector watches, five
# to ten times as slow. So need/classify is watched in its own tests, and compiled
# without the detector in everybody else's. What synchronises is the standard library's
# and watched there: that code around it races is still seen.
set -euo pipefail
cd "$(dirname "$0")/.."
slow=$(go list ./need/classify)
# vet is part of the lint, which reads every package with more analysers.
go test -race -vet=off -timeout 45m "$slow"
go list ./... | grep -vxF "$slow" | xargs go test -race -vet=off -timeout 45m -gcflags="$slow=-race=false"
