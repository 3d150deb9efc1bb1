# What /proc says of a process. Files are looked for below `root`.
function first(file,   line) { getline line <(root file); close(root file); return line }

# Field 22 of proc_pid_stat(5), counted behind the bracket that closes the process's name, in which anything may stand: in
# clock ticks since boot. Sets is_cli, and has_ended for one that only waits to be taken notice of.
function birth(of,   file, line, stat, whole) {
    file = root "/proc/" of "/stat"
    while ((getline line <file) > 0) stat = stat line " "
    close(file)
    whole = stat
    sub(/.*\) /, "", stat)
    is_cli = whole == of " (claude) " stat
    split(stat, words, " ")
    has_ended = words[1] ~ /[ZX]/
    return words[20]
}

function soft_and_hard(of,   file, line) {
    file = root "/proc/" of "/limits"
    hard = ""
    while ((getline line <file) > 0) if (sub(/^Max open files */, "", line)) {
        split(line, words, " ")
        soft = words[1]
        hard = words[2]
        break
    }
    close(file)
    return hard != ""
}
