#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A short life of an instance under valgrind: neither it nor its executor nor hbatch misuses memory
# or loses any.
. "${0%/*}/../system/lib.sh"
need valgrind valgrind python3 python3
# a build with sanitizers has looked at this already, and does not run under valgrind
real=$builddir/bin/hbatch-instance
if grep -qs __asan_init "$real" "$builddir/bin/.libs/hbatch-instance"; then
    skip_all "this build has sanitizers"
fi

# Programs are found beside each other: a directory of wrappers that run the real ones.
mkdir wrapped logs
for name in hbatch hbatch-instance hbatch-exec; do
    binary=$builddir/bin/$name
    [ -x "$builddir/bin/.libs/$name" ] && binary=$builddir/bin/.libs/$name
    cp "$binary" "wrapped/$name"
done
cp "$builddir"/bin/*.so wrapped/ 2>/dev/null
cat >suppressions <<'END'
{
   libraries-that-keep-what-they-allocate
   Memcheck:Leak
   ...
   obj:*/libpmix*
}
{
   hwloc_topology_set_synthetic-of-2.9
   Memcheck:Overlap
   fun:__memcpy_chk
   obj:*/libhwloc*
}
{
   plugins-of-libraries
   Memcheck:Leak
   ...
   fun:_dl_open
}
{
   dlopen
   Memcheck:Leak
   ...
   fun:dlopen_doit
}
END
cat >script.sh <<'END'
set -e
hbatch run true
hbatch run -n 2 -l echo hello
hbatch run sh -c 'exit 3' && exit 1
hbatch run no-such-program && exit 1
hbatch run -n 99 true && exit 1
echo input | hbatch run cat
hbatch submit --quiet --wait --cc=1-20 true
id=$(hbatch submit sleep 1000)
hbatch job wait-event -q "$id" start
hbatch jobs -a >/dev/null
hbatch job info "$id" R >/dev/null
hbatch cancel "$id"
hbatch job wait "$id" && exit 1
hbatch job attach "$id" && exit 1
hbatch run -o pmi=pmix -n 2 true
hbatch run head -c 3000000 /dev/zero >/dev/null
hbatch job urgency "$(hbatch submit --urgency=0 true)" 3
hbatch resource list >/dev/null
hbatch resource drain 0 test
hbatch resource undrain 0
hbatch submit -n 2 sleep 1000 # canceled at the end
exit 5
END
# hbatch start would find its own hbatch-instance: the real one is given to valgrind
PATH=$tmp/wrapped:$PATH timeout 240 valgrind --trace-children=yes \
    --trace-children-skip='*/sh,*/bash,*/true,*/sleep,*/echo,*/cat,*/head,*/wrapped/hbatch' \
    --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --child-silent-after-fork=yes \
    --suppressions=suppressions --error-exitcode=99 --log-file="$tmp/logs/%p" \
    "$tmp/wrapped/hbatch-instance" --topology="core:4 pu:1" sh script.sh >out 2>err
is $? 5 "a script runs to its end under valgrind"
note "$(tail -5 err)"
for log in logs/*; do
    command=$(sed -n 's/.*Command: \([^ ]*\).*/\1/p' "$log" | head -1)
    summary=$(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) errors.*/\1/p' "$log" | tail -1)
    name=${command##*/}
    case $name in hbatch-*) ;; *) continue ;; esac
    is "${summary:-no summary}" 0 "$name under valgrind"
    [ "${summary:-1}" = 0 ] || note "$(head -c 6000 "$log")"
done
is "$(grep -l 'Command: .*hbatch-exec' logs/* | wc -l)" 1 "the executor ran under valgrind, too"

# a client, each of them shortly
instance_start client --test-topology="core:2 pu:1" || exit 1
for command in "run -n 2 echo x" "submit --wait --cc=1-5 true" "jobs -a" "run -n 99 true" "run --frobnicate"; do
    # shellcheck disable=SC2086
    timeout 60 valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 \
        --log-file="$tmp/client.log" "$tmp/wrapped/hbatch" $command >/dev/null 2>&1 </dev/null
    isnt $? 99 "hbatch $command under valgrind"
    [ -s client.log ] && note "$(head -c 3000 client.log)"
done
instance_stop client
done_testing
