#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The client library: what it exports, and its thread rules, by a C program with threads (libthreads.c), natively and
# under helgrind.
. "${0%/*}/lib.sh"
program=$builddir/tests/system/libthreads
library=$builddir/src/lib/.libs/libhbatch.so
[ -x "$program" ] || skip_all "tests/system/libthreads is not built: make check"
inside --test-topology="core:4 pu:1"

declared() { grep -o '^[^*/ ].*' "$srcdir/src/lib/hbatch.h" | grep -o 'hbatch_[a-z_]*(' | tr -d '(' | sort -u; }
is "$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep '^hbatch_' | sed 's/@@HBATCH_0.1$//' | sort)" "$(declared)" \
    "the library exports what the header declares, with a version"
is "$(sed -n 's/^ *\(hbatch_[a-z_]*\);$/\1/p' "$srcdir/src/lib/libhbatch.map" | sort)" "$(declared)" "each by its name in the map"
for name in $(declared); do
    grep -q "$name" "$srcdir/man/libhbatch.3" || echo "$name"
done >missing
is "$(cat missing)" "" "and libhbatch(3) has them"

ok "8 threads, a connection each" timeout 100 "$program" 8 10
if ! command -v valgrind >/dev/null || nm -D "$library" | grep -q __asan_init; then
    skip "under helgrind" "valgrind is not here, or the build has sanitizers"
    done_testing
    exit
fi
binary=$program
[ -x "${program%/*}/.libs/libthreads" ] && binary=${program%/*}/.libs/libthreads
ok "no thread touches what is another's: helgrind" env LD_LIBRARY_PATH="${library%/*}" timeout 200 \
    valgrind -q --tool=helgrind --error-exitcode=9 "$binary" 3 2
done_testing
