"""The voting page in a real browser, served by the real command: streaming, keys, blindness,
hostile answers, failures, many voters at once, and accessibility."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("openai")
pytest.importorskip("playwright")

import httpx
from playwright.sync_api import sync_playwright

from harness.arena.conversation import Ballot, Conversation
from harness.store import conversations, write
from tests.arena_models import ModelServer
from tests.arena_site import NAMES, field, launch, rows, two_models
from tests.browser import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")

HOSTILE = """<script>window.struck = 1</script>
<img src=x onerror="window.struck = 2"><svg onload="window.struck = 3"></svg>

[押す](javascript:window.struck=4) [見る](https://example.invalid/) ![絵](https://example.invalid/x.png)

<form action="/battle"><button name="vote" value="a">A がよい</button></form>

$\\href{javascript:window.struck=5}{x}$ $<mtext><img src=x onerror=window.struck=6></mtext>$

<style>body { display: none }</style><iframe src="https://example.invalid/"></iframe>
<meta http-equiv="refresh" content="0;url=https://example.invalid/">
"""
LETTER = """### 春のたより

**やわらかな日差し**の季節になりました。

| 日 | 時 |
|---|---|
| 十日 | 午後二時 |

$$\\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}$$

```python
def fee(people):
    return 12000 / people
```
"""


@dataclass(frozen=True)
class Arena:
    """A running server. models: what they say, a test chooses."""

    models: ModelServer
    store: Path
    url: str

    def say(self, text: Callable[[int], str], other: Callable[[int], str] | None = None) -> None:
        """What both models, or the second another, answer to so many messages."""
        for name, made in zip(NAMES, (text, other or text), strict=True):
            self.models.say[name] = lambda messages, made=made: made(len(messages))

    def held(self, address: str) -> Conversation:
        """The battle at an address, as the store has it."""
        key = re.findall(r"/battle/([^/#?]+)", address)[0]
        write.ingest(self.store)
        found = conversations.find(self.store, key)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """`harness arena serve` in a process of its own, ended by SIGTERM."""
    store = tmp_path_factory.mktemp("arena") / "results.duckdb"
    with two_models() as models:
        process, url = launch(models, store)
        try:
            yield Arena(models, store, url)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


class Watched:
    """A page, and all that it asked for, was told and complained about."""

    def __init__(self, browser: Any, url: str, **settings: Any) -> None:
        self.url = url
        self.context = browser.new_context(locale="ja-JP", **settings)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.told: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("response", self._hear)

    def _hear(self, response: Any) -> None:
        self.told.append(str(response.headers))

    def begin(self, prompt: str) -> None:
        self.page.goto(self.url)
        self.page.fill("#prompt", prompt)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_selector("#battle")

    def growing(self, side: str) -> str:
        return str(self.page.inner_text(f'.growing[data-side="{side}"]'))

    def close(self) -> None:
        """Ends the visit; nothing was complained about, nothing came from elsewhere."""
        assert self.complaints == []
        assert [one for one in self.asked if not one.startswith(self.url)] == []
        self.context.close()


def test_a_battle_over_two_turns_streamed_and_voted_by_key(browser: Any, arena: Arena) -> None:
    arena.say(lambda size: f"赤の{size}番。" + LETTER, lambda size: f"緑の{size}番。" + LETTER)
    models = arena.models
    visit = Watched(browser, arena.url)
    page = visit.page
    models.gate.clear()
    visit.begin("春の手紙を書いてください。")
    for side in ("a", "b"):
        page.wait_for_selector(f'.growing[data-side="{side}"]:not(:empty)')
    first = visit.growing("a"), visit.growing("b")
    assert all(0 < len(text) < 12 for text in first)
    assert page.query_selector("form.vote") is None
    page.keyboard.press("1")  # no vote yet
    models.gate.set()
    page.wait_for_selector("form.vote")
    assert "回答が終わりました" in page.inner_text("#status")
    for side, begun in zip(("a", "b"), first, strict=True):
        answer = page.query_selector(f".answer.side-{side} .text")
        assert answer.inner_text().startswith(begun)
        assert answer.query_selector("table td").inner_text() == "十日"
        assert answer.query_selector("math") is not None
        assert answer.query_selector("pre .k-nf").inner_text() == "fee"
    page.fill("#more", "もう一度お願いします。")
    page.click("text=送る")
    page.wait_for_selector(".turn >> nth=1")
    page.wait_for_selector("form.vote")
    assert "3番" in page.inner_text("#latest .answer.side-a")
    seen = page.content() + "".join(visit.told) + "".join(visit.asked)
    for secret in (*NAMES, str(models.server_address[1])):
        assert secret not in seen
    # Typing is not voting.
    page.fill("textarea[name=comment]", "b")
    page.locator("textarea[name=comment]").press("b")
    page.click("text=日本語が自然 >> nth=0")
    page.keyboard.press("b")  # chooses
    page.keyboard.press("4")  # casts
    page.wait_for_selector(".revealed")
    shown = page.inner_text(".revealed")
    assert all(name in shown for name in NAMES)
    assert "B がよい" in shown
    assert page.query_selector("form.vote") is None
    # Back to the form as it was, and once more.
    place = page.url
    page.go_back()
    if page.query_selector("form.vote") is not None:
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        page.wait_for_selector(".failed")
        assert "すでに投票しました" in page.inner_text(".failed")
        visit.complaints = [one for one in visit.complaints if "409" not in one]
    visit.close()
    held = arena.held(place)
    assert held.ballot == Ballot("b", ("natural",), (), "bb")


def test_answers_are_text_whatever_they_hold(browser: Any, arena: Arena) -> None:
    arena.say(lambda size: HOSTILE, lambda size: HOSTILE[::-1])
    models = arena.models
    visit = Watched(browser, arena.url)
    page = visit.page
    violations: list[str] = []
    page.expose_function("violated", lambda uri: violations.append(uri))
    page.add_init_script("onsecuritypolicyviolation = (one) => violated(one.blockedURI)")
    models.gate.clear()
    visit.begin("<script>window.struck = 7</script><b>質問</b>")
    page.wait_for_selector(".growing:not(:empty)")
    models.gate.set()
    page.wait_for_selector("form.vote")
    assert page.evaluate("window.struck") is None
    assert "<script>" in page.inner_text(".answers")
    assert page.inner_text(".asked .prompt") == "<script>window.struck = 7</script><b>質問</b>"
    inside = ".answer script, .answer img, .answer svg, .answer form, .answer iframe, "
    assert page.query_selector(inside + ".answer style, .answer meta, .answer button") is None
    links = page.eval_on_selector_all(".answer a", "all => all.map(one => one.href)")
    assert set(links) <= {"https://example.invalid/", "https://example.invalid/x.png"}
    page.click(".choice-tie")
    page.wait_for_selector(".revealed")
    assert page.evaluate("window.struck") is None
    assert violations == []
    visit.close()


def test_a_model_that_fails_in_the_middle(browser: Any, arena: Arena) -> None:
    arena.say(lambda size: LETTER * 3)
    models = arena.models
    models.breaks.add(NAMES[0])
    visit = Watched(browser, arena.url)
    visit.begin("春の手紙を書いてください。")
    visit.page.wait_for_selector(".failed")
    assert "一方のモデルが途中で答えられなくなりました" in visit.page.inner_text(".failed")
    assert not any(name in visit.page.content() for name in NAMES)
    assert visit.page.query_selector("[name=vote]") is None
    failed = visit.page.url
    models.breaks.clear()
    visit.page.click("text=別の対戦を始める")
    visit.page.fill("#prompt", "もう一度")
    visit.page.click("text=2つのモデルに聞く")
    visit.page.wait_for_selector("form.vote")
    place = visit.page.url
    visit.close()
    assert (arena.held(failed).state, arena.held(place).state) == ("failed", "answered")


def test_twenty_voters_at_once_lose_no_vote(arena: Arena) -> None:
    arena.say(lambda size: "一つ目。" * 20, lambda size: "二つ目。" * 20)

    url = arena.url

    def vote(number: int) -> tuple[int, str]:
        with httpx.Client(base_url=url, headers={"origin": url}, timeout=60) as client:
            page = client.get("/").text
            begun = {"id": field(page, "id"), "ticket": field(page, "ticket")}
            reply = client.post("/battle", data=begun | {"prompt": f"質問 {number}"})
            path = reply.headers["location"]
            with client.stream("GET", f"{path}/events") as events:
                assert '"state": "answered"' in "".join(events.iter_text())
            ticket = field(client.get(path).text, "ticket")
            ballot = {"ticket": ticket, "vote": ("a", "b", "tie", "both_bad")[number % 4]}
            return client.post(f"{path}/vote", data=ballot).status_code, path.split("/")[-1]

    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(vote, range(20)))
    assert [status for status, _ in done] == [303] * 20
    write.ingest(arena.store)
    keys = {key for _, key in done}
    found = [
        row
        for row in rows(arena.store, "SELECT source, outcome, session FROM battles")
        if row[0] in keys
    ]
    assert len(keys) == len(found) == 20
    assert len({session for *_, session in found}) == 20
    outcomes = [outcome for _, outcome, _ in found]
    assert {one: outcomes.count(one) for one in set(outcomes)} == dict.fromkeys(
        ("a", "b", "tie", "both_bad"), 5
    )


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_no_serious_fault_of_accessibility(
    browser: Any, arena: Arena, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    arena.say(lambda size: LETTER)
    models, url = arena.models, arena.url
    # Axe is a script of its own, which the page's policy would not let in.
    visit = Watched(
        browser,
        url,
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
        bypass_csp=True,
    )
    page = visit.page

    def examine(where: str) -> None:
        found = axe.run(page).response["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"]) for one in grave] == [], where
        assert page.evaluate("document.documentElement.scrollWidth") <= width, where

    page.goto(f"{url}/?suite=mt-bench-ja")
    examine("item")
    page.goto(url)
    examine("home")
    models.gate.clear()
    visit.begin("春の手紙を書いてください。")
    page.wait_for_selector(".growing:not(:empty)")
    examine("answering")
    models.gate.set()
    page.wait_for_selector("form.vote")
    examine("answered")
    page.keyboard.press("t")
    assert page.query_selector(".revealed") is None
    page.keyboard.press("t")
    page.wait_for_selector(".revealed")
    examine("voted")
    page.goto(f"{url}/board")
    examine("board")
    page.goto(f"{url}/nowhere")
    examine("refused")
    page.goto(f"{url}/?lang=en")
    examine("English")
    visit.context.close()


def test_without_script_the_page_works_too(browser: Any, arena: Arena) -> None:
    arena.say(lambda size: LETTER)
    models, url = arena.models, arena.url
    visit = Watched(browser, url, java_script_enabled=False)
    models.gate.clear()
    visit.page.goto(url)
    visit.page.fill("#prompt", "春の手紙")
    visit.page.click("text=2つのモデルに聞く")
    visit.page.wait_for_selector("#battle[data-state=answering]")
    models.gate.set()
    visit.page.wait_for_selector("form.vote")  # the page came again by itself
    visit.page.click(".choice-a")
    visit.page.wait_for_selector(".revealed")
    place = visit.page.url
    visit.close()
    assert arena.held(place).ballot == Ballot("a")
