#!/usr/bin/env bash
# The front end's checks: types, unit tests, budgets, and that the committed build is what the sources give.
set -euo pipefail
cd "$(dirname "$0")/../web"
npm ci --no-audit --no-fund --loglevel=error
npm run check
npm test
before=$(git ls-files -s dist | sha256sum)
npm run build
if [ -n "$(git status --porcelain -- dist)" ]; then
  git status --short -- dist
  echo "the committed web build is not what the sources give: run 'make web' and commit web/dist" >&2
  exit 1
fi
echo "committed web build in sync (${before:0:12})"
npm run budget
