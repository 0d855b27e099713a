"""How a checkpoint's files are handed to libraries: no code in them runs and nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# For every `from_pretrained`. Left out, trust_remote_code makes transformers ask at the terminal
# whether to run the checkpoint's own code; and a directory has all that it needs.
FILES_ONLY: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}


def weights_only(directory: Path) -> dict[str, Any]:
    """FILES_ONLY for a model: where there are safetensors files nothing is unpickled, whatever
    else lies beside them. Pickled weights alone are refused before (`checkpoint_files.inspect`)
    unless the user allows them, and are then read by torch's restricted unpickler."""
    safetensors = any(directory.glob("*.safetensors"))
    return {**FILES_ONLY, **({"use_safetensors": True} if safetensors else {})}
