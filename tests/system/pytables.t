#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Python packages hbatch and flux, by tables: all that waits when the instance is killed, all methods with bad
# arguments, all that is public with its documentation, and how programs end (pytables.py).
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
trap - EXIT
cd /
rm -rf "$tmp"
eval "$(hbatch env --compat=flux)"
exec python3 "$srcdir/tests/system/pytables.py" "$srcdir/man/hbatch-python.3"
