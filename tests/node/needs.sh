# shellcheck shell=bash
# Sourced: what a real node needs of the machine, and how it is had.

# Debian's packages, each with a program that shows that it is there.
declare -A packages=(
    [containerd]=containerd [runc]=runc [ip]=iproute2 [nft]=nftables [conntrack]=conntrack [dnsmasq]=dnsmasq-base
    [buildah]=buildah [unshare]=util-linux [setpriv]=util-linux [openssl]=openssl [curl]=curl [jq]=jq [cc]=gcc
)

# skip REASON: says why nothing runs here. In CI that is a failure: there it must run.
skip() {
    echo "skipped: $1"
    [[ ${CI:-} == true ]] && { echo "in CI this must not be skipped" >&2; exit 1; }
    exit 0
}

# Where the CNI plugins are; nothing when they are nowhere.
cni_plugins() {
    local folder
    for folder in /usr/lib/cni /opt/cni/bin; do
        [[ -x $folder/ptp && -x $folder/host-local && -x $folder/loopback ]] && { echo "$folder"; return; }
    done
}

# require_machine: a Linux where root may make namespaces, with every program; what is missing is installed from Debian.
require_machine() {
    [[ $(uname -s) == Linux ]] || skip "a node needs Linux"
    (( EUID == 0 )) || skip "a node needs root (namespaces, mounts, cgroups)"
    local program missing=()
    for program in "${!packages[@]}"; do
        command -v "$program" >/dev/null || missing+=("${packages[$program]}")
    done
    [[ -n $(cni_plugins) ]] || missing+=(containernetworking-plugins)
    if (( ${#missing[@]} )); then
        command -v apt-get >/dev/null || skip "these are missing, and there is no apt-get to install them: ${missing[*]}"
        echo "installing ${missing[*]}"
        # A service that a package brings must not start here.
        local policy=/usr/sbin/policy-rc.d own=
        [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; own=yes; }
        local failed=
        { DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null || failed=yes
        [[ -z $own ]] || rm -f "$policy"
        [[ -z $failed ]] || skip "apt-get could not install ${missing[*]}"
    fi
    unshare --net --mount --pid --fork true 2>/dev/null || skip "this root may not make network, mount and process namespaces"
    [[ -d /sys/fs/cgroup ]] || skip "there are no cgroups at /sys/fs/cgroup"
    grep -qw overlay /proc/filesystems || skip "the kernel has no overlayfs"
}
