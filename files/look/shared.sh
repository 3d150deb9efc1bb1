# What both halves of a look share: that of root, and user.sh, which reads what the service's user owns and runs as that
# user. POSIX sh with coreutils and awk.
# A value leaves as a frame, "NAME LENGTH", a newline, LENGTH bytes, a newline: whatever a file, a folder or a process
# is called or says, it is one value and never another field. A name that ends with + may come more than once.
export LC_ALL=C COMMENTS_GO_ON
NAMES='ANTHROPIC_MODEL|ANTHROPIC_DEFAULT_MODEL|CLAUDE_CONFIG_DIR|HOME'
# Bytes: of one value; of a settings file, which the Claude CLI reads whole; of all that one half of a look reads of those.
MOST_OF_VALUE=65536
MOST_OF_FILE=8388608
MOST_OF_FILES=9437184
MOST_LAYERS=999
# Bytes of a path that the kernel takes.
MOST_OF_PATH=4096
NL='
'
# Root's half has none of these.
folders_above=

say() { # NAME VALUE
    if [ "${#2}" -le "$MOST_OF_VALUE" ]; then
        printf '%s %s\n%s\n' "$1" "${#2}" "$2"
    else
        over "$1 is longer than $MOST_OF_VALUE bytes"
    fi
}

# Something was too large or too many, and is not looked at.
# prints: over+
over() { say over+ "$1"; }

# A path that a list of lines can hold.
is_plain() {
    case $1 in *"$NL"*) over "a path with a line break in it is not followed"; return 1 ;; esac
}

has() { case $1$NL in *"$NL$2$NL"*) ;; *) return 1 ;; esac } # LIST ITEM

names_what_matters() {
    case $1 in ANTHROPIC_MODEL=* | ANTHROPIC_DEFAULT_MODEL=* | CLAUDE_CONFIG_DIR=* | HOME=*) ;; *) return 1 ;; esac
}

# Where the settings of the service are then, if a variable of it says that they are elsewhere.
moves() { # NAME=VALUE
    case $1 in
        CLAUDE_CONFIG_DIR=*) config=${1#*=} ;;
        HOME=*) config=${1#*=}/.claude ;;
        *) return ;;
    esac
    if [ "${#config}" -gt "$MOST_OF_PATH" ]; then
        over "settings of the service are looked for in a folder whose path is longer than $MOST_OF_PATH bytes"
        return
    fi
    has "$configs" "$config" || ! is_plain "$config" || configs=$configs$NL$config
}

# What a fresh start of the service would get.
# sets: configs
# prints: next_start.env+
next_variable() { # PLACE NAME=VALUE
    names_what_matters "$2" || return 0
    say next_start.env+ "$1$NL${2%%=*}$NL${2#*=}"
    moves "$2"
}

# What matters of an EnvironmentFile, as NAME=VALUE, a line each.
environment_file() { # FILE
    awk -v names="^($NAMES)\$" -v comments_go_on="$COMMENTS_GO_ON" "$ENVIRONMENT_AWK" "$1" 2>/dev/null
}

# Owner, mode and time of settings.json, if it is given, and of the files in $layers, which may name a model too, and their
# masked text; tasks/effective.py ranks them. Of the $folders_above, who may change what is in them.
# reads: layers folders_above SETTINGS
# prints: layerN.path layerN.owner layerN.mode layerN.links layerN.size layerN.changed layerN.masked
# prints as user: settings.owner settings.mode settings.links settings.size settings.changed settings.masked folder+
settings_files() { # SETTINGS or nothing
    to_mask='' size=0 number=0
    [ "$#$layers" != 0 ] || return 0
    # shellcheck disable=SC2086 # a path a line
    for line in $(stat -L -c '%f %u:%g %a %h %s %.9Z %A %n' "$@" $layers $folders_above 2>/dev/null); do
        path=${line#* * * * * * * }
        IFS=' '
        # shellcheck disable=SC2086
        set -- $line
        IFS=$NL
        if has "$folders_above" "$path"; then say folder+ "${2%%:*}$NL$7$NL$path"; continue; fi
        name=settings
        if [ "$path" != "$SETTINGS" ]; then
            [ $((number += 1)) -le "$MOST_LAYERS" ] || { over "settings files: more than $MOST_LAYERS"; continue; }
            name=layer$number
            say "$name.path" "$path"
        fi
        say "$name.owner" "$2"
        say "$name.mode" "$3"
        say "$name.links" "$4"
        say "$name.size" "$5"
        say "$name.changed" "$6"
        settings_text "$1" "$5"
    done
    # shellcheck disable=SC2086 # a label or a path a line
    [ -z "$to_mask" ] || awk "$MASK_AWK$MASK_FILES_AWK" $to_mask
}

# reads: name path
# sets: to_mask size
# prints: layerN.problem
# prints as user: settings.problem settings.sha256
settings_text() { # KIND SIZE
    hash=unreadable
    case $1 in 8*) ;; *) say "$name.problem" "it is not a regular file"; return ;; esac
    if [ "$2" -gt "$MOST_OF_FILE" ]; then
        say "$name.problem" "it has $2 bytes, more than the $MOST_OF_FILE that jada reads"
    elif [ $((size += $2)) -gt "$MOST_OF_FILES" ]; then
        say "$name.problem" "with those before it, it is more than the $MOST_OF_FILES bytes that jada reads"
        over "settings files: more than $MOST_OF_FILES bytes"
    elif [ -r "$path" ]; then
        to_mask=$to_mask${NL}label=$name.masked$NL$path
        [ "$name" != settings ] || hash=$(sha256sum <"$path")
    else
        say "$name.problem" "the service's user may not read it"
    fi
    [ "$name" != settings ] || say settings.sha256 "${hash%% *}"
}

# Whether an option of the Claude CLI takes the next word as its value, whatever that looks like (its own parser's rule, for
# CLI 2.1.332): else the words of a prompt would be options. Those whose value may be left out do not count.
takes_word() { # OPTION
    case $1 in
        --add-dir | --advisor | --agent | --agent-color | --agent-id | --agent-name | --agent-type | --agents) ;;
        --allowed-tools | --allowedTools | --append-subagent-system-prompt | --append-subagent-system-prompt-file) ;;
        --append-system-prompt | --append-system-prompt-file | --attach-serve | --autocompact | --betas | --channels) ;;
        --client-data-url | --correlation-id | --dangerously-load-development-channels | --debug-file) ;;
        --deep-link-cwd-b64 | --deep-link-last-fetch | --deep-link-repo | --disallowed-tools | --disallowedTools) ;;
        --effort | --environment | --fallback-model | --fast-mode | --file | --forward-home-settings) ;;
        --inherit-permission-mode | --initialize-fields | --input-format | --json-schema | --lead-verify-key) ;;
        --managed-settings | --max-budget-usd | --max-thinking-tokens | --max-turns | --mcp-config) ;;
        --messaging-socket-path | --metadata | --model | --name | -n | --on-branch | --output-format) ;;
        --parent-session-id | --permission-mode | --permission-prompt-tool | --permission-prompts) ;;
        --plan-mode-instructions | --plugin-dir | --plugin-dir-no-mcp | --plugin-url | --pool | --prefill | --prefill-b64) ;;
        --proactivity | --project-config-root | --ref | --remote-control-session-name-prefix) ;;
        --resume-drops-turn | --resume-session-at | --rewind-files | --runner-declares | --sdk-url) ;;
        --session-began-as-copy | --session-id | --setting-sources | --settings | --system-prompt) ;;
        --system-prompt-file | --system-prompt-snapshot | --task-budget | --team-name | --teammate-mode) ;;
        --thinking | --thinking-display | --tools | --watch-artifact | --watch-artifact-no-autoreact | --workload) ;;
        *) return 1 ;;
    esac
}
