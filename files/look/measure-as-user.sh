# Measures as the service's user: how its endpoints answer, and which numbers its commands print. What it says is that user's word.
# The limits are those of tasks/measure.py and tasks/samples.py.
LC_ALL=C
export LC_ALL

# So many requests to each URL, one after the other: prints of each the probe's number, the status of HTTP, the seconds that it
# took, and what curl ended with. A URL may hold a password, and a command line is for everybody to see.
ask_urls() { # REQUESTS [NUMBER URL] ...
    left=$1
    shift
    [ $# -gt 0 ] || left=0
    while [ $((left -= 1)) -ge 0 ]; do
        ask_each "$@"
        sleep 0.1
    done
}

ask_each() { # [NUMBER URL] ...
    while [ $# -ge 2 ]; do
        answer=$(printf 'url = "%s"\n' "$2" | curl -q -sS -g -o /dev/null --max-time 5 --proto '=http,https' \
            -w '%{http_code} %{time_total}' -K - 2>/dev/null)
        code=$?
        printf 'http %s %s %s\n' "$1" "${answer:-000 0.0}" "$code"
        shift 2
    done
}

# The command prints one number, which is told with what it ended with. Whatever else stands in its line is a "?" there: left
# out, 1,5 would be another number. A shell drops bytes of 0.
run_commands() { # [NUMBER COMMAND] ...
    while [ $# -ge 2 ]; do
        # shellcheck disable=SC2016 # for the shell within
        answer=$({
            printf %s "$2" | timeout -k 1 5 sh -c 'eval "$(cat)" </dev/null' 2>/dev/null
            printf '\n%s' "$?"
        } | timeout -k 1 6 cat | tr '\0' '?' | head -c 200; printf x)
        answer=${answer%x}
        code=${answer##*[!0-9]}
        number=$(printf '%s\n' "$answer" | sed -n '1{s/^[[:space:]]*//;s/[[:space:]]*$//;p;q;}' |
            tr -c '0-9A-Za-z.+\n-' '?' | head -c 40)
        [ "${#answer}" -lt 200 ] || code=long
        printf 'command %s %s %s\n' "$1" "${code:-124}" "$number"
        shift 2
    done
}
