#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 5: what hbatch alloc runs here, on this terminal, in an instance of its own.
#     hbatch alloc -N2 -n4 ./resources.sh

# shellcheck disable=SC2016
echo "level $HBATCH_INSTANCE_LEVEL:"
hbatch resource list
echo "the instance around it:"
hbatch --parent resource list -s free
echo "a job:"
hbatch run -N2 -n2 -l sh -c 'echo on node $HBATCH_NODE_ID'
