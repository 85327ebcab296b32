#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 3: a batch job.  What this script starts by hbatch run has the job's resources, and nothing else.
#     hbatch batch -N2 -n4 simple.sh [SECONDS]

date
hbatch run -N2 -n4 ./mpi_hellosleep "${1:-5}"
echo 'job complete'
