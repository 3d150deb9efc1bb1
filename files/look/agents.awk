# Says path, name and model of each agent: a file whose frontmatter has a name and a description. One without is no agent
# to the Claude CLI. Runs behind say.awk.

function value(text) {
    sub(/^[a-z]+:[ \t]*/, "", text)
    sub(/[ \t]+#.*/, "", text)
    gsub(/["\047\r]|[ \t]+$/, "", text)
    return text
}

FNR == 1 { name = model = described = ""; open = $0 ~ /^---[ \r]*$/; next }
open && /^---[ \r]*$/ {
    open = 0
    if (length(name model) > 1024) say("over+", "agents: a name or model is longer than 1024 bytes")
    else if (name && described && FILENAME !~ /\n/) say("agent+", FILENAME "\n" name "\n" model)
}
open && /^name:/ { name = value($0) }
open && /^description:/ { described = 1 }
open && /^model:/ { model = value($0) }
