#!/usr/bin/env bash
# `make e2e`: builds the image and starts a real Kubernetes node. There it types the commands of the pages (newcomer.sh), and then lives
# through an installation (story.sh). Prints each step's time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=needs.sh
source tests/node/needs.sh
require_machine

cargo=${CARGO:-cargo}
target=$("$cargo" metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
STEPS=$(mktemp "${TMPDIR:-/tmp}/qos-steps.XXXXXX")
export STEPS NODE_LOGS=${NODE_LOGS:-$target/node}
trap 'rm -f "$STEPS"' EXIT

# timed WHAT COMMAND...
timed() {
    local what=$1 from=$EPOCHREALTIME
    shift
    printf '\n== %s\n' "$what"
    "$@"
    printf '%s\t%s\n' "$(awk -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')" "$what" >>"$STEPS"
}
programs() { "$cargo" run --quiet --locked --package control-plane -- build --node >/dev/null; }
helm() { HELM=$(tests/chart/tools.sh render)/helm4; export HELM; }

printf '%s\tthe machine has what a node needs\n' "$SECONDS" >>"$STEPS"
timed "Kubernetes' programs are built, once per user" programs
timed "helm is there" helm
timed "the image is built and packed" env SBOM=no IMAGE=localhost/qos-operator:e2e image/build.sh
status=0
printf '\n== a node\n'
tests/node/node.sh --image "$target/image/qos-operator.tar" -- bash -c 'tests/node/newcomer.sh && tests/node/story.sh' || status=$?

printf '\n== seconds, step by step\n'
awk -F '\t' '{ printf "%8.1f  %s\n", $1, $2; all += $1 } END { printf "%8.1f  in all\n", all }' "$STEPS"
(( status == 0 )) || { echo "make e2e failed; the node's logs are in $NODE_LOGS" >&2; exit "$status"; }
