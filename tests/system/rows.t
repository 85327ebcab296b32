#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Jobs that are submitted together and differ in their words only are one thing for the instance, and jobs as any for
# everybody else: what is listed, asked for, canceled, tried again, and what a restart finds.
. "${0%/*}/lib.sh"
need python3 python3 sqlite3 sqlite3
export HBATCH_F58_FORCE_ASCII=1
unset HBATCH_URI
state=$tmp/state
life() {
    unset HBATCH_URI
    instance_start "$1" --statedir="$state" --test-topology="core:2 pu:1" "${@:2}" || exit 1
}
column() { hbatch jobs -a -no "$1" "${@:2}"; } # FORMAT ID...
nth() { sed -n "$1p" <<<"$ids"; }
command_of() { hbatch job info "$1" jobspec | python3 -c 'import json, sys; print(json.load(sys.stdin)["tasks"][0]["command"])'; }

life one
# --- jobs as any -----------------------------------------------------------------------------------
ids=$(hbatch bulksubmit --wait --env=MARK='{{id}}' sh -c 'printf "%s\n" "$0,$1,$HBATCH_JOB_CC,$HBATCH_JOB_ID"' {} 'x {}' ::: a 'b c' "d'\"\\e" é)
is "$(wc -l <<<"$ids")" 4 "four ids"
is "$(hbatch output "$(nth 2)")" "b c,x b c,,$(nth 2)" "words of its own, no index, an id of its own"
is "$(hbatch output "$(nth 3)")" "d'\"\\e,x d'\"\\e,,$(nth 3)" "quotes"
is "$(hbatch output "$(nth 4)")" "é,x é,,$(nth 4)" "UTF-8"
is "$(command_of "$(nth 2)" | sed 's/.*, //;s/]//')" "'x b c'" "a jobspec of its own"
unlike "$(hbatch job info "$(nth 1)" jobspec)" '"bulk"' "without the others"
is "$(column '{id} {cc}' "$(nth 1)")" "$(nth 1) " "the first one's id is its own only"
is "$(hbatch jobs -a --json "$(nth 1)" | grep -c '"cc"')" 0 "it has no index"
is "$(hbatch job eventlog --format=json "$(nth 3)" | sed 's/.*"name":"\([^"]*\)".*/\1/' | paste -sd' ')" \
    "submit depend priority alloc start finish release free clean" "its event log"
like "$(hbatch job eventlog "$(nth 3)" | head -1)" "flags=0" "no flag of the instance's own"
out=$(hbatch bulksubmit --wait echo '{{id}}' {} ::: 1 2)
is "$(hbatch output "$(tail -1 <<<"$out")")" "$(tail -1 <<<"$out") 2" "tags in the command"
out=$(hbatch bulksubmit --wait echo {} ::: '{{id}}' y)
is "$(hbatch output "$(head -1 <<<"$out")")" "$(head -1 <<<"$out")" "tags in inputs"
capture hbatch bulksubmit --wait --quiet sh -c 'exit $0' {} ::: 0 4 2
is $rc 4 "exit codes"
ids=$(hbatch bulksubmit --quiet --wait false {} ::: 1 2; hbatch jobs -ano '{id}' --filter=failed --count=2)
capture hbatch job resubmit --failed "$(nth 1)"
is "$rc $(wc -l <<<"$out")" "0 1" "resubmit: that one, not the others"
is "$(hbatch bulksubmit --wait --watch --quiet sh -c 'echo $0; echo $0 >&2' {} ::: 1 2 3 2>&1 | sort | paste -sd' ')" "1 1 2 2 3 3" "--watch"
capture hbatch bulksubmit --wait --retry=2 sh -c 'exit $0' {} ::: 0 1
is "$rc $(hbatch job eventlog "$(tail -1 <<<"$out")" | grep -c retry)" "1 2" "--retry"
is "$(hbatch job eventlog "$(head -1 <<<"$out")" | grep -c retry)" 0 "not of the others"
is "$(seq 3000 | hbatch bulksubmit --wait true {} | sort -u | wc -l)" 3000 "more than go together"

# --- one by one ------------------------------------------------------------------------------------
ids=$(hbatch bulksubmit --urgency=hold sh -c 'echo "late $0"' {} ::: 1 2 3 4 5 6)
ok "cancel one" hbatch cancel "$(nth 1)"
is "$(hbatch jobs -no '{id}' | sort | paste -sd' ')" "$(sed 1d <<<"$ids" | sort | paste -sd' ')" "the others are there"
hbatch job urgency "$(nth 3)" 20 >/dev/null
ok "one with another urgency" hbatch job wait "$(nth 3)"
is "$(hbatch output "$(nth 3)")" "late 3" "is run"
is "$(column '{status_abbrev}' "$(nth 2)")" S "but not the others"
after=$(hbatch submit --dependency=afterok:"$(nth 4)" true)
is "$(column '{state}' "$after")" DEPEND "one is waited for"
like "$(command_of "$(nth 5)")" "late.*'5'" "the jobspec of one that waits"

# --- refused ---------------------------------------------------------------------------------------
capture hbatch bulksubmit -n 100 true {} ::: a b c
is "$rc|$out" "1|" "refused"
is "$(grep -c "^hbatch bulksubmit: input '[abc]': .*cores" <<<"$err")" 3 "each with its input and the reason"
capture hbatch bulksubmit true {} ::: a $'\377' b
is "$rc $(wc -l <<<"$out")" "1 2" "the others are submitted"
like "$err" "argument 1 of the command is not UTF-8" "... with the reason"
send() {
    python3 - "$1" <<'END'
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["HBATCH_URI"][8:])
task = {"command": ["true"], "slot": "task", "count": {"per_slot": 1}}
slot = {"type": "slot", "count": 1, "label": "task", "with": [{"type": "core", "count": 1}]}
system = {"environment": {}, **json.loads(sys.argv[1]).pop("system", {})}
params = {"jobspec": {"version": 1, "resources": [slot], "tasks": [task], "attributes": {"system": system}}}
params.update({k: v for k, v in json.loads(sys.argv[1]).items() if k != "system"})
s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "job.submit", "params": params}).encode() + b"\n")
print(s.makefile().readline().strip())
END
}
like "$(send '{"system":{"bulk":[["a"],["b"]]},"urgency":0}')" '"count":2' "as a request"
like "$(send '{"system":{"bulk":[["a"]]},"urgency":0}')" '"count":1' "one row is one job"
like "$(send '{"system":{"bulk":[["a"],["b"]]},"cc":"1-2"}')" "cc and attributes.system.bulk cannot be used together" "not with cc"
like "$(send '{"system":{"bulk":[["a"],"b"]}}')" "bulk\[1\]: must be an array of words" "a wrong row"
like "$(send '{"system":{"bulk":[["a"],["b"]]},"flags":["tied"],"follow":"attach"}')" '"code"|"count":2' "tied: an answer"

# --- a restart, and a copy -------------------------------------------------------------------------
busy=$(hbatch bulksubmit --urgency=31 sleep 100{} ::: 1 2)
hbatch wait-event -t 20 "$(head -1 <<<"$busy")" start >/dev/null
waits=$(hbatch jobs -no '{id} {name} {cc}' --filter=pending | sort)
instance_stop one
life two
is "$(hbatch jobs -no '{id} {name} {cc}' --filter=pending | sort)" "$waits" "what waits is there after a restart"
is "$(column '{result}' "$(head -1 <<<"$busy")")" CANCELED "what ran, and may not run twice, was ended"
like "$(command_of "$(nth 5)")" "late.*'5'" "with its words"
hbatch job urgency "$(nth 6)" 16 >/dev/null
hbatch job wait "$(nth 6)"
is "$(hbatch output "$(nth 6)")" "late 6" "and runs"
hbatch job urgency "$(nth 4)" 16 >/dev/null
ok "a dependency on one of them" hbatch job wait "$after"
hbatch cancel --all 2>/dev/null
instance_stop two
done_testing
