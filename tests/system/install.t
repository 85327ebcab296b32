#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# alone: libraries are linked again in the build tree, where others run them
# make install and make uninstall.
. "${0%/*}/../system/lib.sh"
need make make
[ -e "$builddir/Makefile" ] || skip_all "$builddir is no build tree"
root=$tmp/root
ok "make install" make -s -C "$builddir" install DESTDIR="$root"
bin=$(dirname "$(find "$root" -path '*/bin/hbatch')")
lib=$(dirname "$(find "$root" -name libhbatch.so -o -name libhbatch.a | head -1)")
ok "the program runs" env LD_LIBRARY_PATH="$lib" "$bin/hbatch" version
is "$(cd "$bin" && ls)" "hbatch
hbatch-instance" "what is in bin/"
for what in doc/hbatch/troubleshooting man/man1/hbatch-run.1 man/man7/hbatch-environment.7; do
    ok "$what" test -s "$(dirname "$bin")/share/$what"
done
links=$(find "$root" -type l ! -exec test -e {} \; -print)
is "$links" "" "no link leads nowhere"
ok "make uninstall" make -s -C "$builddir" uninstall DESTDIR="$root"
is "$(find "$root" ! -type d)" "" "nothing is left"
done_testing
