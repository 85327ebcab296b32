#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The bench runs, and its JSON has all the figures. What the numbers are isn't checked here.
. "${0%/*}/../system/lib.sh"
need /usr/bin/python3 python3
bench=$srcdir/tests/bench/bench.py
timeit=$builddir/tests/bench/timeit
spawnloop=$builddir/tests/bench/spawnloop
for program in "$timeit" "$spawnloop" "$builddir/tests/bench/bench_sched"; do
    [ -x "$program" ] || skip_all "$program is not there: it is built by make"
done

# json EXPRESSION: of the object d on stdin
json() { /usr/bin/python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# --- timeit
ok "timeit" "$timeit" -r 5 -w 1 true ::: sleep 0.02
is "$(json "d['rounds'], len(d['commands'])" <<<"$out")" "(5, 2)" "it tells of both commands"
is "$(json "all(c['min'] <= c['p10'] <= c['median'] <= c['p90'] <= c['max'] for c in d['commands'])" <<<"$out")" \
    True "its quantiles are in order"
is "$(json "0.02 <= d['commands'][1]['min'] and d['commands'][1]['failures'] == 0" <<<"$out")" True \
    "a sleep takes as long as it should"
nok "a command that fails" "$timeit" -r 3 -w 0 true ::: sh -c 'exit 3'
is "$(json "[c['failures'] for c in d['commands']]" <<<"$out")" "[0, 3]" "is told from one that does not"
within 20 "$timeit" -r 1 -w 0 -t 0.1 sleep 60
is "$(json "d['commands'][0]['status'] & 127" <<<"$out")" 9 "one that takes too long is killed"
nok "a program that isn't there" "$timeit" -r 1 no-such-program
like "$err" "cannot run no-such-program" "is named"
for bad in "" "-r 0 true" ":::" "true :::" "-x true"; do
    # shellcheck disable=SC2086
    nok "timeit $bad" "$timeit" $bad
    like "$err" "usage:" "timeit $bad: tells how to use it"
done

# --- spawnloop
ok "spawnloop" "$spawnloop" 20 3 true
is "$(json "d['jobs'], d['width'], d['failed']" <<<"$out")" "(20, 3, 0)" "it tells what it ran"
nok "spawnloop, a command that fails" "$spawnloop" 4 2 false
is "$(json "d['failed']" <<<"$out")" 4 "and how often"
nok "spawnloop without arguments" "$spawnloop"

# --- the driver
ok "bench --list" "$bench" --list
names=$(awk '{print $1}' <<<"$out")
within 360 "$bench" --quick --costs --builddir="$builddir" --json="$tmp/bench.json"
is "$rc" 0 "bench --quick: nothing failed"
[ "$rc" = 0 ] || shown "$bench"
ok "it writes JSON" /usr/bin/python3 -m json.tool "$tmp/bench.json"
is "$(json "'\n'.join(f['figure'] for f in d['figures'])" <"$tmp/bench.json")" "$names" \
    "with all figures, in order"
while read -r name skipped sound; do
    if [ "$skipped" = True ]; then skip "$name" "not here"; else
        is "$sound" True "$name: has a value, a unit, and yardsticks with ratios"
    fi
done < <(json "'\n'.join('%s %s %s' % (f['figure'], 'skipped' in f, f.get('value', -1) > -1e6 and
    f.get('unit') in ('us', 'ms', 's', '/s', '%', 'KB', 'B', 'messages') and all(y['value'] > 0 and y['ratio'] > 0
    for y in f.get('yardsticks', []))) for f in d['figures'])" <"$tmp/bench.json")
is "$(json "all('costs' in f for f in d['figures'] if f['figure'].split('.')[0] in ('run', 'burst')
    and 'skipped' not in f)" <"$tmp/bench.json")" True "jobs: it tells what they cost"
is "$(json "sum('target' in x for f in d['figures'] for x in [f] + f.get('yardsticks', [])) == d['targets'] > 0" \
    <"$tmp/bench.json")" True "targets are counted"

is "$(json "next(f['value'] > 0 for f in d['figures'] if f['figure'] == 'memory.store')" <"$tmp/bench.json")" True \
    "finished jobs take room in the store"
ok "one figure" "$bench" --quick --builddir="$builddir" --json="$tmp/one.json" sched.placements
is "$(json "[f['figure'] for f in d['figures']]" <"$tmp/one.json")" "['sched.placements']" "is all there is"
nok "a figure that doesn't exist" "$bench" --builddir="$builddir" run.fast
like "$err" "run.fast: no such figure; there are run.true" "is named, with those that do"
nok "a build tree that isn't one" "$bench" --builddir="$tmp"
like "$err" "bin/hbatch is not there: build first" "says what to do"
nok "no rounds" "$bench" --builddir="$builddir" --rounds=0
done_testing
