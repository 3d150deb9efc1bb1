# The newest transcripts of the Claude CLI, which its user keeps: which models answered. A part of the half that runs as that
# user, behind shared.sh.
# Transcripts that are read, bytes of the end of each and of all, folders deep, and rows that are said. That is a sample, and
# what awk can take apart in a twentieth of a second.
MOST_TRANSCRIPTS=6
MOST_OF_TRANSCRIPT=262144
MOST_OF_TRANSCRIPTS=589824
DEPTH_OF_TRANSCRIPTS=6
MOST_ROWS=1000

# Of the service alone: what its user does by hand is in the same folders. That is told by where it works and, as far as can
# be, by who asked. Without a folder of transcripts, or a service that runs, it starts no process.
# reads: configs home works_in
# prints as user: transcript+
transcripts() {
    [ -n "$works_in" ] || return 0
    set --
    for folder in $configs; do [ ! -d "$folder/projects" ] || set -- "$@" "$folder/projects/"; done
    [ $# -gt 0 ] || return 0
    found=$(find "$@" -xdev -maxdepth "$DEPTH_OF_TRANSCRIPTS" -name '*.jsonl' ! -path "*$NL*" -type f \
        -exec stat -c '%Y %n' {} + 2>/dev/null | sort -rn | head -n "$MOST_TRANSCRIPTS")
    [ -n "$found" ] || return 0
    # A line that was cut off in one is not to go on in the next.
    for line in $found; do tail -c "$MOST_OF_TRANSCRIPT" "${line#* }"; echo; done 2>/dev/null |
        head -c "$MOST_OF_TRANSCRIPTS" | FOLDER=$works_in HOME_OF_USER=$home awk -v most="$MOST_ROWS" "$SAY_AWK$TRANSCRIPTS_AWK"
}
