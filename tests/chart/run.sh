#!/usr/bin/env bash
# `make chart-test`: the chart as a user's tools see it, with both helms. Its tools come from tools.sh. The checks that need the API
# server or know our own types are Rust tests (tests/it/chart), which this runs at the end unless NO_CARGO=1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
chart=charts/qos-operator
# The kubernetes versions for which manifests are validated: the oldest of Chart.yaml and the newest that is known.
oldest=1.33 newest=1.37

step() {
    local name=$1 from=$SECONDS
    shift
    "$@" || { echo "chart-test: $name failed" >&2; exit 1; }
    echo "chart-test: $name ($((SECONDS - from)) s)"
}

bin=$(tests/chart/tools.sh chart)
cache=$(dirname "$bin")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# No plugin, repository or setting of the user's own.
export HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm HELM_CACHE_HOME=$work/helm

lint() {
    local helm=$1 values
    for values in "$chart"/ci/*-values.yaml; do
        "$bin/$helm" lint --strict --quiet --kube-version $newest.0 --values "$values" $chart >"$work/lint" 2>&1 \
            || { echo "$helm lint, $values:" >&2; cat "$work/lint" >&2; return 1; }
    done
}

refused() {
    # What the schema must refuse, each with a part of the message.
    local given message out
    while IFS='|' read -r given message; do
        if out=$("$bin/$1" template demo $chart --kube-version $newest.0 --set "$given" 2>&1); then
            echo "$1 takes --set $given" >&2; return 1
        fi
        [[ $out == *"$message"* ]] || { echo "$1 refuses --set $given without saying \"$message\": $out" >&2; return 1; }
    done <<'CASES'
replicas=2|replicas
replicaCount=-1|replicaCount
image.pullPolicy=Sometimes|pullPolicy
uninstallGuard.mode=Force|mode
leaderElection.leaseDuration=20|leaseDuration
notifications.publicUrl=ftp://example.com|publicUrl
networkPolicy.apiServer.ports[0]=0|ports
simulator.version=v2.0|version
prometheusRule.thresholds.providerErrorRatio=2|providerErrorRatio
CASES
}

# Renders every set with both helms into $work, and compares what they mean.
render() {
    local values name
    for values in "$chart"/ci/*-values.yaml; do
        name=$(basename "$values" -values.yaml)
        for helm in helm4 helm3; do
            "$bin/$helm" template demo $chart --namespace qos-system --kube-version $newest.0 --values "$values" >"$work/$name.$helm.yaml"
        done
    done
    "$cache/python/bin/python" - "$work" <<'PY'
import glob, sys, yaml
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
compared = 0
for four in sorted(glob.glob(sys.argv[1] + "/*.helm4.yaml")):
    key = lambda o: (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"])
    read = lambda path: sorted((o for o in yaml.load_all(open(path), Loader) if o), key=key)
    a, b = read(four), read(four.replace("helm4", "helm3"))
    assert a and a == b, f"{four}: helm 4 and helm 3 render different objects"
    compared += len(a)
print(f"  {compared} objects are the same with helm 4 and helm 3")
PY
}

# Only kinds of Kubernetes' own: those of others have no schema there.
validate() {
    "$cache/python/bin/python" - "$work" "$@" <<'PY'
import glob, json, sys, yaml
import kubernetes_validate
work, *versions = sys.argv[1:]
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
foreign = ("qos-operator.io", "monitoring.coreos.com", "gateway.networking.k8s.io")
objects = {}
for path in sorted(glob.glob(work + "/*.helm4.yaml")):
    for object in yaml.load_all(open(path), Loader):
        # The definitions' own schema is told by the API server better, and takes seconds here.
        if object and object["apiVersion"].split("/")[0] not in foreign and object["kind"] != "CustomResourceDefinition":
            objects.setdefault(json.dumps(object, sort_keys=True), (path, object))
assert len(objects) > 50, len(objects)
for version in versions:
    for path, object in objects.values():
        try:
            kubernetes_validate.validate(object, version, strict=True)
        except Exception as error:
            sys.exit(f"{path}, {object['kind']} {object['metadata']['name']}, Kubernetes {version}: {error}")
print(f"  {len(objects)} objects are valid for Kubernetes {' and '.join(versions)}")
PY
}

alerts() {
    cp tests/chart/alerts.test.yaml "$work/"
    "$bin/helm4" template demo $chart --show-only templates/prometheusrule.yaml --set prometheusRule.enabled=true,prometheusRule.renderMode=alwaysRender >"$work/rule.yaml"
    "$cache/python/bin/python" -c 'import sys, yaml; yaml.safe_dump(yaml.safe_load(sys.stdin)["spec"], sys.stdout)' <"$work/rule.yaml" >"$work/rules.yaml"
    promtool check rules "$work/rules.yaml" >"$work/said" 2>&1 || { cat "$work/said" >&2; return 1; }
    (cd "$work" && promtool test rules alerts.test.yaml >said 2>&1) || { cat "$work/said" >&2; return 1; }
    # Each alert has a test in which it fires; a rule that nobody tested would pass here unseen.
    "$cache/python/bin/python" - "$work" <<'PY'
import sys, yaml
rules = {r["alert"] for g in yaml.safe_load(open(sys.argv[1] + "/rules.yaml"))["groups"] for r in g["rules"]}
tests = yaml.safe_load(open(sys.argv[1] + "/alerts.test.yaml"))["tests"]
cases = [case for test in tests for case in test["alert_rule_test"]]
fires = {case["alertname"] for case in cases if case["exp_alerts"]}
rests = {case["alertname"] for case in cases if not case["exp_alerts"]}
assert fires == rules and rests == rules, (rules ^ fires, rules ^ rests)
print(f"  {len(rules)} alerts, each seen firing and not firing")
PY
}

step "lint --strict, helm 4" lint helm4
step "lint --strict, helm 3" lint helm3
step "the schema refuses, helm 4" refused helm4
step "the schema refuses, helm 3" refused helm3
step "unit tests" "$bin/helm-unittest" --strict $chart
step "the same from both helms" render
step "valid for the oldest and the newest Kubernetes" validate $oldest $newest
step "alerts" alerts
step "dashboard and alerts on a running operator" tests/chart/dashboard.sh
if [[ -z ${NO_CARGO:-} ]]; then
    step "rendered, served and granted" "${CARGO:-cargo}" test --quiet --locked --test it chart::
fi
echo "chart-test: all, $SECONDS s"
