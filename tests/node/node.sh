#!/usr/bin/env bash
# Runs a command beside a real Kubernetes of one node: etcd, API server, controllers, scheduler, containerd, kubelet, kube-proxy and DNS.
#
#   tests/node/node.sh [--image FILE]... [--] COMMAND...
#
# COMMAND finds a kubeconfig of its own in KUBECONFIG and kubectl in its PATH; `tests/node/node.sh bash` is a shell there. Each FILE is
# an image (an OCI archive) that the node is given. Everything lives in network, mount and process namespaces of its own, without a
# way to any other network: when COMMAND has ended, or this script, whichever way, the kernel ends every process and undoes every
# mount. What is left then, a folder and empty cgroups, is removed here; the next run removes it after a kill -9.
# Logs stay in $NODE_LOGS (default: node/ in cargo's target folder).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=needs.sh
source "$here/needs.sh"

images=()
while [[ ${1:-} == --* ]]; do
    case $1 in
        --image) images+=("$(realpath "$2")"); shift 2 ;;
        --) shift; break ;;
        *) echo "node.sh: no such option: $1" >&2; exit 2 ;;
    esac
done
(( $# )) || { echo "usage: tests/node/node.sh [--image FILE]... [--] COMMAND..." >&2; exit 2; }

require_machine
cargo=${CARGO:-cargo}
bins=$(cd "$here/../.." && "$cargo" run --quiet --locked --package control-plane -- build --node)
target=$(cd "$here" && "$cargo" metadata --format-version 1 --no-deps --locked | jq -r .target_directory)

# ---- what is left of runs ----------------------------------------------------------------------------------------------------

cgroups_of() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$1" 2>/dev/null || true; }
# Removes the folder and the cgroups of a run of which no process is left.
sweep() {
    local run=$1 group
    for _ in 1 2 3 4 5; do
        for group in $(cgroups_of "${run##*/}"); do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
        rm -rf -- "$run" 2>/dev/null || true
        [[ ! -e $run && -z $(cgroups_of "${run##*/}") ]] && return
        sleep 0.3
    done
    echo "node.sh: something is left of $run" >&2
}
for old in "${TMPDIR:-/tmp}"/qos-node.*; do
    # Its lock is held as long as one of its processes lives.
    [[ -d $old ]] && flock --nonblock "$old/lock" true 2>/dev/null && sweep "$old"
done

# ---- this run ----------------------------------------------------------------------------------------------------------------

run=$(mktemp -d "${TMPDIR:-/tmp}/qos-node.XXXXXX")
child=
# shellcheck disable=SC2329 # called by the traps
end() {
    trap - EXIT INT TERM HUP
    # With it the kernel ends the first process of the namespaces, and so all of them.
    [[ -z $child ]] || { kill -KILL "$child"; wait "$child"; } 2>/dev/null || true
    sweep "$run"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# At a terminal Ctrl-C is for what runs there.
[[ -t 0 ]] && trap '' INT
exec {lock}>"$run/lock"
flock "$lock"

export NODE_RUN=$run NODE_BINARIES=$bins NODE_CNI=
NODE_CNI=$(cni_plugins)
export NODE_LOGS=${NODE_LOGS:-$target/node}
NODE_IMAGES=$(printf '%s\n' "${images[@]}")
export NODE_IMAGES
rm -rf "$NODE_LOGS"
mkdir -p "$NODE_LOGS"

# The image of the process that holds a Pod's namespaces open.
mkdir "$run/pause"
cc -Os -static -s -o "$run/pause/pause" "$here/pause.c"
"$here/../../image/pack.sh" "$run/pause" "$run/pause.tar" localhost/pause:1 <<<$'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]'

setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child=KILL --mount-proc --propagation private \
    "$here/inside.sh" "$@" <&0 &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
