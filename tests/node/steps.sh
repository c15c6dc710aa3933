# shellcheck shell=bash
# Sourced by what runs on the node: steps with their seconds, waits that have an end, and what there is to see when one fails.
# Wants `patience` (seconds that a wait may take) and `space` (the operator's namespace).
: "${patience:?}" "${space:?}"

# kubectl in the operator's namespace.
kc() { kubectl --namespace "$space" "$@"; }
field() { kubectl get "$1" -o jsonpath="{$2}"; }

current=
begun=$EPOCHREALTIME
# step WHAT: the step before it is over.
step() {
    local now=$EPOCHREALTIME
    [[ -n $current ]] && printf '%s\t%s\n' "$(seconds "$begun" "$now")" "$current" >>"${STEPS:-/dev/null}"
    current=$1 begun=$now
    [[ -n $current ]] && printf '\n== %s\n' "$current"
    return 0
}
seconds() { awk -v from="$1" -v to="${2:-$EPOCHREALTIME}" 'BEGIN { printf "%.1f", to - from }'; }

failed() {
    trap - ERR
    printf '\nfailed at "%s": %s\n' "$current" "$1" >&2
    {
        kubectl get pods --all-namespaces -o wide
        kubectl get qos,qosp --all-namespaces -o wide
        kc get events --sort-by=.lastTimestamp | tail -n 25
        kc get leases
        for pod in $(kc get pods -o name); do
            echo "---- the end of $pod"
            kc logs "$pod" --tail=25 || kc describe "$pod"
        done
    } >&2 2>&1 || true
    [[ -n ${HOLD:-} ]] && { echo "held; HOLD=$HOLD" >&2; sleep "$HOLD"; }
    exit 1
}
trap 'failed "line $LINENO: $BASH_COMMAND"' ERR

# until_holds WHAT COMMAND...
until_holds() {
    local what=$1 limit=$((SECONDS + patience))
    shift
    until "$@" >/dev/null 2>&1; do
        (( SECONDS < limit )) || failed "waited $patience s for this: $what"
        sleep 0.1
    done
}
# is WHAT FOUND WANTED
is() { [[ $2 == "$3" ]] || failed "$1: found '$2', wanted '$3'"; }
