# Says which models answered, by the transcripts that the Claude CLI keeps, a row each: an answer, a fallback to another model,
# an error of the API. Nothing of a conversation passes: of each line, which is a JSON object, only the values at the paths in
# `wanted` are looked at, and said where they look like what they should be. Runs behind say.awk; needs LC_ALL=C and any POSIX
# awk. `most` is how many rows are said: the newest transcripts come first.
BEGIN {
    split("type subtype timestamp isSidechain requestId requestedModel isApiErrorMessage apiErrorStatus originalModel " \
          "fallbackModel entrypoint cwd error.status message.id message.model message.usage.input_tokens message.usage.output_tokens " \
          "message.usage.cache_creation_input_tokens message.usage.cache_read_input_tokens", names, " ")
    for (i in names) wanted[names[i]] = 1
    LONGEST = 4096
    works_in = "\"" ENVIRON["FOLDER"]
    # Below / or the home is everybody's work.
    has_below = ENVIRON["FOLDER"] != "/" && ENVIRON["FOLDER"] != ENVIRON["HOME_OF_USER"]
}

# Reads a line into `value`, by path, and fails where it is no whole object. Strings have a quote before them there.
function read(line,   count, i, text, long, slashes) {
    for (i in value) delete value[i]
    depth = 0
    ended = 0
    count = split(line, piece, "\"")
    if (!structure(piece[1])) return 0
    for (i = 2; i <= count; i++) {
        text = ""
        long = 0
        # Up to a quote that no backslash stands before.
        for (; i <= count; i++) {
            if (length(text) + length(piece[i]) > LONGEST) long = 1
            if (!long) text = text piece[i]
            slashes = match(piece[i], /\\+$/) ? RLENGTH : 0
            if (slashes % 2 == 0) break
            if (!long) text = text "\""
        }
        if (i >= count) return 0
        i++
        if (piece[i] ~ /^[ \t]*:/ && is_object[depth]) key[depth] = long ? "?" : text
        else if (!long) found("\"" text)
        if (!structure(piece[i])) return 0
    }
    return ended && depth == 0
}

# What stands between strings: it opens and closes objects and lists, and holds numbers and words.
function structure(text,   c, word) {
    while (text != "") {
        if (match(text, /^[^][{},:]+/)) {
            word = substr(text, 1, RLENGTH)
            gsub(/[ \t\r]/, "", word)
            if (word != "") found(word)
            text = substr(text, RLENGTH + 1)
            continue
        }
        c = substr(text, 1, 1)
        text = substr(text, 2)
        if (c == "{" || c == "[") {
            if (ended || ++depth > 500) return 0
            is_object[depth] = c == "{"
            key[depth] = c == "{" ? "" : "?"
        } else if (c == "}" || c == "]") {
            if (depth < 1 || is_object[depth] != (c == "}")) return 0
            if (--depth == 0) ended = 1
        }
    }
    return 1
}

function found(text,   path, i) {
    if (depth < 1 || depth > 3) return
    path = key[1]
    for (i = 2; i <= depth; i++) path = path "." key[i]
    if (path in wanted) value[path] = text
}

# An interactive session calls itself "cli", and has a person before it.
function is_of_service() {
    if (value["entrypoint"] == "\"cli") return 0
    return value["cwd"] == works_in || has_below && index(value["cwd"], works_in "/") == 1
}

function is_time(text) { return text ~ /^"2[0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\.[0-9]+)?Z$/ && length(text) < 40 }
function is_model(text) { return text ~ /^"[A-Za-z0-9][A-Za-z0-9._:\/@-]*(\[1m\])?$/ && length(text) < 258 }
function number(path) { return value[path] ~ /^[0-9]+$/ && length(value[path]) < 12 ? value[path] : 0 }
function bare(text) { return substr(text, 2) }

function add(id, row) {
    if (!(id in row_of)) {
        if (rows >= most) return
        row_of[id] = ++rows
    }
    said[row_of[id]] = row
}

# A line of an answer's, of which it may have several: the last one has the tokens of all.
function answer(when,   id, requested) {
    requested = is_model(value["requestedModel"]) ? bare(value["requestedModel"]) : ""
    if (value["isApiErrorMessage"] == "true") {
        add("line " NR, "failed" when number("apiErrorStatus") "\n" requested "\n0\n0\n0\n0")
    } else if (is_model(value["message.model"])) {
        id = value["requestId"] value["message.id"]
        add(id == "" ? "line " NR : "answer " id, "answer" when requested "\n" bare(value["message.model"]) "\n" \
            number("message.usage.input_tokens") "\n" number("message.usage.cache_creation_input_tokens") "\n" \
            number("message.usage.cache_read_input_tokens") "\n" number("message.usage.output_tokens"))
    }
}

!/"type"[ \t]*:[ \t]*"(assistant|system)"/ { next }
!read($0) || !is_time(value["timestamp"]) || !is_of_service() { next }
{ when = "\n" bare(value["timestamp"]) "\n" (value["isSidechain"] == "true" ? "side" : "") "\n" }
value["type"] == "\"assistant" { answer(when); next }
value["type"] != "\"system" { next }
value["subtype"] == "\"model_fallback" && is_model(value["originalModel"]) && is_model(value["fallbackModel"]) {
    add("line " NR, "fallback" when bare(value["originalModel"]) "\n" bare(value["fallbackModel"]) "\n0\n0\n0\n0")
}
value["subtype"] == "\"api_error" { add("line " NR, "retried" when number("error.status") "\n\n0\n0\n0\n0") }

END { for (i = 1; i <= rows; i++) say("transcript+", said[i]) }
