#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 10: a batch job that submits batch jobs, which run on parts of what it has itself.  A script must wait for them: the
# instance ends with it.
#     hbatch batch nested.sh [SECONDS]
#
#hbatch: -N2 -n8 --output=nested.out

./script1.sh "${1:-5}"                 # all eight cores
./script2.sh "${1:-5}" || echo "script2.sh wants eight cores on one node, and this instance has four"
hbatch batch --output=inner.out -n2 <<'INNER'
#!/bin/sh
hbatch run -n2 echo "inner job at level $HBATCH_INSTANCE_LEVEL"
hbatch batch --wait --quiet --output=innermost.out -n1 <<'INNERMOST'
#!/bin/sh
hbatch run echo "innermost job at level $HBATCH_INSTANCE_LEVEL"
INNERMOST
INNER
hbatch job wait --all
hbatch jobs -a
