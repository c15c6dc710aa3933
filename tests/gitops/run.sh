#!/usr/bin/env bash
# `make gitops-test`: the health rules of Flux, helm --wait and Argo CD over one object for each row of the table of states, and the
# kustomizations of examples/gitops. The objects are written by a Rust test (src/session/status/tests/objects.rs).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qos-operator/chart/bin
mkdir -p "$cache"
key=$(cat tests/gitops/go/{go.mod,go.sum,main.go} | sha256sum | cut -c1-16)
program=$cache/gitops-$key
if [[ ! -x $program ]]; then
    echo "gitops-test: building its program (Flux's library, gopher-lua, kustomize)" >&2
    (cd tests/gitops/go && go build -o "$program.$$" .)
    rm -f "$cache"/gitops-????????????????
    mv "$program.$$" "$program"
fi
folders=()
for file in examples/gitops/*/kustomization.yaml examples/gitops/*/*/kustomization.yaml; do
    [[ -e $file ]] && folders+=("$(dirname "$file")")
done
(( ${#folders[@]} > 0 )) || { echo "gitops-test: no kustomization in examples/gitops" >&2; exit 1; }
"$program" tests/gitops/objects examples/gitops/argocd/health.lua "${folders[@]}"
