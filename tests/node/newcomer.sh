#!/usr/bin/env bash
# The pages, tried by somebody who has nothing else: types their commands, as they stand there, on a cluster without the operator, and
# looks whether what they say is what one sees (pages.sh). `make e2e` runs it inside node.sh.
# It leaves the cluster as it found it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

space=qos-operator simulator=qos-qos-operator-simulator
patience=60
folder=$NODE_RUN/newcomer
# A clone in which what a user writes is not left.
clone=$folder/clone
mkdir -p "$clone"
ln -s "$PWD"/* "$clone/"

# shellcheck source-path=SCRIPTDIR source=steps.sh
source tests/node/steps.sh
# shellcheck source-path=SCRIPTDIR source=provider.sh
source tests/node/provider.sh
# shellcheck source-path=SCRIPTDIR source=pages.sh
source tests/node/pages.sh

nothing_is_left() {
    is "releases" "$("$HELM" list --all-namespaces --short)" ""
    is "what is left" "$(kubectl get crds,clusterroles,clusterrolebindings,namespaces -o name | grep qos || true)" ""
}
# identity: what an upgrade and a refused uninstall must leave alone.
identity() { field qos/camera-12 .metadata.uid; echo -n " "; field qos/camera-12 .status.sessionId; echo " $(effects)"; }

step "docs/getting-started.md: in a cluster, by the chart"
follow docs/getting-started.md "### In a cluster, by the chart"
leave
is "releases" "$("$HELM" list --all-namespaces --short)" ""
[[ -n $available_after ]] || failed "the page has no session that becomes Available"

step "docs/install.md: what stays is taken away"
follow docs/install.md "### What stays"
nothing_is_left

step "docs/install.md: with the simulator, to try it"
follow docs/install.md "# Install"
follow docs/install.md "## With the simulator, to try it"
printf '\n(what helm install has told to try)\n'
typed_from "what helm install tells" < <("$HELM" get notes qos --namespace "$space" | sed -n '/Try it:/,/^Notifications/{//!p}')
attach

step "docs/upgrade.md: the session stays what it is, and the provider is asked for nothing"
before=$(identity)
follow docs/upgrade.md "# Upgrade"
is "the session, and the provider's effects" "$(identity)" "$before"
is "the session's state" "$(field qos/camera-12 .status.qosStatus)" AVAILABLE
is "operator Pods, of which the page wants two" "$(kc get "deployment/qos-qos-operator" -o jsonpath='{.status.readyReplicas}')" 2

step "docs/install.md, uninstall: refused while a session lives, and taken back"
printf '\n(this test only: the guard waits 5 s instead of its default)\n'
"$HELM" upgrade qos charts/qos-operator --namespace "$space" --reset-then-reuse-values --set uninstallGuard.timeout=5s --wait >/dev/null
must_fail=yes
follow docs/install.md "## Uninstall" "helm uninstall"
must_fail=
shows "$folder/$count.out" "default/camera-12" || failed "it does not name what lives: $(cat "$folder/$count.out")"
is "the session, and the provider's effects" "$(identity)" "$before"
follow docs/install.md "### When the guard fails"
is "the session, and the provider's effects" "$(identity)" "$before"

step "docs/install.md, uninstall: as the page wants it"
follow docs/install.md "## Uninstall"
closed 0
follow docs/install.md "### What stays"
nothing_is_left

step "docs/upgrade.md: definitions that are there without Helm"
printf '\n(this test only: the definitions come by kubectl)\n'
kubectl apply -f crds/ >/dev/null
follow docs/upgrade.md "## Definitions that are there without Helm"
follow docs/install.md "## Uninstall"
follow docs/install.md "### What stays"
nothing_is_left

step ""
printf '\n%s; %s commands of the pages in all\n' "$available_after" "$count"
