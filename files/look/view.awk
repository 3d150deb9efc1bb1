# Says which of the PLACES (of the environment, one a line) are other files for the process `speaker` than for this look: by
# the kernel's own tables of mounts alone, so that no name of anybody's is followed. Runs behind say.awk.
BEGIN {
    count = split(ENVIRON["PLACES"], places, "\n")
    is_whole = count && read_mounts("self") && read_mounts(speaker)
    # The way to a place may show that they are not whole.
    for (i = 1; i <= count; i++) if (places[i] && (lands("self", places[i]) != lands(speaker, places[i]) || !is_whole))
        say("own_view+", places[i])
}

# proc_pid_mountinfo(5): of each mount its parent, and where it lies; a user can have made any number of them.
function read_mounts(of,   file, line, words, lines) {
    file = root "/proc/" of "/mountinfo"
    while ((getline line <file) > 0 && (lines += 1) <= 5000) {
        split(line, words, " ")
        device[of, words[1]] = words[3]
        within[of, words[1]] = words[4] == "/" ? "" : words[4]
        point[of, words[1]] = words[5] == "/" ? "" : words[5]
        if (words[1] != words[2]) over[of, words[2], point[of, words[1]]] = words[1]
        parent[of, words[1]] = words[2]
    }
    close(file)
    # The one that lies on no other.
    for (key in parent) {
        split(key, words, SUBSEP)
        if (words[1] != of || point[key] != "") continue
        if (parent[key] == words[2] || !((of, parent[key]) in device)) bottom[of] = words[2]
    }
    return lines <= 5000 && (of in bottom)
}

# The device, and the path on it, to which a path leads where no link is on the way.
function lands(of, path,   count, parts, i, at, mount) {
    gsub(/\\/, "\\134", path)
    gsub(/ /, "\\040", path)
    gsub(/\t/, "\\011", path)
    mount = topmost(of, bottom[of], "")
    count = split(path, parts, "/")
    for (i = 2; i <= count; i++) if (parts[i]) mount = topmost(of, mount, at = at "/" parts[i])
    return device[of, mount] within[of, mount] substr(at, length(point[of, mount]) + 1)
}

# Ids are used again: of mounts that change while they are read, some may lie on each other.
function topmost(of, mount, at,   steps) {
    while (is_whole && (of, mount, at) in over) {
        mount = over[of, mount, at]
        is_whole = (steps += 1) <= 5000
    }
    return mount
}
