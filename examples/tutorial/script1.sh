#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 9: submit a batch job on two nodes; its script is a here-document.  <<- would let it be indented, by tabs.
#     ./script1.sh [SECONDS]

hbatch batch --job-name=script1 -N2 -n8 <<END_OF_SCRIPT
#!/bin/sh

hbatch resource list -s free
hbatch run -N2 -n4 ./mpi_hellosleep ${1:-5} &
hbatch run -N2 -n4 ./mpi_hellosleep ${1:-5} &
until [ "\$(hbatch jobs -f running -no '{id}' | wc -l)" = 2 ]; do sleep 0.1; done
hbatch jobs
wait
echo 'job complete'
END_OF_SCRIPT
