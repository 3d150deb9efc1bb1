# Masks files, or stdin: with label=NAME before one, it leaves as one frame of that name. Runs behind mask.awk.
BEGIN { RS = "\"" }

FNR == 1 { finish(); name = label }
{ take($0) }
END { finish() }
