# The unit as systemd has it, its user, and what systemd has for every service.

# reads: UNIT STATUS
# sets: loaded user pid start fragment dropins unit_names group own_root program commands, and of the environment that a
#       start has: environment passed environment_files unset
# prints: unit.PROPERTY
unit() {
    loaded='' user='' pid=0 start='' fragment='' dropins='' unit_names='' group='' own_root='' program='' commands=''
    environment='' passed='' environment_files='' unset=''
    for line in $(systemctl show "$UNIT" --property="LoadState,LoadError,User,Type,MainPID,NRestarts,ActiveState,\
SubState,Result,InactiveEnterTimestampMonotonic,FragmentPath,DropInPaths,NeedDaemonReload,LimitNOFILESoft,TimeoutStopUSec,TimeoutStartUSec,\
WorkingDirectory,Environment,PassEnvironment,EnvironmentFiles,UnsetEnvironment,ExecStart,ControlGroup,Names,\
RootDirectory,RootImage"); do
        text=${line#*=}
        case $line in
            Environment=*) environment=$text; continue ;;
            PassEnvironment=*) passed=$text; continue ;;
            EnvironmentFiles=*) environment_files=$environment_files$NL$text; continue ;;
            UnsetEnvironment=*) unset=$text; continue ;;
            ExecStart=*)
                commands=$commands$NL$text program=${text#*path=}
                program=${program%%" ; argv[]="*}
                continue ;;
            Names=*) unit_names=$text; continue ;;
            ControlGroup=*) group=$text; continue ;;
            RootDirectory=* | RootImage=*) own_root=$own_root$text; continue ;;
            WorkingDirectory=*) start=$text; continue ;;
            LoadState=*) loaded=$text ;;
            User=*) user=$text ;;
            MainPID=*) pid=$text ;;
            FragmentPath=*) fragment=$text ;;
            DropInPaths=*) dropins=$text ;;
        esac
        say "unit.${line%%=*}" "$text"
    done
    [ -z "$STATUS" ] || status
}

# Without the lines that show command lines: those may carry secrets.
# reads: UNIT
# prints: status+
status() {
    for line in $(systemctl status "$UNIT" --no-pager --lines=0 2>/dev/null); do
        case $line in
            *' Loaded: '* | *' Drop-In: '* | *.conf) say status+ "$line" ;;
            *' Active: '*) say status+ "$line"; break ;;
        esac
    done
}

# Fails where this very unit has no user: of one that systemd can't load, it knows none.
# reads: loaded user start SETTINGS
# sets: user uid gid home SETTINGS start may_lack_start; where there is none, uid to nothing, no process and no file
# prints: settings.path user uid gid home next_start.cwd
service_user() {
    uid=''
    set --
    if [ "$loaded" = loaded ]; then
        IFS=:
        # shellcheck disable=SC2046 # the fields of passwd(5)
        set -- $(getent passwd "${user:-root}")
        IFS=$NL
    fi
    [ $# -ge 6 ] || { pid=0 speaker=0 units=''; return 1; }
    user=$1 uid=$3 gid=$4 home=$6
    case $SETTINGS in \~/*) SETTINGS=$home/${SETTINGS#\~/} ;; esac
    # "!" or "-" before it: it may be missing.
    may_lack_start=
    case $start in [-!]*) may_lack_start=yes start=${start#?} ;; esac
    case $start in \~) start=$home ;; '') start=/ ;; esac
    say settings.path "$SETTINGS"
    say user "$user"
    say uid "$uid"
    say gid "$gid"
    say home "$home"
    say next_start.cwd "$start"
}

# What systemd has for every service, and where it looks for units.
# sets: COMMENTS_GO_ON unit_path manager_environment
manager() {
    COMMENTS_GO_ON='' unit_path='' manager_environment=''
    for line in $(systemctl show --property=Version,UnitPath,Environment); do
        text=${line#*=}
        case $line in
            Version=*) [ "${text%%[!0-9]*}" -ge 254 ] 2>/dev/null || COMMENTS_GO_ON=yes ;;
            UnitPath=*) unit_path=$text ;;
            Environment=*) manager_environment=$text ;;
        esac
    done
}
