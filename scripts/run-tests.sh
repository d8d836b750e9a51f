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
    --reporter=junit --reporter-outfile="$work/$name.xml" "$@" 2>&1 | tee "$work/$name.log"
}

# run_beside FILE: the same for one of several files; what it prints comes in one piece when it has ended.
run_beside() {
  local name result=0
  name=$(basename "$1" .test.ts)
  run "$name" 600 "$1" >"$work/$name.whole" || result=$?
  cat "$work/$name.whole"
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
  find test/cluster -name '*.test.ts' -printf './%p\n' | sort | xargs -P 3 -I{} bash -o pipefail -c 'run_beside {}' || status=$?
  echo "tests: everything else"
  mapfile -t others < <(find packages test bench scripts -name '*.test.ts' -not -path '*/node_modules/*' -not -path 'test/cluster/*' -printf './%p\n' | sort)
  run others 600 "${others[@]}" || status=$?
fi

# digest: what the tests that failed said, once more, since a long run's first lines are not always kept. It stands between the
# line of the test before and the test's own. Of a runner that was ended from outside it shows the last lines.
digest() {
  local log
  for log in "$work"/*.log; do
    if grep -q '^(fail)' "$log"; then
      echo "failed in $(basename "$log" .log):"
      awk '/^\((pass|skip)\)/ { n = 0; next } { lines[n++] = "  " $0 }
        /^\(fail\)/ { for (i = n > 60 ? n - 60 : 0; i < n; i++) print lines[i]; n = 0 }' "$log"
    elif ! grep -q '^Ran ' "$log"; then
      echo "not ended: $(basename "$log" .log)"
      tail -n 40 "$log"
    fi
  done
}

digest
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
