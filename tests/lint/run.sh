#!/usr/bin/env bash
# Checks every shell script with shellcheck, and Containerfile with hadolint. Needs python3 with venv; what it makes is below target/lint.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
work=${CARGO_TARGET_DIR:-target}/lint
mkdir -p "$work"
if ! cmp --silent "$here/requirements.txt" "$work/venv/requirements.txt"; then
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$work/venv/requirements.txt"
fi
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run | while read -r file; do [[ -f $file ]] && echo "$file"; done)
(( ${#scripts[@]} > 0 ))
"$work/venv/bin/shellcheck" --external-sources "${scripts[@]}"
"$work/venv/bin/hadolint" Containerfile
echo "shellcheck: ${#scripts[@]} scripts; hadolint: Containerfile"
