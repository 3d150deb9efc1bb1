# What the service says when it is asked, and what its user's login gets.

# Masked; curl's own words are numbers, which the controller puts into words.
# reads: CHECK_URL
# prints: report.code report.http
ask_url() {
    [ -n "$CHECK_URL" ] || return 0
    # The URL may hold a password: curl reads it from stdin, for its command line is for everybody to see.
    answer=$({
        printf 'url = "%s"\n' "$CHECK_URL" |
            curl -q -fsS --max-time 3 --proto '=http,https' -w '\n%{http_code}' -K - 2>/dev/null
        printf '\n%s' "$?"
    } | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    split_answer || return 0
    http=${answer##*"$NL"} answer=${answer%"$NL"*}
    if [ "$code" = 0 ]; then say_masked report "$answer"; return; fi
    say report.code "$code"
    say report.http "$http"
}

# What the command leaves behind may hold its pipe for as long as it likes; nobody waits for that.
# reads: CHECK_COMMAND start user
# prints: report.code
ask_command() {
    [ -n "$CHECK_COMMAND" ] || return 0
    # shellcheck disable=SC2016 # for the user's shell
    answer=$({
        printf %s "$CHECK_COMMAND" | START=$start timeout -k 1 20 runuser -s /bin/sh "$user" -c \
            'cd "$START" && unset START && eval "$(cat)" </dev/null' 2>/dev/null
        printf '\n%s' "$?"
    } | timeout -k 1 25 cat | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    split_answer || return 0
    if [ "$code" != 0 ]; then say report.code "$code"; return; fi
    answer=${answer%"$NL"}
    case $answer in
        *'{'* | *[[:space:]]*) ;;
        # Nothing but a model; anything else is shown masked.
        *) answer="{\"model\":\"$answer\"}" ;;
    esac
    say_masked report "$answer"
}

# Fails, and says so, where an answer is too long.
# reads: answer, with an exit code as its last line, and a line behind that
# sets: answer code
# prints: report.code
split_answer() {
    answer=${answer%?x}
    if [ "${#answer}" -gt "$MOST_OF_ANSWER" ]; then say report.code long; return 1; fi
    code=${answer##*"$NL"} answer=${answer%"$NL"*}
    # Bytes that the shell drops count for head.
    case $code in *[!0-9]* | '') code=long ;; esac
}

# prints: report.size report.masked inline.size inline.masked
say_masked() { # NAME TEXT
    say "$1.size" "${#2}"
    printf %s "$2" | awk "$MASK_AWK" label="$1.masked" -
}

# Limits through PAM, by runuser and not by su, which would have logind and the user's own systemd begin a session at each
# look; not the user's profile, which is code that a look has no business to run.
# reads: user
# prints: login.nofile login.error
login() {
    words=$(timeout -k 1 5 runuser -s /bin/sh "$user" -c 'printf nofile=; ulimit -n' 2>&1 </dev/null |
        timeout -k 1 8 head -c 4096)
    case $words in
        *nofile=*) words=${words##*nofile=}; say login.nofile "${words%%"$NL"*}" ;;
        *) say login.error "${words##*"$NL"}" ;;
    esac
}
