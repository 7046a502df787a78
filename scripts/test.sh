#!/usr/bin/env bash
# Every check and every test, from a bare clone. Needs Go and Node; installs the
# rest from the package registries, or says exactly what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
started=$(date +%s)

say "what this needs"
scripts/need.sh go node npm chromium postgres

say "lint: gofmt, modules, vet, staticcheck"
scripts/lint.sh

say "front end: install, types, unit tests, committed build in sync, budgets"
scripts/web.sh

say "build: the shipped classifiers, bin/rapport"
make -s build

say "Go: unit, house, pack, conformance tests, with the race detector; both stores"
RAPPORT_REQUIRE_POSTGRES=1 RAPPORT_REQUIRE_NODE=1 scripts/race.sh

say "browser: console, demo page and widget in Chromium"
scripts/browser.sh

say "done in $(($(date +%s) - started)) s"
