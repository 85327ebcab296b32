# SPDX-License-Identifier: BSD-3-Clause
# Completion of hbatch's command line by bash.  What may come next is told by hbatch itself.

_hbatch() {
    local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} first
    local -a lines
    # shellcheck disable=SC2207
    lines=($("${COMP_WORDS[0]}" __complete "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null))
    first=${lines[0]:-}
    [ "$word" = "=" ] && word=
    case $first in
        :files | :dirs | :commands)
            local kind=-f
            [ "$first" = :dirs ] && kind=-d
            [ "$first" = :commands ] && kind=-c
            # shellcheck disable=SC2207
            COMPREPLY=($(compgen $kind -- "$word"))
            [ "$first" = :commands ] && COMPREPLY+=($(compgen -f -- "$word"))
            compopt -o filenames 2>/dev/null
            ;;
        *)
            COMPREPLY=("${lines[@]}")
            [[ ${#lines[@]} = 1 && $first == *= ]] && compopt -o nospace 2>/dev/null
            ;;
    esac
    return 0
}
complete -F _hbatch hbatch
