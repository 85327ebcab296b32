#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 10: three levels deep: the same script in an instance in an instance, each on fewer cores.
#     hbatch batch -n4 --output=levels.out levels.sh [SECONDS]

level=$HBATCH_INSTANCE_LEVEL
echo "level $level: $(hbatch resource list -s free -no '{ncores}') cores"
if [ "$level" -lt 3 ]; then
    hbatch batch --wait --quiet --output="levels$level.out" -n $((4 - level)) levels.sh "$@"
    cat "levels$level.out"
else
    id=$(hbatch submit -n2 sleep "${1:-1}")
    hbatch job wait-event -q "$id" start
    hbatch --root pstree
    hbatch job wait "$id"
fi
