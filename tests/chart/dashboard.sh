#!/usr/bin/env bash
# A Prometheus that really scrapes a running operator, with the simulator behind it: every query of the dashboard, and of every alert,
# is one that Prometheus answers, and the dashboard's have data. QOS_BIN names a folder with the binaries (default: cargo's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
bin=$(tests/chart/tools.sh chart)
python=$(dirname "$bin")/python/bin/python
if [[ -z ${QOS_BIN:-} ]]; then
    "${CARGO:-cargo}" build --quiet --locked --workspace --bins
    QOS_BIN=$("${CARGO:-cargo}" metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug
fi
if ! "$QOS_BIN/qos-operator" --help | grep -q -- --admin-listen; then
    [[ ! -d src/metrics ]] || { echo "dashboard: there are metrics, and no --admin-listen" >&2; exit 1; }
    echo "dashboard: this operator has no metrics yet"
    exit 0
fi
work=$(mktemp -d)
pids=()
end() {
    trap - EXIT
    # The API server last: the others may still be writing.
    for (( i = ${#pids[@]} - 1; i >= 0; i-- )); do kill "${pids[i]}" 2>/dev/null && wait "${pids[i]}" 2>/dev/null; done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM
failed() { echo "dashboard: $1" >&2; for log in "$work"/*.log; do echo "-- $log"; tail -n 5 "$log"; done >&2; exit 1; }
until_holds() {
    local what=$1 limit=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do (( SECONDS < limit )) || failed "waited 60 s: $what"; sleep 0.2; done
}
start() { local name=$1; shift; "$@" >"$work/$name.out" 2>"$work/$name.log" & pids+=($!); }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost

start plane "$QOS_BIN/control-plane" run --user qos-operator=system:masters
start simulator "$QOS_BIN/qod-simulator" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
until_holds "the simulator listens" grep -q '^token:' "$work/simulator.out"
until_holds "the API server is ready" grep -q '^# ends with' "$work/plane.out"
eval "$(grep '^export ' "$work/plane.out")"
config=$(sed -n 's/^# user qos-operator: //p' "$work/plane.out")
api=$(awk '/^API:/ { print $2 }' "$work/simulator.out")
quiet() { "$KUBECTL" "$@" >/dev/null; }
quiet create namespace qos-operator
quiet apply -f crds/
quiet wait crd --all --for=condition=Established --timeout=60s
metrics=$(free_port) prometheus=$(free_port)
start operator env KUBECONFIG="$config" "$QOS_BIN/qos-operator" --namespace qos-operator --admin-listen "127.0.0.1:$metrics"
until_holds "the operator serves metrics" curl -sf "http://127.0.0.1:$metrics/metrics"
cat >"$work/prometheus.yml" <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - {job_name: qos-operator, static_configs: [{targets: ["127.0.0.1:$metrics"]}]}
YAML
start prometheus prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$prometheus" --log.level=warn
sed -e "s#http://127.0.0.1:PORT/apigateway/qod/v0#$api#" examples/demo/provider.yaml \
    | sed 's#^spec:#spec:\n  budget: {maxSessions: 20, maxSessionSecondsPerDay: 1000000}#' | quiet apply -f -
quiet wait qosp/telefonica-sandbox --for=condition=Ready --timeout=60s
for number in 1 2 3; do
    quiet apply -f - <<YAML
apiVersion: qos-operator.io/v1alpha1
kind: QosSession
metadata: {name: camera-$number, namespace: default}
spec:
  device: {phoneNumber: "+34666666660$number"}
  applicationServer: {ipv4Address: 198.51.100.7}
  qosProfile: QOS_E
YAML
done
quiet wait qos --all -n default --for=condition=Ready --timeout=60s
"$python" - "http://127.0.0.1:$prometheus" "$bin/helm4" <<'PY'
import json, subprocess, sys, time, urllib.parse, urllib.request, yaml
server, helm = sys.argv[1:]
def ask(expression):
    url = server + "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        return json.load(urllib.request.urlopen(url))["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"dashboard: Prometheus refuses {expression}: {error.read().decode()}")
    except OSError:
        return []
dashboard = json.load(open("charts/qos-operator/dashboards/qos-operator.json"))
queries = [(p["title"], t["expr"]) for p in dashboard["panels"] for t in p.get("targets", [])]
plain = lambda e: e.replace("$__rate_interval", "20s").replace("$provider", ".*")
left, limit = queries, time.time() + 60
while left and time.time() < limit:
    left = [(title, expr) for title, expr in left if not ask(plain(expr))]
    time.sleep(0.5)
if left:
    sys.exit("dashboard: no data for\n" + "\n".join(f"  {title}: {expr}" for title, expr in left))
chart = subprocess.check_output([helm, "template", "demo", "charts/qos-operator", "--show-only", "templates/prometheusrule.yaml",
                                 "--set", "prometheusRule.enabled=true,prometheusRule.renderMode=alwaysRender"])
rules = [r for g in yaml.safe_load(chart)["spec"]["groups"] for r in g["rules"]]
firing = [r["alert"] for r in rules if ask(r["expr"])]
if firing:
    sys.exit(f"dashboard: where all is well these alerts are pending: {firing}")
print(f"  {len(queries)} queries of {len(dashboard['panels'])} panels have data; {len(rules)} alerts are answered, none pending")
PY
curl -sf "http://127.0.0.1:$metrics/metrics" | promtool check metrics >"$work/lint" 2>&1 || failed "promtool check metrics: $(cat "$work/lint")"
echo "  promtool has nothing to say of /metrics"
