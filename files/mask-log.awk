# Masks the lines of a log: a program may write any secret into it, so this errs on the side of hiding. Hidden are the
# values of settings.json (ENVIRON["KNOWN_SETTINGS"], its text), those of the process's environment whose names sound
# secret (ENVIRON["KNOWN_ENVIRONMENT"], NAME=VALUE lines), wherever they stand; what stands behind a word that sounds so;
# who an URL is for and what it asks; and every long run of letters and digits that is no id of a model or a release.
# Needs LC_ALL=C (bytes) and any POSIX awk.
BEGIN {
    SECRET = "(pass|secret|token|key|auth|bearer|credential|cookie|session|signature|jwt)"
    LEAST = 6
    LONGEST = 2000
    know_settings(ENVIRON["KNOWN_SETTINGS"])
    know_environment(ENVIRON["KNOWN_ENVIRONMENT"])
}

function know(value) { if (length(value) >= LEAST && value !~ /^claude-[a-z0-9.-]*$/) known[value] = 1 }

# Text between quotes is a key if a colon follows. Escapes cut a value into the parts that a log can show as they are.
function know_settings(text,   count, part, i, key, pieces, piece, j) {
    gsub(/\\\\|\\"|\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]|\\[bfnrt\/]/, "\001", text)
    count = split(text, part, "\"")
    for (i = 2; i <= count; i += 2) {
        if (part[i + 1] ~ /^[ \t\r\n]*:/) key = part[i]
        else if (key != "model") {
            pieces = split(part[i], piece, "\001")
            for (j = 1; j <= pieces; j++) know(piece[j])
        }
    }
}

function know_environment(text,   count, line, i, at) {
    count = split(text, line, "\n")
    for (i = 1; i <= count; i++) {
        at = index(line[i], "=")
        if (at && tolower(substr(line[i], 1, at - 1)) ~ SECRET) know(substr(line[i], at + 1))
    }
}

# All that is known is blotted out first, with a sign that no log has: values may overlap.
function without_known(line,   value, at, rest, marked, place) {
    for (value in known) {
        rest = line
        while (at = index(rest, value)) {
            place = length(line) - length(rest) + at
            if (marked[place] < length(value)) marked[place] = length(value)
            rest = substr(rest, at + 1)
        }
    }
    return blotted(line, marked)
}

function blotted(line, marked,   i, left, out, size) {
    size = length(line)
    for (i = 1; i <= size; i++) {
        if (i in marked && marked[i] > left) left = marked[i]
        if (left <= 0) out = out substr(line, i, 1)
        else if (--left == 0) out = out "****"
    }
    return left > 0 ? out "****" : out
}

function is_long(word) {
    if (word ~ /^claude-[a-z0-9.-]*$/ || word ~ /^[0-9]+-[0-9]+-[0-9a-f]+$/ && length(word) == 20) return 0
    return length(word) >= 20 && word ~ /[0-9]/ && word ~ /[A-Za-z]/ || length(word) >= 40
}

# A word of a line: a name and what it is given, a path, an URL, or a word alone.
function masked(word,   lower, at, out, piece) {
    lower = tolower(word)
    if (after) {
        if (word ~ /^[:=]+$/) return word
        after = lower ~ /^(bearer|basic|token)$/
        return "****"
    }
    if (lower ~ /^(bearer|basic)$/) { after = 1; return word }
    if (sounds && word ~ /^[:=]+$/) { after = 1; return word }
    if (match(lower, "^[a-z0-9_.-]*" SECRET "[a-z0-9_.-]*[:=]+")) {
        after = substr(lower, RLENGTH + 1) ~ /^(bearer|basic)?$/
        return substr(word, 1, RLENGTH) (RLENGTH == length(word) ? "" : "****")
    }
    sounds = lower ~ "^[a-z0-9_.-]*" SECRET "[a-z0-9_.-]*$"
    if (at = index(word, "://")) {
        at += 3
        if (match(substr(word, at), /^[^\/]*@/)) word = substr(word, 1, at - 1) "****@" substr(word, at + RLENGTH)
        if (at = index(word, "?")) word = substr(word, 1, at) "****"
    } else if (word !~ /^[.~]?\// && word ~ /[+\/=]/ && word ~ /[0-9]/ && word ~ /[A-Za-z]/ && word !~ /[.:]/ && length(word) >= 32) {
        # Base64, which has the signs of a path.
        return "****"
    }
    while (match(word, /[:=\/@&?]/)) {
        piece = substr(word, 1, RSTART - 1)
        out = out (is_long(piece) ? "****" : piece) substr(word, RSTART, 1)
        word = substr(word, RSTART + 1)
    }
    return out (is_long(word) ? "****" : word)
}

{
    line = without_known(substr($0, 1, LONGEST))
    after = sounds = 0
    out = ""
    while (match(line, /[A-Za-z0-9_.:=\/@&?+%~#!$*^\200-\377-]+/)) {
        at = RSTART
        size = RLENGTH
        out = out substr(line, 1, at - 1) masked(substr(line, at, size))
        line = substr(line, at + size)
    }
    print out line
}
