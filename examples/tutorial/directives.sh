#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 4: a batch job that says itself what it needs.
#     hbatch batch directives.sh [SECONDS]
#
#hbatch: -N2 -n4                       # two nodes, four slots
#hbatch: -t 10m --job-name=directives
#hbatch: --output=directives.out

date
hbatch resource list -s free
hbatch run -N2 -n4 ./mpi_hellosleep "${1:-5}"
echo 'job complete'
