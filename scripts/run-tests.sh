#!/usr/bin/env bash
# Runs every test once, or those of the paths given, and ends with one plain line: N passed, N failed.
#
# The embedded cluster's tests mostly wait (for pods, probes, roll-outs), so three of their files run at a time; they bear a busy
# machine. The others, some of which look at times, come afterwards and alone.
set -uo pipefail
cd "$(dirname "$0")/.."
LANES=3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# run NAME SECONDS FILE...: a report and a log named so. A test that hangs fails by its own timeout; the outer one catches a runner that hangs.
run() {
  local name=$1 seconds=$2
  shift 2
  timeout --kill-after=20 "$seconds" node_modules/.bin/bun test --timeout 60000 \
    --reporter=junit --reporter-outfile="$work/$name.xml" "$@"
}

# attribute FILE NAME: the figure that a report's first element has by that name
attribute() { grep -o '<testsuites [^>]*' "$1" | grep -o " $2=\"[0-9]*\"" | grep -o '[0-9]*'; }

lane() {
  local result=0 files
  mapfile -t files <"$work/lane-$1"
  ((${#files[@]} == 0)) || run "lane-$1" 600 "${files[@]}" >"$work/lane-$1.log" 2>&1 || result=$?
  return "$result"
}

if (($# > 0)); then
  run given 840 "$@" || status=$?
else
  mapfile -t cluster < <(find test/cluster -name '*.test.ts' -printf './%p\n' | sort)
  mapfile -t others < <(find packages test bench scripts -name '*.test.ts' -not -path '*/node_modules/*' -not -path 'test/cluster/*' -printf './%p\n' | sort)
  for ((i = 0; i < LANES; i++)); do : >"$work/lane-$i"; done
  for ((i = 0; i < ${#cluster[@]}; i++)); do echo "${cluster[i]}" >>"$work/lane-$((i % LANES))"; done
  echo "tests: ${#cluster[@]} files of the embedded cluster, $LANES at a time"
  pids=()
  for ((i = 0; i < LANES; i++)); do lane "$i" & pids+=($!); done
  for ((i = 0; i < LANES; i++)); do
    wait "${pids[i]}" || status=$?
    cat "$work/lane-$i.log"
  done
  echo "tests: ${#others[@]} other files"
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
