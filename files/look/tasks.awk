# Reads entries of a journal, a JSON object on each line, and says the task of each: tasks.sh has how. A field that comes
# twice, or holds what it can't, is not told. Needs LC_ALL=C and any POSIX awk.
function field(name, shape,   rest) {
    if (!match($0, "\"" name "\" ?: ?\"")) return ""
    rest = substr($0, RSTART + RLENGTH, 64)
    return match(rest, "^" shape "\"") ? substr(rest, 1, RLENGTH - 1) : ""
}

$0 == "end" { whole = 1; next }
{
    at = field("__REALTIME_TIMESTAMP", "[1-9][0-9]*")
    outcome = field("JADA_TASK_OUTCOME", "[a-z]*")
    seconds = field("JADA_TASK_SECONDS", "[0-9]+[.]?[0-9]*")
    # Longer than any task, or finer than any clock.
    if (seconds !~ /^[0-9][0-9]?[0-9]?[0-9]?[0-9]?[0-9]?[0-9]?([.][0-9]+)?$/ || length(seconds) > 17) seconds = "-"
    if (length(at) > 0 && length(at) < 17 && (outcome == "success" || outcome == "failure")) print at, outcome, seconds
}

END { print whole ? "end" : "cut-off" }
