# Keeps the number of a rollout lease whose last holder did not give it back, before that of HOLDER begins: what the last one
# has under way may end, and what it sends from now on is refused. Prints at last jada-fenced, or who has come later.
umask 077
mkdir -p "$HOME_OF_JADA" 2>/dev/null
later=$(pass_fence)
case $? in
    0) echo jada-fenced ;;
    3) echo "$later" ;;
    *) echo "$HOME_OF_JADA can't be written: is the disk full or read-only?" ;;
esac
