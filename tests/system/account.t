#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The order of jobs by several factors, banks and their shares, what was used: while it runs, by another leader, in
# another life.

. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
cat >"$tmp/p.toml" <<'END'
[priority]
urgency = 100
fairshare = 1000
size = 10
age = 0
half-life = "1d"
[banks]
physics = 3
maths = 1
default = 4
END
# started ID...: the order in which they have started
started() { hbatch jobs -ano '{t_run} {name}' "$@" | sort -n | awk '{ print $2 }' | paste -sd' '; }

instance_start one --test-nodes=2 --test-topology="core:2 pu:1" --config="$tmp/p.toml" || exit 1
capture hbatch account
is "$out" "NAME           SHARES  SHARE      USAGE   USED  FACTOR  NCORES  PENDING  RUNNING
physics             3  37.5%       0.00     0%   1.000       0        0        0
maths               1  12.5%       0.00     0%   1.000       0        0        0
default             4    50%       0.00     0%   1.000       0        0        0" "before anything has run"
capture hbatch submit --bank=none true
like "$err" "no bank 'none'" "a bank that is not there"
capture hbatch account --by=month
like "$err" "month.*must be bank, queue or user" "account --by"

# --- the size counts, the urgency more
hbatch queue stop --quiet
a=$(hbatch submit -n1 --job-name=narrow true)
b=$(hbatch submit -n4 --job-name=wide true)
c=$(hbatch submit -n1 --urgency=20 --job-name=urgent true)
d=$(hbatch submit -n4 --urgency=0 --job-name=held true)
e=$(hbatch submit -n4 --urgency=expedite --job-name=first true)
is "$(hbatch jobs -no '{name} {priority}' | sort | paste -sd' ')" \
    "first 4294967295 held 0 narrow 1054 urgent 1067 wide 1061" "priorities"
hbatch queue start --quiet
hbatch cancel "$d"
within 20 hbatch queue drain
is "$(started "$a" "$b" "$c" "$e")" "first urgent wide narrow" "the order"

# --- who has used more waits: that bank's share is smaller, too
id=$(hbatch submit -n4 --bank=maths sleep 2)
hbatch wait-event -t 20 "$id" start >/dev/null
is "$(hbatch account -no '{name} {ncores} {running}' | grep maths)" "maths 4 1" "what is in use"
hbatch wait-event -t 20 "$id" clean >/dev/null
used=$(hbatch account -no '{name} {usage}' | awk '$1 == "maths" { print $2 }')
ok "what was used" awk -v u="$used" 'BEGIN { exit !(u > 7 && u < 16) }'
ok "the fair share" test "$(hbatch account -no '{name} {factor:.1f}' | grep maths)" = "maths 0.0"
is "$(hbatch account --by=queue -no '{name} {hours:.3f}')" "default $(hbatch account --by=user -no '{hours:.3f}')" "by queue and by user"
hbatch queue stop --quiet
a=$(hbatch submit -n4 --bank=maths --job-name=much true)
b=$(hbatch submit -n4 --bank=physics --job-name=little true)
c=$(hbatch submit -n4 --bank=physics --job-name=array --cc=1-2 true | tail -1)
lower() { [ "$(hbatch jobs -no '{priority}' "$a")" -lt 200 ]; }
ok "its jobs have less priority, soon" wait_until 20 lower
hbatch queue start --quiet
within 20 hbatch queue drain
is "$(started "$a" "$b" "$c")" "little array much" "they start last"
hbatch queue stop --quiet
a=$(hbatch submit -n4 --bank=maths true)
ok "update bank=" hbatch update "$a" bank=physics
ok "the priority is that of the other bank" test "$(hbatch jobs -no '{priority}' "$a")" -gt 500
capture hbatch update "$a" bank=none
like "$err" "no bank 'none'" "update to a bank that is not there"

# --- another leader
before=$(hbatch account -no '{usage}' | awk '{ s += $1 } END { print int(s) }')
# told every ten seconds, with what happens then
told() { hbatch submit --bank=default --urgency=0 true >/dev/null && HBATCH_URI=$uri hbatch jobs -no '{priority}' "$a" | grep -q .; }
uri=${HBATCH_URI/sock-0/sock-1}
is "$(HBATCH_URI=$uri hbatch jobs -no '{bank}' "$a")" physics "another rank knows the bank"
sleep 10.1
hbatch job urgency "$a" 17
told
kill -9 "$(hbatch getattr pid)"
HBATCH_URI=$uri
wait_until 30 hbatch queue status
after=$(hbatch account -no '{usage}' | awk '{ s += $1 } END { print int(s) }')
ok "a new leader knows what was used" test "$after" -ge "$((before - 2))"
ok "and the order" test "$(hbatch jobs -no '{priority}' "$a")" -gt 500
hbatch cancel --all >/dev/null 2>&1
instance_stop one

# --- another life; a configuration without all this
instance_start two --test-topology="core:2 pu:1" --statedir="$tmp/state" --config="$tmp/p.toml" || exit 1
hbatch run -n2 --bank=physics sleep 1
instance_stop two
instance_start three --test-topology="core:2 pu:1" --statedir="$tmp/state" || exit 1
ok "the next life knows it" awk -v u="$(hbatch account -no '{usage}' | head -1)" 'BEGIN { exit !(u > 1.5) }'
id=$(hbatch submit --urgency=hold --bank=physics true)
hbatch job urgency "$id" 5
echo 'policy = "fcfs"' | hbatch config load -
hbatch queue stop --quiet
id=$(hbatch submit --bank=any true)
is "$(hbatch jobs -no '{priority}' "$id")" 16 "without a priority of several factors it is the urgency"
is "$(hbatch account -no '{name}' | grep any)" any "without banks, any may be named"
instance_stop three
done_testing
