# Prints the variables of an EnvironmentFile whose names match `names`, as NAME=VALUE, a line each, read as systemd does
# (parse_env_file_internal() in its env-file.c): by its states, and before systemd 254 a comment too goes on behind a
# backslash (`comments_go_on`).

function push() {
    sub(/[ \t]+$/, "", key)
    gsub(/[\n\r]/, " ", value)
    if (key ~ names) print key "=" value
    state = ""
}

function take(c,   ends) {
    ends = c == "\n" || c == "\r"
    if (state == "") {
        if (c == "#" || c == ";") state = "comment"
        else if (c !~ /[ \t\n\r]/) { state = "key"; key = c; value = "" }
    } else if (state == "key") {
        if (ends) state = ""
        else if (c == "=") state = "before value"
        else key = key c
    } else if (state == "before value" || state == "value") {
        if (ends) { if (state == "value") value = substr(value, 1, kept); push() }
        else if (c == "\\") state = "escaped"
        else if (state == "before value" && c == "\"") state = "quoted"
        else if (state == "before value" && c == "\047") state = "in single quotes"
        else if (state == "value" || c !~ /[ \t]/) {
            state = "value"
            value = value c
            if (c !~ /[ \t]/) kept = length(value)
        }
    } else if (state == "escaped") {
        state = "value"
        if (!ends) value = value c
        kept = length(value)
    } else if (state == "quoted") {
        if (c == "\"") state = "before value"
        else if (c == "\\") state = "escaped in quotes"
        else value = value c
    } else if (state == "escaped in quotes") {
        state = "quoted"
        if (index("\"\\`$", c)) value = value c
        else if (c != "\n") value = value "\\" c
    } else if (state == "in single quotes") {
        if (c == "\047") state = "before value"
        else value = value c
    } else if (state == "comment") {
        if (c == "\\") state = "escaped in comment"
        else if (ends) state = ""
    } else state = ends && !comments_go_on ? "" : "comment"
}

NR > 1 { take("\n") }
{ for (i = 1; i <= length($0); i++) take(substr($0, i, 1)) }
END { if (state ~ /quote/) push(); else { take("\n"); if (state == "value") push() } }
