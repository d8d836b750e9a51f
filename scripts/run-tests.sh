#!/usr/bin/env bash
# Runs every test once and ends with one plain line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")/.."
report=$(mktemp)
trap 'rm -f "$report"' EXIT
# A test that hangs fails by its own timeout; this outer limit catches a runner that hangs.
timeout --kill-after=20 840 node_modules/.bin/bun test --timeout 60000 --reporter=junit --reporter-outfile="$report" "$@"
status=$?
if [[ -s $report ]]; then
  total=$(grep -o '<testsuites [^>]*' "$report" | grep -o ' tests="[0-9]*"' | grep -o '[0-9]*')
  failed=$(grep -o '<testsuites [^>]*' "$report" | grep -o ' failures="[0-9]*"' | grep -o '[0-9]*')
fi
total=${total:-0} failed=${failed:-0}
if ((status != 0 && failed == 0)); then
  echo "the test runner ended with status $status" >&2
  failed=1
fi
echo "$((total > failed ? total - failed : 0)) passed, $failed failed"
exit "$status"
