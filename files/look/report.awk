# Says what the service answered, masked, or why it did not: on stdin, behind `answers=1`, with what curl says of HTTP and
# its exit code as the last two lines; of an answer of more than `most_of_answer` bytes only that it is. Runs behind say.awk
# and mask.awk, before unit-sets.awk.
answers { line_of[lines = FNR] = $0; answered += length($0) + 1; next }

END { if (lines) say_report(line_of[lines], line_of[lines - 1]) }

function say_report(code, http) {
    if (answered > most_of_answer || code !~ /^[0-9]+$/) say("report.code", "long")
    else if (code == 0) mask_lines(lines - 2)
    else { say("report.code", code); say("report.http", http) }
}

# Split line by line: some awks split at line breaks too.
function mask_lines(last,   i, j, count, between, piece, bytes) {
    name = "report.masked"
    for (i = 1; i <= last; i++) {
        bytes += length(line_of[i]) + (i < last)
        between[1] = ""
        count = split(line_of[i], between, "\"")
        piece = piece between[1]
        for (j = 2; j <= count; j++) { take(piece); piece = between[j] }
        if (i < last) piece = piece "\n"
    }
    say("report.size", bytes)
    take(piece)
    finish()
}
