"""Answers are untrusted text: what comes out of rendering holds nothing that acts, whatever goes
in, and still shows Markdown, code and mathematics."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("nh3")
pytest.importorskip("markdown_it")
pytest.importorskip("html5lib")

import html5lib

from harness.voting.answers import MOST_CHARACTERS, MOST_FORMULA, clean, render_answer

XHTML = "{http://www.w3.org/1999/xhtml}"
MATHML = "{http://www.w3.org/1998/Math/MathML}"
_ACTS = {"script", "style", "iframe", "object", "embed", "form", "input", "button", "textarea"}
_LOADS = {"img", "image", "svg", "video", "audio", "source", "link", "meta", "base", "template"}

# Pieces from which attacks are made; hypothesis puts them together with each other and with text.
PIECES = st.sampled_from(
    [
        *("<script>", "</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>"),
        *("<svg>", "<style>", "</style>", "<math>", "</math>", "<mtext>", "<mglyph>", "<table>"),
        *("<a href='javascript:alert(1)'>", "</a>", "<iframe srcdoc='", "<!--", "-->", "<![CDATA["),
        *("[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,x)", "[x]: "),
        *(
            "[x](&#106;avascript:alert(1))",
            "![x](https://e.invalid/x.png)",
            "<javascript:alert(1)>",
        ),
        *('[x](https://e.invalid/ "\' onclick=alert(1)")', "[x](//e.invalid)", "vbscript:", "&lt;"),
        *(
            "```",
            "```python\n",
            '```" onclick=alert(1) x="\n',
            "    ",
            "`",
            "\n",
            "\n\n",
            "> ",
            "- ",
        ),
        *("$", "$$", "\\(", "\\)", "\\[", "\\]", "\\begin{align}", "\\end{align}", "\\frac{1}{2}"),
        *("\\href{javascript:alert(1)}{x}", "\\text{<script>alert(1)</script>}", "\\unicode{x3c}"),
        *("\\style{x}{y}", "\\class{k-code}{y}", "^", "_", "{", "}", "&", "|", "| - |", "# ", "\0"),
    ]
)
ATTACKS = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=25).map("".join)


def elements(html: str) -> Any:
    """Every element of a fragment as a browser would read it."""
    return html5lib.parseFragment(html, treebuilder="etree").iter()


def fault(html: str) -> str | None:
    """What in a fragment acts, loads or refers where it must not; None where nothing does."""
    for element in elements(html):
        if not isinstance(element.tag, str):
            return f"a node that is no element: {element}"
        space, _, name = element.tag.rpartition("}")
        if space + "}" not in (XHTML, MATHML) and name != "DOCUMENT_FRAGMENT":
            return f"an element of {space}"
        if name.lower() in _ACTS | _LOADS:
            return f"<{name}>"
        for attribute, value in element.attrib.items():
            if not isinstance(attribute, str):
                return f"attribute {attribute}"
            if attribute.lower().startswith("on") or attribute.lower() in ("style", "id", "src"):
                return f"{attribute} of <{name}>"
            if attribute == "class" and not value.startswith("k-"):
                return f"class {value}"
            if attribute == "href" and not value.lower().startswith(("http://", "https://")):
                return f"href {value}"
            if attribute not in ("href", "title") and ":" in value and name != "a":
                return f"{attribute} {value}"
        if "href" in element.attrib and element.attrib.get("rel") != "noopener noreferrer nofollow":
            return "a link that tells where it comes from"
    return None


@pytest.mark.parametrize(
    "html",
    [
        "<p><script>x</script></p>",
        "<img src=x>",
        "<svg><a></a></svg>",
        "<p onclick=x>",
        "<a href='javascript:x'>",
        "<a href='https://e.invalid/'>",
        "<math><mi href='javascript:x'>",
        "<div class='card'>",
        "<p style='x'>",
        "<p id=main>",
        "<!-- x -->",
    ],
)
def test_the_check_itself_sees_what_acts(html: str) -> None:
    assert fault(html) is not None


@settings(max_examples=400, deadline=None)
@given(ATTACKS)
@example("[x](java\tscript:alert(1))")
@example("<a href='java&#x0A;script:alert(1)'>x</a>")
@example("$<mtext><script>alert(1)</script></mtext>$")
@example("$$\\text{</math><script>alert(1)</script>}$$")
@example("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>")
@example("```<script>\nalert(1)\n```")
def test_nothing_acts_whatever_the_text(text: str) -> None:
    assert fault(render_answer(text)) is None


@settings(max_examples=300, deadline=None)
@given(ATTACKS)
@example("<a href='javascript:alert(1)'><table><a href='javascript:alert(1)'>")
def test_cleaning_alone_would_do(html: str) -> None:
    """Safety rests on the allow-list, even if rendering let HTML through."""
    cleaned = clean(html)
    assert fault(cleaned) is None
    # Parsed again, as a browser does, it is still harmless; faulty nesting may be mended otherwise.
    assert fault(clean(cleaned)) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("**太字**と*斜体*", "<strong>太字</strong>と<em>斜体</em>"),
        ("# 見出し", "<h3>見出し</h3>"),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("~~x~~", "<s>x</s>"),
        ("3. x", '<ol start="3">'),
        ("|a|\n|-|\n|1|", "<th>a</th>"),
        ("$x^2$", "<msup><mi>x</mi><mn>2</mn></msup>"),
        ("\\(x\\)", '<math display="inline">'),
        ("\\[x\\]", '<math display="block">'),
        ("$$\nx\n$$", '<math display="block">'),
        ("\\begin{align}a&=b\\end{align}", "<mtable"),
        ("```python\nx = 1\n```", '<span class="k-mi">1</span>'),
        ("```nosuchlanguage\n<b>\n```", "&lt;b&gt;"),
        ("    字下げ", "<pre"),
        ("[x](https://e.invalid/)", 'href="https://e.invalid/" target="_blank"'),
        ("料金は$5と$10です", "料金は$5と$10です"),
        ("<b>太字</b>", "&lt;b&gt;太字&lt;/b&gt;"),
        ("$\\frac{$", "<code>"),
    ],
)
def test_markdown_code_and_mathematics_are_shown(text: str, wanted: str) -> None:
    assert wanted in render_answer(text)


def test_what_would_take_long_is_shown_as_it_is() -> None:
    assert "<math" not in render_answer("$" + "x+" * MOST_FORMULA + "x$")
    long = "<b>" + "あ" * MOST_CHARACTERS
    assert render_answer(long).startswith('<pre tabindex="0">&lt;b&gt;')
    nested = render_answer("> " * 3000 + "x" + "[" * 3000 + "$" + "{" * 900 + "}" * 900 + "$")
    assert fault(nested) is None


def test_text_is_kept_where_it_is_nothing_else() -> None:
    text = "これは普通の文です。1 < 2 && 3 > 2 「引用」"
    shown = "".join(element.text or "" for element in elements(render_answer(text)))
    assert shown.strip() == text
