# The tasks that the service says it has done, by fields of its own in its journal (docs/compare.md): a line for each with
# the time in microseconds, success or failure, and the seconds it took, "-" where that is not told; "end" behind them, or
# "cut-off". journald itself vouches for the unit, and its processes alone for the rest.
# Tasks that are told, the newest; seconds for a journal, and bytes of all that is read of it.
MOST_TASKS=1000
LONGEST_OF_TASKS=10
MOST_OF_TASKS=8388608

# reads: UNIT TASKS_AWK
tasks() { # SINCE
    {
        timeout -k 1 "$LONGEST_OF_TASKS" journalctl -q --no-pager -o json -n "$MOST_TASKS" --since="@$1" \
            --output-fields=JADA_TASK_OUTCOME,JADA_TASK_SECONDS -u "$UNIT" \
            JADA_TASK_OUTCOME=success JADA_TASK_OUTCOME=failure 2>/dev/null </dev/null
        case $? in 124 | 137) ;; *) printf '\nend\n' ;; esac
    } | head -c "$MOST_OF_TASKS" | LC_ALL=C awk "$TASKS_AWK"
}
