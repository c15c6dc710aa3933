#!/usr/bin/env bash
# The life of an installation on a real node: `make e2e` runs it inside node.sh, which gives it kubectl and a cluster.
# Each step says what it saw; its seconds go to the file that STEPS names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

release=qos-operator space=qos-operator
chart=${CHART:-charts/qos-operator}
patience=60
folder=$NODE_RUN/story
mkdir "$folder"
simulator=$release-simulator
helm() { "$HELM" --namespace "$space" "$@"; }

# shellcheck source-path=SCRIPTDIR source=steps.sh
source tests/node/steps.sh
# shellcheck source-path=SCRIPTDIR source=provider.sh
source tests/node/provider.sh

available() { kubectl wait "qos/$1" --for=condition=Available --timeout="${patience}s" >/dev/null || failed "$1 did not become AVAILABLE"; }

# ---- steps --------------------------------------------------------------------------------------------------------------------

install() {
    # The operator of an installation before could not give its Lease back: its rights went first (docs/install.md, what stays).
    kc delete lease "$release" --ignore-not-found >/dev/null
    helm install "$release" "$chart" --values tests/node/values.yaml --wait --timeout "${patience}s" "$@" >/dev/null || failed "helm install"
    attach
}
# session NAME LAST-DIGIT: a session of a device of its own, held until it is deleted.
session() {
    kubectl apply -f - <<YAML >/dev/null
apiVersion: qos-operator.io/v1alpha1
kind: QosSession
metadata: {name: $1}
spec:
  device: {phoneNumber: "+44770090010$2"}
  applicationServer: {ipv4Address: 198.51.100.7}
  qosProfile: QOS_E
YAML
}
operators() { kc get pods --selector=app.kubernetes.io/component=operator -o name "$@"; }
# The Pod that holds the Lease, if it is there.
leader() {
    local holder
    holder=$(kc get lease "$release" -o jsonpath='{.spec.holderIdentity}')
    [[ -n $holder ]] && operators | sed 's|^pod/||' | grep -x "$holder"
}
# signal POD SIGNAL: to every process of that Pod.
signal() {
    local uid group
    uid=$(kc get pod "$1" -o jsonpath='{.metadata.uid}')
    for group in /proc/[0-9]*/cgroup; do
        grep -q "pod$uid" "$group" 2>/dev/null && [[ $(cat "${group%cgroup}comm") == qos-operator ]] && kill "-$2" "$(cut -d/ -f3 <<<"$group")"
    done
    return 0
}
uids() { helm get manifest "$release" | kubectl get --filename - -o custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid --no-headers; }

step "a Pod runs, under any user, with nothing to write to"
kubectl create namespace "$space" >/dev/null
kubectl label namespace "$space" pod-security.kubernetes.io/enforce=restricted >/dev/null
kc apply -f - <<'YAML' >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: any-user}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 1234567, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: crds
      image: localhost/qos-operator:e2e
      imagePullPolicy: Never
      args: [crds]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
YAML
kc wait pod/any-user --for='jsonpath={.status.phase}=Succeeded' --timeout="${patience}s" >/dev/null
is "definitions that the image prints" "$(kc logs any-user | grep -c '^kind: CustomResourceDefinition')" 2
kc delete pod any-user --wait=false >/dev/null

step "helm install --wait, with the simulator"
install
kc get pods

step "helm test: qos-operator check in the cluster"
helm test "$release" --timeout "${patience}s" >/dev/null || failed "helm test"

step "the first session is AVAILABLE"
kubectl apply -f examples/session.yaml >/dev/null
available camera-12
echo "AVAILABLE $(seconds "$begun") s after kubectl apply"
kubectl get qos camera-12
session standing 1
available standing
is "the provider's effects" "$(effects)" "create=2"

step "two replicas"
helm upgrade "$release" "$chart" --values tests/node/values.yaml --set replicaCount=2 --wait --timeout "${patience}s" >/dev/null
is "operator Pods" "$(operators | wc -l)" 2
until_holds "a leader" leader

step "the leader's Pod is killed"
before=$(leader) ids=$(field qos .items[*].status.sessionId)
# As the kernel would for want of memory: nothing that can be caught, no grace.
signal "$before" KILL
kc delete pod "$before" --force --grace-period=0 2>/dev/null >/dev/null
killed=$EPOCHREALTIME
session after-the-leader 2
another() { local now; now=$(leader) && [[ $now != "$before" ]]; }
until_holds "another leader" another
echo "another leader after $(seconds "$killed") s: $(leader)"
available after-the-leader
echo "a session created at that moment is AVAILABLE after $(seconds "$killed") s"
is "the other sessions' ids" "$(field qos '.items[?(@.metadata.name!="after-the-leader")].status.sessionId')" "$ids"
is "the provider's effects" "$(effects)" "create=3"

step "upgrade to a changed chart: nothing created again, no effect at the provider"
kc rollout status "deployment/$release" --timeout="${patience}s" >/dev/null
cp -r "$chart" "$folder/chart"
sed -i 's/^version: .*/version: 99.0.0/' "$folder/chart/Chart.yaml"
objects=$(uids) sessions=$(field qos '.items[*].metadata.uid') provider=$(field qosp '.items[*].metadata.uid') effects=$(effects) asked=$(requests)
pods=$(operators)
helm upgrade "$release" "$folder/chart" --values tests/node/values.yaml --set replicaCount=2 --set podAnnotations.changed=yes --wait --timeout "${patience}s" >/dev/null
is "objects and their uids" "$(uids)" "$objects"
is "uids of the sessions" "$(field qos '.items[*].metadata.uid')" "$sessions"
is "uids of the providers" "$(field qosp '.items[*].metadata.uid')" "$provider"
replaced() { local left; left=$(comm -12 <(sort <<<"$pods") <(operators | sort)) && [[ -z $left ]]; }
until_holds "the end of the old chart's Pods" replaced
# The new leader has all sessions in its hands when an edit of one is carried out.
until_holds "a leader" leader
session after-the-upgrade 3
available after-the-upgrade
is "the provider's effects" "$(effects)" "create=4"
echo "effects before: $effects; since then 1 create, which was asked for; requests, with reads: $asked, then $(requests)"

step "drain: the disruption budget keeps one operator, and sessions stay"
before=$(operators | wc -l)
drained=0
kubectl drain "$(kubectl get nodes -o name)" --pod-selector=app.kubernetes.io/component=operator --ignore-daemonsets --delete-emptydir-data \
    --timeout=8s >"$folder/drain.log" 2>&1 || drained=$?
[[ $drained != 0 && $(cat "$folder/drain.log") == *"disruption budget"* ]] || failed "the drain was not held up: $(cat "$folder/drain.log")"
is "operators that still run ($before before)" "$(operators --field-selector=status.phase=Running | wc -l)" 1
until_holds "a leader" leader
session while-draining 4
available while-draining
kubectl uncordon "$(kubectl get nodes -o name)" >/dev/null
kc rollout status "deployment/$release" --timeout="${patience}s" >/dev/null
is "the provider's effects" "$(effects)" "create=5"

# shellcheck source-path=SCRIPTDIR source=restart.sh
source tests/node/restart.sh

step "uninstall, Wait: refused while sessions live, and nothing is lost"
if helm uninstall "$release" --timeout 60s >"$folder/uninstall.log" 2>&1; then failed "helm uninstall went through"; fi
grep -q camera-12 "$folder/uninstall.log" || failed "it does not name what lives: $(cat "$folder/uninstall.log")"
# Helm tells the guard's lines as one.
sed 's/\\n/\n    /g' "$folder/uninstall.log" | tail -n 15
available camera-12
is "operator Pods" "$(operators | wc -l)" 2
is "the provider's effects" "$(effects)" "create=$((5 + crowd_size)) delete=$crowd_size"
# To the revision that was to be uninstalled; without a number it would be the one before.
helm rollback "$release" "$(helm history "$release" --output json | jq 'max_by(.revision).revision')" --wait --timeout "${patience}s" >/dev/null
is "the chart's version" "$(helm list --output json | jq -r '.[].chart')" "qos-operator-99.0.0"

step "uninstall, Wait: with no session it goes through, and the definitions stay"
kubectl delete qos --all --timeout="${patience}s" >/dev/null
is "the provider's effects" "$(effects)" "create=$((5 + crowd_size)) delete=$((5 + crowd_size))"
helm uninstall "$release" --wait --timeout 60s >/dev/null
closed 0
is "what is left of the release" "$(kc get deployments,services,serviceaccounts --selector "app.kubernetes.io/instance=$release" -o name)" ""
is "providers" "$(kubectl get qosp -o name)" ""
is "definitions" "$(kubectl get crds -o name | grep -c qos-operator.io)" 2

step "install again, and uninstall, Delete: living sessions are released first"
install --set uninstallGuard.mode=Delete
session one 1
session two 2
available one
available two
helm uninstall "$release" --wait --timeout 60s >/dev/null
closed 0
is "sessions" "$(kubectl get qos -o name)" ""

step "install again, and uninstall, Delete: with no session"
install --set uninstallGuard.mode=Delete
helm uninstall "$release" --wait --timeout 60s >/dev/null
closed 0

step "install again, and uninstall, Orphan: the object goes, the provider keeps the session"
install --set uninstallGuard.mode=Orphan
session kept 5
available kept
helm uninstall "$release" --wait --timeout 60s >/dev/null
closed 1
is "sessions" "$(kubectl get qos -o name)" ""

step "install again, and uninstall, Orphan: with no session"
install --set uninstallGuard.mode=Orphan
helm uninstall "$release" --wait --timeout 60s >/dev/null
closed 0
is "sessions" "$(kubectl get qos -o name)" ""

step ""
printf '\n== the ledgers of all lives\n'
grep -h '^ledger:' "$folder"/simulator.*.log
