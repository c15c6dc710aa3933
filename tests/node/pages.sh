# shellcheck shell=bash
# Sourced by newcomer.sh, after steps.sh: types the commands of a page, word by word, as somebody does who has only that page.
# What is understood of a page's ```sh blocks:
#   a line that begins with #     a line that the command before it shows, in this order; … stands for anything
#   a comment that says "stays"   the command goes on in a terminal of its own: until it has shown such lines, else to the end
#   N                             the number at the beginning of the last line that the command before it has shown
# Wants `folder` (for what the commands say) and `clone` (where they are typed).
: "${folder:?}" "${clone:?}" "${HELM:?}"

# A shell there has what the pages ask for, and cat.
mkdir -p "$folder/bin" "$folder/home"
ln -s "$(command -v kubectl)" "$(command -v curl)" "$(command -v cat)" "$folder/bin/"
ln -s "$HELM" "$folder/bin/helm"

count=0
available_after=
since=
must_fail=
staying=()

# section FILE HEADING: what stands between that heading and the next one.
section() {
    awk -v heading="$2" '
        /^```/ { fenced = !fenced }
        !fenced && /^#+ / { inside = ($0 == heading); next }
        inside' "$1"
}
# blocks LANGUAGE: the lines of the fenced blocks in what comes in.
blocks() { awk -v opening="\`\`\`$1" '/^```/ { inside = ($0 == opening); next } inside'; }
# A command is whole when bash takes it and its last line does not go on.
# (Of a document in it that does not end, bash only warns.)
whole() { [[ -n $1 && $1 != *\\ && -z $("$BASH" -n <<<"$1" 2>&1) ]]; }
# What is done before, by node.sh, or in another way.
left_out() { case $1 in "make image"* | skopeo\ * | ctr\ * | *registry.example.com*) ;; *) return 1 ;; esac; }

# shows FILE LINES: whether these lines stand in it, in this order; how far apart the words are does not count.
shows() {
    local wanted pattern from=1 at
    while IFS= read -r wanted; do
        pattern=$(sed -E 's/[][\\.^$*+?(){}|]/\\&/g; s/ *… */.*/g; s/ +/[[:space:]]+/g' <<<"$wanted")
        at=$(tail -n "+$from" "$1" | grep -nE -m 1 -e "$pattern") || return 1
        from=$((from + ${at%%:*}))
    done <<<"$2"
}

# typed COMMAND LINES: types it, and sees what the page says.
typed() {
    local command=$1 lines=$2 from=$EPOCHREALTIME out
    [[ $command != *" N "* ]] || command=${command/ N / $(tail -n 1 "$folder/$count.out" | grep -oE '^[0-9]+') }
    count=$((count + 1))
    since=${since:-$from}
    out=$folder/$count.out
    printf '\n$ %s\n' "${command//$'\n'/$'\n> '}"
    local shell=(setsid --wait env -i --chdir="$clone" HOME="$folder/home" PATH="$folder/bin" KUBECONFIG="$KUBECONFIG"
        "$BASH" -euo pipefail -c "$command")
    if [[ $command == *"#"*stays* ]]; then
        "${shell[@]}" >"$out" 2>&1 &
        staying+=($!)
        if [[ -n $lines ]]; then
            until_holds "what the page says of: $command" shows "$out" "$lines"
            leave $!
        else
            until_holds "the first words of: $command" test -s "$out"
        fi
    else
        local status=0
        "${shell[@]}" </dev/null >"$out" 2>&1 || status=$?
        [[ -n $must_fail || $status == 0 ]] || { cat "$out"; failed "the page's command ended with status $status"; }
        [[ -z $must_fail || $status != 0 ]] || { cat "$out"; failed "the page's command went through"; }
        [[ -z $lines ]] || shows "$out" "$lines" || { cat "$out"; failed "the page says that it shows this:"$'\n'"$lines"; }
    fi
    head -n 12 "$out" | cut -c 1-160 | sed 's/^/    /'
    printf '    %s s\n' "$(seconds "$from")"
    [[ -z $available_after && $command == *--for=condition=Available* ]] || return 0
    available_after="first AVAILABLE session after $count commands, $(seconds "$since") seconds"
    printf '\n%s\n' "$available_after"
}

# typed_from WHERE [BEGINNING]: the commands in the lines that come in, or those that begin so; WHERE is their place.
typed_from() {
    local line command='' lines='' commands=() shown=() number any=
    while IFS= read -r line; do
        if whole "$command"; then
            [[ $line != \#* ]] || { lines+=${lines:+$'\n'}${line#\# }; continue; }
            commands+=("$command") shown+=("$lines") command='' lines=''
        fi
        [[ -z $command && -z $line ]] || command+=${command:+$'\n'}$line
    done < <(cat; echo)
    [[ -z $command ]] || failed "$1 has a command that does not end: $command"
    for number in "${!commands[@]}"; do
        [[ ${commands[number]} == "${2:-}"* ]] || continue
        any=yes
        if left_out "${commands[number]}"; then
            printf '\n(left out: %s)\n' "${commands[number]%%$'\n'*}"
        else
            typed "${commands[number]}" "${shown[number]}"
        fi
    done
    [[ -n $any ]] || failed "$1 has no such commands"
}
# follow FILE HEADING [BEGINNING]: those of that section.
follow() { typed_from "$1, \"$2\"" "${3:-}" < <(section "$1" "$2" | blocks sh); }

# leave [PID]...: ends these terminals, or all.
leave() {
    local pid
    for pid in "${@:-"${staying[@]}"}"; do
        # The shell and its command are a group of their own.
        kill -- "-$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
