#!/usr/bin/env bash
# Console, demo page and widget in real Chromium against a server of their own on a free port.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh node npm chromium
[ -d web/node_modules ] || (cd web && npm ci --no-audit --no-fund --loglevel=error)
make -s build
cd web && npm run browser
