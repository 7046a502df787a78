#!/usr/bin/env bash
# Benchmarks. Each line is CPU time a unit and a ratio to a bare loop measured in the same run; wall times are noise.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -trimpath -o bin/rapport ./cmd/rapport
exec go run ./bench "$@"
