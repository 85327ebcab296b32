#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What workflow systems that need not be here do with hbatch's commands and module for Flux and Slurm: Parsl, Maestro,
# Nextflow and Nipype, each in the order and with the words of its own code.
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=flux,slurm)"
me=$(id -un)
mkdir parsl study folders
export HBATCH_TEST_LIMIT=100

ok "Parsl: an executor outside of the instance that it started" env -u HBATCH_URI -u FLUX_URI python3 "$srcdir/tests/system/clients.py" parsl "$tmp/parsl"
ok "Maestro: steps that are scripts" python3 "$srcdir/tests/system/clients.py" study "$tmp/study"

# --- Nextflow: a wrapper in a folder of its own, whose exit code is in a file -------------------------------------------
task() { # NAME SCRIPT [DIRECTIVE...]
    mkdir -p "folders/$1"
    {
        echo '#!/bin/bash'
        [ $# = 2 ] || printf '#SBATCH %s\n' "${@:3}"
        printf 'NXF_ENTRY=%s\n' "${NXF_ENTRY:-nxf_main}"
        printf 'trap %s EXIT\ntrap %s USR2\n' "'echo \$? >.exitcode'" "'exit 140'"
        echo "touch .command.begin"
        echo "$2"
    } >"folders/$1/.command.run"
}
flux_submit() { # NAME OPTIONS...
    (cd "folders/$1" && exec flux submit "--setattr=cwd=$PWD" "--job-name=\"nf-$1\"" "--output=$PWD/.command.log" "${@:2}" /bin/bash .command.run)
}
listed() { sh -c "flux jobs --suppress-header --format=\"{id.f58} {status_abbrev}\" --since=\"-15m\" --user=$me"; }
task one 'echo one; pwd'
task bad 'exit 3' 
task long 'sleep 100 & wait'
one=$(flux_submit one --cores-per-task=2 --time-limit=10)
bad=$(flux_submit bad)
long=$(flux_submit long)
like "$one" "^(ƒ|f)[^ ]+$" "Nextflow, flux: an id"
wait_until 30 test -e folders/long/.command.begin
wait_until 30 test -e folders/one/.exitcode
wait_until 30 test -e folders/bad/.exitcode
is "$(cat folders/one/.exitcode folders/bad/.exitcode folders/one/.command.log | xargs)" "0 3 one $tmp/folders/one" "... tasks run in their folders"
hbatch job wait "$one" "$bad" >/dev/null 2>&1
is "$(listed | grep -E "^($one|$bad|$long) " | sort)" "$(printf '%s\n' "$one CD" "$bad F" "$long R" | sort)" "... and are listed with their states"
ok "... are canceled" flux job cancel "$long"
hbatch job wait "$long" >/dev/null 2>&1
is "$(listed | grep -F "$long")" "$long CA" "... and listed so"
ok "... information on one that is over" flux job info "$one" jobspec

rm -rf folders/*
directives() { printf '%s\n' "-J nf-$1" "-o $tmp/folders/$1/.command.log" "--no-requeue " "--signal B:USR2@30" "-c 2" "-t 00:10:00" "-p hbatch" "--mem 100M"; }
submit() { (cd "folders/$1" && sbatch .command.run); }
for name in one bad long; do
    readarray -t words < <(directives $name)
    case $name in
    one) task one 'echo $SLURM_JOB_NAME $SLURM_CPUS_PER_TASK; pwd' "${words[@]}" ;;
    bad) task bad 'exit 3' "${words[@]}" ;;
    long) task long 'sleep 100 & wait' "${words[@]}" ;;
    esac
done
one=$(submit one) bad=$(submit bad) long=$(submit long)
like "$one" "Submitted batch job ([0-9]+)" "Nextflow, slurm: an id"
one=${one##* } bad=${bad##* } long=${long##* }
wait_until 30 test -e folders/long/.command.begin
wait_until 30 test -e folders/one/.exitcode
wait_until 30 test -e folders/bad/.exitcode
is "$(cat folders/one/.exitcode folders/bad/.exitcode folders/one/.command.log | xargs)" "0 3 nf-one 2 $tmp/folders/one" "... tasks"
hbatch job wait "$one" "$bad" >/dev/null 2>&1
is "$(squeue --noheader -o '%i %t' -t all -p hbatch -u "$me" | grep -E "^($one|$bad|$long) " | sort)" \
    "$(printf '%s\n' "$one CD" "$bad F" "$long R" | sort)" "... their states"
ok "... are signaled before their time is over" scancel -b -s USR2 "$long"
wait_until 30 test -e folders/long/.exitcode
is "$(cat folders/long/.exitcode)" 140 "... and say so"
ok "... are canceled" scancel "$long"

# --- Nipype: squeue tells of one job whether it is there still -------------------------------------------------------
printf '#!/bin/bash\necho node\n' >node.sh
capture sbatch -o "$tmp/slurm-%j.out" -e "$tmp/slurm-%j.out" -J id.node.flow.me node.sh
[[ $out =~ Submitted\ batch\ job\ ([0-9]*) ]]
id=${BASH_REMATCH[1]}
there() { squeue -j "$id" | grep -q "$id"; }
gone() { ! there; }
wait_until 30 gone
ok "Nipype: a job that is over is no error" squeue -j "$id"
unlike "$out" "$id" "... and not shown"
is "$(cat "slurm-$id.out")" node "... its output"
done_testing
