# Runs the service's own Claude CLI as the service's user, in a sandbox (sandbox.sh), and prints the line in which it names its
# model, behind one that says by what the CLI was found: a process of the service, or a path. Runs behind shared.sh, owner.sh
# and edit.sh.
# Exit codes: what keeps it from that (tasks/asked.py).
NO_CLI=70
FOREIGN_CLI=71
OWN_BODY=72
NOT_EDITED=73
NO_FOLDER=74
NO_MODEL=75
NO_ANSWER=76
WITHOUT_HOOKS='"disableAllHooks":true'
# Nothing listens there. For an endpoint of somebody else, the CLI asks the vendor for nothing before it begins.
NOBODY=http://127.0.0.1:9

# On stdin are the words of the process that asks for a model, MARK, and its environment. EXE is what it runs, CLI what
# fleet.yml names. SETTINGS is changed first as a release would, by edits (edit.sh), where there are any. Where REQUEST is given,
# that model is asked for one word instead, with the network and the endpoint that there is.
ask_as_service() { # MARK COMM EXE CLI FOLDER SETTINGS REQUEST [OFFSET LENGTH INSERT] ...
    unset LC_ALL COMMENTS_GO_ON
    set -f
    mark=$1 comm=$2 exe=$3 cli=$4 folder=$5 settings=$6 request=$7
    shift 7
    given=$(cat)
    cd "$folder" || exit "$NO_FOLDER"
    [ $# -eq 0 ] || edit "$@" || exit "$NOT_EDITED"
    IFS=$BETWEEN
    environment
    find_cli
    set --
    last='' named=''
    for word in $given; do
        # Of what is not the CLI, they may mean anything.
        case $by$word in path* | *"$mark") break ;; esac
        case $last in
            --settings) named=$word last=; continue ;;
            --model | --setting-sources | --agent | --agents | --fallback-model | --plugin-dir)
                set -- "$@" "$last" "$word"; last=; continue ;;
            --resume | -r) case $word in -*) ;; *) set -- "$@" "$last" "$word" ;; esac ;;
            ?*) last=; continue ;;
        esac
        last=
        case $word in
            --settings=*) named=${word#*=} ;;
            --model=* | --setting-sources=* | --agent=* | --agents=* | --fallback-model=* | --plugin-dir=* | --resume=*)
                set -- "$@" "$word" ;;
            --continue | -c | --fork-session | --bare | --safe-mode | --restricted) set -- "$@" "$word" ;;
            --resume | -r) last=$word ;;
            *) ! takes_word "$word" || last=$word ;;
        esac
    done
    hooks_off
    if [ -n "$request" ]; then request "$@"; return; fi
    set -- "$cli" ${script:+"$script"} -p x --output-format stream-json --verbose --strict-mcp-config "$@" --settings "$named"
    echo "$by"
    { (go "$@" | head -c "$MOST_OF_FILE") & } | grep -m 1 '^{"type":"system","subtype":"init",' || exit "$NO_MODEL"
}

# Prints which model answered, or with which status it was refused; the first attempt says it.
# reads: cli script named request
# sets: endpoint
request() { # OPTION ...
    endpoint=own
    set -- "$cli" ${script:+"$script"} -p 'Say yes.' --output-format stream-json --verbose --strict-mcp-config --max-turns 1 \
        "$@" --model "$request" --settings "$named"
    line=$({ (go "$@" | head -c "$MOST_OF_FILE") & } | grep -m 1 -E '^\{"type":"assistant"|"subtype":"api_retry"') ||
        exit "$NO_ANSWER"
    printf '%s\n' "$line" | sed -n -e 's/.*"\(api_\)\{0,1\}error_status":\([0-9]\{1,3\}\).*/refused \2/p' -e t \
        -e 's/.*"message":{[^[]*"model":"\([^"]*\)".*/served \1/p'
}

# What of the environment matters here.
# reads: given mark
# sets: path config endpoint
environment() {
    in_it='' path='' config='' home='' endpoint=''
    for word in $given; do
        case $in_it$word in
            *"$mark") in_it=yes: ;;
            yes:PATH=*) path=${word#*=} ;;
            yes:HOME=*) home=${word#*=} ;;
            yes:CLAUDE_CONFIG_DIR=*) config=${word#*=} ;;
            yes:ANTHROPIC_BASE_URL=* | yes:CLAUDE_CODE_USE_*=*) endpoint=own ;;
            yes:CLAUDE_CODE_EXTRA_BODY=*'"model"'*) exit "$OWN_BODY" ;;
        esac
    done
    : "${config:=$home/.claude}"
    # Settings that an organization's server gave before count for the vendor's endpoint alone.
    [ ! -e "$config/remote-settings.json" ] || endpoint=own
}

# The CLI that runs, also under node; else the one that the service would find; else the one that fleet.yml names.
# reads: given mark comm exe path
# sets: cli script by
find_cli() {
    script='' by=process
    # It was replaced since, by an update of itself.
    [ -e "$exe" ] || exe=${exe%" (deleted)"}
    case $comm in
        claude) ;;
        node) script_of_node || by=path ;;
        *) by=path ;;
    esac
    if [ "$by" = process ]; then cli=$exe; else cli=$(PATH=$path command -v claude || printf %s "$cli"); fi
    [ -f "$cli" ] && [ -x "$cli" ] || exit "$NO_CLI"
    [ "$(id -u)" != 0 ] || { is_safe_for_root "$cli" && is_safe_for_root "${script:-$cli}"; } || exit "$FOREIGN_CLI"
}

# Root runs nothing that others can change or lead elsewhere.
is_safe_for_root() { # PROGRAM
    IFS=$NL
    walk "$1" || return 1
    # shellcheck disable=SC2086 # a path a line
    for step in $(stat -c '%u:%g/%A' $steps); do is_roots_own "$step" || return 1; done
    IFS=$BETWEEN
}

# reads: given mark
# sets: script
script_of_node() {
    for word in $given; do
        case $word in
            *"$mark") return 1 ;;
            claude | */claude | claude.js | */claude.js | */claude-code/*) script=$word; return ;;
        esac
    done
}

# The settings that the command line names, if any, with no hook to run. What is in a file is not for everybody to see, as a
# command line is: it stays in one.
# sets: named
hooks_off() {
    case $named in
        '') named="{$WITHOUT_HOOKS}" ;;
        *'{'*) named=$(without_hooks "$named") ;;
        *)
            text=$(cat "$named" 2>/dev/null) && for place in "$home" /tmp; do
                umask 077
                without_hooks "$text" >"$place/jada-settings.json" && named=$place/jada-settings.json && break
            done ;;
    esac
}

without_hooks() { # JSON
    rest=${1#*"{"}
    rest=${rest#"${rest%%[![:space:]]*}"}
    case $1:$rest in
        *'{'*:'}'*) printf '%s' "{$WITHOUT_HOOKS$rest" ;;
        *'{'*) printf '%s' "{$WITHOUT_HOOKS,$rest" ;;
        *) printf '%s' "$1" ;;
    esac
}

# reads: settings
edit() { # [OFFSET LENGTH INSERT] ...
    real=$(readlink -m "$settings") && mkdir -p "${real%/*}" && : >>"$real" && edited "$real" "$@" >"$real.jada-ask" &&
        mv -f "$real.jada-ask" "$real"
}

# The command, with the environment of the process. Some names are the shell's own, and one is ours.
# reads: given mark endpoint
go() { # COMMAND ...
    [ -n "$endpoint" ] || export ANTHROPIC_BASE_URL="$NOBODY"
    jada_in_it=''
    for word in $given; do
        case $jada_in_it$word in
            *"$mark") jada_in_it=yes: ;;
            yes:[!A-Za-z_]* | yes:IFS=* | yes:OPTIND=* | yes:PPID=* | yes:UID=* | yes:EUID=*) ;;
            yes:BASHOPTS=* | yes:SHELLOPTS=* | yes:BASH_VERSINFO=*) ;;
            yes:*=*) case ${word%%=*} in *[!A-Za-z0-9_]*) ;; *) export "${word?}" ;; esac ;;
        esac
    done
    exec "$@" </dev/null 2>/dev/null
}
