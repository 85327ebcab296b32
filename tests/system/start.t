#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# How an instance starts and ends: hbatch start, mpirun hbatch-instance, with and without a terminal.
. "${0%/*}/lib.sh"
[ -x "$builddir/bin/hbatch" ] || skip_all "$builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
unset HBATCH_URI
mpi=$(hbatch version | sed -n 's/.*(\(.*\))/\1/p')
case $mpi in
openmpi) mpirun=mpirun.openmpi n_ranks=-n ;;
mpich) mpirun=mpiexec.hydra n_ranks=-n ;;
esac
command -v "$mpirun" >/dev/null || skip_all "$mpirun is not here: install the Debian package openmpi-bin or mpich"
note "hbatch was built with $mpi"
four=(--test-nodes=4 --test-topology="core:2 pu:1")

# left: what instances of this test left behind.  They keep their files in a TMPDIR of their own.
export TMPDIR=$tmp/run
mkdir "$TMPDIR"
left() {
    ls "$TMPDIR"
    local p
    for p in $(strays); do
        case $(readlink "/proc/$p/exe") in
        */hbatch | */hbatch-* | */mpirun* | */orterun | */mpiexec* | */hydra_*) tr '\0' ' ' <"/proc/$p/cmdline" ;;
        esac
    done 2>/dev/null
}
nothing_left() { [ -z "$(left)" ]; }
nothing_stays() {
    wait_until 10 nothing_left
    is "$(left)" "" "nothing stays behind"
}

# --- exit codes --------------------------------------------------------------------------------
codes() { # COMMAND...: as the program of the instance that it starts
    local how=$1
    shift
    ok "$how: true" "$@" true
    is "$out$err" "" "$how: nothing else is printed"
    nok "$how: exit code" "$@" sh -c 'echo good; echo bad >&2; exit 7'
    is "$rc $out $err" "7 good bad" "$how: 7, and stdout and stderr are the program's alone"
    nok "$how: a signal" "$@" sh -c 'kill -9 $$'
    is $rc 137 "$how: a signal counts 128 more"
    nok "$how: a program that is not there" "$@" no-such-program
    is "$rc" 127 "$how: 127"
    like "$err" "cannot run no-such-program: No such file" "$how: it is named"
    unlike "$err" "non-zero" "$how: and nothing is explained at length"
    printf 'echo "$# arguments: $*"' >args.sh
    ok "$how: arguments" "$@" bash ./args.sh 'a b' '' '$HOME "*"'
    is "$out" '3 arguments: a b  $HOME "*"' "$how: they come as they were"
    # shellcheck disable=SC2016
    ok "$how: the environment" env SOME_VARIABLE='a;b "c"' "$@" sh -c 'pwd; echo "$SOME_VARIABLE"; env | cut -d= -f1'
    like "$out" "^$tmp"$'\n''a;b "c"'$'\n' "$how: directory and variables come along"
    unlike "$out" $'\n'"(OMPI_COMM|PMIX_|PMI_|ORTE_|HYDI_)" "$how: what a launcher left does not"
    is "$(echo typed | timeout 60 "$@" cat)" typed "$how: stdin"
    nothing_stays
}
codes "one node" hbatch start
codes "four virtual nodes" hbatch start "${four[@]}"

# --- mpirun, as a user types it ---------------------------------------------------------------
[ "$mpi" = openmpi ] && n_ranks=-N
ok "$mpirun $n_ranks 1 hbatch-instance PROGRAM" "$mpirun" $n_ranks 1 hbatch-instance hbatch run -n 2 echo hello
is "$out" $'hello\nhello' "a job ran"
nok "its exit code" "$mpirun" $n_ranks 1 hbatch-instance sh -c 'exit 5'
is $rc 5 "is mpirun's"
nok "two ranks on one node" "$mpirun" -n 2 hbatch-instance true
like "$err" "ranks 0 and 1 are both on [^ ]+: start one rank per node" "are refused"
is "$(grep -c "are both on" <<<"$err")" 1 "in one line"
ok "two virtual nodes" "$mpirun" -n 2 hbatch-instance --virtual hbatch run -N 2 sh -c 'echo $HBATCH_NODE_ID'
is "$(sort <<<"$out" | tr '\n' ' ')" "0 1 " "are two nodes"
nothing_stays

# --- a terminal ------------------------------------------------------------------------------
printf 'PS1="PROMPT> "\n' >rc
printf '#!/bin/sh\nexec bash --noprofile --rcfile "%s" -i\n' "$tmp/rc" >shell
chmod +x shell
terminal() { timeout 60 env SHELL="$tmp/shell" TERM=dumb python3 "$lib_dir/terminal.py" "$@"; }
dialog() {
    local how=$1
    shift
    terminal "$@" >shown <<'END'
PROMPT>	hbatch run -n 2 echo "on a "ter"minal"
on a terminal	\c
on a terminal	\c
PROMPT>	tty
/dev/pts/	\c
PROMPT>	sh -c 'echo sta"rt"ed; exec sleep 1000'
started	\x1a\c
Stopped	\c
PROMPT>	kill -9 %1; wait 2>/dev/null; echo con"tin"ued
continued	\c
PROMPT>	sh -c 'echo aga"i"n; exec cat'
again	typ"ed
typ"ed	\x03\c
PROMPT>	exit 6
END
    rc=$?
    is $rc 6 "$how: a shell with prompt, terminal and job control; its exit code"
    [ $rc = 6 ] || note "$(cat shown)"
}
if python3 -c 'import pty' 2>/dev/null; then
    dialog "one node" hbatch start
    if [ "$mpi" = openmpi ]; then
        dialog "mpirun -N 1 hbatch-instance" mpirun.openmpi -N 1 hbatch-instance
        dialog "two virtual nodes" hbatch start --test-nodes=2
        # a script without job control gets its terminal back
        # shellcheck disable=SC2016
        terminal bash -c 'hbatch start --test-nodes=2; echo "is over"; read -r line; echo "read: $line"' >shown <<'END'
PROMPT>	exit
is over	next
read: next	
END
        rc=$?
        is $rc 0 "after a shell on several nodes, the terminal is given back"
        [ $rc = 0 ] || note "$(cat shown)"
    fi
    nothing_stays
else
    skip "a terminal" "python3 is not here: install the Debian package python3"
fi
ok "no terminal: the shell reads its commands" bash -c 'echo "hbatch run -n 2 echo read; exit 3" | SHELL=/bin/sh hbatch start || [ $? = 3 ]'
is "$out" $'read\nread' "from stdin"
ok "no terminal, several nodes" bash -c 'echo "hbatch run -N 2 echo read; exit 3" | SHELL=/bin/sh hbatch start --test-nodes=2 || [ $? = 3 ]'
is "$out" $'read\nread' "the same"

# --- signals
files_are_left() { [ -z "$(left | grep -v '^hbatch-')" ]; }
nap=1000.$$ # other tests may run on this machine
for signal in TERM HUP KILL; do
    for nodes in 1 3; do
        HBATCH_EXEC_ORPHAN_TIMEOUT=0.5s instance_start $signal-$nodes --test-nodes=$nodes || continue
        stubborn='trap "" TERM;'
        [ $nodes$signal != 1HUP ] || stubborn= # that would take another 5 seconds
        id=$(hbatch submit -n 1 sh -c "$stubborn exec sleep $nap")
        hbatch wait-event -t 20 "$id" start >/dev/null
        kill -$signal "$instance_pid"
        wait "$instance_pid" 2>/dev/null
        isnt $? 0 "SIG$signal ends hbatch start with $nodes nodes"
        ok "and its job" wait_until 20 no_strays "^sleep $nap "
        if [ $signal = KILL ]; then # nobody was left to remove them
            wait_until 10 files_are_left
            rm -rf "$TMPDIR"/*
        fi
        nothing_stays
        unset HBATCH_URI
    done
done

# --- options
ok "--dry-run, one node" hbatch start --dry-run ./work.sh 'a b'
is "$out" "$builddir/bin/hbatch-instance ./work.sh 'a b'" "prints the command"
ok "--dry-run, four nodes" hbatch start --dry-run -s 4 --test-topology="core:2 pu:1" true
like "$out" "^$mpirun .*-n 4 .*/hbatch-instance --virtual '--topology=core:2 pu:1'( --tell-status)? true$" "mpirun's command line"
printf 'b slots=8\n# no host\na\nb\n\n' >hosts
ok "--dry-run, a host file" hbatch start --dry-run --hostfile=hosts -o "-x A -x B" true
like "$out" "^$mpirun .* b[ ,]a .*-x A -x B .*/hbatch-instance( --tell-status)? true$" "each host once, more options at the end"
# hbatch start means this machine: its command line is one that runs
ok "a dry run can be run" bash -c "$(hbatch start --dry-run "${four[@]}" hbatch resource list)"
like "$out" "free +4 +8 +0 vnode\[0-3\]" "the instance it starts"
nok "a host file that is not there" hbatch start --hostfile=none true
like "$err" "host file none: No such file" "is named"
nok "a host file without a host" hbatch start --hostfile=/dev/null true
like "$err" "/dev/null names no host" "is named"
nok "--hosts with --test-nodes" hbatch start --hosts=a -s 2 true
like "$err" "cannot be used together" "is refused"
nok "a mpirun that is not there" hbatch start --mpirun=/no/mpirun true
like "$err" "cannot run /no/mpirun: No such file" "is named"
nok "no mpirun at all" env PATH=/nonexistent "$builddir/bin/hbatch" start -s 2 true
like "$err" "found none of $mpirun" "it is said what was looked for"
nok "mpirun's own errors" hbatch start -s 2 -o --no-such-option true
like "$err" "no-such-option" "are shown"

# shellcheck disable=SC2016
ok "--uri-file" hbatch start --uri-file=uri sh -c '[ "$(cat uri)" = "$HBATCH_URI" ]; hbatch --version >/dev/null; cat uri'
like "$out" "^local:///.*/sock-0$" "has the instance's URI when the program starts"
ok "--test-topology" hbatch start --test-topology="pack:2 core:8 pu:2" hbatch resource list
like "$out" "free +1 +16 +0 " "counts the cores of a synthetic node"
ok "--test-gpus" hbatch start -s 2 --test-gpus=3 --test-topology="core:1 pu:1" hbatch resource list
like "$out" "free +2 +2 +6 " "counts GPUs"
lstopo-no-graphics --no-io -i "core:3 pu:1" saved.xml >/dev/null 2>&1
if [ -s saved.xml ]; then
    ok "--test-topology of a file" hbatch start --test-topology="$tmp/saved.xml" hbatch resource list
    like "$out" "free +1 +3 +0 " "counts its cores"
else
    skip "--test-topology of a file" "lstopo-no-graphics is not here: install the Debian package hwloc-nox"
fi
nok "a topology that is none" hbatch start --test-topology="nonsense:0" true
like "$err" "nonsense:0" "is named"
is "$(grep -c nonsense:0 <<<"$err")" 1 "once"

# An mpirun that lost a host may never end; what the instance told it is over with.
cat >endless <<'END'
#!/bin/sh
trap '' TERM
echo "hbatch-instance: ended with exit code 3" >&2
sleep 98765
sleep 98765
END
chmod +x endless
within 40 env OMPI_MCA_plm_rsh_agent=true hbatch start --hosts=a,b --mpirun="$tmp/endless" true
is "$rc|$err" "3|" "an mpirun that does not end after its ranks is not waited for"
is "$(pgrep -f "^/bin/sh $tmp/endless")" "" "and it is gone"

# More ranks than cores: mpirun would refuse by itself.
many=$(($(nproc) * 2 + 1))
[ "$many" -le 17 ] || many=17
ok "more virtual nodes than cores" env -u OMPI_MCA_rmaps_base_oversubscribe -u OMPI_ALLOW_RUN_AS_ROOT \
    -u OMPI_ALLOW_RUN_AS_ROOT_CONFIRM hbatch start -s "$many" hbatch run -N "$many" true
capture hbatch start -t 0.5s sleep 1000
is $rc 124 "--time-limit ends it, and its exit code tells"
nothing_stays
done_testing
