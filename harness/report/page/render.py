"""Prints a report as one HTML file that needs nothing else, and saves its figures."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.report.page.gather import Page
from harness.report.page.loop_words import minus
from harness.report.page.palette import FONT, LINES, variables

if TYPE_CHECKING:
    from harness.report.page.index import Entry

FORMATS = ("svg", "png")
# Pixels of a saved PNG for each unit of its figure.
_SCALE = 2.0


def to_html(page: Page) -> str:
    """The page: style, script, figures and answers inside; no request leaves it. Its policy allows
    its own script by its hash and nothing else, and all that a model wrote is set as text."""
    script = _asset("page.js")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template("page.html.jinja")
    return str(
        template.render(page=page, style=_style(), script=script, policy=policy, lines=LINES)
    )


def render_index(entries: Sequence[Entry], others: Sequence[str], made_at: datetime) -> str:
    """The index of a folder; `others` are files in it that belong to no entry."""
    template = _environment().get_template("index.html.jinja")
    return str(template.render(entries=entries, others=others, made_at=made_at, style=_style()))


def write(page: Page, output: Path) -> None:
    """Writes the page whole or not at all. Raises HarnessError where the file cannot be written."""
    write_text(to_html(page), output)


def write_text(html: str, output: Path) -> None:
    """Writes a page whole or not at all. Raises HarnessError where the file cannot be written."""
    partial = output.with_name(f".{output.name}.partial")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # Unpaired surrogates can stand in what a model wrote; no encoding has them.
        partial.write_text(html, encoding="utf-8", errors="replace")
        partial.replace(output)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise HarnessError(
            f"{output}: cannot write the report ({error.strerror}); name another file with --output"
        ) from None


def _style() -> str:
    style = _asset("page.css").replace("/*LIGHT*/", variables(0)).replace("/*DARK*/", variables(1))
    return style.replace("/*FONT*/", FONT)


def save_figures(page: Page, folder: Path, kind: str = "svg") -> list[Path]:
    """Saves every figure as SVG or PNG; returns the files."""
    import vl_convert

    if kind not in FORMATS:
        raise HarnessError(f"figures can be saved as {' or '.join(FORMATS)}, not {kind}")
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for figure in page.figures:
        path = folder / f"{figure.name}.{kind}"
        content = (
            figure.svg.encode()
            if kind == "svg"
            else vl_convert.svg_to_png(figure.svg, scale=_SCALE)
        )
        path.write_bytes(content)
        saved.append(path)
    return saved


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("harness.report", "page"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["p"] = _p
    environment.filters["minus"] = minus
    return environment


def _asset(name: str) -> str:
    return files("harness.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    if value is None:
        return "–"
    text = f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}"
    # A minus of its own width, and no minus before nothing.
    return re.sub(r"^-(0(?:\.0+)?)$", r"\1", text).replace("-", "−")


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
