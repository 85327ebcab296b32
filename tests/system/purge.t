#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch job purge: by age, number and ids; on all ranks, over a restart, and with the room of the output.

. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
instance_start one --test-nodes=2 --test-topology="core:4 pu:1" --statedir="$tmp/state" || exit 1
inactive() { hbatch job stats | sed 's/.*"inactive":\([0-9]*\).*/\1/'; }
listed() { hbatch jobs -anc0 "$@" | wc -l; }
room() { du -sk "$tmp"/state/output-*.spool | awk '{ n += $1 } END { print n }'; }

# --- by ids
a=$(hbatch submit echo first)
b=$(hbatch submit echo second)
c=$(hbatch submit sleep inf)
hbatch job wait "$a" "$b"
capture hbatch job purge "$a"
is "$rc$out" "0use --force to purge 1 of 2 inactive jobs" "without --force nothing happens"
is "$(inactive)" 2 "really"
capture hbatch job purge -f "$a"
is "$rc$out" "0purged 1 inactive jobs, 1 remaining" "one that is over"
nok "it is unknown" hbatch jobs "$a"
like "$err" "no job $a" "that is said"
for verb in "job info $a jobspec" "job attach $a" "job status $a" "output $a" "job purge $a" "job resubmit $a"; do
    # shellcheck disable=SC2086
    nok "so it is for $verb" hbatch $verb
    like "$err" "$a" "$verb: which one is said"
done
nok "and as a dependency" hbatch submit --dependency="afterok:$a" true
is "$(hbatch output "$b")" second "the other one is as it was"
capture hbatch job purge -f --json "$c" "$b" f2
like "$rc$err" "^1.*$c is active.*no such job: f2" "an active one is left alone; one that is not there is told"
is "$out" '{"purged":1,"inactive":0,"done":true}' "the others go"
is "$(hbatch jobs -no '{state}' "$c")" RUN "the active one goes on"

# --- arrays
ids=$(hbatch submit --cc=0-19 sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo')
first=${ids%%$'\n'*} last=${ids##*$'\n'}
# shellcheck disable=SC2086
hbatch job wait $ids
is "$(inactive)" 20 "an array"
before=$(room)
ok "a range" hbatch job purge -f "$first-$last"
is "$(listed),$(inactive)" 1,0 "all of it is gone"
gone() { [ "$(room)" -lt $((before / 2)) ]; }
if wait_until 10 gone; then pass "the room of its output, too"; else fail "the room of its output, too" "$before, $(room)"; fi
hbatch submit --urgency=hold --cc=1-50 true >"$tmp/held"
hbatch cancel "$(head -1 "$tmp/held")"
nok "an element of an array that is not over" hbatch job purge -f "$(head -1 "$tmp/held")"
like "$err" "array that is not over" "is said to be one"
# shellcheck disable=SC2046
hbatch cancel $(tail -n+2 "$tmp/held")
is "$(inactive)" 50 "those of a canceled one"
ok "by number" hbatch job purge -f --num-limit=7
is "$(hbatch jobs -ano '{id}' -f canceled)" "$(tail -7 "$tmp/held" | tac)" "the newest are left"

# --- by age, and both
d=$(hbatch run --job-name=young true; hbatch job last)
capture hbatch job purge --age-limit=1h
is "$out" "use --force to purge 0 of 8 inactive jobs" "nothing is so old"
capture hbatch job purge --age-limit=1h --num-limit=1
is "$out" "use --force to purge 7 of 8 inactive jobs" "either limit counts"
ok "both" hbatch job purge -f --age-limit=1h --num-limit=1
is "$(hbatch jobs -ano '{name}' -f completed,canceled)" young "the newest is left"

# --- what a mistyped one says: OPTIONS|why
while IFS='|' read -r options why; do
    # shellcheck disable=SC2086
    nok "refused: $options" hbatch job purge $options
    like "$err" "$why" "why: $options"
done <<'END'
|which jobs
--age-limit=soon|--age-limit: .*soon
--num-limit=-1|--num-limit: '-1'
--num-limit=x|--num-limit: 'x'
--num-limit=1 f2|cannot be used together: 'f2'
--agelimit=1|did you mean --age-limit
f2-f1|ends before it begins
nonsense|nonsense
END

# --- another life of the instance: it is gone there, too, and its id is not given again
hbatch job purge -f --num-limit=0 >/dev/null
hbatch run echo kept >/dev/null
kept=$(hbatch job last)
instance_stop one
instance_start two --test-nodes=2 --test-topology="core:4 pu:1" --statedir="$tmp/state" || exit 1
nok "after a restart it is unknown" hbatch jobs "$a" "$d"
like "$(hbatch jobs -ano '{id}' | sort)" "$kept" "what was left is there"
unlike "$(hbatch submit true)" "^($a|$b|$d)$" "ids are not given twice"
ok "the output of a former life goes, too" hbatch job purge -f "$kept"
nok "it is gone" hbatch output "$kept"

# --- many: a request takes a part of them
hbatch submit --quiet --cc=1-25000 --urgency=hold true
hbatch job cancelall -fq
hbatch bulksubmit --quiet true ::: $(seq 300) && hbatch queue drain
ok "25000 and more" hbatch job purge -f --age-limit=0s
is "$(inactive),$(listed)" 0,0 "all are gone"
instance_stop two
# shellcheck disable=SC2016
is "$(python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print([db.execute("SELECT count(*) FROM " + t).fetchone()[0] for t in ("job", "run", "span", "log")])' "$tmp/state/store.sqlite")" \
    "[0, 0, 0, 0]" "nothing of them is in the store"

# --- by the configuration, again and again
instance_start limits --test-nodes=2 --test-topology="core:4 pu:1" || exit 1
hbatch submit --quiet --cc=1-12 --wait true
hbatch run --job-name=newest echo newest
printf '[job-manager]\ninactive-num-limit = 5\n' >limits.toml
ok "a limit of their number" hbatch config load limits.toml
has() { [ "$(inactive)" = "$1" ]; }
ok "is kept" wait_until 20 has 5
is "$(hbatch jobs -ano '{name}' -c1)" newest "the newest one is there"
hbatch submit --quiet --cc=1-20 --wait true
ok "also of those that end later" wait_until 20 has 5
printf '[job-manager]\ninactive-age-limit = "1s"\n' >limits.toml
ok "the file is read again" hbatch config reload
ok "a limit of their age" wait_until 20 has 0
ok "without limits" hbatch config unset job-manager
hbatch run true
is "$(inactive)" 1 "all are kept"
instance_stop limits

# --- the other ranks have purged as well: one of them leads on
case $(hbatch start --dry-run --test-nodes=2 true) in
*enable-recovery*) ;;
*)
    skip "after the loss of the leader" "the MPI's launcher ends all ranks with one"
    done_testing
    ;;
esac
export HBATCH_LOSS_TIMEOUT=3s
instance_start three --test-nodes=2 --test-topology="core:4 pu:1" || exit 1
hbatch run --job-name=goes true
goes=$(hbatch job last)
hbatch run --job-name=stays true
stays=$(hbatch job last)
hbatch submit --quiet --cc=1-40 --urgency=hold true
hbatch job cancelall -fq
hbatch job purge -f --num-limit=11 >/dev/null # ten of the array, and the purged ones before
hbatch run --job-name=later true
later=$(hbatch job last)
is "$(listed)" 12 "what is left"
listed=$(hbatch jobs -anc0 -o '{id}' --sort=id)
leader=$(hbatch exec -r 0 sh -c 'ps -o ppid= $PPID' | tr -d ' ')
hbatch job purge -f "$(hbatch jobs -ano '{id}' --sort=-t_submit | head -1)" >/dev/null # of that job itself
kill -KILL "$leader"
is "$(hbatch jobs -anc0 -o '{id}' --sort=id)" "$listed" "after the loss of the leader it is the same"
nok "what was purged is unknown" hbatch jobs "$goes" "$stays"
ok "what was not is there" hbatch job info "$later" jobspec
instance_stop three
done_testing
