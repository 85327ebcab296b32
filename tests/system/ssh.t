#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients of an instance on another host: HBATCH_URI=ssh://[USER@]HOST[:PORT]/PATH.  What stands for ssh runs its words here.
. "${0%/*}/lib.sh"
need python3 python3 pgrep procps
instance_start main --test-nodes=2 --test-topology="core:2 pu:1" || exit 1
cat >ssh <<'END'
#!/bin/sh
echo "$*" >>"${0%/*}/ssh.args"
[ "$1" = -p ] && shift 2
case $1 in
*elsewhere) shift; cd / && echo "Welcome to this host." && exec sh -c "$*" ;;
*) echo "ssh: Could not resolve hostname $1: Name or service not known" >&2 && exit 255 ;;
esac
END
chmod +x ssh
export HBATCH_SSH=$tmp/ssh
there=$HBATCH_URI
path=${there#local://}
far=ssh://elsewhere$path
export HBATCH_URI=$far
relays() { pgrep -f "__relay $path"; }
no_relay() { ! relays >/dev/null; }

is "$(hbatch run -n1 -l sh -c 'echo "$HBATCH_INSTANCE_LEVEL $HBATCH_URI"')" "0: 0 $there" "hbatch run: the job has the instance's own URI"
like "$(cat ssh.args)" "^elsewhere exec [^ ]*/hbatch __relay $path" "by ssh, and hbatch there"
is "$(seq 200000 | hbatch run cat | md5sum)" "$(seq 200000 | md5sum)" "much in both directions"
nok "the job's exit code" hbatch run sh -c 'exit 7'
is $rc 7 "comes back"
is "$(hbatch uri)" "$far" "hbatch uri: as it was reached"
is "$(hbatch uri --local)" "$there" "--local"
HBATCH_URI=ssh://me@elsewhere:2022$path ok "a user and a port" hbatch getattr level
like "$(tail -n 1 ssh.args)" "^-p 2022 me@elsewhere exec " "are told to ssh"
capture hbatch proxy "ssh://me@elsewhere:2022$path" hbatch getattr level
is "$rc $out" "0 Welcome to this host."$'\n0' "by proxy, too"
HBATCH_URI=ssh://localhost$path HBATCH_SSH=/no/ssh ok "this host itself needs none" hbatch getattr level
HBATCH_SSH_RCMD=/no/hbatch nok "HBATCH_SSH_RCMD" hbatch getattr level
like "$err" "/no/hbatch.*ssh ended without having reached it on host elsewhere" "is the hbatch there"

# --- what is in it -------------------------------------------------------------------------------------
id=$(hbatch alloc --bg -n2)
is "$(hbatch proxy "$id" hbatch getattr level)" 1 "proxy into a sub-instance"
is "$(hbatch --uri="$id" getattr level)" 1 "--uri=ID"
inner=$(hbatch proxy "$id" sh -c 'echo $HBATCH_URI')
like "$inner" "^$far!0:/.*/sock-0$" "its URI goes that way"
is "$(HBATCH_URI=$inner hbatch --parent getattr level)" 0 "and back, by --parent"
is "$(HBATCH_URI=$inner hbatch --root uri)" "$far" "--root"
is "$(HBATCH_URI=$inner hbatch run echo hello)" hello "a job in it"
like "$(hbatch jobs -R)" "$id:" "jobs -R"
like "$(hbatch pstree)" "alloc" "pstree"
cat >ssh.py <<'END'
import hbatch, sys

h = hbatch.Instance()
print(h.uri == hbatch.Instance(h.uri).uri, h.run(["echo", "hello"]).stdout)
inner = h.child(sys.argv[1])
print(inner.level, inner.parent_uri(), hbatch.Instance(inner.parent_uri()).level)
try:
    hbatch.Instance("ssh://nowhere/x/sock-0")
except hbatch.ConnectError as e:
    print("ssh ended" in str(e))
END
if grep -qs __asan_init "$builddir/bin/hbatch"; then
    skip "Python" "a sanitizer wants to be the first library"
else
    ok "Python" hbatch python ssh.py "$id"
    is "$out" "True b'hello\n'
1 $far 0
True" "all of it"
fi
hbatch cancel "$id"

# --- losses ----------------------------------------------------------------------------------------------
hbatch run sh -c "echo begun; until [ -e $tmp/go ]; do sleep 0.05; done; echo over; exit 5" >lost.out 2>lost.err &
run=$!
wait_until 10 grep -q begun lost.out
n=$(grep -c __relay ssh.args)
more() { [ "$(grep -c __relay ssh.args)" -gt "$n" ]; }
kill "$(relays | head -n 1)"
ok "a connection that breaks is made again" wait_until 10 more
touch go
wait $run
is "$? $(xargs <lost.out)" "5 begun over" "and nothing is shown twice"
ok "no relay is left" wait_until 10 no_relay

# --- rejects ---------------------------------------------------------------------------------------------
# refused URI WHY
refused() {
    HBATCH_URI=$1 nok "$1" hbatch getattr level
    like "$err" "$2" "says why"
}
refused "ssh://nowhere$path" "Could not resolve.*the instance at ssh://nowhere$path: .*/ssh ended without having reached it on host nowhere"
refused ssh://elsewhere/no/sock-0 "on host elsewhere: the instance at local:///no/sock-0 is gone \(its socket does not exist\)"
refused ssh://elsewhere "'ssh://elsewhere' is not an instance's URI: it must be ssh://\[USER@\]HOST\[:PORT\]/PATH"
refused "ssh://-oProxyCommand=x$path" "is not an instance's URI"
refused "ssh://elsewhere:port$path" "is not an instance's URI"
refused "http://elsewhere$path" "it must be local:// and the absolute path of a socket, or ssh://"
HBATCH_SSH=/no/ssh nok "no ssh" hbatch getattr level
like "$err" "/no/ssh, which would go to host elsewhere, cannot be run: No such file" "is told"
export HBATCH_URI=$there
instance_stop main
export HBATCH_URI=$far
nok "an instance that is over" hbatch jobs
like "$err" "on host elsewhere: the instance at $there is gone" "is told"
done_testing
