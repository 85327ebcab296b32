#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 12: batch jobs that depend on others.  The results are collected if all parts have been computed, and what failed is
# told of if not.
#     ./dependent.sh [PARTS]

after=
for part in $(seq "${1:-3}"); do
    id=$(hbatch batch -n1 --job-name="part$part" --output="part$part.out" --wrap "hbatch run sh -c 'sleep 0.2; echo result of part $part'")
    after="$after --dependency=afterok:$id"
done
# shellcheck disable=SC2086
all=$(hbatch batch -n1 $after --job-name=collect --output=collect.out --wrap 'cat part*.out')
hbatch batch --quiet -n1 --dependency="afternotok:$all" --job-name=mourn --output=mourn.out --wrap 'echo something went wrong'
hbatch jobs -o '{id.f58plain:>10} {name:<10.10} {state:<8.8} {contextual_info}' >dependent.lst
hbatch job wait "$all" && cat collect.out
