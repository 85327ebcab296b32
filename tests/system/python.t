#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Python package: python.py, in an instance.
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
trap - EXIT
cd /
rm -rf "$tmp"
exec hbatch python "$srcdir/tests/system/python.py"
