#!/usr/bin/env bash
# Runs every test once, or those of the paths given, and ends with one plain line: N passed, N failed.
#
# The embedded cluster's tests mostly wait (for pods, probes, roll-outs), so three of their files run at a time; they bear a busy
# machine. The others, some of which look at times, come afterwards and alone.
set -uo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# run NAME SECONDS FILE...: with a report of that name. A test that hangs fails by its own timeout; the outer one catches a
# runner that hangs.
run() {
  local name=$1 seconds=$2
  shift 2
  timeout --kill-after=20 "$seconds" node_modules/.bin/bun test --timeout 60000 \
    --reporter=junit --reporter-outfile="$work/$name.xml" "$@"
}

# run_beside FILE: the same for one of several files; what it prints comes in one piece when it has ended.
run_beside() {
  local name result=0
  name=$(basename "$1" .test.ts)
  run "$name" 400 "$1" >"$work/$name.log" 2>&1 || result=$?
  cat "$work/$name.log"
  return "$result"
}

# attribute FILE NAME: the figure that a report's first element has by that name
attribute() { grep -o '<testsuites [^>]*' "$1" | grep -o " $2=\"[0-9]*\"" | grep -o '[0-9]*'; }

if (($# > 0)); then
  run given 840 "$@" || status=$?
else
  export work
  export -f run run_beside
  echo "tests: the embedded cluster, three files at a time"
  find test/cluster -name '*.test.ts' -printf './%p\n' | sort | xargs -P 3 -I{} bash -c 'run_beside {}' || status=$?
  echo "tests: everything else"
  mapfile -t others < <(find packages test bench scripts -name '*.test.ts' -not -path '*/node_modules/*' -not -path 'test/cluster/*' -printf './%p\n' | sort)
  run others 600 "${others[@]}" || status=$?
fi

passed=0 failed=0
for report in "$work"/*.xml; do
  [[ -s $report ]] || continue
  total=$(attribute "$report" tests) wrong=$(attribute "$report" failures)
  passed=$((passed + ${total:-0} - ${wrong:-0})) failed=$((failed + ${wrong:-0}))
done
if ((status != 0 && failed == 0)); then
  echo "the test runner ended with status $status" >&2
  failed=1
fi
echo "$passed passed, $failed failed"
exit "$status"
