#!/usr/bin/env bash
# The operator at work: a real API server, a QoD provider (the simulator) and the operator, as processes on this machine.
# `make demo` runs it. KEEP=1 leaves everything running at the end. Your own kubeconfig is neither read nor written.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

keep=${KEEP:-}
cargo=${CARGO:-cargo}
# How long any one wait may take, in seconds.
patience=30

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' blue=$'\e[36m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' blue='' red='' plain=''
fi

for tool in "$cargo" curl sed awk; do
    command -v "$tool" >/dev/null || { echo "the demo needs $tool" >&2; exit 1; }
done

# ---- words -------------------------------------------------------------------------------------------------------------

turn() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
say() { printf '%s\n' "$*"; }
shown() { printf '%s$ %s%s\n' "$blue" "$*" "$plain"; }
# Shows a kubectl command as one would type it, and runs it.
kc() {
    local typed=kubectl word
    for word in "$@"; do
        case $word in *[^A-Za-z0-9_./,=:@-]*) typed+=" '$word'" ;; *) typed+=" $word" ;; esac
    done
    shown "$typed"
    "$KUBECTL" "$@"
}
quiet() { "$KUBECTL" "$@" >/dev/null; }

failed() {
    trap - ERR
    printf '\n%sThe demo failed: %s%s\n' "$red" "$1" "$plain" >&2
    if [[ -n ${KUBECONFIG:-} ]]; then
        for what in qos qosp; do "$KUBECTL" describe "$what" --request-timeout=5s >&2 || true; done
    fi
    for log in control-plane simulator operator; do
        [[ -s $folder/$log.log ]] && { echo "---- the end of $log.log" >&2; tail -n 30 "$folder/$log.log" >&2; }
    done
    exit 1
}

# ---- waits, each with a limit -------------------------------------------------------------------------------------------

# until_holds WHAT COMMAND...: asks again until the command succeeds.
until_holds() {
    local what=$1 limit=$((SECONDS + patience))
    shift
    until "$@" >/dev/null 2>&1; do
        (( SECONDS < limit )) || failed "waited $patience s for this: $what"
        alive
        sleep 0.2
    done
}
# wait_for OBJECT WHAT: kubectl wait.
wait_for() { quiet wait "$1" --for="$2" --timeout="${patience}s" || failed "waited $patience s for this: $1 $2"; }
available() { wait_for "qos/$1" condition=Available && wait_for "qos/$1" condition=Ready; }
field() { "$KUBECTL" get "$1" -o jsonpath="{$2}"; }
differs() { local now; now=$(field "$1" "$2") && [[ -n $now && $now != "$3" ]]; }
alive() {
    local name
    for name in "${!pids[@]}"; do
        kill -0 "${pids[$name]}" 2>/dev/null || failed "the $name has ended"
    done
}

# ---- processes ----------------------------------------------------------------------------------------------------------

declare -A pids=()
folder=$(mktemp -d "${TMPDIR:-/tmp}/qos-demo.XXXXXX")

end() {
    local name
    trap - EXIT INT TERM HUP ERR
    # The operator first: it may still be recording what it did.
    for name in watch operator simulator control-plane; do
        [[ -n ${pids[$name]:-} ]] && kill "${pids[$name]}" 2>/dev/null && wait "${pids[$name]}" 2>/dev/null
    done
    rm -rf "$folder"
    return 0
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
trap 'failed "line $LINENO: $BASH_COMMAND"' ERR

# Starts a part in the background. It ends with this script even when that is killed, unless it is to be kept.
start() {
    local name=$1 guard=()
    shift
    if [[ -n $keep ]]; then
        guard=(nohup)
    elif command -v setpriv >/dev/null; then
        guard=(setpriv --pdeathsig TERM)
    fi
    "${guard[@]}" "$@" </dev/null >"$folder/$name.out" 2>"$folder/$name.log" &
    pids[$name]=$!
}

turn "Build what is missing (minutes the first time, seconds later)"
"$cargo" build --locked --workspace --bins
target=$("$cargo" metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
bin=$target/debug
"$bin/control-plane" build >/dev/null

turn "Start an API server, a provider and the operator"
# Loopback is not for a proxy.
export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
export no_proxy=$NO_PROXY
detach=()
[[ -n $keep ]] && detach=(--detach-parent)
start control-plane "$bin/control-plane" run --user qos-operator=system:masters "${detach[@]}"
start simulator env NO_COLOR=1 "$bin/qod-simulator" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --mode life --requested-delay 2 --retention 360
until_holds "the simulator listens" grep -q '^token:' "$folder/simulator.out"
until_holds "the API server is ready" grep -q '^# ends with' "$folder/control-plane.out"
eval "$(grep '^export ' "$folder/control-plane.out")"
operator_config=$(sed -n 's/^# user qos-operator: //p' "$folder/control-plane.out")
api=$(awk '/^API:/ { print $2 }' "$folder/simulator.out")
admin=$(awk '/^admin:/ { print $2 }' "$folder/simulator.out")
admin=${admin%/}
admin=${admin%/admin}/admin
port=${api#*://*:}
port=${port%%/*}

quiet create namespace qos-operator
kc apply -f crds/
quiet wait crd/qossessions.qos-operator.io crd/qosproviders.qos-operator.io --for=condition=Established --timeout="${patience}s"
start operator env KUBECONFIG="$operator_config" QOS_ADMIN_LISTEN= "$bin/qos-operator" --namespace qos-operator
shown "sed s/PORT/$port/ examples/demo/provider.yaml | kubectl apply -f -"
sed "s/PORT/$port/" examples/demo/provider.yaml | "$KUBECTL" apply -f -
wait_for qosp/telefonica-sandbox condition=Ready
kc get qosp

# ---- the story ----------------------------------------------------------------------------------------------------------

# The creates and releases that the provider has answered, as "time operation status".
calls() {
    curl -fsS "$admin/requests" | sed 's/},{/}\n{/g' |
        sed -nE 's/.*"time":"[^"]*T([0-9:.]{8,12})[^"]*".*"operation":"(create|delete|extend)".*"status":([0-9]+).*/  \1  \2 \3/p'
}
watch_from() { "$KUBECTL" get qos --watch --field-selector "metadata.name=$1" >"$folder/watch.out" 2>/dev/null & pids[watch]=$!; }
# Ends the watch and prints it.
watched() {
    kill "${pids[watch]}" 2>/dev/null || true
    wait "${pids[watch]}" 2>/dev/null || true
    unset 'pids[watch]'
    shown "kubectl get qos --watch"
    cat "$folder/watch.out"
}

turn "1. A session is declared: the provider accepts it (REQUESTED), then the network gives it (AVAILABLE)"
kc apply -f examples/session.yaml
wait_for qos/camera-12 'jsonpath={.status.qosStatus}=REQUESTED'
kc get qos
available camera-12
kc get qos

turn "2. The network ends the session early"
say "The provider would hold the device for 360 s more. The operator releases it with an explicit DELETE and creates at once."
old=$(field qos/camera-12 .status.sessionId)
before=$(calls | wc -l)
watch_from camera-12
shown "curl -X POST $admin/sessions/\$ID/terminate"
curl -fsS -X POST "$admin/sessions/$old/terminate"
echo
from=$SECONDS
until_holds "camera-12 has another session" differs qos/camera-12 .status.sessionId "$old"
available camera-12
took=$((SECONDS - from))
watched
say "What the provider saw:"
calls | tail -n "+$((before + 1))"
kc events --for qossession/camera-12
say "AVAILABLE again $took s after the network had ended it (the next poll of a session at rest is up to 10 s away here)."

turn "3. A second object for the same device waits, and takes over when the first is deleted"
kc apply -f examples/demo/same-device.yaml
wait_for qos/camera-12-all-ports "jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=DeviceBusy"
kc get qos
kc get qos camera-12-all-ports -o 'jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\n"}'
kc delete qos camera-12
available camera-12-all-ports
kc get qos

turn "4. An edit of the profile: the old session is released before the new one is created"
before=$(calls | wc -l)
watch_from camera-12-all-ports
kc patch qos camera-12-all-ports --type merge -p '{"spec":{"qosProfile":"QOS_S"}}'
available camera-12-all-ports
watched
say "What the provider saw:"
calls | tail -n "+$((before + 1))" | tee "$folder/edit.calls"
[[ $(awk '{ printf "%s%s ", $2, $3 }' "$folder/edit.calls") == "delete204 create201 " ]] || failed "not one DELETE, then one create"

turn "5. A profile that does not exist: nothing is sent, and the object says what is offered"
kc apply -f examples/demo/wrong-profile.yaml
wait_for qos/drone-3 "jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=ProfileUnavailable"
kc get qos
kc describe qos drone-3

turn "6. The other examples, side by side"
kc apply -f examples/session-standing.yaml -f examples/session-phone-from-secret.yaml -f examples/session-network-address.yaml
for name in control-room camera-14 vehicle-7; do available "$name"; done
kc get qos -o wide

turn "7. A Service asks by annotation, in a namespace that has opted in: a session for each device that it names"
kc apply -f examples/workloads/namespace.yaml -f examples/workloads/service.yaml
say "There is no cloud here that gives the Service an address; so we say it in its place."
kc patch service media -n stadium --subresource=status --type merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.7"}]}}}'
sessions_of_workloads() { [[ $("$KUBECTL" get qos -n stadium -o name | wc -l) == "$1" ]]; }
until_holds "two sessions of the Service" sessions_of_workloads 2
quiet wait qos --all -n stadium --for=condition=Available --timeout="${patience}s"
kc get qos -n stadium -o wide
say "A typo is told where it was made, and what stands stays:"
kc annotate service media -n stadium qos-operator.io/durration=1h
told() { "$KUBECTL" events -n stadium --for "$1" | grep -q "$2"; }
until_holds "the typo is told" told service/media qos-operator.io/durration
kc events -n stadium --for service/media
kc delete service media -n stadium
until_holds "the Service's sessions are released" sessions_of_workloads 0

turn "8. All is deleted; the provider's ledger tells whether anything was left, lost or had twice"
kc delete qos --all --timeout="${patience}s"
kc get qos
ledger=$(curl -fsS "$admin/ledger?format=line")
printf '%s%s%s\n' "$bold" "$ledger" "$plain"
[[ $ledger == *" live=0 leaked=0 doubled=0" ]] || failed "the ledger is not clean"
say "told in $SECONDS s"

# ---- the end ------------------------------------------------------------------------------------------------------------

if [[ -n $keep ]]; then
    trap - EXIT INT TERM HUP ERR
    turn "Everything goes on running"
    say "  export KUBECONFIG=$KUBECONFIG"
    command -v kubectl >/dev/null || say "  alias kubectl=$KUBECTL"
    say "Simulator: $api   its admin API: $admin   logs: $folder"
    say "To try:"
    say "  kubectl apply -f examples/session.yaml && kubectl get qos --watch"
    say "  curl -X POST $admin/terminate                       # the network ends every session"
    say "  curl -d '{\"outage\":\"unavailable\"}' $admin/settings   # the provider goes away; \"none\" brings it back"
    say "  kubectl describe qos; kubectl get events; curl '$admin/ledger?format=line'; curl $admin"
    say "To end it:"
    say "  kill ${pids[operator]} ${pids[simulator]} ${pids[control-plane]}; rm -r $folder"
    disown -a
fi
