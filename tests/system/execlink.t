#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A rank's side of its executor, by a C program that plays several ranks, one after the other (execlink.c).
. "${0%/*}/lib.sh"
[ -x "$builddir/tests/system/execlink" ] || skip_all "tests/system/execlink is not built: make check"
trap - EXIT
cd /
rm -rf "$tmp"
exec timeout 120 "$builddir/tests/system/execlink"
