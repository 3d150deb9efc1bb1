# Masks a JSON text without changing its length: every byte of a string value becomes "*", every digit "1",
# anything that can't stand outside a string "?". Keys stay, and so do the values of the few keys in `keep` and those
# of modelOverrides, which say which model is asked for, and by which CLI. So secrets stay on the host, while line,
# column and offset of all that is shown are those of the real file. One pass, piece by piece between the quotes; needs
# LC_ALL=C (bytes) and any POSIX awk. Functions for mask-files.awk and report.awk: take() each piece, then finish(); with a name, the text
# leaves as one frame (shared.sh). It ends with a quote of this program's own.
BEGIN {
    split("model agent availableModels ANTHROPIC_MODEL ANTHROPIC_DEFAULT_MODEL ANTHROPIC_SMALL_FAST_MODEL " \
          "ANTHROPIC_DEFAULT_OPUS_MODEL ANTHROPIC_DEFAULT_SONNET_MODEL ANTHROPIC_DEFAULT_HAIKU_MODEL " \
          "CLAUDE_CONFIG_DIR claude_code_version", kept, " ")
    for (i in kept) keep[kept[i]] = 1
    # Of these, what has the form of a model's id.
    split("fallbackModel CLAUDE_CODE_SUBAGENT_MODEL", kept, " ")
    for (i in kept) keep_id[kept[i]] = 1
}

# The key that a string is: "mod\u0065l" is "model" to every reader of JSON. No key of ours has a backslash in it.
function unescaped(text,   read, code) {
    if (index(text, "\\\\")) return text
    while (match(text, /\\u00[2-7][0-9A-Fa-f]/)) {
        code = tolower(substr(text, RSTART + 4, 2))
        code = 16 * (index("0123456789abcdef", substr(code, 1, 1)) - 1) + index("0123456789abcdef", substr(code, 2)) - 1
        read = read substr(text, 1, RSTART - 1) sprintf("%c", code)
        text = substr(text, RSTART + 6)
    }
    return read text
}

# Prints a part of the text, or keeps it until the length of the whole is known.
function put(text) {
    if (!name) { printf "%s", text; return }
    part[++parts] = text
    size += length(text)
}

function finish(   i) {
    if (held) flush("")
    else if (inside) put(stars(string))
    if (name) {
        printf "%s %d\n", name, size
        for (i = 1; i <= parts; i++) printf "%s", part[i]
        print ""
    }
    parts = size = pieces = 0
    held = inside = listing = 0
    key = string = ""
}

function stars(text) { gsub(/[^\n]/, "*", text); return text }

# What stands between strings: structure and literals stay; nothing else may pass, or a missing quote would leak.
function outside(text,   shape) {
    gsub(/[0-9]/, "1", text)
    shape = text
    gsub(/true|false|null/, "", shape)
    if (shape ~ /[^][{}:,+.eE1 \t\r\n-]/ && !(pieces == 0 && substr(shape, 1, 3) == "\357\273\277" && shape !~ /[A-Za-z]/))
        gsub(/[^][{}:,+.1 \t\r\n-]/, "?", text)
    return text
}

# A string was read; whether it is a key shows only in what follows it.
function flush(follows) {
    if (!held) return
    if (follows ~ /^[ \t\r\n]*:/) { key = unescaped(string); put(string "\"") }
    else {
        put((is_kept() ? string : stars(string)) "\"")
        if (key != "availableModels" && key != "fallbackModel") key = ""
    }
    held = 0
    string = ""
}

function is_kept() {
    if (key in keep_id) return length(string) <= 504 && string ~ /^[A-Za-z0-9][A-Za-z0-9._:\/@-]*(\[1m\])?$/
    return key in keep || listing
}

function take(piece,   slashes, i) {
    if (inside) {
        string = string piece
        for (i = length(piece); i > 0 && substr(piece, i, 1) == "\\"; i--) slashes++
        if (slashes % 2) { string = string "\""; return }
        inside = 0
        held = 1
        return
    }
    flush(piece)
    if (piece !~ /^[ \t\r\n,:]*$/) listing = key == "modelOverrides" && piece ~ /^[ \t\r\n]*:[ \t\r\n]*[{][ \t\r\n]*$/
    if (piece ~ /[{}\]]/) key = ""
    put(outside(piece) "\"")
    pieces++
    inside = 1
}
