#!/usr/bin/env bash
# Types, lint, format, typed lint, unused code, import arrows. Prints each step; stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=node_modules/.bin
step() { echo "check: $1"; shift; "$@"; }
step types "$bin/tsc" -b
step lint "$bin/biome" check --error-on-warnings .
step "typed lint" "$bin/oxlint" --type-aware --deny-warnings
step "unused code" "$bin/knip"
step "import arrows" "$bin/bun" test --timeout 60000 ./test/tidy
echo "check: clean"
