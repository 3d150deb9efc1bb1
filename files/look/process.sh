# The processes of the unit, and how the one that asks for a model was started.
# Stands in a list of words where a process's command line ends and its environment begins.
ENVIRONMENT_OF_IT='(jada: its environment)'

# The processes of the unit's control group, the main one first.
# reads: UNIT group pid
# sets: members; pid to the first of them where systemd knows no main one: that of a unit of Type=oneshot, or of one that
#       forks and does not say
members() {
    members='' count=0
    [ "$pid" = 0 ] || members=$NL$pid
    [ -n "$group" ] || return 0
    folder=$ROOT/sys/fs/cgroup/systemd$group
    [ -d "$folder" ] || folder=$ROOT/sys/fs/cgroup$group
    set +f
    for file in "$folder/cgroup.procs" "$folder"/*/cgroup.procs "$folder"/*/*/cgroup.procs; do
        [ -r "$file" ] || continue
        while read -r member; do
            [ $((count += 1)) -le "$MOST_MEMBERS" ] || { over "$UNIT: more than $MOST_MEMBERS processes"; break 2; }
            case $member in
                0 | *[!0-9]*) ;;
                *) has "$members" "$member" || members=$members$NL$member ;;
            esac
        done 2>/dev/null <"$file"
    done
    set -f
    # shellcheck disable=SC2086 # a process a line
    set -- $members
    [ "$pid" != 0 ] || pid=${1:-0}
}

# How the process that asks for a model was started, and in what it differs from the main one.
# reads: members pid program home
# sets: configs speaker cwd named of_main
# prints: process.pid speaker.pid running.cwd running.wrapped
running_process() {
    configs=$NL$home/.claude speaker=$pid wrapped='' flags='' variables='' cwd='' named='' of_main=''
    [ -z "$members" ] || find_speaker
    { [ "$pid" -gt 0 ] && [ -r "$ROOT/proc/$pid/stat" ]; } || return 0
    # By the kernel's own word, which asks no file system for it.
    cwd=$(readlink "$ROOT/proc/$speaker/cwd")
    case $cwd in
        /*"$NL"* | *' (deleted)' | [!/]* | '')
            over "the process works in a folder that is gone, or has a line break in its name"
            cwd='' ;;
    esac
    say process.pid "$pid"
    say running.cwd "$cwd"
    [ -z "$wrapped" ] || say running.wrapped yes
    say_variables running.env "$speaker"
    say_options
    [ "$speaker" != "$pid" ] || return 0
    say speaker.pid "$speaker"
    say_variables main.env "$pid"
}

# The process that asks for a model: the Claude CLI's or, behind what only starts others, the first that does more. Their
# user can have them say anything here; or nothing, where their memory is a file of that user's own file system: then the
# limit of the whole look ends this (tasks/engines/look.py), and stopping the service lets the next one see the rest.
# reads: members pid program
# sets: speaker wrapped; is_cli where it is the CLI's; flags and variables to PID:OPTION and PID:NAME=VALUE of those that come
#       into question; of_main to the words of the main one
find_speaker() {
    speaker='' first='' of_all=0
    for member in $members; do
        comm=''
        { read -r comm; } 2>/dev/null <"$ROOT/proc/$member/comm"
        case $comm in
            claude | node) ;;
            *) [ -z "$first" ] || [ "$member" = "$pid" ] || continue ;;
        esac
        # A process's own separator, a zero byte, is none that a shell can hold; with this one, an empty word stays a word.
        words=$(printf '%s\0' "$ENVIRONMENT_OF_IT" |
            head -q -c "$MOST_OF_PROCESS" "$ROOT/proc/$member/cmdline" - "$ROOT/proc/$member/environ" 2>/dev/null |
            tr "\n$BETWEEN\\0" "  $BETWEEN")
        if [ $((of_all += ${#words})) -gt "$MOST_OF_PROCESSES" ]; then
            over "$UNIT: more than $MOST_OF_PROCESSES bytes of command lines and environments"
            break
        fi
        one_process
        [ "$member" != "$pid" ] || of_main=${words%%"$ENVIRONMENT_OF_IT"*}
        case $member in "$pid" | "$first" | "$speaker") flags=$flags$of_this ;; esac
        [ -z "$speaker" ] || break
    done
    is_cli=${speaker:+yes}
    speaker=${speaker:-${first:-$pid}}
}

# reads: words member comm pid program
# sets: of_this, and as it comes to them: speaker first wrapped variables
one_process() {
    last='' of_this='' options=0 count=0 names=0 is_command=yes
    IFS=$BETWEEN
    for word in $words; do
        if [ "$is_command" = no ]; then
            if [ $((names += 1)) -gt "$MOST_WORDS" ]; then
                over "process $member: more than $MOST_WORDS variables"
                break
            fi
            names_what_matters "$word" || continue
            # The first of a name is what counts (getenv(3)).
            has_name "$member:${word%%=*}" || variables=$variables$NL$member:$word
            continue
        fi
        case $word in
            *"$ENVIRONMENT_OF_IT")
                word=${word%"$ENVIRONMENT_OF_IT"}
                # A command line that was cut off has its last word before that.
                [ -z "$word" ] || [ "$is_command" != yes ] || one_word
                is_command=no ;;
            *) [ "$is_command" != yes ] || one_word || is_command=over ;;
        esac
    done
    IFS=$NL
}

# reads: variables
has_name() { # PID:NAME
    case $variables in *"$NL$1="*) ;; *) return 1 ;; esac
}

# Fails where a process has more words or options than it can have need of.
# reads: word, and what one_process reads
# sets: count options last, and what one_process sets
one_word() {
    [ $((count += 1)) -le "$MOST_WORDS" ] || { over "process $member: more than $MOST_WORDS words"; return 1; }
    if [ "$count" = 1 ]; then
        # Until it is seen that this is still what systemd started, and no script has put another in its place.
        [ "$member" != "$pid" ] || wrapped=yes
        [ "$comm" != claude ] || speaker=$member
        only_starts_others "$word" || : "${first:=$member}"
    fi
    if [ "$count" -le 3 ]; then
        if [ "$comm" = node ] && [ "$count" -gt 1 ] && is_claude "$word"; then speaker=$member; fi
        case $member:$word in "$pid:${program##*/}" | "$pid":*/"${program##*/}") wrapped= ;; esac
    fi
    option_in "$word"
    [ -n "$option" ] || return 0
    [ $((options += 1)) -le "$MOST_OPTIONS" ] || { over "process $member: more than $MOST_OPTIONS options"; return 1; }
    of_this=$of_this$NL$member:$option
}

# A script's comm is its own name, and its first word that of what runs it. Of what is longer than a path, shells would
# look for the last part for seconds.
only_starts_others() { # WORD
    [ ${#1} -le 4096 ] || return 1
    set -- "${1##*/}"
    case ${1#-} in
        sh | bash | dash | ash | ksh | zsh | busybox | su | sudo | runuser | setpriv | timeout | flock) ;;
        tini | dumb-init | script | screen | SCREEN | tmux*) ;;
        *) return 1 ;;
    esac
}

# Whether node runs the Claude CLI by this word.
is_claude() { # WORD
    case $1 in claude | */claude | claude.js | */claude.js | claude-code/* | */claude-code/*) ;; *) return 1 ;; esac
}

# Sets $option to NAME=VALUE where the words given so far, one a call, end with an option that decides the model; $last is
# for the next word.
option_in() { # WORD
    option=
    case $last in
        --model | --settings | --agent | --setting-sources) option=${last#--}=$1 last=; return ;;
        ?*) last=; return ;;
    esac
    case $1 in
        --model=* | --settings=* | --agent=* | --setting-sources=*) option=${1#--} ;;
    esac
    ! takes_word "$1" || last=$1
}

# The variables of a process: of two with one name, the first counts (getenv(3)).
# reads: variables
# sets: configs, by those of the process that asks for a model
# prints: running.env.NAME main.env.NAME
say_variables() { # FIELD PID
    names=
    for variable in $variables; do
        case $variable in "$2:"*) variable=${variable#*:} ;; *) continue ;; esac
        ! has "$names" "${variable%%=*}" || continue
        names=$names$NL${variable%%=*}
        say "$1.${variable%%=*}" "${variable#*=}"
        [ "$1" = main.env ] || moves "$variable"
    done
}

# The options of the process that asks for a model. `--settings` takes a file, or the settings themselves.
# reads: flags speaker cwd
# sets: named
# prints: running.argv+ inline.path
say_options() {
    inline=
    for flag in $flags; do
        case $flag in "$speaker:"*) flag=${flag#*:} ;; *) continue ;; esac
        value=${flag#settings=}
        case $flag in
            settings=*'{'*) most=$MOST_OF_INLINE ;;
            *) most=$MOST_OF_OPTION ;;
        esac
        [ "${#value}" -le "$most" ] || { over "process $speaker: an option is longer than $most bytes"; continue; }
        case $flag in
            settings=*'{'*)
                inline=$value
                flag='settings=(on the command line)' ;;
            settings=*) named_from "$cwd" "$value" ;;
        esac
        say running.argv+ "${flag%%=*}$NL${flag#*=}"
    done
    [ -n "$inline" ] || return 0
    say inline.path "(on the command line)"
    say_masked inline "$inline"
}

# A file that `--settings` names, for a process that works in the folder: it may be anybody's.
named_from() { # FOLDER FILE
    case $2 in /*) set -- "$2" ;; *) set -- "$1/$2" ;; esac
    ! is_plain "$1" || named=$named$NL$1
}
