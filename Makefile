# Everything a contributor types. A fresh machine needs Rust (rustup), Go 1.26 or newer, bash, git and GNU make.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# Tests wait far more than they work.
export RUST_TEST_THREADS ?= 4
# Lines of code that a file may have, without blank lines and comments.
MAX_CODE_LINES := 400
# The API server, etcd and kubectl, built from source once per user where they are not there yet.
CONTROL_PLANE = $(CARGO) run --quiet --locked --package control-plane --

.PHONY: help build demo image e2e test lint check vectors contract conformance model crash failover fuzz bench-events bench-scale chart-test gitops-test generate clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the operator, the simulator and the control plane for tests
	$(CARGO) build --locked --workspace --bins
	$(CONTROL_PLANE) build

demo: ## Watch the operator work, on a real API server; KEEP=1 leaves everything running
	@KEEP="$(KEEP)" CARGO="$(CARGO)" examples/demo.sh

image: ## Build the image and its SBOM, without containers; IMAGE=name
	CARGO="$(CARGO)" image/build.sh

e2e: ## Live through an installation on a real node (Linux, root); HOLD=seconds leaves a failure in place
	CARGO="$(CARGO)" tests/node/e2e.sh

test: ## Run every test, with a real API server
	$(CONTROL_PLANE) build
	$(CARGO) test --locked --workspace

lint: ## Check shell scripts and the Containerfile
	tests/lint/run.sh

check: ## Check form, lints, generated files and the length of files
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --quiet --locked --test it generated
	@git ls-files --cached --others --exclude-standard '*.rs' | while read -r file; do \
	  lines=$$(grep -cvE '^[[:space:]]*(//.*)?$$' "$$file" || true); \
	  if (( lines > $(MAX_CODE_LINES) )); then echo "$$file has $$lines lines of code; at most $(MAX_CODE_LINES) are allowed" >&2; exit 1; fi; \
	done
	@sed -n '/^## Invariants/,/^## Decisions/p' docs/architecture.md | { grep -oE '`[a-z0-9]+(_[a-z0-9]+){4,}`' || true; } | tr -d '`' | sort -u | while read -r name; do \
	  git grep -qw "fn $$name" -- '*.rs' || { echo "docs/architecture.md names the test $$name, which does not exist" >&2; exit 1; }; \
	done

vectors: ## Run the wire vectors and print their table; QOD_VECTORS=folder runs others
	$(CARGO) test --quiet --locked --test it qod::vectors -- --nocapture

contract: ## Hold client and simulator to the official OpenAPI documents, and print the table; QOD_SPECS=folder has them
	$(CARGO) test --quiet --locked --test it contract:: -- --nocapture

conformance: ## Run schemathesis against the simulator, by the same documents; EXAMPLES=n for a longer run
	$(CARGO) build --locked --bin qod-simulator
	tests/conformance/run.sh

model: ## Check the decision table against the large models (long; a short form is in make test)
	MODEL=long $(CARGO) test --release --locked --lib session::model -- --nocapture

crash: ## Kill the operator at every call, with every generation of the API (long; a short form is in make test); CRASH="v1.1 Plain"
	$(CONTROL_PLANE) build
	CRASH="$${CRASH:-generations}" $(CARGO) test --locked --test it crash::a_crash -- --nocapture

fuzz: ## Fuzz what reads notifications, led by the coverage (C++ compiler needed); FUZZ_SECONDS=600 for each target, TARGETS=router::router
	CARGO="$(CARGO)" tests/fuzz/run.sh $(or $(FUZZ_SECONDS),60) $(TARGETS)

failover: ## Kill the leader of two replicas 20 times under load, with the default times (long; a short form is in make test)
	$(CONTROL_PLANE) build
	KILLS=20 $(CARGO) test --locked --test it replicas::load::leaders_that_are_killed -- --nocapture

chart-test: ## Check the chart with both helms, its unit tests, alerts, and a real API server; installs its tools
	$(CONTROL_PLANE) build
	tests/chart/run.sh

gitops-test: ## Check what Flux and Argo CD make of each state, and the kustomizations
	tests/gitops/run.sh

generate: ## Write again what is made from the source: crds/, docs/reference/, the chart's copy and table of values, the objects for GitOps
	UPDATE=1 $(CARGO) test --quiet --locked --test it generated
	UPDATE=1 $(CARGO) test --quiet --locked --test it -- chart::shape chart::values
	UPDATE=1 $(CARGO) test --quiet --locked --lib objects_for_gitops

bench-scale: ## Keep SESSIONS=20000 sessions in one process, and print memory, processor time and rates
	$(CONTROL_PLANE) build
	SESSIONS="$${SESSIONS:-20000}" $(CARGO) test --release --locked --test it scale::each_of_many -- --nocapture

bench-events: ## Send EVENTS=1000 notifications at 200 a second, and print latencies and costs
	$(CONTROL_PLANE) build
	EVENTS="$${EVENTS:-1000}" $(CARGO) test --release --locked --test it events::bench -- --nocapture

clean: ## Remove what cargo has built here (the control plane's binaries stay)
	$(CARGO) clean
