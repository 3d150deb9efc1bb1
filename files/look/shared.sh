# What both halves of a look share: look.sh, which runs as root, and user.sh, which reads what the service's user
# owns and runs as that user. POSIX sh with coreutils and awk.
# A value leaves as a frame, "NAME LENGTH", a newline, LENGTH bytes, a newline: whatever a file, a folder or a process
# is called or says, it is one value and never another field. A name that ends with + may come more than once.
export LC_ALL=C COMMENTS_GO_ON
NAMES='ANTHROPIC_MODEL|ANTHROPIC_DEFAULT_MODEL|CLAUDE_CONFIG_DIR|HOME'
# Bytes: of one value; of a settings file, which the Claude CLI reads whole; of all that one half of a look reads of those.
MOST_OF_VALUE=65536
MOST_OF_FILE=8388608
MOST_OF_FILES=9437184
MOST_LAYERS=999
folders_above=
NL='
'
# awk's own way to say something.
SAY='function say(name, value) { printf "%s %d\n%s\n", name, length(value), value }'

say() { # NAME VALUE
    if [ "${#2}" -le "$MOST_OF_VALUE" ]; then
        printf '%s %s\n%s\n' "$1" "${#2}" "$2"
    else
        over "$1 is longer than $MOST_OF_VALUE bytes"
    fi
}

# Something was too large or too many, and is not looked at.
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
    has "$configs" "$config" || ! is_plain "$config" || configs=$configs$NL$config
}

# What a fresh start of the service would get.
fresh() { # PLACE NAME=VALUE
    names_what_matters "$2" || return 0
    say fresh.env+ "$1$NL${2%%=*}$NL${2#*=}"
    moves "$2"
}

# What matters of an EnvironmentFile, as NAME=VALUE, a line each, read as systemd does (parse_env_file_internal() in its
# env-file.c): by its states, and before systemd 254 a comment too goes on behind a backslash (COMMENTS_GO_ON).
environment_file() { # FILE
    awk -v names="^($NAMES)\$" -v comments_go_on="$COMMENTS_GO_ON" '
        function push() {
            sub(/[ \t]+$/, "", key)
            gsub(/[\n\r]/, " ", value)
            if (key ~ names) print key "=" value
            state = ""
        }
        function take(c,   ends) {
            ends = c == "\n" || c == "\r"
            if (state == "") {
                if (c == "#" || c == ";") state = "comment"
                else if (c !~ /[ \t\n\r]/) { state = "key"; key = c; value = "" }
            } else if (state == "key") {
                if (ends) state = ""
                else if (c == "=") state = "before value"
                else key = key c
            } else if (state == "before value" || state == "value") {
                if (ends) { if (state == "value") value = substr(value, 1, kept); push() }
                else if (c == "\\") state = "escaped"
                else if (state == "before value" && c == "\"") state = "quoted"
                else if (state == "before value" && c == "\047") state = "in single quotes"
                else if (state == "value" || c !~ /[ \t]/) {
                    state = "value"
                    value = value c
                    if (c !~ /[ \t]/) kept = length(value)
                }
            } else if (state == "escaped") {
                state = "value"
                if (!ends) value = value c
                kept = length(value)
            } else if (state == "quoted") {
                if (c == "\"") state = "before value"
                else if (c == "\\") state = "escaped in quotes"
                else value = value c
            } else if (state == "escaped in quotes") {
                state = "quoted"
                if (index("\"\\`$", c)) value = value c
                else if (c != "\n") value = value "\\" c
            } else if (state == "in single quotes") {
                if (c == "\047") state = "before value"
                else value = value c
            } else if (state == "comment") {
                if (c == "\\") state = "escaped in comment"
                else if (ends) state = ""
            } else state = ends && !comments_go_on ? "" : "comment"
        }
        NR > 1 { take("\n") }
        { for (i = 1; i <= length($0); i++) take(substr($0, i, 1)) }
        END { if (state ~ /quote/) push(); else { take("\n"); if (state == "value") push() } }' "$1" 2>/dev/null
}

# Owner, mode and time of settings.json, if it is given, and of the files in $layers, which may name a model too, and their
# masked text; tasks/effective.py ranks them. Of the $folders_above, who may change what is in them.
tell_files() { # SETTINGS or nothing
    to_mask='' hash=unreadable size=0
    [ "$#$layers" != 0 ] || return 0
    # shellcheck disable=SC2086 # a path a line
    for line in $(stat -L -c '%f %u:%g %a %h %s %.9Z %A %n' "$@" $layers $folders_above 2>/dev/null); do
        path=${line#* * * * * * * }
        IFS=' '
        # shellcheck disable=SC2086
        set -- $line
        IFS=$NL
        if has "$folders_above" "$path"; then say folder+ "${2%%:*}$NL$7$NL$path"; continue; fi
        case $path in
            "$SETTINGS") name=settings ;;
            *)
                [ $((number = ${number:-0} + 1)) -le "$MOST_LAYERS" ] || { over "settings files: more than $MOST_LAYERS"; continue; }
                name=layer$number
                say "$name.path" "$path" ;;
        esac
        say "$name.owner" "$2"
        say "$name.mode" "$3"
        say "$name.links" "$4"
        say "$name.size" "$5"
        say "$name.changed" "$6"
        case $1 in 8*) ;; *) say "$name.problem" "it is not a regular file"; continue ;; esac
        if [ "$5" -gt "$MOST_OF_FILE" ]; then
            say "$name.problem" "it has $5 bytes, more than the $MOST_OF_FILE that jada reads"
        elif [ $((size += $5)) -gt "$MOST_OF_FILES" ]; then
            say "$name.problem" "with those before it, it is more than the $MOST_OF_FILES bytes that jada reads"
            over "settings files: more than $MOST_OF_FILES bytes"
        elif [ -r "$path" ]; then
            to_mask=$to_mask${NL}label=$name.masked$NL$path
            [ "$name" != settings ] || hash=$(sha256sum <"$path")
        else
            say "$name.problem" "the service's user may not read it"
        fi
        [ "$name" != settings ] || say settings.sha256 "${hash%% *}"
    done
    # shellcheck disable=SC2086 # a label or a path a line
    [ -z "$to_mask" ] || awk "$MASK" $to_mask
}
