# Masks the lines of a log: a program may write any secret into it, so this errs on the side of hiding. The first line of
# the input is the text of settings.json, the second one the process's environment, a \002 between variables; \001 stands
# for a newline in both. The log follows. Hidden are the values of settings.json and those of the environment whose names
# sound secret, wherever they stand; what is given to a name or option that sounds so, and what prose says after such a
# word; who an URL is for and what it asks; and every long run of letters and digits that is no id of a model or release.
# Needs LC_ALL=C (bytes) and any POSIX awk.
BEGIN {
    LEAST = 6
    LONGEST = 2000
    MOST_OF_FIELD = 20000
    MOST_OF_WORD = 500
    MOST_OF_WHO = 100
    MOST_LINES = 200
    # Characters in which a value is sought that begins within the longest line.
    SOUGHT = 10000
    # Characters of known values that a line is compared with, at most; what is left of it is hidden then.
    MOST_WORK = 300000
    # After "password", "token" …: what may come between it and the secret, and what is no secret.
    words(links, "is was are be to as set changed now its the your a an = : value")
    words(plain, "and or not no for from of in on at by with without if when while because but than then this that it " \
        "has had have does did do can could will would should may might must needs need wants cannot can't isn't wasn't " \
        "doesn't didn't expired expires expiring invalid valid missing required found given provided supplied used unused " \
        "empty wrong bad incorrect rejected refused accepted denied failed fails failure failing error errors ok okay " \
        "unknown known unset present absent created deleted removed revoked rotated refreshed updated loaded read stored " \
        "saved sent received requested authentication authorization verification validation exchange refresh renewal " \
        "rotation limit limits count usage budget window lifetime expiry mismatch mismatched malformed too already still " \
        "only please check try see file files path name names type format length size id ids store manager helper pair " \
        "exists exist unavailable available disabled enabled protected authenticated verified ready")
}

function words(list, text,   count, each, i) {
    count = split(text, each, " ")
    for (i = 1; i <= count; i++) list[each[i]] = 1
}

# Values are found by how they begin, and by their lengths.
function know(value,   start) {
    if (length(value) < LEAST || value ~ /^claude-[a-z0-9.-]*$/) return
    value = substr(value, 1, SOUGHT - LONGEST)
    known[value] = 1
    start = substr(value, 1, LEAST)
    if ((start, "size", length(value)) in sizes) return
    sizes[start, "size", length(value)] = 1
    sizes[start, ++many[start]] = length(value)
}

# Text between quotes is a key if a colon follows. Escapes cut a value into the parts that a log can show as they are.
function know_settings(text,   count, part, i, key) {
    gsub(/\\\\|\\"|\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]|\\[bfnrt\/]/, "\001", text)
    count = split(text, part, "\"")
    for (i = 2; i <= count; i += 2) {
        if (part[i + 1] ~ /^[ \t\r\001]*:/) key = part[i]
        else if (key != "model") know_lines(part[i])
    }
}

function know_lines(value,   count, line, i) {
    count = split(value, line, "\001")
    for (i = 1; i <= count; i++) know(line[i])
}

function know_environment(text,   count, variable, i, at, name) {
    count = split(text, variable, "\002")
    for (i = 1; i <= count; i++) {
        at = index(variable[i], "=")
        name = tolower(substr(variable[i], 1, at - 1))
        if (at && sounds(name) && name !~ /^(old)?pwd$/) know_lines(substr(variable[i], at + 1))
    }
}

# All that is known is blotted out first: values may overlap.
function without_known(text,   end, i, size, covered, out) {
    end = length(text) < LONGEST ? length(text) : LONGEST
    work = covered = 0
    for (i = 1; i <= end; i++) {
        if (!(size = known_at(text, i))) continue
        if (i > covered) out = out substr(text, covered + 1, i - covered - 1) "****"
        if (i + size - 1 > covered) covered = i + size - 1
    }
    return covered < end ? out substr(text, covered + 1, end - covered) : out
}

# The length of the longest known value that begins there.
function known_at(text, at,   start, i, size, most) {
    start = substr(text, at, LEAST)
    if (!(start in many)) return 0
    for (i = 1; i <= many[start]; i++) {
        size = sizes[start, i]
        if (size <= most) continue
        if ((work += size) > MOST_WORK) return LONGEST
        if (substr(text, at, size) in known) most = size
    }
    return most + 0
}

function is_long(word) {
    if (length(word) < 20) return 0
    if (word ~ /^claude-[a-z0-9.-]*$/ || word ~ /^[0-9]+-[0-9]+-[0-9a-f]+$/ && length(word) == 20) return 0
    return word ~ /[0-9]/ && word ~ /[A-Za-z]/ || length(word) >= 40
}

function shown(piece) { return is_long(piece) ? "****" : piece }

function sounds(name) {
    name = tolower(name)
    return name ~ /pass|pwd|secret|token|key|auth|bearer|credential|cookie|session|signature|jwt/ && name !~ /authenticate$/
}

# --- what follows a word: `rest` is what has not been read of the line yet ------------------------------------------

function take(count,   text) {
    text = substr(rest, 1, count)
    rest = substr(rest, count + 1)
    return text
}

# A value: to the end of its quotes or brackets, or to a blank.
function hidden(   text) {
    if (rest == "") return ""
    if (match(rest, /^[bBuUrR$@]?\\*["'`]/)) {
        take_quoted(RLENGTH)
        # What is written against it belongs to it.
        if (rest ~ /^[A-Za-z0-9_@#$%^*+!.\/-]/) hidden()
    } else if (rest ~ /^[[{(]/) take_bracketed()
    else if (match(rest, /^(-?[0-9.]+|true|false|null)[],}]/)) take(RLENGTH - 1)
    else {
        match(rest, /^[^ \t]*/)
        text = tolower(take(RLENGTH))
        if (text ~ /^(bearer|basic|token|apikey|digest)$/ || text ~ /^-/ && text !~ /=/ && sounds(text)) {
            take(blanks())
            hidden()
        }
    }
    return "****"
}

# A word is all but blanks, quotes, brackets and commas (not every awk knows \200 in brackets). Some regular expressions
# take as long as the whole text is, whatever they match: most words are found in a part of it.
function until_word(   part) {
    part = substr(rest, 1, 100)
    return take(match(part, /[^][\\ \t"'`(){}<>|,;]/) ? RSTART - 1 : length(part))
}

function word_size(   part) {
    part = substr(rest, 1, 100)
    match(part, /^[^][\\ \t"'`(){}<>|,;]*/)
    if (RLENGTH == 100) match(rest, /^[^][\\ \t"'`(){}<>|,;]*/)
    return RLENGTH
}

function blanks() { match(rest, /^[ \t]*/); return RLENGTH }

# In a text within quotes, quotes have a backslash before them. Where it does not end, the line does.
function take_quoted(opening,   quote, depth, at, i) {
    quote = substr(rest, opening, 1)
    for (i = opening - 1; i > 0 && substr(rest, i, 1) == "\\"; i--) depth++
    take(opening)
    while (at = index(rest, quote)) {
        for (i = at - 1; i > 0 && substr(rest, i, 1) == "\\"; i--);
        i = at - 1 - i
        take(at)
        if (depth ? i <= depth : i % 2 == 0) return
    }
    rest = ""
}

function take_bracketed(   depth) {
    do {
        depth += take(1) ~ /[[{(]/ ? 1 : -1
        if (depth == 0) return
        if (!match(rest, /[][{}()]/)) { rest = ""; return }
        take(RSTART - 1)
    } while (1)
}

# What stands between a name and its value, and the value.
function given(name,   text) {
    match(rest, /^(\\|["'`]|\])*[ \t]*[:=][:=>]*[ \t]*/)
    text = take(RLENGTH)
    # As many as a model was given, and said.
    if (name ~ /tokens$/ && rest ~ /^[0-9]+([],} \t]|$)/) return text
    if (tolower(name) ~ /cookie/ && rest !~ /^\\*["'`]/) { rest = ""; return text "****" }
    return text hidden()
}

# The argument of an option, which may stand in a list.
function argument(   text) {
    if (!match(rest, /^(\\*["'`])?,?[ \t]*/) || RLENGTH == 0) return ""
    text = take(RLENGTH)
    return text hidden()
}

# "password hunter2", "the secret is hunter2"; and not "the token expired".
function prose(   text, before, word, i) {
    for (i = 0; i < 4 && match(rest, /^\\*["'`]?[ \t]+/); i++) {
        before = take(RLENGTH)
        match(rest, /^[^ \t]*/)
        word = tolower(substr(rest, 1, RLENGTH))
        text = text before
        if (word in links || word !~ /[a-z0-9]/ && length(word) < 4) text = text take(RLENGTH)
        else {
            gsub(/^[^a-z0-9]+|[^a-z0-9]+$/, "", word)
            return (word in plain || word in links) ? text : text hidden()
        }
    }
    return text
}

# A word of a line: a name and what it is given, a path, an URL, or a word alone.
function masked(word,   lower, out, piece, sign, in_url) {
    if (word ~ /^-/) {
        if (word ~ /^(-u[^:=\/]|--(proxy-)?user=)[^:]*:/) {
            rest = word rest
            return take(word ~ /^-u/ ? 2 : index(word, "=")) hidden()
        }
        if (word ~ /^(-u|--(proxy-)?user)$/)
            return word (rest ~ /^(\\*["'`])?,?[ \t]*\\*["'`]?[^ \t"'`]*:/ ? argument() : "")
    }
    # Base64, which has the signs of a path.
    if (length(word) >= 32 && word !~ /^[.~]?\// && word ~ /[+\/=]/ && word ~ /[0-9]/ && word ~ /[A-Za-z]/ && word !~ /[.:]/) {
        piece = word
        sub(/=.*/, "", piece)
        if (!sounds(piece)) return "****"
    }
    while (match(word, /[:=\/@&?]/)) {
        piece = substr(word, 1, RSTART - 1)
        sign = substr(word, RSTART, 1)
        if (sign ~ /[:=]/ && sounds(piece)) {
            rest = substr(word, RSTART) rest
            return out shown(piece) given(piece)
        }
        word = substr(word, RSTART + 1)
        out = out shown(piece) sign
        if (sign == ":" && word ~ /^\/\//) {
            in_url = 1
            out = out "//"
            rest = substr(word, 3) rest
            if (index(rest, "@") && match(rest, /^[^ \t"]*@/)) { take(RLENGTH); out = out "****@" }
            word = take(word_size())
        } else if (sign == ":" && match(word, /^[^@\/]+@/)) {
            out = out "****@"
            word = substr(word, RLENGTH + 1)
        } else if (sign == "?" && (in_url || word ~ /=/)) {
            if (match(rest, /^[^ \t"<>]+/)) take(RLENGTH)
            return out "****"
        }
    }
    out = out shown(word)
    if (!sounds(word)) return tolower(word) == "basic" && rest ~ /^[ \t]/ ? out take(blanks()) hidden() : out
    if (rest ~ /^(\\|["'`]|\])*[ \t]*[:=]/) return out given(word)
    if (word ~ /^-/) return out argument()
    lower = tolower(word)
    if (lower == "bearer" && rest ~ /^[ \t]/) return out take(blanks()) hidden()
    if (lower ~ /(password|passwd|passphrase|pwd|secret|token|apikey|credentials?)$/ || lower ~ /(^|[-_.])key$/) return out prose()
    return out
}

function masked_line(text,   cut, out, size, word) {
    cut = length(text) > LONGEST
    rest = without_known(substr(text, 1, SOUGHT))
    while (rest != "") {
        out = out until_word()
        if (size = word_size()) {
            word = take(size)
            # Nobody knows how a word goes on that is cut off.
            out = out (cut && rest == "" ? "****" : masked(word))
        }
    }
    return out
}

# --- entries of a journal, as `journalctl -o json` has them -----------------------------------------------------------

# The time, model and release, and who says what, a line each, and what was left out of it. Nobody waits for them.
function print_entry(json,   at, head, who, text, count, line, i) {
    # An entry that was cut off may have lost its time; the journal has them in their order.
    if ((at = word_of(json, "__REALTIME_TIMESTAMP")) != "-") last_at = at
    head = (last_at == "" ? "-" : last_at) " " word_of(json, "JADA_MODEL") " " word_of(json, "JADA_RELEASE")
    who = field(json, "SYSLOG_IDENTIFIER")
    sub(/\n.*/, "", who)
    who = who == "" ? "" : (length(who) > MOST_OF_WHO ? "****" : who) ": "
    is_left = 0
    text = field(json, "MESSAGE")
    count = split(text, line, "\n")
    for (i = 1; i <= count && i <= MOST_LINES; i++) {
        print head, masked_line(who line[i])
        if (length(who line[i]) > LONGEST && !(is_left && i == count)) print head, who "… " length(who line[i]) - LONGEST " more characters"
    }
    if (count > MOST_LINES) print head, who "… " count - MOST_LINES " more lines"
    if (is_left) print head, who "… the rest of an entry of " size_of(json) " was left out"
    else if (json ~ /"MESSAGE":null/) print head, who "… an entry of 4096 bytes or more was left out"
    else if (text == "" && length(json) == most) print head, who "… an entry of " size_of(json) " was left out"
    fflush()
}

function size_of(json) { return (length(json) == most ? "more than " : "") length(json) " bytes" }

# A word that was given once: the service may add a second one to that of its drop-in, and both stand in a list then.
function word_of(json, name,   text) {
    text = index(json, "\"" name "\":\"") ? field(json, name) : ""
    return length(text) <= MOST_OF_WORD && text ~ /^[^ \t\r\n]+$/ ? text : "-"
}

# In a text, each quote has a backslash before it: none can pass for another field. One with other bytes than text has
# stands there as numbers.
function field(json, name,   at, text, out, sign) {
    if (!(at = index(json, "\"" name "\":"))) return ""
    text = substr(json, at + length(name) + 3, MOST_OF_FIELD)
    if (text ~ /^\[/) return from_numbers(text)
    if (text !~ /^"/) return ""
    text = substr(text, 2)
    while (match(text, /["\\]/)) {
        out = out substr(text, 1, RSTART - 1)
        sign = substr(text, RSTART, 1)
        if (sign == "\"") return out
        sign = substr(text, RSTART + 1, 1)
        text = substr(text, RSTART + (sign == "u" ? 6 : 2))
        out = out (sign == "n" ? "\n" : sign == "t" ? "\t" : sign ~ /[bfru]/ ? "?" : sign)
    }
    return without_last(out text)
}

function from_numbers(text,   is_whole, count, each, i, out) {
    is_whole = match(text, /\]/)
    if (is_whole) text = substr(text, 1, RSTART - 1)
    count = split(substr(text, 2), each, ",")
    for (i = 1; i <= count; i++) if (each[i] > 0) out = out sprintf("%c", each[i] + 0)
    return is_whole ? out : without_last(out)
}

# Nobody knows how a line goes on that is cut off; of a single one that is longer than what is shown, the rest is not.
function without_last(text) {
    is_left = 1
    return sub(/\n[^\n]*$/, "\n****", text) || length(text) > LONGEST ? text : "****"
}

NR == 1 { know_settings($0); next }
NR == 2 { know_environment($0); next }
entries && $0 == not_whole { print; next }
entries { print_entry($0); next }
{ print masked_line($0) }
