#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What keeps an instance from starting, or is wrong with its nodes: one sentence, told once, that
# names what it is and where; and nothing stays behind.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$builddir/bin/hbatch" ] || skip_all "$builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
unset HBATCH_URI
mpi=$(hbatch version | sed -n 's/.*(\(.*\))/\1/p')
case $mpi in
openmpi) mpirun=mpirun.openmpi ;;
mpich) mpirun=mpiexec.hydra ;;
esac
command -v "$mpirun" >/dev/null || skip_all "$mpirun is not here: install the Debian package openmpi-bin or mpich"
instance=$builddir/bin/hbatch-instance
version=$(hbatch-instance --version | sed 's/.* //')
[ "$mpi" = openmpi ] && oversubscribe=--oversubscribe || oversubscribe=
# shellcheck disable=SC2086
ranks() { "$mpirun" $oversubscribe "$@"; }

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

# ours: what hbatch said, without what mpirun has to add to a rank's exit code
ours() { grep '^hbatch' <<<"$err"; }
# refused PATTERN NAME COMMAND...: it fails with one sentence of ours, that matches PATTERN
refused() {
    local pattern=$1 name=$2
    shift 2
    capture "$@"
    if [[ $rc != 0 && $rc != 124 && $(ours) =~ $pattern && $(ours | wc -l) = 1 ]]; then pass "$name"; else
        fail "$name" "wanted once: $pattern"
        shown "$*"
    fi
}
# and hbatch start has nothing to add
alone() { is "$err" "$(ours)" "that is all: $1"; }

# --- run directories -----------------------------------------------------------------------------
refused "^hbatch-instance: cannot make the run directory /proc/x: No such file or directory$" \
    "a run directory that cannot be made" hbatch-instance --rundir=/proc/x true
refused "^hbatch-instance: on vnode\[0-2\]: cannot make the run directory /proc/x: No such file" \
    "the same on three nodes" ranks -n 3 "$instance" --virtual --rundir=/proc/x true
refused "^hbatch-instance: on vnode1: cannot make the run directory /proc/x: No such file" \
    "on one of two nodes" ranks -n 1 "$instance" --virtual true : -n 1 "$instance" --virtual --rundir=/proc/x true
refused "^hbatch-instance: cannot write in the run directory /proc: .*; name another one with --rundir$" \
    "a run directory where nothing can be written" hbatch-instance --rundir=/proc true
refused "^hbatch-instance: run directory /dev/null/x|^hbatch-instance: cannot make the run directory /dev/null/x" \
    "one below a file" hbatch-instance --rundir=/dev/null/x true
long=$TMPDIR/$(printf '%0120d' 7)
refused "^hbatch-instance: .*$long" "one whose name is too long for a socket" hbatch-instance --rundir="$long" true
refused "on vnode\[0-1\]: the name of the run directory $long" "the same on two nodes" ranks -n 2 "$instance" --virtual --rundir="$long" true
rm -rf "$long"
refused "^hbatch[^:]*: cannot write in TMPDIR /proc/x: No such file or directory; set TMPDIR to a directory elsewhere$" \
    "a TMPDIR that is not there" env TMPDIR=/proc/x hbatch start true
refused "^hbatch[^:]*: cannot write in TMPDIR /proc/x: No such file" \
    "the same on several nodes" env TMPDIR=/proc/x hbatch start --test-nodes=3 true
alone "mpirun is not asked"
nothing_stays

# --- what starts ranks elsewhere -----------------------------------------------------------------
mkdir bin
for tool in env sh hostname; do ln -s "$(command -v $tool)" bin/$tool; done
# without: hbatch start among a few programs only
without() { env -i PATH="$tmp/bin" TMPDIR="$TMPDIR" TEST_MARK="$TEST_MARK" LC_ALL=C "$@"; }
refused "^hbatch start: found none of .*$mpirun.* in PATH: .*--mpirun=PATH$" \
    "no mpirun" without "$builddir/bin/hbatch" start --hosts=one,two true
slurm=(SLURM_JOB_ID=1 SLURM_JOB_NODELIST=one,two)
refused "^hbatch start: found none of .*$mpirun.* in PATH: .*or use --launcher=srun$" \
    "no mpirun in an allocation of Slurm" without "${slurm[@]}" "$builddir/bin/hbatch" start true
refused "^hbatch start: --launcher=srun: srun is not in PATH$" \
    "no srun" without "${slurm[@]}" "$builddir/bin/hbatch" start --launcher=srun true
refused "^hbatch start: cannot run /no/mpirun: No such file" \
    "an mpirun that is not there" hbatch start --mpirun=/no/mpirun --test-nodes=2 true
printf '#!/bin/sh\necho "it was run" >&2; exit 3\n' >bin/$mpirun
chmod +x bin/$mpirun
refused "^hbatch start: ssh, which starts ranks on other hosts, is not in PATH: install the Debian package openssh-client" \
    "no ssh" without "$builddir/bin/hbatch" start --hosts=one,two true
alone "no ssh"
refused "^hbatch start: srun, which starts ranks on other hosts, is not in PATH" \
    "mpirun, but no srun in an allocation of Slurm" without "${slurm[@]}" "$builddir/bin/hbatch" start true
alone "no srun"
nothing_stays

# --- versions ------------------------------------------------------------------------------------
# The same program with another version in it.
mkdir other
ln -s "$builddir/bin/hbatch-exec" "$builddir/bin/.libs" other
[ ! -e "$builddir/bin/hbatch_mpi.so" ] || ln -s "$builddir/bin/hbatch_mpi.so" other
LC_ALL=C sed "s/${version//./\\.}\x00/${version//[0-9]/7}\x00/g" "$instance" >other/hbatch-instance
chmod +x other/hbatch-instance
is "$(other/hbatch-instance --version)" "hbatch-instance ${version//[0-9]/7}" "another version"
refused "^hbatch-instance: hbatch $version on vnode\[0,2\], hbatch ${version//[0-9]/7} on vnode1: install one version on all nodes$" \
    "one of three nodes has another version" \
    ranks -n 1 "$instance" --virtual true : -n 1 "$tmp/other/hbatch-instance" --virtual true : -n 1 "$instance" --virtual true
refused "^hbatch-instance: hbatch ${version//[0-9]/7} on vnode0, hbatch $version on vnode1: install" \
    "the leader has another version" \
    ranks -n 1 "$tmp/other/hbatch-instance" --virtual true : -n 1 "$instance" --virtual true
nothing_stays

# --- hosts ---------------------------------------------------------------------------------------
refused "^hbatch-instance: ranks 0 and 1 are both on [^ ]+: start one rank per node \((mpirun -N|mpiexec -ppn) 1\), or ask for virtual nodes \(--virtual\)$" \
    "three ranks on one host" ranks -n 3 "$instance" true
refused "^hbatch-instance: ranks 0 and 1 are both on .*\(srun --ntasks-per-node=1\)" \
    "two ranks on one host, by srun" \
    ranks -n 2 bash -c 'export PMIX_RANK=${OMPI_COMM_WORLD_RANK:-$PMI_RANK} PMI_RANK=${OMPI_COMM_WORLD_RANK:-$PMI_RANK} PMI_SIZE=2
        export SLURM_STEP_NUM_TASKS=2; unset OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE MPI_LOCALNRANKS; exec "$0" true' "$instance"
nothing_stays

# --- clocks --------------------------------------------------------------------------------------
skew=$builddir/tests/system/.libs/skew.so
# with_clock SECONDS COMMAND...: in an instance of two nodes, the second of which has its clock so
# much ahead
with_clock() {
    local by=$1
    shift
    ranks -n 1 "$instance" --virtual "$@" : -n 1 env LD_PRELOAD="$skew" SKEW="$by" \
        ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$instance" --virtual "$@"
}
# shellcheck disable=SC2016
times='id=$(hbatch submit --requires=rank:1 -t 2s sleep 1000)
hbatch job wait "$id" 2>/dev/null
hbatch job eventlog "$id"'
if [ -e "$skew" ]; then
    for by in 30 -30; do
        [ $by = 30 ] && word="30\.[0-9] s ahead of|29\.[0-9] s ahead of" || word="30\.[0-9] s behind|29\.[0-9] s behind"
        ok "a clock that is $by s ahead does no harm" with_clock $by bash -c "$times"
        like "$(ours)" "^hbatch-instance: warning: the clock of vnode1 is ($word) that of vnode0: synchronize them" \
            "but is told"
        is "$(ours | wc -l)" 1 "once"
        is "$(awk '{print $1}' <<<"$out")" "$(awk '{print $1}' <<<"$out" | sort -n)" "events are in order"
        ran=$(awk '$2 == "start" {s = $1} $2 == "finish" {f = $1} END {print f - s}' <<<"$out")
        [ -n "$ran" ] && awk "BEGIN {exit !($ran > 1.5 && $ran < 4)}"
        is $? 0 "a job's time limit of 2 s holds there ($ran s)"
    done
    ok "a clock that is little off" with_clock 1 true
    is "$err" "" "is no word worth"
else
    skip "clocks that are off" "tests/system/skew.la is not built: make check"
fi
nothing_stays

# --- full disks ----------------------------------------------------------------------------------
# A small file system of its own, in a mount namespace.
full=$tmp/full
mkdir "$full"
# shellcheck disable=SC2016
on_disk() { # SIZE SCRIPT [ARGUMENTS]: with the file system as $1 and the current directory
    timeout 100 unshare -m bash -c 'mount -t tmpfs -o size="$1" tmpfs "$2" && cd "$2" || exit 99
        script=$3; shift 3; set -- "$PWD" "$@"; eval "$script"' - "$1" "$full" "$2" "${@:3}"
}
if on_disk 1m true 2>/dev/null; then
    # shellcheck disable=SC2016
    fill='head -c 100M /dev/zero >filler 2>/dev/null;'
    refused "^hbatch-instance: cannot write in the run directory $full/r: No space left on device; name another one with --rundir$" \
        "a full disk" on_disk 4m "mkdir r; $fill"' hbatch-instance --rundir="$1/r" true'
    refused "^hbatch-instance: cannot make the run directory $full/r: No space left|^hbatch-instance: cannot write in the run directory $full/r: No space left" \
        "a full disk on which the directory has to be made" on_disk 4m "$fill"' hbatch-instance --rundir="$1/r" true'
    refused "^hbatch-instance: the disk of the run directory $full/r is full: [0-9]+ KiB are free, [0-9]+ are needed; free some, or name another one with --rundir$" \
        "little room" on_disk 4m "$fill"' truncate -s -300K filler; hbatch-instance --rundir="$1/r" true'
    refused "^hbatch-instance: on vnode\[0-1\]: the disk of the run directory $full/r is full: [0-9]+ KiB are free" \
        "little room on two nodes" on_disk 4m "$fill"' truncate -s -300K filler
            "$2" $3 -n 2 "$4" --virtual --rundir="$1/r" true' "$mpirun" "$oversubscribe" "$instance"
    refused "^hbatch[^:]*: cannot write in TMPDIR $full: No space left on device; set TMPDIR" \
        "TMPDIR is full" env TMPDIR="$full" bash -c "$(declare -f on_disk); full=$full; on_disk 4m '$fill hbatch start true'"
    refused "^hbatch-instance: cannot write in the run directory $full/r: Read-only file system" \
        "a disk that is only to be read" on_disk 4m 'mkdir r; mount -o remount,ro "$1"; cd /; hbatch-instance --rundir="$1/r" true'

    # and one that gets full while jobs run
    cat >jobs.sh <<'END'
hbatch run head -c 30M /dev/zero | wc -c >&3
echo "${PIPESTATUS[0]}" >&3
timeout 20 hbatch run true && echo "no output: good" >&3
hbatch run head -c 1M /dev/zero 2>&1 >/dev/null | grep -o "output of the job could not be written.*" >&3
head -c 100M /dev/zero >filler 2>/dev/null
timeout 20 hbatch submit --wait true 2>&1 >/dev/null | grep -o "hbatch submit: the job was not accepted: store" >&3
timeout 20 hbatch submit true 2>&1 >/dev/null | grep -o "hbatch submit: nothing is accepted at the moment: store" >&3
rm filler
i=0 # it is not tried for each submission
until timeout 20 hbatch run true 2>/dev/null; do [ $((i += 1)) -lt 200 ] || break; done
[ "$i" -lt 200 ] && echo "goes on" >&3
rm ballast
timeout 20 hbatch run echo hello >&3
END
    # shellcheck disable=SC2016
    capture on_disk 10m 'exec 3>"$2"; head -c 2M /dev/zero >ballast; hbatch-instance --rundir="$1/r" bash "$3"; cd /' "$tmp/log" "$tmp/jobs.sh"
    is "$rc" 0 "a disk that gets full"
    is "$(sed 1d log)" "143
no output: good
output of the job could not be written (spool): No space left on device
hbatch submit: the job was not accepted: store
hbatch submit: nothing is accepted at the moment: store
goes on
hello" "jobs with output fail for that reason, others run; when there is room, all do"
    like "$err" "output of the job could not be written \(spool\): No space left" "the job with much output is told"
    is "$(grep -c "^hbatch-instance: store .*cannot write to it: database or disk is full; free space" <<<"$err")" 1 "the store tells once that it cannot be written"
    is "$(grep -c "the store takes changes again" <<<"$err")" 1 "and that it can"
else
    skip "full disks" "mounting a file system needs root"
fi
nothing_stays
done_testing
