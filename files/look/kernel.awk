# Says the kernel's limits and its clock of births, for the service's process `pid`, the one that asks for a model
# (`speaker`), all of the unit's (MEMBERS of the environment) and this login's shell (`shell`), and what /etc/environment,
# read by pam_env(8) at each login, says of models. Runs behind say.awk and proc.awk, in one process with other programs.

# One that ends meanwhile is not told.
function say_members(   count, named, i, ticks, is_one) {
    count = split(ENVIRON["MEMBERS"], named, "\n")
    for (i = 1; i <= count; i++) if (named[i] && (ticks = birth(named[i])) && !has_ended) {
        is_one = is_cli
        if (soft_and_hard(named[i])) say("member+", named[i] "\n" ticks "\n" soft "\n" is_one)
    }
}

BEGIN {
    split(first("/proc/uptime"), words, " ")
    say("uptime", words[1])
    say("boot", first("/proc/sys/kernel/random/boot_id"))
    say("nr_open", first("/proc/sys/fs/nr_open"))
    # CAP_SYS_RESOURCE is bit 24 of CapEff (capabilities(7)): with it PID 1 may raise a hard limit, up to fs.nr_open.
    while ((getline line <(root "/proc/1/status")) > 0) if (sub(/^CapEff:[ \t]*/, "", line))
        say("can_raise", index("13579bdf", substr(line, length(line) - 6, 1)) ? 1 : 0)
    if (soft_and_hard(1)) say("hard_pid1", hard)
    if (soft_and_hard(shell)) say("hard_login", hard)
    if (pid > 0 && soft_and_hard(pid)) { say("process.soft", soft); say("process.hard", hard) }
    if (pid > 0) say("process.ticks", birth(pid))
    if (speaker != pid) say("speaker.ticks", birth(speaker))
    say_members()
    while ((getline line <(root "/etc/environment")) > 0) {
        sub(/^[ \t]*(export[ \t]+)?/, "", line)
        if (line ~ /^ANTHROPIC_(DEFAULT_)?MODEL=/) {
            at = index(line, "=")
            value = substr(line, at + 1)
            sub(/^"/, "", value)
            sub(/["#].*/, "", value)
            login[substr(line, 1, at - 1)] = value
        }
    }
    for (name in login) say("login.env." name, login[name])
}
