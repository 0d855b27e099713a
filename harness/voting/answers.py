"""Renders an answer, which is untrusted text, as safe HTML: Markdown, code, mathematics.

Markdown may hold no HTML of its own; code is highlighted and formulas become MathML on the server,
so the page needs neither script nor style of theirs; whatever comes out passes an allow-list
(nh3) at the end, which is what safety rests on. Nothing is loaded from elsewhere: there are no
images, and links are only followed when they are pressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any

# Beyond this an answer is shown as plain text.
MOST_CHARACTERS = 60_000
# A longer formula is shown as it was written: converting it could take long.
MOST_FORMULA = 2_000


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FLOW = _names("p br hr h3 h4 h5 h6 ul ol li blockquote pre code em strong s a span div")
_TABLE = _names("table thead tbody tr th td")
_MATH = _names(
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot mover munder "
    "munderover mtable mtr mtd mpadded mphantom mstyle menclose mmultiscripts mprescripts"
)
# Of MathML what says how a formula looks; nothing that refers, nothing that acts.
_MATH_ATTRIBUTES = _names(
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence "
    "form height largeop linethickness lspace mathvariant maxsize minsize movablelimits notation "
    "rowlines rowspacing rspace scriptlevel separator stretchy symmetric width"
)


def render_answer(text: str) -> str:
    """HTML of an answer: safe to put into a page whatever the text is."""
    if len(text) > MOST_CHARACTERS:
        return f'<pre tabindex="0">{escape(text)}</pre>'
    try:
        made: str = _markdown().render(text)
    except Exception:  # no text may keep an answer from being shown
        made = f'<pre tabindex="0">{escape(text)}</pre>'
    return clean(made)


def clean(html: str) -> str:
    """What of an HTML text is on the allow-list."""
    import nh3

    return nh3.clean(
        html,
        tags={*_FLOW, *_TABLE, *_MATH},
        clean_content_tags={"script", "style"},
        attributes={
            "a": {"href", "title"},
            "ol": {"start"},
            **{tag: {"class"} for tag in ("span", "div")},
            **{tag: set(_MATH_ATTRIBUTES) for tag in _MATH},
        },
        # What may be wider than its column can be scrolled by keyboard.
        tag_attribute_values={tag: {"tabindex": {"0"}} for tag in ("div", "pre")},
        attribute_filter=_attribute,
        url_schemes={"http", "https"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Classes are the highlighter's and our own: no text can dress up as a part of the page."""
    if name != "class":
        return value
    return value if value.startswith("k-") and value.isascii() and " " not in value else None


@lru_cache(maxsize=1)
def _markdown() -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.amsmath import amsmath_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.texmath import texmath_plugin

    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 40})
    made.enable(["table", "strikethrough"]).disable("image")
    made.use(texmath_plugin, delimiters="brackets")
    made.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    made.use(amsmath_plugin)
    for name in ("math_inline", "math_single"):
        made.add_render_rule(name, _inline_formula)
    for name in ("math_inline_double", "math_block", "math_block_eqno", "math_block_label"):
        made.add_render_rule(name, _block_formula)
    made.add_render_rule("amsmath", _block_formula)
    made.add_render_rule("fence", _fence)
    made.add_render_rule("code_block", _fence)
    for name in ("heading_open", "heading_close"):
        made.add_render_rule(name, _heading)
    made.add_render_rule("table_open", lambda *_: '<div class="k-table" tabindex="0"><table>')
    made.add_render_rule("table_close", lambda *_: "</table></div>")
    return made


def _heading(self: Any, tokens: Sequence[Any], place: int, *_: Any) -> str:
    """Below the page's own headings, the answer's among them."""
    token = tokens[place]
    slash = "/" if token.nesting < 0 else ""
    return f"<{slash}h{min(int(token.tag[1]) + 2, 6)}>"


def _inline_formula(self: Any, tokens: Sequence[Any], place: int, *_: Any) -> str:
    return formula(tokens[place].content, "inline")


def _block_formula(self: Any, tokens: Sequence[Any], place: int, *_: Any) -> str:
    return f'<div class="k-formula" tabindex="0">{formula(tokens[place].content, "block")}</div>'


def formula(latex: str, display: str) -> str:
    """MathML of a formula, or its source where it cannot be read."""
    from latex2mathml.converter import convert

    if len(latex) <= MOST_FORMULA:
        try:
            return str(convert(latex.strip(), display=display))
        except (Exception, RecursionError):  # whatever a converter raises at broken input
            pass
    return f"<code>{escape(latex)}</code>"


def _fence(self: Any, tokens: Sequence[Any], place: int, *_: Any) -> str:
    token = tokens[place]
    words = token.info.split()
    name = f'<span class="k-language">{escape(words[0][:30])}</span>' if words else ""
    code = highlight(token.content, words[0] if words else "")
    return f'<div class="k-code">{name}<pre tabindex="0"><code>{code}</code></pre></div>'


def highlight(code: str, language: str) -> str:
    """HTML of a program, its words in spans of class k-…; plain where the language is unknown."""
    from pygments import highlight as dress
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return escape(code)
    return str(dress(code, lexer, HtmlFormatter(nowrap=True, classprefix="k-")))
