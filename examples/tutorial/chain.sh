#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 11: chained jobs: each submits the next one, not into itself, but to the instance that it is a job of.
#     hbatch batch chain.sh [STEPS]
#
#hbatch: -n2 --job-name=chain --output=chain.{{id}}.out

steps=${1:-3}
echo "$steps steps left"
hbatch run -n2 true || exit            # what fails ends the chain
[ "$steps" -gt 1 ] && hbatch --parent batch chain.sh $((steps - 1))
exit 0
