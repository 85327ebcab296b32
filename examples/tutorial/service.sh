#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Chapters 6 and 13: an instance that others use: it is started in the background, given jobs from outside, watched, made
# larger and smaller while it works, and shut down.
#     ./service.sh
set -eu

id=$(hbatch alloc --bg -N1 -x --job-name=service)
say() { printf '\n$ %s\n' "$*" | sed "s/$id/ID/g"; "$@"; }

say hbatch proxy "$id" hbatch submit --quiet --cc=1-3 --job-name=work sleep 1000
# by its URI, a client need not be told where to go each time
export INNER
INNER=$(hbatch uri "$id")
HBATCH_URI=$INNER hbatch job wait-event -q last start
say hbatch pstree
say hbatch jobs -R -o '{name:<10} {status_abbrev:>2} {ntasks:>6} {nnodes:>6}'
say hbatch --uri="$id" resource list
say hbatch resource grow --quiet "$id" -N1
say hbatch --uri="$id" resource list
say hbatch resource shrink --quiet "$id" -N1
say hbatch --uri="$id" resource list
say hbatch top --once "$id" >top.out
say hbatch proxy "$id" hbatch cancel --all
say hbatch proxy "$id" hbatch shutdown
hbatch job wait "$id"
