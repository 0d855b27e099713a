"""`harness arena serve`: the page where people vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import store_option
from harness.cli.terminal import terminal

if TYPE_CHECKING:
    from harness.engines.select import EngineName


@click.command("serve")
@click.argument("models", metavar="MODEL MODEL...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option("--port", type=click.IntRange(0, 65535), default=8420, show_default=True)
@click.option(
    "--token",
    envvar="HARNESS_ARENA_TOKEN",
    help="What voters must enter first, 12 characters or more [HARNESS_ARENA_TOKEN].",
)
@click.option("--no-token", is_flag=True, help="Let others vote without one.")
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="A further name that the page is reached by.",
)
@click.option(
    "--proxy",
    metavar="ADDRESS",
    help="Believe the X-Forwarded headers of the reverse proxy there.",
)
@click.option(
    "--items",
    default="mt-bench-ja,basics",
    show_default=True,
    metavar="A,B",
    help="Evalsets whose items voters can draw; '' for none.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "vllm", "transformers"]),
    default="auto",
    show_default=True,
    help="For local checkpoints; several get a process each.",
)
@click.option("--max-tokens", type=click.IntRange(min=1), default=1024, show_default=True)
@click.option("--temperature", type=click.FloatRange(0, 2), default=0.7, show_default=True)
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True)
@click.option("--turns", type=click.IntRange(1, 20), default=5, show_default=True, help="At most.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="After which an answer that has not ended has failed.",
)
@store_option
def serve(
    models: tuple[str, ...],
    host: str,
    port: int,
    token: str | None,
    no_token: bool,
    names: tuple[str, ...],
    proxy: str | None,
    items: str,
    engine: EngineName,
    max_tokens: int,
    temperature: float,
    top_p: float,
    turns: int,
    seconds: float,
    store: str | None,
) -> None:
    """Serve a page for blind battles between MODELs: checkpoint directories, run directories with
    step_* children, or served models (openai:http://host:port/v1#model).

    Votes are battles of kind people. A model is loaded when it is first asked.
    """
    try:
        import jinja2  # noqa: F401
        import uvicorn  # noqa: F401

        from harness.voting import app
    except ImportError as error:
        from harness.errors import HarnessError

        raise HarnessError(
            f"the page needs {error.name}, which is not installed: pip install 'harness[arena]'"
        ) from error

    from harness.checkpoint import discover
    from harness.engines.types import Sampling
    from harness.store.database import store_path
    from harness.voting.draw import open_pool
    from harness.voting.serve import Place, check_place, hosts, make_speakers
    from harness.voting.serve import serve as serve_page
    from harness.voting.stage import Terms

    place = Place(host, port, names, proxy, no_token)
    token = token or None
    check_place(place, token)
    pool = open_pool([name.strip() for name in items.split(",") if name.strip()])
    console = terminal(stderr=True)
    with console.status("Reading checkpoints"):
        found = [one for model in models for one in discover(model)]
    speakers = make_speakers(found, engine)
    for one in found:
        console.print(f"  {one.name}", highlight=False)
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    serve_page(
        speakers,
        pool,
        store_path(store),
        Terms(most_turns=turns, seconds=seconds, sampling=sampling),
        app.Settings(token=token, hosts=hosts(place)),
        place,
        lambda url: click.echo(f"Serving {url}  (Ctrl+C ends it; votes are kept)"),
    )
