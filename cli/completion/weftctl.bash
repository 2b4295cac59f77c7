# SPDX-License-Identifier: Apache-2.0
# Completion of weftctl for bash: the words come from the running daemon.

_weftctl() {
    local current=${COMP_WORDS[COMP_CWORD]} options=() line=() i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -s | --socket | -f | --file) [ ${#line[@]} = 0 ] && options+=("${COMP_WORDS[i]}" "${COMP_WORDS[++i]}") ;;
            -*) [ ${#line[@]} = 0 ] || line+=("${COMP_WORDS[i]}") ;;
            *) line+=("${COMP_WORDS[i]}") ;;
        esac
    done
    case ${COMP_WORDS[COMP_CWORD - 1]} in
        -s | --socket | -f | --file)
            [ ${#line[@]} = 0 ] && mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
    esac
    if [ ${#line[@]} = 0 ] && [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "-s --socket -j --json -f --file -c --complete -h --help -V --version" -- "$current")
        return
    fi
    local words
    words=$(weftctl "${options[@]}" --complete "${line[*]}${line[*]:+ }$current" 2>/dev/null | cut -f 1 | grep -v '^<')
    [ ${#line[@]} = 0 ] && words+=" watch"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _weftctl weftctl
