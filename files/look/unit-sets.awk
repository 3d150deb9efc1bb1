# Says where the unit's own files set what matters, in the order systemd reads them: file, name, value. A command may
# span lines; a variable may stand in quotes. `names` is a pattern of the variables. Runs behind kernel.awk.

# The words of a line, as systemd takes them apart (extract-word.c): quotes may stand anywhere.
function take_words(text,   at, c, quote, open) {
    count = 0
    for (at = 1; at <= length(text); at++) {
        c = substr(text, at, 1)
        if (!quote && c ~ /[ \t]/) { open = 0; continue }
        if (!open) { open = 1; item[++count] = "" }
        if (c == "\\") item[count] = item[count] substr(text, ++at, 1)
        else if (c == quote) quote = ""
        else if (!quote && (c == "\"" || c == "\047")) quote = c
        else item[count] = item[count] c
    }
}

FNR == 1 { more = ""; in_service = 0 }
{ sub(/\r$/, "") }
/^[ \t]*[#;]/ { next }
{ line = more $0; more = "" }
/\\$/ { more = substr(line, 1, length(line) - 1) " "; next }
line ~ /^[ \t]*\[/ { in_service = line ~ /^[ \t]*\[Service\]/ }
!in_service { next }
line ~ /^[ \t]*LimitNOFILE[ \t]*=/ {
    sub(/^[^=]*=[ \t]*/, "", line)
    sub(/[ \t]+$/, "", line)
    say("unit.sets+", FILENAME "\nLimitNOFILE\n" line)
}
line ~ /^[ \t]*Environment[ \t]*=/ {
    sub(/^[^=]*=[ \t]*/, "", line)
    take_words(line)
    if (!count) say("unit.sets+", FILENAME "\nEnvironment\n")
    for (i = 1; i <= count; i++) if (item[i] ~ names && item[i] !~ /\n/) {
        at = index(item[i], "=")
        say("unit.sets+", FILENAME "\n" substr(item[i], 1, at - 1) "\n" substr(item[i], at + 1))
    }
}
