# Asks the endpoint of the service whether it knows a model, as the service's user and as whom the service is known there: at
# no token. Prints the status of HTTP, what curl ended with, and whether the answer's text names the model; no secret leaves,
# nor is one ever on a command line. Runs behind shared.sh.
# Exit codes: what keeps it from that (tasks/probe.py).
NO_CURL=80
OF_A_CLOUD=81
OF_A_HELPER=82
BY_LOGIN=83
NO_KEY=84
ODD_VALUE=85
ODD_ANSWER=86
VENDOR=https://api.anthropic.com
MOST_OF_BODY=65536
LONGEST_OF_ENDPOINT=10

# On stdin are the words of the process that asks for a model, MARK, and its environment. FILES are the settings files that it
# reads, a line each, the weakest first.
endpoint_as_service() { # MARK HOME MODEL HAS-HELPER FILES
    unset LC_ALL COMMENTS_GO_ON
    set -f
    mark=$1 home=$2 model=$3 has_helper=$4 files=$5
    command -v curl >/dev/null || exit "$NO_CURL"
    base='' key='' token='' headers='' config='' login='' bedrock='' vertex='' foundry='' mantle=''
    variables "$(cat)"
    : "${config:=$home}"
    IFS=$NL
    for file in "$config/.claude.json" $files; do
        [ ! -r "$file" ] || variables "$mark$(timeout -k 1 5 awk "$ENV_AWK" "$file" 2>/dev/null)"
    done
    ask_endpoint
}

# reads: mark
# sets: what one_variable sets
variables() { # WORDS
    IFS=$BETWEEN in_it=''
    for word in $1; do
        case $in_it$word in
            *"$mark") in_it=yes: ;;
            yes:*=*) one_variable "$word" ;;
        esac
    done
}

# sets: base key token headers config login bedrock vertex foundry mantle
one_variable() { # NAME=VALUE
    value=${1#*=}
    case $1 in
        ANTHROPIC_BASE_URL=*) base=$value ;;
        ANTHROPIC_API_KEY=*) key=$value ;;
        ANTHROPIC_AUTH_TOKEN=*) token=$value ;;
        ANTHROPIC_CUSTOM_HEADERS=*) headers=$value ;;
        CLAUDE_CODE_OAUTH_TOKEN=*) login=$value ;;
        CLAUDE_CONFIG_DIR=*) config=$value ;;
        HOME=*) home=$value ;;
        CLAUDE_CODE_USE_BEDROCK=*) bedrock=$value ;;
        CLAUDE_CODE_USE_VERTEX=*) vertex=$value ;;
        CLAUDE_CODE_USE_FOUNDRY=*) foundry=$value ;;
        CLAUDE_CODE_USE_MANTLE=*) mantle=$value ;;
        HTTP_PROXY=* | HTTPS_PROXY=* | NO_PROXY=* | http_proxy=* | https_proxy=* | no_proxy=*) export "${1?}" ;;
    esac
}

# reads: base key token login bedrock vertex foundry mantle has_helper config
ask_endpoint() {
    for flag in "$bedrock" "$vertex" "$foundry" "$mantle"; do
        case $flag in '' | 0 | false | no | off) ;; *) exit "$OF_A_CLOUD" ;; esac
    done
    if [ -z "$key$token" ]; then
        [ -z "$has_helper" ] || exit "$OF_A_HELPER"
        [ -z "$login" ] && [ ! -e "$config/.credentials.json" ] && [ ! -e "$home/.claude/.credentials.json" ] || exit "$BY_LOGIN"
        exit "$NO_KEY"
    fi
    base=${base:-$VENDOR}
    case $base$key$token in *[[:cntrl:]]*) exit "$ODD_VALUE" ;; esac
    answer=$({
        config_of_curl | curl -q -sS -g --max-time "$LONGEST_OF_ENDPOINT" --proto '=http,https' -w '\n%{http_code}' -K - 2>/dev/null
        printf '\n%s' "$?"
    } | head -c "$MOST_OF_BODY")
    code=${answer##*"$NL"} answer=${answer%"$NL"*}
    status=${answer##*"$NL"} body=${answer%"$NL"*}
    case $status in [0-9][0-9][0-9]) ;; *) exit "$ODD_ANSWER" ;; esac
    # What says that there is no such page, or that it is one, names its path.
    names=no
    case $body in
        *"/models/$model"*) ;;
        *"$model"*) names=yes ;;
    esac
    printf '%s %s %s\n' "$status" "$code" "$names"
}

# reads: base key token headers model
config_of_curl() {
    path=$(printf %s "$model" | sed 's,/,%2F,g')
    printf 'url = "%s"\n' "$(quoted "${base%/}/v1/models/$path")"
    echo 'header = "anthropic-version: 2023-06-01"'
    if [ -n "$token" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$(quoted "$token")"
    else
        printf 'header = "x-api-key: %s"\n' "$(quoted "$key")"
    fi
    IFS=$NL
    for line in $headers; do
        # To curl, that would be a file of headers.
        case $line in @*) continue ;; esac
        printf 'header = "%s"\n' "$(quoted "$line")"
    done
}

quoted() { printf %s "$1" | sed 's/[\\"]/\\&/g'; }
