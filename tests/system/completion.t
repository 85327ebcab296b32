#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of the command line, by the function that bash calls for it.
. "${0%/*}/../system/lib.sh"
inside --test-topology="core:4 pu:1"
# shellcheck source=/dev/null
. "$srcdir/src/cli/hbatch.bash"
export XDG_CONFIG_HOME=$tmp

# comp WORD...: what the last WORD may become. An '=' is a word of its own, as bash has it.
comp() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _hbatch
    echo "${COMPREPLY[*]}"
}
like "$(complete -p hbatch)" "-F _hbatch hbatch" "it is what bash calls"

is "$(comp hbatch hos)" "hostlist" "a verb"
is "$(comp hbatch job ra)" "raise raiseall" "verbs of a group"
unlike "$(comp hbatch '')" "__" "no hidden ones"
is "$(comp hbatch help pst)" "pstree" "hbatch help VERB"
is "$(comp hbatch --ro)" "--root" "options before the verb"
is "$(comp hbatch --parent pg)" "pgrep" "a verb after them"
is "$(comp hbatch jobs --stats)" "--stats --stats-only" "options"
is "$(comp hbatch jobs --for)" "--format=" "... with a value"
is "$(comp hbatch jobs --color = al)" "always" "values"
is "$(comp hbatch jobs --color =)" "always never auto" "... all of them"
is "$(comp hbatch jobs -f can)" "canceled" "... of a short option"
is "$(comp hbatch jobs --filter = can)" "canceled" "... of a long one"
is "$(comp hbatch jobs -o end)" "endreason" "formats"
is "$(comp hbatch resource status -o l)" "long" "of resources"
is "$(comp hbatch resource eventlog --wait = dr)" "drain" "events of nodes"
is "$(comp hbatch job eventlog --time-format = o)" "offset" "choices in the usage"
is "$(comp hbatch job id --to f58)" "f58 f58plain" "forms of ids"
is "$(comp hbatch nonsense --x)" "" "nothing for a verb that is none"
is "$(comp hbatch jobs --nonsense = x)" "" "... or an option"
touch "a script" file.sh
mkdir dir
is "$(comp hbatch batch fil)" "file.sh" "files"
is "$(comp hbatch batch 'a s')" "a script" "... with blanks"
is "$(comp hbatch run --cwd di)" "dir" "directories"
like " $(comp hbatch run -n 2 basen) " " basename " "commands"
is "$(comp hbatch run cat fil)" "file.sh" "their arguments"
is "$(comp hbatch run cat --unbuf)" "" "... are not ours"

# every verb and option that --help tells of
missing=
for verb in $(comp hbatch ''); do
    names=$verb
    [[ $(hbatch "$verb" --help) == *"Verbs:"* ]] && names=$(comp hbatch "$verb" '' | sed "s/[^ ]*/$verb:&/g")
    for name in $names; do
        # shellcheck disable=SC2086
        for option in $(hbatch ${name/:/ } --help | sed -nE 's/^ +(-., )?(--[a-z0-9-]+).*/\2/p'); do
            [[ " $(comp hbatch ${name/:/ } "$option") " == *" $option"[\ =]* ]] || missing+=" $name $option"
        done
    done
done
is "$missing" "" "all options of all verbs"

# what the instance knows
hold=$(hbatch submit --urgency=hold true)
hbatch run true
over=$(hbatch job last)
export HBATCH_F58_FORCE_ASCII=1
is "$(comp hbatch cancel "${hold:0:4}")" "$hold" "ids of active jobs"
is "$(comp hbatch cancel la)" "last" "... or the last one"
unlike "$(comp hbatch cancel '')" "$over" "... but not of one that is over"
like "$(comp hbatch attach '')" "$over" "... where it means something"
like "$(comp hbatch job purge '')" "$over" "of those that are over, to purge"
unlike "$(comp hbatch job purge '')" "$hold" "... and no others"
is "$(comp hbatch job eventlog -p ex)" "exec" "logs"
is "$(comp hbatch resource list -s al | xargs)" "allocated all" "states of nodes"
is "$(comp hbatch resource status --states = drai | xargs)" "draining drained drain" "... as status has them"
is "$(comp hbatch resource info -i '')" "$(hbatch hostlist instance </dev/null)" "hosts of an option"
is "$(comp hbatch config get --type = int)" "integer" "types"
is "$(comp hbatch job info last R | tr ' ' '\n' | head -1)" "R" "keys"
is "$(comp hbatch job urgency last hol)" "hold" "urgencies"
is "$(comp hbatch wait-event "$hold" cle)" "clean" "events"
is "$(comp hbatch resource drain '')" "$(hbatch hostlist instance </dev/null)" "hosts"
(
    unset HBATCH_F58_FORCE_ASCII
    export LC_ALL=C.UTF-8
    [ "$(comp hbatch cancel f)" = "$hold" ] && [[ "$(comp hbatch cancel '')" == *ƒ* ]]
)
is $? 0 "with f typed, ids begin with f; else as the terminal has them"
is "$(HBATCH_URI='' comp hbatch cancel '')" "last" "nothing is said where there is no instance"
is "$(HBATCH_URI=local:///no/such comp hbatch cancel x 2>&1)" "" "... or it is gone"

# how long it takes: the best of some, on a busy machine
best=100000
for _ in 1 2 3 4 5 6 7 8 9 10; do
    start=${EPOCHREALTIME/./}
    comp hbatch cancel '' >/dev/null
    took=$((${EPOCHREALTIME/./} - start))
    [ $took -lt $best ] && best=$took
done
ok "less than 50 ms ($best us)" test $best -lt 50000
capture hbatch __complete
is "$rc|$out" "1|" "nothing to complete"
nok "a wrong number" hbatch __complete x hbatch
hbatch cancel "$hold"
done_testing
