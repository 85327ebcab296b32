# SPDX-License-Identifier: BSD-3-Clause
# Shell helpers of the system tests (bash). A test starts with
#
#     . "${0%/*}/../system/lib.sh"
#     inside --test-topology="core:8 pu:1"    # the rest runs in an instance (or instance_start)
#     ok 'true' "a job that succeeds" hbatch run true
#     ...
#     done_testing
#
# and writes TAP; run it with prove, or alone.  HBATCH_BUILDDIR names the build tree whose bin/
# is tested (default: build/ of the source tree, or the tree itself).
#
# Checks, each one line of TAP; the last argument is its name:
#   ok NAME COMMAND...        the command must succeed
#   nok NAME COMMAND...       ... must fail
#   is GOT WANTED NAME        equal texts
#   isnt GOT UNWANTED NAME
#   like GOT REGEX NAME       bash regular expression
#   unlike GOT REGEX NAME
#   pass NAME, fail NAME [WHY]
#   skip NAME REASON          a check that cannot be made here
#   skip_all REASON           end: the whole test cannot be run here
#   need COMMAND PACKAGE...   skip_all unless the commands (or files) exist; pairs
#   note TEXT..., done_testing
# Commands:
#   capture COMMAND...        run; afterwards $rc $out $err, and $ms, the milliseconds it took
#   within SECONDS COMMAND... the same with a limit of its own (capture: 60 s)
#   wait_until SECONDS COMMAND...  until the command succeeds: for states without an event
# Directories: $srcdir, $builddir, $tmp (removed at the end; the test's current directory)

set -u
export LC_ALL=C
unset CDPATH GREP_OPTIONS
test_file=$(readlink -f "$0")
lib_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
srcdir=$(cd "$lib_dir/../.." && pwd)
if [ -z "${HBATCH_BUILDDIR:-}" ]; then
    HBATCH_BUILDDIR=$srcdir
    [ -x "$srcdir/build/bin/hbatch" ] && HBATCH_BUILDDIR=$srcdir/build
fi
export HBATCH_BUILDDIR
builddir=$HBATCH_BUILDDIR
case ":$PATH:" in *":$builddir/bin:"*) ;; *) PATH=$builddir/bin:$PATH ;; esac
# Open MPI refuses root, and more ranks than cores, unless told otherwise.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

tests_run=0
tests_failed=0
tests_done=no
background=() # ended when the test ends

note() { printf '# %s\n' "${@//$'\n'/$'\n# '}"; }

report() { # OK|not NAME [SUFFIX]
    tests_run=$((tests_run + 1))
    [ "$1" = ok ] || tests_failed=$((tests_failed + 1))
    printf '%s %d - %s%s\n' "$([ "$1" = ok ] && echo ok || echo not ok)" "$tests_run" "${2//#/\\#}" "${3:-}"
}

pass() { report ok "$1"; }

fail() {
    report not "$1"
    [ -z "${2:-}" ] || note "$2"
}

skip() { report ok "$1" " # SKIP $2"; }

skip_all() {
    printf '1..0 # SKIP %s\n' "$*"
    tests_done=yes
    exit 0
}

need() {
    while [ $# -ge 2 ]; do
        if [ ! -e "$1" ] && ! command -v "$1" >/dev/null; then
            skip_all "$1 is not here: install the Debian package $2"
        fi
        shift 2
    done
}

done_testing() {
    printf '1..%d\n' "$tests_run"
    tests_done=yes
    [ "$tests_failed" = 0 ]
    exit
}

within() {
    local limit=$1 start=${EPOCHREALTIME/./}
    shift
    if [ "$(type -t "$1")" = function ]; then
        "$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null # has limits of its own
    else
        timeout -k 5 "$limit" "$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null
    fi
    rc=$?
    ms=$(((${EPOCHREALTIME/./} - start) / 1000))
    out=$(tr -d '\0' <"$tmp/.out")
    err=$(tr -d '\0' <"$tmp/.err")
    [ $rc = 124 ] && err="$err (killed by the test after $limit s)"
    return $rc
}

capture() { within "${HBATCH_TEST_LIMIT:-60}" "$@"; }

shown() { # what the last capture gave, cut
    note "exit status $rc after $ms ms of: $1" "stdout: ${out:0:2000}" "stderr: ${err:0:2000}"
}

ok() {
    local name=$1
    shift
    if capture "$@"; then pass "$name"; else
        fail "$name"
        shown "$*"
    fi
}

nok() {
    local name=$1
    shift
    if capture "$@" || [ $rc = 124 ]; then
        fail "$name"
        shown "$*"
    else pass "$name"; fi
}

is() {
    if [ "$1" = "$2" ]; then pass "$3"; else fail "$3" "got:    '$1'"$'\n'"wanted: '$2'"; fi
}

isnt() {
    if [ "$1" != "$2" ]; then pass "$3"; else fail "$3" "got: '$1'"; fi
}

like() {
    if [[ $1 =~ $2 ]]; then pass "$3"; else fail "$3" "got: '$1'"$'\n'"does not match: $2"; fi
}

unlike() {
    if [[ $1 =~ $2 ]]; then fail "$3" "got: '$1'"$'\n'"matches: $2"; else pass "$3"; fi
}

wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.02
    done
}

# --- instances -----------------------------------------------------------------------------------
# inside [ARGUMENTS of hbatch start]: run the rest of this test inside a new instance.
inside() {
    [ "${HBATCH_TEST_INSIDE:-}" = "$test_file" ] && return
    [ -x "$builddir/bin/hbatch" ] || {
        echo "Bail out!  $builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
        exit 1
    }
    trap - EXIT
    rm -rf "$tmp"
    cd "$srcdir" || exit 1
    exec timeout -k 10 "${HBATCH_TEST_TIMEOUT:-300}" hbatch start "$@" \
        env HBATCH_TEST_INSIDE="$test_file" HBATCH_BUILDDIR="$builddir" bash "$test_file"
}

# instance_start NAME [ARGUMENTS of hbatch start]: an instance in the background, for tests that
# end or hurt it.  Sets HBATCH_URI to its URI and instance_pid; returns when it is ready.
# instance_stop NAME ends it and sets $rc to its exit status.
declare -A instance_pids=()
instance_start() {
    local name=$1 fifo=$tmp/.$1.fifo
    shift
    mkfifo "$fifo" "$fifo.end"
    # shellcheck disable=SC2016
    hbatch start "$@" bash -c 'echo "$HBATCH_URI" >"$0"; read -r code <"$0.end"; exit "${code:-0}"' "$fifo" \
        >"$tmp/$name.out" 2>"$tmp/$name.err" &
    instance_pid=$!
    instance_pids[$name]=$instance_pid
    background+=("$instance_pid")
    # an instance that cannot start ends this wait too
    (
        env -u TEST_MARK tail --pid="$instance_pid" -f /dev/null 2>/dev/null
        [ -p "$fifo" ] && echo >"$fifo"
    ) >/dev/null 2>&1 &
    background+=("$!")
    read -r HBATCH_URI <"$fifo"
    export HBATCH_URI
    rm -f "$fifo"
    [ -n "$HBATCH_URI" ] && return
    note "the instance did not start: $(cat "$tmp/$name.err")"
    return 1
}

instance_stop() {
    local name=$1
    echo "${2:-0}" >"$tmp/.$name.fifo.end" &
    local writer=$!
    wait "${instance_pids[$name]}"
    rc=$?
    kill "$writer" 2>/dev/null
    rm -f "$tmp/.$name.fifo.end"
    return 0
}

# strays [REGEX]: ids of processes that were started by this test and are still there, whoever their
# parent is: found by a variable of their environment.  REGEX: those whose command line, with a blank after
# each word, matches it.  no_strays [REGEX]: there is none.
export TEST_MARK=$$-$RANDOM
strays() {
    local p mark=$TEST_MARK
    # one grep for all of them, which is not to find itself
    while IFS=/ read -r _ _ p _; do
        [ $# = 0 ] || [[ $(tr '\0' ' ' <"/proc/$p/cmdline") =~ $1 ]] || continue
        echo "$p"
    done 2>/dev/null < <(export -n TEST_MARK && exec grep -lzsxF "TEST_MARK=$mark" /proc/[0-9]*/environ)
    return 0
}
no_strays() { [ -z "$(strays "$@")" ]; }

at_exit() {
    local status=$?
    local p
    for p in ${background[@]+"${background[@]}"}; do kill "$p" 2>/dev/null; done
    if [ "$status" != 0 ] || [ $tests_done = no ]; then # what went wrong may have left some behind
        for p in $(strays); do kill -9 "$p" 2>/dev/null; done
    fi
    cd /
    rm -rf "$tmp"
    if [ $tests_done = no ]; then
        echo "# the test ended before it was done"
        [ $status != 0 ] || status=1
    fi
    exit $status
}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/hbatch-test.XXXXXX")
trap at_exit EXIT
trap 'exit 130' INT TERM HUP
cd "$tmp" || exit 1
