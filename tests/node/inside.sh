#!/usr/bin/env bash
# The first process in the namespaces that node.sh makes: starts a node's parts, runs the command, and takes all with it at its end.
set -euo pipefail

name=node-1
address=10.200.0.1
pods=10.244.0.0/24
services=10.0.0.0/24
# How long any one wait may take, in seconds.
patience=90
run=$NODE_RUN logs=$NODE_LOGS
bin() { awk -F '\t' -v name="$1" '$1 == name { print $2 }' <<<"$NODE_BINARIES"; }

failed() {
    trap - ERR
    echo "the node failed: $1" >&2
    tail -n 15 "$logs"/*.log >&2 || true
    exit 1
}
trap 'failed "line $LINENO: $BASH_COMMAND"' ERR
trap 'exit 143' TERM INT HUP

declare -A pids=()
# start NAME COMMAND...: a part in the background, its words in a log of its own.
start() {
    local part=$1
    shift
    "$@" </dev/null >>"$logs/$part.log" 2>&1 &
    pids[$part]=$!
    # Its end is not told: it is looked for, or meant.
    disown
}
# until_holds WHAT COMMAND...
until_holds() {
    local what=$1 limit=$((SECONDS + patience)) part
    shift
    until "$@" >/dev/null 2>&1; do
        (( SECONDS < limit )) || failed "waited $patience s for this: $what"
        for part in "${!pids[@]}"; do
            kill -0 "${pids[$part]}" 2>/dev/null || failed "$part has ended"
        done
        sleep 0.2
    done
}

# ---- the machine, as far as the node sees it ----------------------------------------------------------------------------------

# Sockets, leases, plugins and logs have fixed places there: each is empty, and ours.
mount --make-rshared /
for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p "$run"/{etcd,certs,containerd,kubelet,kubeconfigs,cni,hosts} /run/lock /var/log/containers
# The kubelet sets these for a machine that is its own. This one is not, so it is shown copies.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    [[ -e /proc/sys/$setting ]] || continue
    copy=$run/${setting//\//.}
    cat "/proc/sys/$setting" >"$copy"
    mount --bind "$copy" "/proc/sys/$setting"
done
# A veth pair, both ends here, in the place of a network card: an address and a default route that lead nowhere.
ip link set lo up
ip link add node type veth peer name peer
ip address add "$address/24" dev node
ip link set node up
ip link set peer up
ip route add default via 10.200.0.2
echo 1 >/proc/sys/net/ipv4/ip_forward

# Pods go under a cgroup of this run, in every hierarchy.
group=${run##*/}
if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    mkdir "/sys/fs/cgroup/$group"
else
    while read -r _ hierarchy _; do
        mkdir -p "$hierarchy/$group"
        if [[ -e $hierarchy/cpuset.cpus ]]; then
            cat "$hierarchy/cpuset.cpus" >"$hierarchy/$group/cpuset.cpus"
            cat "$hierarchy/cpuset.mems" >"$hierarchy/$group/cpuset.mems"
        fi
    done < <(awk '$3 == "cgroup"' /proc/self/mounts)
fi

# ---- who may ask the API server -----------------------------------------------------------------------------------------------

url=https://$address:6443
users=(admin=system:masters system:kube-controller-manager= system:kube-scheduler= system:kube-proxy= "system:node:$name=system:nodes")
for user in "${users[@]}"; do
    printf '%s,%s,%s,"%s"\n' "$(tr -d - </proc/sys/kernel/random/uuid)" "${user%=*}" "${user%=*}" "${user#*=}"
done >"$run/tokens.csv"
openssl ecparam -name prime256v1 -genkey -noout -out "$run/sa.key" 2>/dev/null
openssl ec -in "$run/sa.key" -pubout -out "$run/sa.pub" 2>/dev/null
kubeconfig() {
    local path=$run/kubeconfigs/${1##*:}
    cat >"$path" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: node, cluster: {server: "$url", certificate-authority: $run/certs/apiserver.crt}}]
users: [{name: "$1", user: {token: $(awk -F, -v user="$1" '$2 == user { print $1 }' "$run/tokens.csv")}}]
contexts: [{name: node, context: {cluster: node, user: "$1"}}]
current-context: node
YAML
    echo "$path"
}

# ---- the control plane --------------------------------------------------------------------------------------------------------

start etcd "$(bin etcd)" --data-dir "$run/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
# A script, so that it can be started again as it was: a story may kill it.
export NODE_API_SERVER=$run/kube-apiserver
{
    printf '#!/bin/sh\necho $$ >%q\nexec' "$run/kube-apiserver.pid"
    printf ' %q' "$(bin kube-apiserver)" --etcd-servers=http://127.0.0.1:2379 --cert-dir="$run/certs" \
        --bind-address=0.0.0.0 --advertise-address="$address" --secure-port=6443 --service-cluster-ip-range="$services" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --token-auth-file="$run/tokens.csv" \
        --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --service-account-key-file="$run/sa.pub" --service-account-signing-key-file="$run/sa.key" \
        --kubelet-preferred-address-types=InternalIP --allow-privileged=true --shutdown-delay-duration=0s --profiling=false
    echo
} >"$NODE_API_SERVER"
chmod +x "$NODE_API_SERVER"
start kube-apiserver "$NODE_API_SERVER"
until_holds "the API server's certificate" grep -q 'END CERTIFICATE' "$run/certs/apiserver.crt"
admin=$(kubeconfig admin)
mkdir -p "$run/bin"
ln -s "$(bin kubectl)" "$run/bin/kubectl"
export PATH=$run/bin:$PATH KUBECONFIG=$admin KUBECACHEDIR=$run/kubectl
start kube-controller-manager "$(bin kube-controller-manager)" --kubeconfig="$(kubeconfig system:kube-controller-manager)" \
    --leader-elect=false --use-service-account-credentials=true --service-account-private-key-file="$run/sa.key" \
    --root-ca-file="$run/certs/apiserver.crt" --secure-port=0 --kube-api-qps=100 --kube-api-burst=200
start kube-scheduler "$(bin kube-scheduler)" --kubeconfig="$(kubeconfig system:kube-scheduler)" --leader-elect=false --secure-port=0

# ---- the node -----------------------------------------------------------------------------------------------------------------

cat >"$run/containerd.toml" <<TOML
version = 2
root = "$run/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$run/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # Root may lack CAP_SYS_RESOURCE, in a container for example; then runc cannot lower a score below its own.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$NODE_CNI"
    conf_dir = "$run/cni"
TOML
# Each Pod behind a link of its own: what it says to a Service and what comes back pass the node's address translation.
cat >"$run/cni/10-node.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "node", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "subnet": "$pods", "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"}}]}
JSON
start containerd containerd --config "$run/containerd.toml"

echo "nameserver 127.0.0.1" >"$run/resolv.conf"
cat >"$run/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
address: $address
# Nobody but this node's own processes can reach it.
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
clusterDNS: [$address]
clusterDomain: cluster.local
resolvConf: $run/resolv.conf
cgroupDriver: cgroupfs
cgroupRoot: /$group
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
# A developer's disk may be as full as it likes.
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
YAML
cat >"$run/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: "$(kubeconfig system:kube-proxy)"}
hostnameOverride: $name
mode: nftables
clusterCIDR: $pods
conntrack: {maxPerCore: 0, min: 0}
YAML
until_holds "containerd's answer" ctr --address /run/containerd/containerd.sock version
while read -r image; do
    [[ -z $image ]] || ctr --address /run/containerd/containerd.sock --namespace k8s.io images import "$image" >>"$logs/import.log" 2>&1
done <<<"$run/pause.tar"$'\n'"$NODE_IMAGES"
until_holds "readiness of the API server" kubectl get --raw /readyz
start kubelet "$(bin kubelet)" --config="$run/kubelet.yaml" --kubeconfig="$(kubeconfig "system:node:$name")" --root-dir="$run/kubelet" \
    --cert-dir="$run/kubelet/pki" --hostname-override="$name" --node-ip="$address"
start kube-proxy "$(bin kube-proxy)" --config="$run/kube-proxy.yaml"

# DNS: a file for each Service that has an address, which dnsmasq reads as it appears.
start dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --no-daemon --user=root --bind-interfaces \
    --listen-address="$address" --local=/cluster.local/ --address=/#/ --hostsdir="$run/hosts"
# shellcheck disable=SC2329 # called by `start`
names() {
    local space service ip
    # The watch ends with the API server that it asks.
    while :; do
        kubectl get services --all-namespaces --watch -o jsonpath='{.metadata.namespace} {.metadata.name} {.spec.clusterIP}{"\n"}' |
            while read -r space service ip; do
                [[ $ip == None || -z $ip ]] && continue
                echo "$ip $service.$space.svc.cluster.local" >"$run/$space.$service"
                mv "$run/$space.$service" "$run/hosts/$space.$service"
            done || true
        sleep 0.5
    done
}
start names names
until_holds "a node that is Ready" kubectl wait node/"$name" --for=condition=Ready --timeout=5s
until_holds "the first ServiceAccount" kubectl get serviceaccount default
echo "the node is Ready after $SECONDS s"
[[ -n ${STEPS:-} ]] && printf '%s\tthe node is Ready, with the image\n' "$SECONDS" >>"$STEPS"

# ---- the command --------------------------------------------------------------------------------------------------------------

trap - ERR
export HELM_CACHE_HOME=$run/helm/cache HELM_CONFIG_HOME=$run/helm/config HELM_DATA_HOME=$run/helm/data
export NODE_ADDRESS=$address
status=0
"$@" || status=$?
exit "$status"
