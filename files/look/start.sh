# How systemd would start the service now.

# reads: all that unit and manager set, pid home cwd
# sets: units (its files), layers (settings files), foreign (EnvironmentFiles), of which root reads its own alone
# prints: next_start.env+
next_start() {
    next_command_lines
    next_environment
    list_environment_files
    list_managed
    next_start_lacks
    list_unit_files
    # shellcheck disable=SC2086 # a path a line
    stat_files $unit_files $environments $managed
    for file in $unit_files $managed; do
        has "$owned" "$file" || over "$file: others than root can change it or lead it elsewhere, so root does not read it"
    done
    foreign=''
    for file in $environments; do
        if has "$owned" "$file"; then
            for line in $(environment_file "$file"); do next_variable "$file" "$line"; done
        else
            # Read as the user; this says where in the order its lines belong.
            say next_start.env+ "$file$NL$NL"
            foreign=$foreign$NL$file
        fi
    done
    layers='' units=''
    for file in $managed; do if has "$owned" "$file"; then layers=$layers$NL$file; fi; done
    for file in $unit_files; do if has "$owned" "$file"; then units=$units$NL$file; fi; done
}

# systemd shows words without their quotes; those of the very command line that runs are known from that.
# reads: commands start of_main
# sets: named
# prints: next_start.argv+
next_command_lines() {
    for command in $commands; do
        words=${command##*" argv[]="}
        words=${words%" ; ignore_errors="*}
        case $words in *--model* | *--settings* | *--agent* | *--setting-sources*) ;; *) continue ;; esac
        last=
        IFS=$BETWEEN
        # shellcheck disable=SC2086 # its words
        set -- $of_main
        IFS=' '
        # It may have the script's interpreter before it.
        case $* in "$words" | "${1-} $words") IFS=$BETWEEN words=$of_main ;; esac
        for word in $words; do
            # Nothing tells where the text behind it ends.
            case $IFS$word in " --"*prompt) break ;; esac
            option_in "$word"
            case $option in
                # systemd shows the words without their quotes: such settings can be read from the process alone.
                '' | settings= | settings=*[{}\"]*) continue ;;
                settings=*) named_from "$start" "${option#settings=}" ;;
            esac
            say next_start.argv+ "${option%%=*}$NL${option#*=}"
        done
        IFS=$NL
    done
}

# Weakest first: systemd's own environment, what it passes on of its own process, the unit's; EnvironmentFiles follow.
# reads: manager_environment passed environment unset
# prints: next_start.unset+
next_environment() {
    unquote "$manager_environment"
    for word in $words; do next_variable 'systemctl show-environment' "$word"; done
    IFS=' '
    for name in $passed; do
        names_what_matters "$name=" || continue
        IFS=$NL
        for word in $(tr '\n\0' ' \n' <"$ROOT/proc/1/environ"); do
            case $word in "$name="*) next_variable PassEnvironment= "$word" ;; esac
        done
    done
    IFS=$NL
    unquote "$environment"
    for word in $words; do next_variable Environment= "$word"; done
    unquote "$unset"
    for word in $words; do
        case $word in *=*) name=$word ;; *) name=$word= ;; esac
        ! names_what_matters "$name" || say next_start.unset+ "$word"
    done
}

# Sets $words to those of a list as `systemctl show` prints it, a line each: one that needs it stands in double quotes,
# with a backslash before what a shell would read.
unquote() { # LIST
    words='' rest=$1
    while [ -n "$rest" ]; do
        case $rest in
            ' '*) rest=${rest#?}; continue ;;
            '"'*) rest=${rest#?} word= ;;
            *)
                words=$words$NL${rest%%' '*}
                case $rest in *' '*) rest=${rest#*' '} ;; *) rest= ;; esac
                continue ;;
        esac
        while :; do
            part=${rest%%[\\\"]*}
            word=$word$part rest=${rest#"$part"}
            case $rest in
                \\*) rest=${rest#?}; word=$word${rest%"${rest#?}"} rest=${rest#?} ;;
                *) rest=${rest#?}; break ;;
            esac
        done
        words=$words$NL$word
    done
}

# systemd.exec(5): a pattern stands for the files it matches.
# reads: environment_files pid
# sets: environments
list_environment_files() {
    environments=''
    set +f
    for file in $environment_files; do
        may_lack=${file##*" (ignore_errors="} file=${file%" (ignore_errors="*} matches=
        for match in $file; do [ ! -f "$match" ] || matches=$matches$NL$match; done
        environments=$environments$matches
        [ -n "$matches" ] || [ "$may_lack" = 'yes)' ] || [ "$pid" = 0 ] || lacks EnvironmentFile "$file"
    done
    set -f
}

# The administrator's settings.
# reads: MANAGED
# sets: managed
list_managed() {
    managed=''
    [ -d "$MANAGED" ] || return 0
    set +f
    for file in "$MANAGED/managed-settings.json" "$MANAGED"/managed-settings.d/*.json; do
        [ ! -f "$file" ] || managed=$managed$NL$file
    done
    set -f
}

# A folder or a program is looked for where the process sees it: what a start makes, such as RuntimeDirectory=, is there.
# reads: own_root pid start may_lack_start program
next_start_lacks() {
    [ -z "$own_root" ] && [ -e "$ROOT/proc/$pid/root/" ] || return 0
    [ -n "$may_lack_start" ] || ! is_gone "$ROOT/proc/$pid/root$start" || lacks WorkingDirectory "$start"
    [ -z "$program" ] || ! is_gone "$ROOT/proc/$pid/root$program" || lacks ExecStart "$program"
}

# Even root can't look into some folders (FUSE, NFS): of what is in those, nothing is known.
is_gone() { [ ! -e "$1" ] && [ -d "${1%/*}" ] && [ -x "${1%/*}" ]; }

# What the unit needs to be started, and is not there.
# prints: unit.lacks+
lacks() { say unit.lacks+ "$1$NL$2"; } # SETTING PATH

# The unit's files as systemd would read them now, which need not be those that it has read: of the drop-ins of one name,
# that of the first folder counts (systemd.unit(5)). Sorting them is left to the controller.
# reads: UNIT fragment unit_names unit_path dropins
# sets: unit_files
list_unit_files() {
    unit_files='' dropin_names='' families=''
    [ ! -f "$fragment" ] || unit_files=$NL$fragment
    IFS=' '
    for name in $unit_names; do
        type=.${name##*.} name=${name%.*} instance=''
        case $name in *@*) instance=@${name#*@} name=${name%%@*} ;; esac
        while :; do
            families="$families $name$instance$type"
            [ -z "$instance" ] || families="$families $name@$type"
            # a-b-c.service, a-b-.service, a-.service
            name=${name%-}
            case $name in *-*) name=${name%-*}- ;; *) break ;; esac
        done
    done
    set +f
    for folder in $unit_path; do
        for name in $families; do add_dropins "$folder/$name.d"/*.conf; done
    done
    for folder in $unit_path; do add_dropins "$folder/${UNIT##*.}.d"/*.conf; done
    # shellcheck disable=SC2086
    add_dropins $dropins
    set -f
    IFS=$NL
}

# sets: unit_files dropin_names
add_dropins() { # FILE ...
    for file in "$@"; do
        { [ -e "$file" ] || [ -L "$file" ]; } && ! has "$dropin_names" "${file##*/}" && is_plain "$file" || continue
        dropin_names=$dropin_names$NL${file##*/}
        # An empty one, or a link to /dev/null, only hides others of its name.
        [ ! -f "$file" ] || unit_files=$unit_files$NL$file
    done
}
