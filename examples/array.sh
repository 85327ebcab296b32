#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A workflow of many small jobs, run inside an instance:
#
#     hbatch start examples/array.sh [N]
#
# N jobs as one array.  Each counts the prime numbers in its part of the range and writes one line to its
# own file; some fail at the first try, as jobs do.  Those are submitted again, and at the end
# the results are added up.
set -eu
n=${1:-20}
width=1000
: "${HBATCH_URI:?this runs inside an instance: hbatch start $0}"
work=$(mktemp -d "${TMPDIR:-/tmp}/hbatch-array.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# What one job does. HBATCH_JOB_CC tells which part is its own.
cat >part.sh <<'END'
i=$HBATCH_JOB_CC
if [ $((i % 7)) = 3 ] && [ ! -e tried.$i ]; then # something goes wrong
    touch tried.$i
    echo "part $i: out of luck" >&2
    exit 1
fi
awk -v from=$(((i - 1) * WIDTH + 1)) -v to=$((i * WIDTH)) 'BEGIN {
    for (p = from < 2 ? 2 : from; p <= to; p++) {
        for (d = 2; d * d <= p && p % d; d++);
        n += d * d > p
    }
    print n + 0
}'
END

submit() { # IDSET: one message, one job for each id; returns when all have ended
    hbatch submit --cc="$1" --quiet --wait --job-name=primes --env=WIDTH=$width \
        --output='part.{{cc}}' --error='error.{{cc}}' sh part.sh
}

todo=1-$n
for try in 1 2 3; do
    if submit "$todo"; then
        todo=
        break
    fi
    todo=$(hbatch jobs --filter=failed --name=primes -c 0 -no '{cc}' | sort -nu |
        while read -r i; do [ -s "part.$i" ] || echo "$i"; done | paste -sd ,)
    echo "try $try: failed: $todo"
done
[ -z "$todo" ] || exit 1

cat part.* | awk -v top=$((n * width)) '{sum += $1} END {print sum " prime numbers up to " top}'
hbatch jobs --stats-only || true # no job is active: exit code 1
