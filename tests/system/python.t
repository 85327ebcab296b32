#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Python package: python.py, in an instance.
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
trap - EXIT
cd /
rm -rf "$tmp"
# the distribution's Python may have mpi4py, which others that are first in PATH have not
[ -z "${HBATCH_PYTHON:-}" ] && [ -x /usr/bin/python3 ] && export HBATCH_PYTHON=/usr/bin/python3
exec hbatch python "$srcdir/tests/system/python.py"
