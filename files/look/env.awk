# Prints the variables of `env` in a settings file that say which endpoint is asked, and as whom: NAME=VALUE, \036 before each.
# For a process of the service's own user: what it prints is secret. One pass, piece by piece between the quotes.
BEGIN { RS = "\"" }

# A string was read; whether it is a key shows only in what follows it.
function flush(follows) {
    if (!held) return
    held = 0
    if (follows ~ /^[ \t\r\n]*:/) {
        if (depth == 1) section = string
        else if (depth == 2) key = string
    } else if (key != "") put(string)
}

function put(value) {
    if (depth == 2 && section == "env" && key ~ /^(ANTHROPIC_|CLAUDE_CODE_|CLAUDE_CONFIG_DIR$|HTTPS?_PROXY$|NO_PROXY$|https?_proxy$|no_proxy$)/)
        printf "\036%s=%s", key, unescaped(value)
    key = ""
}

# In the place of a character that is none of ASCII, or stands for none, is \001, which no value here has.
function unescaped(text,   out, sign, code) {
    while (match(text, /\\/)) {
        sign = substr(text, RSTART + 1, 1)
        out = out substr(text, 1, RSTART - 1)
        if (sign == "u" && substr(text, RSTART + 2, 4) ~ /^00[2-7][0-9A-Fa-f]$/) {
            code = index("0123456789abcdef", tolower(substr(text, RSTART + 5, 1))) - 1
            sign = sprintf("%c", 16 * substr(text, RSTART + 4, 1) + code)
            text = substr(text, RSTART + 6)
        } else {
            sign = sign == "n" ? "\n" : sign ~ /[bfrtu]/ ? "\001" : sign
            text = substr(text, RSTART + 2)
        }
        out = out sign
    }
    return out text
}

function outside(piece,   i, sign) {
    if (key != "" && match(piece, /^[ \t\r\n]*:[ \t\r\n]*[a-z0-9.-]+/)) {
        string = substr(piece, RSTART, RLENGTH)
        sub(/^[ \t\r\n]*:[ \t\r\n]*/, "", string)
        put(string)
    }
    for (i = 1; i <= length(piece); i++) {
        sign = substr(piece, i, 1)
        if (sign ~ /[{[]/) depth++
        else if (sign ~ /[]}]/) { depth--; key = "" }
    }
}

{
    if (inside) {
        string = string $0
        slashes = 0
        for (i = length($0); i > 0 && substr($0, i, 1) == "\\"; i--) slashes++
        if (slashes % 2) { string = string "\""; next }
        inside = 0
        held = 1
        next
    }
    flush($0)
    outside($0)
    inside = 1
    string = ""
}
