#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Python module flux (hbatch env --compat=flux): what programs for Flux do with it.
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"

capture hbatch env
like "$out" "export PATH='$builddir/bin:.*export PYTHONPATH='[^']*/python" "env: what a shell is to do"
unlike "$out" "compat" "env: nothing for Flux unless asked for"
ok "env --compat=flux" hbatch env --compat=flux python3 -c 'import flux, flux.job, hbatch'
capture env -i PATH=/usr/bin:/bin "$(command -v hbatch)" env sh -c 'command -v hbatch'
is "$out" "$builddir/bin/hbatch" "env: hbatch is found"
capture hbatch env --compat=nonesuch true
like "$rc $err" "^1 .*--compat=nonesuch: " "env: an unknown system"
capture hbatch env --compat=../x true
like "$rc $err" "^1 .*--compat=../x: " "env: no name"
capture hbatch env /nonexistent
like "$rc $err" "^127 .*cannot run /nonexistent" "env: no such command"
capture env HBATCH_PYTHON=/nonexistent hbatch python -c 1
like "$rc $err" "^127 .*cannot run /nonexistent.*HBATCH_PYTHON" "python: no such Python"
capture hbatch python -c 'import sys; sys.exit(5)'
is $rc 5 "python: its exit code"
eval "$(hbatch env --compat=flux)"
timeout 100 python3 "$srcdir/tests/system/fluxpy.py" >fluxpy.out 2>fluxpy.err
rc=$?
while read -r line; do
    case $line in
    "ok "*) pass "flux: ${line#ok }" ;;
    *) fail "flux: $line" "$(cat fluxpy.err)" ;;
    esac
done <fluxpy.out
is $rc 0 "flux: the exit code of them all"
done_testing
