#!/usr/bin/env bash
# Makes .venv with everything that demo, test, lint and bench need; repeating it mends what is missing.
# HARNESS_DEVICE=cpu|gpu overrides the choice by nvidia-smi.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-}
for candidate in python3.11 python3.12 python3.13 python3; do
  [ -n "$python" ] && break
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    python=$candidate
  fi
done
if [ -z "$python" ]; then
  echo "error: no Python 3.11 to 3.13 found; install one (Debian: apt-get install python3 python3-venv) or name it: PYTHON=/path/to/python make ..." >&2
  exit 3
fi
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  rm -rf .venv
  "$python" -m venv .venv || {
    echo "error: $python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
    exit 3
  }
fi

device=${HARNESS_DEVICE:-}
if [ -z "$device" ]; then
  if nvidia-smi -L 2>/dev/null | grep -q GPU; then device=gpu; else device=cpu; fi
fi
echo "Installing for $device into .venv ..."
export UV_PYTHON=$PWD/.venv/bin/python UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"

if [ "$device" = gpu ]; then
  .venv/bin/uv pip install --quiet --no-deps -r requirements/gpu.txt
else
  # The CPU build and nothing else: `+cpu` cannot be satisfied by a CUDA build. pip sees local
  # wheels (PIP_FIND_LINKS); otherwise uv knows PyTorch's own index of CPU builds.
  torch=$(sed -n 's/.*"\(torch==[0-9.]*\)".*/\1/p' pyproject.toml)
  if ! .venv/bin/python -c "import importlib.metadata as m, sys; sys.exit('torch==' + m.version('torch').split('+')[0] != '$torch')" 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$torch+cpu" 2>/dev/null ||
      .venv/bin/uv pip install --quiet --torch-backend cpu "$torch"
  fi
  .venv/bin/uv pip install --quiet --no-deps -r requirements/cpu.txt
  .venv/bin/uv pip install --quiet --no-deps ./requirements/vllm-shim
fi
.venv/bin/uv pip install --quiet --no-deps --editable .
touch .venv/installed
