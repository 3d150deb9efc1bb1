# Says files of root's own whole: `FILES` of the environment has a frame's name and a file a line. A file that can't be
# read, or not to its end, is not told as one that is not there. Runs behind say.awk.
BEGIN {
    count = split(ENVIRON["FILES"], named, "\n")
    for (i = 1; i <= count; i++) if (at = index(named[i], " "))
        say_file(substr(named[i], 1, at - 1), substr(named[i], at + 1))
}

function say_file(name, file,   line, text) {
    while ((getline line <file) > 0 && length(text) <= most_of_value) text = text line "\n"
    close(file)
    sub(/\n$/, "", text)
    say(name, length(text) <= most_of_value ? text : "longer than " most_of_value " bytes")
}
