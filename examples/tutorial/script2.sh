#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 9: the same on one node.
#     ./script2.sh [SECONDS]

hbatch batch --job-name=script2 -N1 -n8 <<END_OF_SCRIPT
#!/bin/sh

hbatch resource list -s free
hbatch run -n4 ./mpi_hellosleep ${1:-5} &
hbatch run -n4 ./mpi_hellosleep ${1:-5} &
until [ "\$(hbatch jobs -f running -no '{id}' | wc -l)" = 2 ]; do sleep 0.1; done
hbatch jobs
wait
echo 'job complete'
END_OF_SCRIPT
