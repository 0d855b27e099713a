"""A drawn figure: complete by itself as SVG, and as a part of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from harness.report.page.palette import FONT, LIGHT, themed

# Pixels below which a wide figure is scrolled instead of shrunk.
_LEGIBLE = 620


@dataclass(frozen=True)
class Figure:
    """A drawn figure.

    name   of the file it can be saved as
    title  what it shows;  alt: the same for whoever does not see it, with the main numbers
    svg    in light colours, complete in itself
    """

    name: str
    title: str
    alt: str
    svg: str

    @property
    def inline(self) -> str:
        """The figure as part of a page: in the page's colours, with ids of its own, as one image
        with a text for screen readers."""
        svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", self.svg)
        svg = re.sub(r'\bid="([^"]+)"', rf'id="{self.name}-\1"', svg)
        svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{self.name}-\1)", svg)
        svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
        width = re.search(r'viewBox="0 0 ([0-9.]+)', svg)
        size = float(width[1]) if width else 0.0
        # A wide figure keeps a legible size on a phone, where it is scrolled.
        least = f";min-width:{_LEGIBLE}px" if size > _LEGIBLE else ""
        limit = f' style="max-width:{size:.0f}px{least}"'
        label = escape(self.alt, quote=True)
        return themed(svg).replace("<svg", f'<svg role="img" aria-label="{label}"{limit}', 1)


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "suite"


def to_svg(chart: Any, framed: bool = True) -> str:
    """A chart of Altair's as SVG, in the report's look."""
    import vl_convert

    chart = (
        chart.configure(font=FONT, background="transparent")
        .configure_view(stroke=LIGHT["rule"] if framed else None)
        .configure_axis(
            labelColor=LIGHT["muted"],
            titleColor=LIGHT["muted"],
            titleFontWeight="normal",
            gridColor=LIGHT["rule"],
            domainColor=LIGHT["rule"],
            tickColor=LIGHT["rule"],
            labelFontSize=11,
            titleFontSize=11,
        )
        .configure_legend(labelColor=LIGHT["ink"], labelFontSize=11)
        .configure_title(color=LIGHT["ink"], fontSize=13, anchor="start", fontWeight="bold")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))
