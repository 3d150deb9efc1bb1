# Open sessions of the Claude CLI: its processes are called "claude", or "node" with a claude script.

# reads: members
sessions() {
    tried=0
    set +f
    found=$(grep -lxE 'claude|node' "$ROOT"/proc/[0-9]*/comm 2>/dev/null)
    set -f
    for comm in $found; do
        folder=${comm%/comm}
        ! has "$members" "${folder##*/}" && [ -r "$folder/stat" ] || continue
        if [ $((tried += 1)) -gt "$MOST_SESSIONS" ]; then
            over "sessions: more than $MOST_SESSIONS processes are called claude or node"
            break
        fi
        session "$folder"
    done
}

# prints: session+
session() { # FOLDER
    { read -r comm; } 2>/dev/null <"$1/comm"
    count=0 last='' model='' is_cli=
    [ "$comm" != claude ] || is_cli=yes
    IFS=$BETWEEN
    for word in $(head -c "$MOST_OF_COMMAND" "$1/cmdline" 2>/dev/null | tr "\n$BETWEEN\\0" "  $BETWEEN"); do
        if [ $((count += 1)) -gt "$MOST_WORDS" ]; then
            over "process ${1##*/}: more than $MOST_WORDS words"
            break
        fi
        case $count in [23]) ! is_claude "$word" || is_cli=yes ;; esac
        option_in "$word"
        case $option in model=*) model=${option#model=} ;; esac
    done
    IFS=$NL
    [ -n "$is_cli" ] && birth "$1" || return 0
    if [ "${#model}" -gt "$MOST_OF_OPTION" ]; then
        over "process ${1##*/}: an option is longer than $MOST_OF_OPTION bytes"
        model=
    fi
    say session+ "${1##*/}$NL$ticks$NL$terminal$NL$(stat -c %U "$1")$NL$model"
}

# Fields 7 and 22 of proc_pid_stat(5): the terminal's device number, and the birth in clock ticks. They are counted behind
# the bracket that closes the process's name, in which anything may stand. Fails where the process is gone.
# sets: terminal ticks
birth() { # FOLDER
    stat=
    while IFS= read -r line; do stat=$stat$line; done 2>/dev/null <"$1/stat"
    IFS=' '
    # shellcheck disable=SC2086 # numbers
    set -- ${stat##*") "}
    IFS=$NL
    [ $# -ge 20 ] || return 1
    terminal=$5 ticks=${20}
}
