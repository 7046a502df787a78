#!/usr/bin/env bash
# need.sh PROGRAM…: finds each program, installs it from Debian's packages when
# this is a Debian and we may, else names what is missing and stops.
set -euo pipefail

package_of() {
  case "$1" in
    chromium) echo "chromium fonts-noto-cjk" ;;
    psql | postgres) echo postgresql ;;
    wrk) echo wrk ;;
    *) echo "$1" ;;
  esac
}

present() {
  case "$1" in
    chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    postgres) command -v postgres || ls /usr/lib/postgresql/*/bin/postgres ;; # Debian keeps servers off the PATH
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi
}

updated=
for program in "$@"; do
  if present "$program"; then
    printf '    %-9s %s\n' "$program" "found"
    continue
  fi
  case "$program" in
    go) echo "Go 1.26 is missing: https://go.dev/dl" >&2; exit 1 ;;
    node | npm) echo "Node.js 20 or newer with npm is missing: https://nodejs.org" >&2; exit 1 ;;
  esac
  packages=$(package_of "$program")
  printf '    %-9s installing Debian packages: %s\n' "$program" "$packages"
  if [ -z "$updated" ]; then
    as_root apt-get update -qq >/dev/null || { echo "$program is missing: install Debian package(s) $packages" >&2; exit 1; }
    updated=1
  fi
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq $packages >/dev/null ||
    { echo "$program is missing and could not be installed: Debian package(s) $packages" >&2; exit 1; }
done
