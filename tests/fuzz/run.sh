#!/usr/bin/env bash
# Fuzzes each target of tests/fuzz for a while: run.sh [seconds for each target, 60] [target ...]
#
# With a C++ compiler: libFuzzer, led by the coverage. Nothing is installed: the instrumentation is a pass of the pinned stable compiler,
# and libFuzzer comes with the crate bolero-libfuzzer. Without one: bolero's random engine, on the same targets.
# What libFuzzer finds worth keeping goes to target/fuzz/corpus, and what fails to tests/fuzz/__fuzz__/<target>/crashes, where `cargo
# test` finds it from then on.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
(( ${#targets[@]} )) || targets=(parsers::parsers judged::judged router::router router::edited_requests)
cargo=${CARGO:-cargo}
fuzz="$PWD/tests/fuzz/__fuzz__"
folder="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"

if ! command -v "${CXX:-c++}" >/dev/null; then
  echo "No C++ compiler (c++, or CXX), which libFuzzer needs: the random engine runs instead, without coverage." >&2
  for target in "${targets[@]}"; do
    BOLERO_RANDOM_TEST_TIME_MS=$(( seconds * 1000 )) "$cargo" test --quiet --locked --release --package fuzz -- --exact "$target" --nocapture
  done
  exit
fi

host=$(rustc -vV | sed -n 's/^host: //p')
# The coverage that libFuzzer reads: counters, the table of places, and the operands of comparisons.
export RUSTFLAGS="--cfg fuzzing --cfg fuzzing_libfuzzer -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
export BOLERO_FUZZER=libfuzzer
# libFuzzer itself is to be fast, in a build for development too.
export CXXFLAGS="-O2 ${CXXFLAGS:-}"
# With a target named, the flags do not reach build scripts and macros, which no fuzzer links to.
binary=$("$cargo" test --locked --package fuzz --test fuzz --target "$host" --target-dir "$folder" --no-run \
  --message-format=json-render-diagnostics | sed -n 's|.*"executable":"\([^"]*/deps/fuzz-[^"]*\)".*|\1|p' | tail -n 1)
for target in "${targets[@]}"; do
  name=${target//::/__}
  log="$folder/$name.log"
  mkdir -p "$folder/corpus/$name" "$fuzz/$name/corpus" "$fuzz/$name/crashes"
  echo "== $target, $seconds s"
  # The first folder is where libFuzzer keeps what it finds. Weighing inputs by entropy took nine tenths of the time.
  BOLERO_LIBFUZZER_ARGS="$folder/corpus/$name $fuzz/$name/corpus -artifact_prefix=$fuzz/$name/crashes/ -max_total_time=$seconds \
-entropic=0 -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1" \
    "$binary" --exact "$target" --nocapture --test-threads 1 >"$log" 2>&1 || true
  grep -E 'DONE|stat::|ERROR|panicked|SUMMARY|#[0-9]+[[:space:]]+(INITED|pulse)' "$log" || true
  if ! grep -q 'DONE' "$log" || [[ -n $(ls "$fuzz/$name/crashes") ]]; then
    echo "$target fails: see $log and $fuzz/$name/crashes" >&2
    exit 1
  fi
  rmdir "$fuzz/$name/crashes"
  # Where a target has no corpus of its own.
  rmdir --ignore-fail-on-non-empty "$fuzz/$name/corpus" "$fuzz/$name"
done
