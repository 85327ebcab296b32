#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Files to all nodes: hbatch archive.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin
need tar tar
inside --test-nodes=3 --test-topology="core:2 pu:1"

refused() { # PART COMMAND...
    local part=$1
    shift
    capture "$@"
    if [ $rc != 0 ] && [[ $err == *"$part"* ]]; then pass "refused: $*"; else
        fail "refused: $*" "wanted: $part"
        shown "$*"
    fi
}
same() { diff -r data "$1/data"; }

mkdir -p data/sub
head -c 3000000 /dev/urandom >data/big
echo small >data/sub/small
ln -s sub/small data/link
chmod 750 data/sub/small
truncate -s 20M data/sparse
ok "create" hbatch archive create data
is "$(hbatch archive list | sort)" $'data/\ndata/big\ndata/link\ndata/sparse\ndata/sub/\ndata/sub/small' "list"
is "$(hbatch archive list '*small')" "data/sub/small" "... what matches"
like "$(hbatch archive list -l '*/small')" "-rwxr-x---.* 6 .*data/sub/small" "... in long form"
is "$(hbatch archive list -n all)" "main" "the archives"

# the ranks' own copies
dir=$(hbatch getattr rundir)
size=$(stat -c %s "$dir/archive-0-main")
ok "all ranks have it" wait_until 20 sh -c "cmp $dir/archive-0-main $dir/archive-1-main && cmp $dir/archive-0-main $dir/archive-2-main"
ok "it is sparse" test "$size" -lt 10000000
mkdir out
ok "extract" hbatch archive extract -C out
ok "... all of it" same out
is "$(readlink out/data/link) $(stat -c %a out/data/sub/small)" "sub/small 750" "... links and modes, too"
refused "File exists" hbatch archive extract -C out
ok "... but with --overwrite" hbatch archive extract -C out --overwrite
rm -r out && mkdir out
ok "a part of it" hbatch archive extract -C out '*/small'
is "$(cd out && find . -type f)" "./data/sub/small" "... no more"
is "$(hbatch archive extract -t '*big')" "data/big" "--list-only"
hbatch exec sh -c 'mkdir there-$HBATCH_TASK_RANK && hbatch archive extract -C there-$HBATCH_TASK_RANK' </dev/null
on_all() { same there-0 && same there-1 && same there-2; }
ok "on all nodes" on_all
mv "$dir/archive-1-main" elsewhere
rm -r there-1
ok "a rank that has it not asks the leader" hbatch exec -r 1 sh -c 'mkdir there-1 && hbatch archive extract -C there-1'
ok "... for all of it" same there-1
mv elsewhere "$dir/archive-1-main"

# names, more of it, less of it
refused "there is an archive 'main' already" hbatch archive create data/sub
ok "another name" hbatch archive create -n other -C data sub
is "$(hbatch archive list -n other)" $'sub/\nsub/small' "--directory"
echo more >more
ok "append" hbatch archive create -n other --append more
is "$(hbatch archive list -n other | tail -1)" "more" "... comes after"
ok "overwrite" hbatch archive create -n other --overwrite more
is "$(hbatch archive list -n other)" "more" "... comes instead"
ok "append to none" hbatch archive create -n third --append more
ok "remove" hbatch archive remove -n third
refused "there is no archive 'third'" hbatch archive remove -n third
ok "... --force" hbatch archive remove -n third -f
refused "there is no archive 'third'" hbatch archive extract -n third
hbatch archive extract -n late --waitcreate -C out &
late=$!
hbatch archive create -n late more
wait $late
is $? 0 "--waitcreate"
is "$(cat out/more)" "more" "... gets it"
refused "within the time given" hbatch archive extract -n never --waitcreate=0.1
like "$(hbatch archive create -v -n v more 2>&1)" "^more$" "--verbose"

# what is wrong
refused "no/such" hbatch archive create -n bad no/such
refused "is not an archive's name" hbatch archive create -n 'a/b' more
refused "is not an archive's name" hbatch archive remove -n ../x
refused "exclude each other" hbatch archive create --append --overwrite more
refused "which files" hbatch archive create
refused "did you mean 'extract'" hbatch archive extrac
is "$(hbatch archive list -n all | sort | tr '\n' ' ')" "late main other v " "what failed is not there"
is "$(find "$dir" -name '*part-*')" "" "... in no form"
raw() { python3 "$lib_dir/raw.py" "$@"; }
like "$(raw '{"jsonrpc":"2.0","id":1,"method":"archive.put","params":{"key":"ab","at":5,"data":"QUJD"}}')" "bytes from 0 on are missing" "a gap"
like "$(raw '{"jsonrpc":"2.0","id":1,"method":"archive.put","params":{"key":"../x","at":0,"data":"QUJD"}}')" "is not the key of a transfer" "a key that is a path"
like "$(raw '{"jsonrpc":"2.0","id":1,"method":"archive.put","params":{"key":"ab","at":0,"data":"?"}}')" '"error"' "no base64"
like "$(raw '{"jsonrpc":"2.0","id":1,"method":"archive.end","params":{"key":"cd","name":"x"}}')" "cannot make" "a transfer that never began"
like "$(raw '{"jsonrpc":"2.0","id":1,"method":"archive.read","params":{"name":"../store.sqlite"}}')" "is not an archive's name" "no other file can be read"
put='{"jsonrpc":"2.0","id":1,"method":"archive.put","params":{"key":"ab","at":0,"data":"QUJD"}}'
like "$(raw "$put" '{"jsonrpc":"2.0","id":2,"method":"archive.end","params":{"key":"ab","name":"odd","at":3,"data":"QUJD"}}')" \
    "\"id\": 1, \"result.*\"id\": 2, \"result" "a piece, and an end that looks like one"
ok "... is an end, for all ranks" wait_until 20 sh -c "cmp $dir/archive-0-odd $dir/archive-1-odd && cmp $dir/archive-0-odd $dir/archive-2-odd"
like "$(raw "${put/ab/dead}")" "result" "a client that goes away in the middle"
no_parts() { [ -z "$(find "$dir" -name '*part-*')" ]; }
ok "... what it has sent is dropped, on all ranks" wait_until 20 no_parts
head -c 100000000 /dev/zero >large
hbatch archive create -n large large &
client=$!
has_part() { [ "$(find "$dir" -name '*part-*' | wc -l)" = 3 ]; }
wait_until 20 has_part
kill -KILL $client
wait $client 2>/dev/null
ok "... and of a client that is killed" wait_until 20 no_parts
ok "the instance goes on" hbatch run true
done_testing
