# shellcheck shell=bash
# Sourced by what runs on the node, after steps.sh: the provider's side, which is the chart's simulator.
# Wants `simulator` (its Deployment) and `folder` (for its words).
: "${simulator:?}" "${folder:?}" "${patience:?}"

admin=http://127.0.0.1:9092/admin
life=0
words=
attached=()
# The simulator of a new installation: its admin API, and its log, whose last line is the ledger at its end.
attach() {
    life=$((life + 1))
    words=$folder/simulator.$life.log
    reattach
}
# The same simulator again, after the API server between it and us was away.
reattach() {
    (( ${#attached[@]} == 0 )) || { kill "${attached[@]}"; wait "${attached[@]}"; } 2>/dev/null || true
    kc rollout status "deployment/$simulator" --timeout="${patience}s" >/dev/null
    kc logs --follow "deployment/$simulator" >"$words" 2>/dev/null &
    attached=($!)
    kc port-forward "deployment/$simulator" 9092:9092 >>"$folder/forward.$life.log" 2>&1 &
    attached+=($!)
    until_holds "the simulator's admin API" curl -fsS "$admin/ledger"
}
ledger() { curl -fsS "$admin/ledger?format=line&atEnd=false"; }
# What the provider was asked so far: "creates deletes extends".
effects() { curl -fsS "$admin/requests" | jq -r '[.. | .operation? // empty] | map(select(. == "create" or . == "delete" or . == "extend")) | group_by(.) | map("\(.[0])=\(length)") | join(" ")'; }
requests() { curl -fsS "$admin/requests" | jq '[.. | .operation? // empty] | length'; }
# closed LIVE: the simulator has ended; its ledger has LIVE sessions left, and nothing leaked or doubled.
closed() {
    until_holds "the simulator's last words" grep -q '^ledger:' "$words"
    grep '^ledger:' "$words"
    [[ $(grep '^ledger:' "$words") == *" live=$1 leaked=0 doubled=0" ]] || failed "the ledger of life $life is not clean"
}
