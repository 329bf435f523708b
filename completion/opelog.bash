# bash completion for opelog: commands, options, and sessions by name.

_opelog_sessions() {
    # Of this directory; what follows is for `ls`. Names hold no blanks; the newest 500 are enough to choose from.
    local directory=()
    [[ -n $1 ]] && directory=(--directory "$1")
    opelog ls --json -n 500 "${directory[@]}" "${@:2}" 2>/dev/null | sed -n 's/.*"name":"\([^"\\]*\)".*/\1/p'
}

_opelog() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local command="" sub="" directory="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --directory) directory=${COMP_WORDS[++i]} ;;
            --config|--control) ((i++)) ;;
            --) [[ $command == rec ]] && { COMPREPLY=($(compgen -c -- "$cur")); return; } ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; elif [[ ($command == policy || $command == key) && -z $sub ]]; then sub=${COMP_WORDS[i]}; fi ;;
        esac
    done
    case $prev in
        --config|--control|--index|--pins|-o|--output) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --format) COMPREPLY=($(compgen -W "asciicast2 asciicast3 html text tlog typescript" -- "$cur")); return ;;
        --directory|--root|--ledger) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        -u|--user) COMPREPLY=($(compgen -u -- "$cur")); return ;;
        --group) COMPREPLY=($(compgen -g -- "$cur")); return ;;
        --parent) COMPREPLY=($(compgen -W "sshd sshd-session login su sudo" -- "$cur")); return ;;
        --since|--until) COMPREPLY=($(compgen -W "today yesterday" -- "$cur")); return ;;
        -s|--speed|-i|--max-idle|--at|-n|--limit|--lines|--seconds|--client|--uid|--from|--to) return ;;
    esac
    local commands="ls play show commands report tail search index retain export prove verify key status kill policy rec enroll unenroll doctor thaw freeze reload reopen-log dump"
    local shared="--config --directory --control --help" options=""
    case $command in
        "") COMPREPLY=($(compgen -W "$commands help $shared --version" -- "$cur")); return ;;
        ls) options="--user --since --until --client --live --limit --reverse --json" ;;
        play) options="--speed --max-idle --at --command --follow --paused --resize --bell --raw" ;;
        show) options="--json --text --times" ;;
        commands) options="--all --failed --json --csv" ;;
        report) options="--all --user --since --until --client --command --failed --status --by --views --json --csv" ;;
        tail) options="--follow --lines --raw" ;;
        prove) options="--output --force --ledger --pins" ;;
        export) options="--format --output --force --from --to --input" ;;
        search) options="--word --regex --ignore-case --commands --text --user --since --until --client --limit --index --scan --all --json" ;;
        index) options="--index --rebuild --quiet --json" ;;
        retain) options="--dry-run --quiet --json" ;;
        verify) options="--ledger --pins --also --all --json" ;;
        key)
            case $sub in
                "") COMPREPLY=($(compgen -W "init show pin rotate" -- "$cur")); return ;;
                show) options="--ledger --json" ;;
                rotate) options="--json" ;;
                init) options="--ledger --key-file" ;;
                pin) options="--file" ;;
            esac ;;
        status) options="--json --metrics --output" ;;
        thaw) options="--seconds" ;;
        enroll|unenroll) options="--dry-run --root" ;;
        doctor) options="--all --json --root" ;;
        policy)
            case $sub in
                "") COMPREPLY=($(compgen -W "check explain" -- "$cur")); return ;;
                check) options="--json" ;;
                explain) options="--uid --user --parent --group --client --no-terminal --json" ;;
            esac ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options $shared" -- "$cur"))
        return
    fi
    case $command in
        kill) COMPREPLY=($(compgen -W "$(_opelog_sessions "$directory" --live)" -- "$cur")) ;;
        play|show|commands|tail|export|prove|verify)
            if [[ $cur == */* ]]; then COMPREPLY=($(compgen -f -- "$cur"))
            else COMPREPLY=($(compgen -W "$(_opelog_sessions "$directory")" -- "$cur")); fi ;;
        enroll|unenroll) COMPREPLY=($(compgen -u -- "$cur")) ;;
        policy) COMPREPLY=($(compgen -f -- "$cur")) ;;
    esac
}
complete -F _opelog opelog
