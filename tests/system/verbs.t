#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What else there is to ask and to tell: hbatch jobs' selections and formats, pgrep, pkill, hostlist,
# multi-prog, and verbs of hbatch job for all jobs.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin
inside --test-nodes=3 --test-topology="core:2 pu:1"
export XDG_CONFIG_HOME=$tmp/config XDG_CONFIG_DIRS=$tmp/etc:$tmp/other
unset HBATCH_JOBS_FORMAT_DEFAULT NO_COLOR

ids() { hbatch jobs -no '{name}' "$@" | tr '\n' ' '; }
refused() { # PART COMMAND...
    local part=$1
    shift
    capture "$@"
    if [ $rc = 1 ] && [[ $err == *"$part"* && $err != *$'\n'* ]]; then pass "refused: $*"; else
        fail "refused: $*" "wanted: $part"
        shown "$*"
    fi
}

# --- which jobs ------------------------------------------------------------------------------------
hbatch run --job-name=first --requires=rank:0 true </dev/null
hbatch run --job-name=second --requires=rank:1 false </dev/null
hbatch run --job-name=both -N2 --requires=rank:0-1 true </dev/null
long=$(hbatch submit --job-name=long --requires=rank:2 sleep 300)
hbatch job wait-event -q "$long" start
held=$(hbatch submit --job-name=held --urgency=hold true)
is "$(ids)" "held long " "active jobs"
is "$(ids -A)" "held long " "-A is no -a"
is "$(ids -a)" "held long both second first " "-a"
is "$(ids -a -i 1)" "both second " "--include=RANKS"
is "$(ids -a --include='vnode[0,2]')" "long both first " "--include=HOSTS"
is "$(ids -a -i 1 -c 1)" "both " "... and --count"
is "$(ids -a -u "$(id -u)")" "held long both second first " "--user by number"
is "$(ids -a -u all -f running,failed)" "long second " "--filter by state and result"
is "$(ids -a --user=65533)" "" "another user has none"
is "$(ids -a --since='1 hour ago' | wc -w)" 5 "--since"
refused "--since=tomorrow: must be" hbatch jobs --since=tomorrow
refused "there is no such user" hbatch jobs -u nobody-at-all
refused "--include=a b: must be ranks" hbatch jobs -i 'a b'

# --- formats ---------------------------------------------------------------------------------------
is "$(hbatch jobs -no '{status_emoji}|{result_emoji}|{exception.occurred}' -f failed)" ":'-(|:'-(|False" "faces without UTF-8"
is "$(LC_ALL=C.UTF-8 hbatch jobs -no '{status_emoji}|{state_emoji}' -f failed)" "💩|💀" "... and with it"
is "$(hbatch jobs -o '{t_priority!D} {t_sched!D}' -f failed | sed -n 1p)" "T_PRIORITY T_SCHED" "headings"
is "$(hbatch jobs -no '{sched.reason_pending}|{annotations.sched.reason_pending}' "$held")" "held (urgency 0)|held (urgency 0)" "why it waits"
is "$(hbatch jobs -o '{annotations.sched} {user.a.b}' "$held")" $'ANNOTATIONS.SCHED USER.A.B\n{"reason_pending":"held (urgency 0)"} ' "objects of annotations"
is "$(hbatch jobs -n -w10 -o '{name:<8}{id.dec}' -f failed | wc -c)" 11 "--width"
is "$(hbatch jobs -n --color -o '{name}' -a | head -4 | tail -2 | cat -v)" $'^[[01;32mboth^[[0m\n^[[01;31msecond^[[0m' "--color"
is "$(hbatch jobs -n -o '{name}' -f failed | cat -v)" "second" "no color where there is no terminal"
refused "--color=blue" hbatch jobs --color=blue
refused "--format: there is no field 'nam' (is it 'name'?) at character 7: '{id} {>>nam<<}'" hbatch jobs -o '{id} {nam}'
refused "--sort: there is no field 'x'" hbatch jobs --sort=id,x
mkdir -p config/hbatch etc/hbatch other/hbatch
echo '{"formats":{"mine":{"format":"{name}!","description":"my own"}}}' >config/hbatch/jobs.json
echo '{"formats":{"mine":{"format":"system"},"theirs":{"format":"<{name}>"}}}' >etc/hbatch/jobs.json
echo '{"formats":{"theirs":{"format":"less"}}}' >other/hbatch/jobs.json
is "$(hbatch jobs -no mine -f failed) $(hbatch jobs -no theirs -f failed)" "second! <second>" "formats of files"
is "$(HBATCH_JOBS_FORMAT_DEFAULT=mine hbatch jobs -n -f failed)" "second!" "HBATCH_JOBS_FORMAT_DEFAULT"
like "$(hbatch jobs -o help)" "mine +my own" "they are listed"
hbatch jobs -o get-config=mine >>config/hbatch/jobs.toml
sed -i s/mine/again/ config/hbatch/jobs.toml
is "$(hbatch jobs -no again -f failed)" "second!" "get-config, as a file in TOML"
cat >config/hbatch/jobs.toml <<'END'
[formats.lines]
description = "of several lines"
format = """\
{name} \
{result} # no comment\
"""
END
is "$(hbatch jobs -no lines -f failed)" "second FAILED # no comment" "a format over several lines"
rm config/hbatch/jobs.toml
echo '{"formats":{"long":{"format":"{name}"}}}' >config/hbatch/jobs.json
refused "format 'long' is one of hbatch" hbatch jobs -o theirs
echo '{"formats":' >config/hbatch/jobs.json
refused "config/hbatch/jobs.json" hbatch jobs -o theirs
ok "... which is not read for nothing" hbatch jobs

# what a format needs is all that is asked for
raw() { python3 "$lib_dir/raw.py" "$@"; }
is "$(raw '{"jsonrpc":"2.0","id":1,"method":"job.list","params":{"ids":['"$(hbatch job id "$held")"'],"keys":["name","nonsense"]}}' | grep -o '"jobs":.*' | tr -d ' ')" \
    '"jobs":[{"id":'"$(hbatch job id "$held")"',"name":"held","state":"SCHED"}],"more":false}}' "job.list tells the keys that are asked for"
like "$(raw '{"jsonrpc":"2.0","id":1,"method":"job.list","params":{"keys":3}}')" "keys must be an array" "... of an array of them"
all=$(hbatch jobs -a --json)
for field in id name urgency priority state state_single ntasks ncores nnodes duration status status_abbrev result result_abbrev success returncode \
    waitstatus ranks nodelist t_submit t_run t_inactive t_remaining exception.occurred contextual_info inactive_reason username cwd dependencies; do
    one=$(hbatch jobs -ano "{$field}")
    [ "$one" = "$(hbatch jobs -ano "{$field}|{uri}{instance.stats}{cwd}" | sed 's/|[^|]*$//')" ] || missing+=" $field"
done
is "${missing:-}" "" "each field is the same alone and with all others"

# --- pgrep and pkill -------------------------------------------------------------------------------
is "$(hbatch pgrep -a -o '{name}' -n '^(first|both)$' | tr '\n' ' ')" "both first " "pgrep"
is "$(hbatch pgrep lon)" "$long" "pgrep prints ids"
is "$(hbatch pgrep "$long..$held" | wc -l)" 2 "a range of ids"
is "$(hbatch pgrep he "$long..$held")" "$held" "... and a pattern"
capture hbatch pgrep nothing-like-this
is "$rc|$out|$err" "1||" "no job matches"
refused "is not a regular expression" hbatch pgrep '('
refused "one pattern only" hbatch pgrep a b
refused "which jobs?" hbatch pkill
ok "pkill" hbatch pkill -w lon
is "$(hbatch jobs -no '{result}' "$long")" "CANCELED" "it was canceled"

# --- all jobs --------------------------------------------------------------------------------------
a=$(hbatch submit sh -c 'trap "exit 7" USR1; touch a; while :; do sleep 0.1; done')
ok "a job that waits for a signal" wait_until 20 test -e a
capture hbatch job killall -s USR1
is "$rc|$err" "1|hbatch job killall: this would signal 1 job: confirm with --force" "killall asks first"
ok "killall" hbatch job killall -f -s USR1
capture hbatch job status "$a"
is "$rc" 7 "the job had the signal"
capture hbatch job raiseall -S pending test
like "$err" "would raise an exception in 1 job" "raiseall asks first"
ok "raiseall" hbatch job raiseall -f -s 3 test for a reason
is "$(hbatch jobs -no '{exception.type} {exception.severity} {exception.note}' "$held")" "test 3 for a reason" "... of all jobs"
ok "raise --message" hbatch job raise --severity=2 --type=test --message="another one" "$held"
is "$(hbatch jobs -no '{exception.severity} {exception.note}' "$held")" "2 another one" "the worst one is shown"
refused "not both" hbatch job raise -m one "$held" two
ok "memo" hbatch job memo "$held" step=3 'what="a word"' more='{"x":[1]}'
is "$(hbatch jobs -no '{user.step} {user.what} {user.more.x}' "$held")" "3 a word [1]" "it is shown"
like "$(hbatch job eventlog "$held")" "memo.*step" "... and in the log"
ok "a memo is taken away" hbatch job memo "$held" step=null
is "$(hbatch jobs -no '{user.step}|{user.what}' "$held")" "|a word" "it is"
refused "must be KEY=VALUE" hbatch job memo "$held" what

capture hbatch job cancelall -S sched
is "$rc|$err" "1|hbatch job cancelall: this would cancel 1 job: confirm with --force" "cancelall asks first"
ok "cancelall" hbatch job cancelall -f -S sched enough of it
like "$(hbatch jobs -no '{inactive_reason}' "$held")" "Canceled: enough of it" "... and says why"
ok "... of none" hbatch job cancelall --force --quiet

# --- hostpids --------------------------------------------------------------------------------------
three=$(hbatch submit -N3 -n4 sh -c 'echo $HBATCH_TASK_RANK:$$ >>pids; sleep 300 & wait')
hostpids=$(hbatch job hostpids "$three")
wait_until 20 sh -c '[ $(wc -l <pids) = 4 ]'
is "$(tr ',' '\n' <<<"$hostpids" | sed 's/.*://' | tr '\n' ' ')" "$(sort -n pids | sed 's/.*://' | tr '\n' ' ')" "hostpids, by task"
like "$hostpids" "^$(hostname):[0-9]+,$(hostname):[0-9]+," "... with their hosts"
is "$(hbatch job hostpids -r 1,3 -d' ' "$three" | sed 's/[^ ]*://g')" "$(sort -n pids | sed -n 's/^[13]://p' | tr '\n' ' ' | sed 's/ $//')" "... of some"
is "$(hbatch job timeleft "$three")" 4294967295 "timeleft without a limit"
hbatch cancel "$three"
hbatch job wait "$three" 2>/dev/null
refused "the job is over" hbatch job hostpids "$three"
is "$(hbatch job timeleft "$three")" 0 "timeleft of a job that is over"
is "$(env -u HBATCH_JOB_ID hbatch job timeleft -H)" inf "... of the instance"
like "$(hbatch job eventlog -L "$three" | head -1 | cat -v)" "^\^\[\[32m[0-9.]+\^\[\[0m \^\[\[33msubmit" "eventlog --color"
waits=$(hbatch submit --urgency=hold true)
refused "did not run within the time given" hbatch job hostpids -t 0.1 "$waits"
hbatch cancel "$waits"

# --- dmesg -----------------------------------------------------------------------------------------
hbatch resource drain 2 fan
like "$(hbatch dmesg | tail -1)" "^20[0-9-]+T[0-9:.]+Z instance\.info\[0\]: .*vnode2.* is drained: fan$" "dmesg"
like "$(hbatch dmesg -H | tail -1)" "^\[(.....  *[0-9:]+| *\+[0-9.]+)\] instance\.info" "dmesg --human"
timeout 20 hbatch dmesg -n >followed &
follower=$!
hbatch resource drain 1 first # until it looks, it may not see what comes
wait_until 10 sh -c 'hbatch resource undrain 1; hbatch resource drain 1 again; grep -q again followed'
hbatch resource undrain 1
hbatch resource undrain 2
ok "dmesg --new tells what comes" wait_until 10 grep -q "not drained any more" followed
kill $follower
wait $follower 2>/dev/null
is "$(grep -c fan followed)" 0 "... and not what was"
like "$(hbatch dmesg -c)" "fan" "dmesg --read-clear"
is "$(hbatch dmesg)" "" "... clears"
refused "unexpected argument 'x'" hbatch dmesg x

# --- hostlist --------------------------------------------------------------------------------------
hosts() { hbatch hostlist "$@" </dev/null; }
is "$(hosts instance)" "vnode[0-2]" "of the instance"
both=$(hbatch pgrep -a both)
is "$(hosts "$both")" "vnode[0-1]" "of a job"
is "$(hosts -x 0 "$both")|$(hosts -x vnode1 "$both")" "vnode1|vnode0" "--exclude"
is "$(hosts -e "$both")|$(hosts -ed, "$both")|$(hosts -ed'\n' "$both")" $'vnode0 vnode1|vnode0,vnode1|vnode0\nvnode1' "--expand"
hbatch resource drain 1 test
is "$(hosts avail)|$(hosts -c avail)" "vnode[0,2]|2" "available ones"
hbatch resource undrain 1
is "$(hosts 'n[1-3]' n2)|$(hosts -u 'n[1-3]' n2)|$(hosts -S n3 n1)" "n[1-3,2]|n[1-3]|n[1,3]" "one after the other, sets, sorted"
is "$(hosts -i 'n[1-5]' 'n[4-9]')|$(hosts -m 'n[1-5]' 'n[4-9]' n1)|$(hosts -X 'n[1-5]' 'n[4-9]')" "n[4-5]|n[2-3]|n[1-3,6-9]" "sets"
is "$(hosts -n 0,2 'n[1-5]')|$(hosts -n -1 'n[1-5]')|$(hosts --nth=-1-2 'n[1-5]')" "n[1,3]|n5|n[4-5]" "--nth"
is "$(hosts -L 2 'n[1-5]')|$(hosts -L -2 'n[1-5]')|$(hosts -L 9 n1)" "n[1-2]|n[4-5]|n1" "--limit"
is "$(hosts -F 'n[3-4]' 'n[1-5]')" "2 3" "--find"
is "$(printf 'n1 n2\nn[7-8]\n' | hbatch hostlist)" "n[1-2,7-8]" "standard input"
is "$(hbatch run --requires=rank:2 hbatch hostlist -l </dev/null)" "vnode2" "--local, in a job"
is "$(hosts -l)" "vnode[0-2]" "... and beside one"
capture hbatch hostlist -q -i n1 n2
is "$rc|$out" "1|" "--quiet"
refused "if it is a host: --fallback" hbatch hostlist foo1
is "$(hosts --fallback foo1 foo2)" "foo[1-2]" "--fallback"
refused "there is no host at 5: there are 5" hbatch hostlist -n 5 'n[1-5]'
refused "there is no host n9" hbatch hostlist -F n9 n1
refused "exclude each other" hbatch hostlist -i -m n1

# --- multi-prog ------------------------------------------------------------------------------------
cat >programs <<'END'
# who does what
0     echo manager %t "of %t"
1-2,4 echo worker %o   # inline
*     sh -c 'echo other $HBATCH_TASK_RANK'
END
is "$(hbatch run -n5 hbatch multi-prog programs </dev/null | sort)" $'manager 0 of 0\nother 3\nworker 0\nworker 1\nworker 2' "multi-prog"
is "$(hbatch multi-prog -n 0,3-4 programs)" $'0: echo manager 0 \'of 0\'\n3: sh -c \'echo other $HBATCH_TASK_RANK\'\n4: echo worker 2' "--dry-run"
refused "this is no task of a job" hbatch multi-prog programs
echo '0 true' >one && echo "0 'open" >two && echo "x true" >three && printf '0-1 a\n1 b\n' >four && echo 7 >five
refused "one: there is no line for task 1" hbatch multi-prog -n1 one
refused "two: line 1: the quote at ''open' is not closed" hbatch multi-prog -n1 two
refused "three: line 1: must begin with a set of task ranks" hbatch multi-prog -n1 three
refused "lines 1 and 2 are for the same tasks" hbatch multi-prog -n1 four
refused "there is no command after '7'" hbatch multi-prog -n1 five
refused "cannot read nowhere" hbatch multi-prog nowhere
done_testing
