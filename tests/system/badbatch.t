#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What users of batch, alloc, proxy and their like get wrong: one sentence, the right exit code, nothing left behind.
# (batch.t and alloc.t have the specification's own cases, grow.t and grant.t those of growing.)
# shellcheck disable=SC2016
. "${0%/*}/../system/lib.sh"
need pgrep procps
inside --test-nodes=2 --test-topology="core:4 pu:1"

jobs_before() { hbatch jobs -a -c0 -n | wc -l; }
# refuses CODE REGEX ARGUMENTS...: exit code, one line on stderr, nothing on stdout
refuses() {
    local code=$1 regex=$2
    shift 2
    capture hbatch "$@"
    if [ "$rc" = "$code" ] && [ -z "$out" ] && [[ $err =~ $regex ]] && [ "$(wc -l <"$tmp/.err")" = 1 ]; then
        pass "refuses: hbatch $*"
    else
        fail "refuses: hbatch $*" "wanted: $code $regex"
        shown "hbatch $*"
    fi
}

# --- directives: the line is named --------------------------------------------------------------------------
count=$(jobs_before)
number=0
while IFS='|' read -r script regex; do
    number=$((number + 1))
    printf '%b' "$script" >bad.sh
    capture hbatch batch bad.sh
    if [ "$rc" = 1 ] && [ -z "$out" ] && [[ $err =~ "hbatch batch: bad.sh: line "$regex ]] && [ "$(wc -l <"$tmp/.err")" = 1 ]; then
        pass "directive $number: $regex"
    else
        fail "directive $number: $regex" "script: $script"
        shown "hbatch batch bad.sh"
    fi
done <<'END'
#!/bin/sh\n#hbatch: -N2 -q\n|2: option -q needs a value
#!/bin/sh\n#hbatch: --nodes\n|2: option --nodes needs a value
#!/bin/sh\n#hbatch: -n"2\n|2: the quote in '-n"2' is not closed
#!/bin/sh\n\n# text\n#hbatch: --foo=1\n|4: unknown option --foo
#!/bin/sh\n#hbatch: -Z\n|2: unknown option -Z
#!/bin/sh\n#hbatch: -N1\n#hbatch: -n0\n|3: --nslots=0: must be a positive whole number
#!/bin/sh\n#hbatch: -t 5x\n|2: --time-limit=5x: .*unit is unknown
#!/bin/sh\n#hbatch: --urgency=99\n|2: --urgency: '99'
#!/bin/sh\n#hbatch: --begin-time=nonsense\n|2: --begin-time=nonsense
#!/bin/sh\n#hbatch: --dependency=afterok:\n|2: --dependency=afterok:: must be SCHEME:VALUE
#!/bin/sh\n#hbatch: --requires=(foo\n|2: --requires=\(foo: .*'\)' is missing
#!/bin/sh\n#hbatch: --conf=/no/such\n|2: --conf: '/no/such' .*No such file
#!/bin/sh\n#hbatch: -N1\n#flux: -n1\n|3: the directive begins with '#flux:'
#!/bin/sh\n#hbatch: -N1\necho\n#hbatch: -n1\n|4: the directive '.*' comes too late: directives ended with line 2
#!/bin/sh\n#hbatch: script.sh\n|2: 'script.sh' is not an option
#!/bin/sh\n#hbatch: --setattr=x="""\n#hbatch: y\necho\n|4: the text that three quotes open in line 2 is not closed
END

# --- scripts -------------------------------------------------------------------------------------------------
number=0
while IFS='|' read -r script regex; do
    number=$((number + 1))
    printf '%b' "$script" >bad.sh
    refuses 1 "bad.sh: $regex" batch bad.sh
done <<'END'
echo\n|the script must begin with #!.*--wrap
\n#!/bin/sh\necho\n|#! must be the first two characters.*blanks or empty lines
    #!/bin/sh\n    echo\n|#! must be the first two characters.*<<- removes tabs
\xef\xbb\xbf#!/bin/sh\n|the script begins with a byte order mark
#!/bin/sh\r\necho\r\n|the script's first line ends in a carriage return.*DOS
#!/bin/sh\nx\x00y\n|this is no script but binary data: byte 12
|the script is empty
END
refuses 1 "cannot read the script nosuch.sh: No such file" batch nosuch.sh
refuses 1 "cannot read the script /: Is a directory" batch /
refuses 1 "binary data" batch /bin/true
refuses 1 "stdin: the script is empty" batch
refuses 1 "stdin: the script is empty" batch --wrap
refuses 1 "--wrap: there is no command in ''" batch --wrap ''
refuses 1 "--wrap: there is no command in ' ; '" batch --wrap ' ; '
refuses 1 "--dependency=foo: |dependency foo: there is no such scheme" batch --dependency=foo --wrap true
refuses 1 "there is no job f2 to depend on" batch --dependency=afterok:f2 --wrap true
is "$(jobs_before)" "$count" "no job came of all that"

# what is a comment, and was not meant to be one
note() { printf "$1" | hbatch batch --dry-run 2>&1 >/dev/null; }
like "$(note '#!/bin/sh\n#hbatch -N1\n')" "stdin: line 2: '#hbatch' begins no directive, and is ignored.*'#hbatch:'" "#hbatch without its colon"
like "$(note '#!/bin/sh\n\n# FLUX -N1\n')" "stdin: line 3: '# FLUX' begins no directive" "so for Flux"
like "$(note '#!/bin/sh\n#SBATCH -N1\n')" "stdin: line 2: '#SBATCH' begins no directive" "directives of another batch system"
is "$(note '#!/bin/sh\n#SBATCH -N1\n#hbatch: -n1\n# hbatch run -n1\n')" "" "... which may stand beside those of hbatch"

# --- what cannot be run, and says so in the output -------------------------------------------------------------
# fails CODE REGEX SCRIPT
fails() {
    printf '%b' "$3" | timeout 30 hbatch batch --quiet --wait --output=out.txt >/dev/null 2>err.txt
    is "${PIPESTATUS[1]}" "$1" "exit code $1 of a script"
    like "$(cat out.txt)" "$2" "... that says: $2"
}
fails 127 "script: its interpreter /no/such: No such file" '#!/no/such -e\n'
fails 126 "script: its interpreter /etc/passwd: Permission denied" '#!/etc/passwd\n'
begin=--begin-time=+1ms # what is missing now may come until then: it is only seen when the job starts
capture hbatch batch --wait --quiet $begin --output=/no/such/dir/x --wrap true
like "$rc $err" "^126 hbatch batch: f[^ ]*: FAILED: exception type=exec .*stdout file /no/such/dir/x: No such file" "an output file that cannot be made"
capture hbatch batch --wait --quiet $begin --cwd=/no/such --output="$tmp/cwd.out" --wrap true
like "$rc $err$(cat cwd.out 2>/dev/null)" "/no/such: No such file" "a working directory that is not there"
capture hbatch batch --wait --quiet -t 0.3s --output=none --wrap 'sleep 1000'
like "$rc $err" "hbatch batch: f[^ ]*: TIMEOUT: exception type=timeout" "--wait tells that the time was over"
capture hbatch submit --wait --quiet --cc=1-20 --output=/no/such/x true
is "$rc $(wc -l <"$tmp/.err")" "126 8" "of an array, some of the reasons"
like "$err" "not told of any more" "... and that there are more"

# --- resources that there are not --------------------------------------------------------------------------------
for verb in batch alloc; do
    command=(--wrap true)
    [ $verb = alloc ] && command=(true)
    refuses 1 "this instance has 2 nodes; 3 were asked for" $verb -N3 "${command[@]}"
    refuses 1 "this instance has 8 cores; 9 were asked for" $verb -n9 "${command[@]}"
    refuses 1 "no node has 5 cores" $verb -c5 "${command[@]}"
    refuses 1 "this instance has 0 GPUs; 1 was asked for" $verb -g1 "${command[@]}"
    refuses 1 "no node of this instance matches" $verb --requires=host:elsewhere "${command[@]}"
    refuses 1 "2 nodes.*slots" $verb -N2 -n1 "${command[@]}"
done
refuses 127 "cannot run nosuchcommand: No such file" alloc -n1 nosuchcommand
refuses 126 "cannot run /: Permission denied" alloc -n1 /
printf '#!/no/such\n' >bad && chmod +x bad
refuses 127 "cannot run ./bad: its interpreter /no/such: No such file" alloc -n1 ./bad
capture hbatch alloc -n2 hbatch batch -n3 --wrap true
like "$rc $err" "^1 hbatch batch: this instance has 2 cores; 3 were asked for" "a sub-instance has no more than its own"
capture hbatch alloc -n1 -t 1m hbatch batch -t 5m --wrap true
like "$rc $err" "^1 hbatch batch: a job of 5m can never run: this instance lives for" "... nor lives longer"

# --- instances that are none ----------------------------------------------------------------------------------
plain=$(hbatch submit sleep 1000)
over=$(hbatch batch --wait --output=none --wrap true)
for verb in proxy uri; do
    command=()
    [ $verb = proxy ] && command=(true)
    refuses 1 "job ${over#?}|is over \(COMPLETED\): its instance is gone" $verb "$over" "${command[@]}"
    refuses 1 "\(sleep\) is not an instance" $verb "$plain" "${command[@]}"
    refuses 1 "there is no job f1" $verb f1 "${command[@]}"
    refuses 1 "there is no job f2" $verb f2 "${command[@]}"
    refuses 1 "'nonsense': expected" $verb nonsense "${command[@]}"
    refuses 1 "names no instance" $verb '' "${command[@]}"
    refuses 1 "names no instance" $verb http://x "${command[@]}"
    refuses 1 "is not an instance's URI" $verb ssh://host "${command[@]}"
    refuses 1 "is not an instance's URI" $verb ssh:///x "${command[@]}"
    refuses 1 "after the '\?' may come" $verb "$plain?what" "${command[@]}"
done
refuses 1 "local:///nonsense is gone" proxy local:///nonsense true
refuses 1 "the TARGET is missing" proxy
printf '#!/bin/sh\necho "ssh: connect to host $1 port 22: Connection refused" >&2\nexit 255\n' >ssh && chmod +x ssh
export HBATCH_SSH=$tmp/ssh
refuses 255 "ssh: connect to host nowhere .*refused" proxy ssh://nowhere/x true
refuses 255 "ssh: connect to host nowhere .*refused" --uri=ssh://nowhere/x jobs
unset HBATCH_SSH
for words in "--parent jobs" "-p -p batch bad.sh" "uri .." "--parent resource grow -N1"; do
    # shellcheck disable=SC2086
    refuses 1 "outermost one \(level 0\): it has no parent" $words
done

# --- growing and shrinking --------------------------------------------------------------------------------------
sub=$(hbatch alloc --bg -N1 -x)
for verb in grow shrink; do
    refuses 1 "by how many nodes" resource $verb "$sub"
    refuses 1 "this instance is the outermost one" resource $verb -N1
    refuses 1 "is not an instance" resource $verb -N1 "$plain"
    refuses 1 "is over" resource $verb -N1 "$over"
    refuses 1 "no such job: f2" resource $verb -N1 f2
    refuses 1 "'0' is not a whole number from 1" resource $verb -N0 "$sub"
    refuses 1 "'x' is not a whole number from 1" resource $verb -Nx "$sub"
done
refuses 1 "it can grow by 1, not by 2" resource grow -N2 "$sub"
refuses 1 "it can give back 0, not 1" resource shrink -N1 "$sub"
refuses 1 "-N and --nodes cannot be used together" resource shrink -N1 --nodes=vnode0 "$sub"
refuses 1 "no node of this instance is named 'elsewhere'" resource shrink --nodes=elsewhere "$sub"
refuses 1 "the node of its leader stays" resource shrink --nodes="$(hbatch jobs -no '{nodelist}' "$sub")" "$sub"
hbatch resource grow -N1 "$sub" >grant 2>err.txt & # there is none: sleep and the instance have a node each
growing=$!
waits() { grep -q "waits in the queue for 1 free node" err.txt; }
ok "grow waits, and says so" wait_until 10 waits
kill -INT $growing 2>/dev/null || kill -TERM $growing
wait $growing
like "$? $(cat err.txt)" "^1(30|43) .*grant f[^ ]* is canceled" "and can be stopped"
hbatch cancel "$sub" "$plain"

# --- nothing is left -----------------------------------------------------------------------------------------------
ok "no job is left" wait_until 20 sh -c '[ -z "$(hbatch jobs -n)" ]'
rundir=${HBATCH_URI#local://}
is "$(find "${rundir%/*}"/jobtmp-* -name script | wc -l)" 0 "and no script"
is "$(timeout 20 hbatch run echo alive)" alive "the instance is well"
done_testing
