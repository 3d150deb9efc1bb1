# awk's own way to say something (shared.sh).
function say(name, value) { printf "%s %d\n%s\n", name, length(value), value }
