#!/usr/bin/env bash
# Runs schemathesis against the simulator, by each official OpenAPI document (docs/contract.md). Needs python3 with venv, and the
# documents in the folder QOD_SPECS (else ../shared/specs beside the repository). Everything it makes is below target/conformance.
#
# EXAMPLES: cases for each operation and phase (default 40). SEED: of their generation (default 1).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
specs=${QOD_SPECS:-$repository/../shared/specs}
simulator=${CARGO_TARGET_DIR:-$repository/target}/debug/qod-simulator
work=${CARGO_TARGET_DIR:-$repository/target}/conformance
token=mock_sandbox_access_token

if [[ ! -d $specs ]]; then
  echo "NOT CHECKED: the official OpenAPI documents are not here; docs/contract.md says where to get them. Then set QOD_SPECS." >&2
  exit 1
fi
mkdir -p "$work"
if ! cmp --silent "$here/requirements.txt" "$work/venv/requirements.txt"; then
  rm -rf "$work/venv"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/venv/requirements.txt"
fi

"$simulator" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --settings "$here/settings.json" --log warn \
  > "$work/simulator.out" 2> "$work/simulator.log" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true' EXIT
for _ in {1..100}; do
  api=$(sed -n 's|^API: *\(http://[^/]*\).*|\1|p' "$work/simulator.out")
  [[ -n $api ]] && break
  sleep 0.1
done
[[ -n ${api:-} ]] || { echo "the simulator does not start: see $work/simulator.log" >&2; exit 1; }

# A document, and the path under which the simulator serves what it describes.
documents() {
  cat <<'LIST'
camara/v0.8.1/qod-api.yaml /v0.8/qod/v0
camara/v0.9.0/qod-api.yaml /v0.9/qod/v0
camara/v0.10.1/qod-api.yaml /v0.10/qod/v0
camara/v0.11.1/quality-on-demand.yaml /v0.11/quality-on-demand/v0.11
camara/v0.11.1/qos-profiles.yaml /v0.11/qos-profiles/v0.11
camara/v1.0.0/quality-on-demand.yaml /v1.0/quality-on-demand/v1
camara/v1.0.0/qos-profiles.yaml /v1.0/qos-profiles/v1
camara/v1.1.0/quality-on-demand.yaml /v1.1/quality-on-demand/v1
camara/v1.1.0/qos-profiles.yaml /v1.1/qos-profiles/v1
camara/v1.2.0-rc.3/quality-on-demand.yaml /v1.2/quality-on-demand/v1rc3
camara/v1.2.0-rc.3/qos-profiles.yaml /v1.2/qos-profiles/v1rc3
telefonica/qod-v0.8.yaml /telefonica/v0.8/apigateway/qod/v0
telefonica/qod-v0.10.yaml /telefonica/v0.10/apigateway/qod/v0
telefonica/qod-v1.1.yaml /telefonica/v1.1/apigateway
LIST
}

export PYTHONPATH=$here SCHEMATHESIS_HOOKS=hooks PYTHONDONTWRITEBYTECODE=1
cd "$work"
failed=0
printf '%-42s %6s %9s\n' document cases failures
while read -r document path; do
  log=$work/${document//\//-}.log
  status=0
  # The operation /notifications of 0.8 is the API client's, not the provider's.
  "$work/venv/bin/schemathesis" run "$specs/$document" --url "$api$path" --header "Authorization: Bearer $token" \
    --checks all --max-examples "${EXAMPLES:-40}" --seed "${SEED:-1}" --exclude-path /notifications --warnings off \
    --generation-database none --no-color > "$log" 2>&1 || status=$?
  cases=$(sed -n 's/^ *\([0-9]*\) generated.*/\1/p' "$log")
  failures=$(sed -n 's/.*generated, .*found \([0-9]*\) unique failures.*/\1/p' "$log")
  printf '%-42s %6s %9s\n' "$document" "${cases:-?}" "${failures:-$([[ $status == 0 ]] && echo 0 || echo '?')}"
  if (( status != 0 )); then
    failed=1
    sed -n '/= FAILURES =/,/= SUMMARY =/p;/= ERRORS =/,/= SUMMARY =/p' "$log" | sed 's/^/    /'
  fi
done < <(documents)
exit "$failed"
