# The manual page and the command's own help say the same.

setup() {
    load common
    page=$top/man/darknet.1
    cd "$BATS_TEST_TMPDIR"
}

# All commands that do something, with their verbs, in the order of the help texts.
commands() {
    local command verb
    for command in $(darknet help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
        if [[ "$(darknet "$command" -h)" == "usage: darknet $command VERB "* ]]; then
            darknet "$command" -h | sed -n "s/^  \([a-z0-9_]*\) .*/$command \1/p"
        else
            echo "$command"
        fi
    done
}

# section KIND NAME: the lines of the page below that heading, up to the next one.
section() {
    awk -v heading=".$1 $2" '/^\.S[HS] / { inside = $0 == heading; next } inside' "$page"
}

# What the lines of a page look like.
plain() { sed 's/\\f[BIR]//g; s/\\-/-/g'; }

# Flags in the form "-name VALUE (DEFAULT)" that a part of the page explains.
explained() { grep '^\\fB\\-' | plain; }

# The same of a command's help; those of all commands come last.
in_help() {
    darknet $1 -h | awk '/^  -/ {
        left = substr($0, 3, 28)
        sub(/ *$/, "", left)
        print left (match($0, / \(-?[0-9.]+\)$/) ? substr($0, RSTART) : "")
    }'
}

@test "the page has every command, with its operands" {
    commands > known
    [ "$(wc -l < known)" -gt 10 ]
    awk '/^\.SH / { inside = $0 == ".SH COMMANDS" } inside && /^\.SS / { print substr($0, 5) }' \
        "$page" | sort | diff <(sort known) -
    section SH SYNOPSIS | grep '^\.BI\? "\?darknet ' | /usr/bin/python3 -c '
import shlex, sys
for line in sys.stdin:
    words = shlex.split(line)
    print("".join(words[1:]) if words[0] == ".BI" else " ".join(words[1:]))' | sort > synopsis
    while read -r command; do
        darknet $command -h | sed -n "s/^usage: \(darknet $command\( .*\|\)\)$/\1/p"
    done < known > usages
    printf '%s\n' "darknet help" "darknet version" >> usages
    sort usages | diff - synopsis
}

@test "the page has every flag of every command with its default, and no other" {
    section SH "FLAGS OF ALL COMMANDS" | explained | sort > of_all
    [ "$(wc -l < of_all)" -eq 5 ]
    while read -r command; do
        case $command in help | version) continue ;; esac
        echo "$command"
        in_help "$command" > help
        [ "$(wc -l < help)" -ge 2 ]
        { cat of_all; section SS "$command" | explained; } | sort | diff <(sort help) -
        cat help >> all
    done < <(commands)
    # In the running text and the examples, too.
    { cut -d' ' -f1 all; printf '%s\n' -h -help --help; } | sort -u > known
    grep -oE '(^|[][ (]|\\f[BIR])(\\-)+[A-Za-z_]+' "$page" | plain | tr -d '][( ' | sort -u > named
    [ "$(wc -l < named)" -gt 30 ]
    comm -23 named known > unknown
    cat unknown
    [ ! -s unknown ]
    fails grep -nE '(^|[][ (]|\\f[BIR])-[A-Za-z]' "$page"
}

@test "the page has every key of data files and every name for GDRQ_STOCK" {
    section SH "DATA FILES" > data
    for part in "Of detectors" "Of classifiers" "Of segmenters"; do section SS "$part"; done >> data
    keys=$(grep -rhoE '(data_cfg_[a-z_]+|classifier_images|segmenter_images)\([^,;]*, "[a-z]+"' "$top/darknet" |
        sed 's/.*"\([a-z]*\)"/\1/' | sort -u)
    [ "$(wc -w <<< "$keys")" -ge 10 ]
    for key in $keys; do
        echo "$key"
        grep -qE "^\.BR? (.*[ \"])?$key( |\$)" data
    done
    run env GDRQ_STOCK=none_such "$BUILD/darknet" gdrq calibrate "$top/cfg/signs.cfg" a b c
    [ "$status" -eq 1 ]
    names=$(sed -n 's/.*names, separated by commas, are //p' <<< "$output" | tr -d ,)
    [ "$(wc -w <<< "$names")" -gt 10 ]
    for name in $names; do
        echo "$name"
        section SH ENVIRONMENT | grep -qE "^\.BR? $name( |\$)"
    done
}

@test "the page formats without a warning" {
    command -v groff > /dev/null || skip "groff is not installed"
    [ -z "$(groff -man -ww -Tascii "$page" 2>&1 > text)" ]
    grep -q "early_stop" text
}
