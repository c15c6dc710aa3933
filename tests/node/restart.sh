# shellcheck shell=bash
# Sourced by story.sh: the API server goes away under load, and so does the leader. Two replicas run, and one session is created each
# second. Whatever is lost on the way, each session is had once, and released once.

: "${folder:?}" "${admin:?}" "${release:?}" "${patience:?}"

crowd=app.kubernetes.io/part-of=crowd
made=$folder/made
enough=$folder/enough

# load: a session each second, each of a device of its own, until there are enough. One that the API server did not take, or did not
# answer, is tried again under the same name.
load() {
    local number due failures=0
    for number in {10..99}; do
        [[ ! -e $enough ]] || break
        due=$((${EPOCHREALTIME/./} + 1000000))
        until kubectl apply --request-timeout=3s --validate=false -f - <<YAML
apiVersion: qos-operator.io/v1alpha1
kind: QosSession
metadata: {name: crowd-$number, labels: {${crowd/=/: }}}
spec:
  device: {phoneNumber: "+4477009001$number"}
  applicationServer: {ipv4Address: 198.51.100.7}
  qosProfile: QOS_E
YAML
        do
            failures=$((failures + 1))
            sleep 0.2
        done
        echo "$number $EPOCHREALTIME" >>"$made"
        while ((${EPOCHREALTIME/./} < due)) && [[ ! -e $enough ]]; do sleep 0.05; done
    done
    echo "kubectl failed $failures times, and was tried again"
}
epoch() { date -d "$1" +%s.%6N; }
# When each create arrived at the provider, in seconds since 1970.
creates() {
    local time
    curl -fsS "$admin/requests" | jq -r '.. | objects | select(.operation? == "create") | .time' | while read -r time; do epoch "$time"; done
}
# first_of SINCE FIELD: the first line that comes in whose field is not before that; there must be one.
first_of() { awk -v since="$1" -v field="$2" '$field >= since && !found { print $field; found = 1 } END { exit !found }'; }
next_effect() { creates | first_of "$1" 1; }
next_session() { first_of "$1" 2 <"$made"; }
# resumed WHAT WHEN: waits for a create at the provider since then, and tells how long that took.
resumed() {
    until_holds "a create at the provider, $1" next_effect "$2"
    echo "$1: kubectl creates the next session after $(seconds "$2" "$(next_session "$2")") s," \
        "and the provider is asked for it after $(seconds "$2" "$(next_effect "$2")") s"
}
answers() { curl --silent --insecure --max-time 1 --output /dev/null "https://$NODE_ADDRESS:6443/version"; }
# Each operator Pod: how often its container was started again, and how it ended before that.
restarts() { operators -o 'custom-columns=POD:.metadata.name,RESTARTS:.status.containerStatuses[0].restartCount,LAST:.status.containerStatuses[0].lastState.terminated.exitCode'; }
holder() { kc get lease "$release" -o jsonpath='{.spec.holderIdentity}'; }

api_server_is_killed() {
    local pid from back
    pid=$(cat "$NODE_RUN/kube-apiserver.pid") from=$EPOCHREALTIME
    kill -KILL "$pid"
    until_holds "the end of the API server" eval "! kill -0 $pid"
    # In a shell of its own, which does not tell its end.
    ("$NODE_API_SERVER" </dev/null >>"$NODE_LOGS/kube-apiserver.log" 2>&1 &)
    until_holds "the API server's answer" answers
    back=$EPOCHREALTIME
    until_holds "readiness of the API server" kubectl get --raw /readyz
    echo "the API server was away for $(seconds "$from" "$back") s, and is ready $(seconds "$back") s after that"
    reattach
    echo "creates that were under way when it was killed: $(creates | awk -v at="$from" -v slow="$slow" '$1 > at - slow && $1 <= at' | wc -l)"
    resumed "it is back" "$back"
}
api_server_stands_still() {
    local pid back
    pid=$(cat "$NODE_RUN/kube-apiserver.pid")
    kill -STOP "$pid"
    sleep "$1"
    kill -CONT "$pid"
    back=$EPOCHREALTIME
    until_holds "readiness of the API server" kubectl get --raw /readyz
    reattach
    resumed "it goes on after $1 s" "$back"
}
# As a rollout or a drain does it.
leader_is_told_to_end() {
    local before from acquired
    before=$(leader) from=$EPOCHREALTIME
    signal "$before" TERM
    handed_on() { local now; now=$(holder) && [[ -n $now && $now != "$before" ]]; }
    until_holds "another leader" handed_on
    acquired=$(epoch "$(kc get lease "$release" -o jsonpath='{.spec.acquireTime}')")
    until_holds "a create at the provider, by the other leader" next_effect "$acquired"
    echo "after SIGTERM another replica leads in $(seconds "$from" "$acquired") s, and creates in $(seconds "$from" "$(next_effect "$acquired")") s"
}

step "one create a second, while the API server is killed twice and stands still once"
begin=$(effects) leading=$(leader)
# The provider answers a create this late: so some are under way at any moment, and their answers come while nothing can be recorded.
slow=2
curl -fsS "$admin/faults" -d '{"operation": "create", "what": {"delay": {"beforeSeconds": 0, "afterSeconds": '"$slow"'}}}' >/dev/null
load >"$folder/load.log" 2>&1 &
loading=$!
until_holds "the first sessions" eval "(( \$(wc -l <$made) >= 3 ))"
api_server_is_killed
api_server_is_killed
api_server_stands_still 12
until_holds "a leader" leader
echo "the leader was $leading, and is $(leader)"
restarts

step "one create a second, while the leader gets SIGTERM"
curl -fsS -X DELETE "$admin/faults" >/dev/null
all_are_answered() { [[ $(curl -fsS "$admin/requests" | jq '[.. | objects | select(.operation? == "create" and .status == null)] | length') == 0 ]]; }
until_holds "the end of the slow creates" all_are_answered
leader_is_told_to_end
touch "$enough"
wait "$loading"
tail -n 1 "$folder/load.log"
crowd_size=$(wc -l <"$made")
kubectl wait qos --selector="$crowd" --for=condition=Available --timeout="${patience}s" >/dev/null || failed "not all became AVAILABLE"
is "sessions that are AVAILABLE" "$(kubectl get qos --selector="$crowd" -o name | wc -l)" "$crowd_size"
is "the provider's effects ($begin before)" "$(effects)" "create=$((5 + crowd_size))"
restarts
kubectl delete qos --selector="$crowd" --timeout="${patience}s" >/dev/null
is "the provider's effects" "$(effects)" "create=$((5 + crowd_size)) delete=$crowd_size"
[[ $(ledger) == *" live=5 leaked=0 doubled=0" ]] || failed "the ledger is not clean: $(ledger)"
echo "$crowd_size sessions, each created once, AVAILABLE, and released once; $(ledger)"
