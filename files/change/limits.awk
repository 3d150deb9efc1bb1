# Reads the processes of a unit, one a line, and prints "N of M" where N of them may open fewer files than `least`. A look judges
# by the same (tasks/checks.py): what began before the unit last `stood_still`, in microseconds since boot, is an earlier start's.
# Runs behind proc.awk.
!/^[0-9]+$/ || $1 == 0 || seen[$1]++ { next }
(ticks = birth($1)) && !has_ended && (ticks + 1) * 10000 >= stood_still + 0 && soft_and_hard($1) {
    all += 1
    fewer += soft != "unlimited" && soft + 0 < least + 0
}
END { if (fewer) print fewer " of " all }
