"""--on: where the work of a command is done, when not on this machine alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.engines.ray import RayCluster

F = TypeVar("F", bound=Callable[..., Any])

replicas_option = click.option(
    "--replicas",
    type=click.IntRange(min=1),
    help="With --on ray: engines [what the GPUs hold, else one for each node].",
)
_replica_gpus_option = click.option(
    "--replica-gpus",
    type=click.IntRange(min=0),
    help="With --on ray: GPUs of one engine [1 where there are any].",
)


def ray_options(function: F) -> F:
    """--replicas and --replica-gpus, of `--on ray`."""
    return replicas_option(_replica_gpus_option(function))


def on_ray_option(asked: str) -> Callable[[F], F]:
    """--on, of a command that knows no other place; `asked` names whom its questions go to."""
    return click.option(
        "--on",
        metavar="ray[:ADDRESS]",
        help=f"Spread what is asked of {asked} over the engines of a Ray cluster.",
    )


def ray_cluster(on: str | None, replicas: int | None, gpus: int | None) -> RayCluster | None:
    """The cluster that `--on ray` or `--on ray:ADDRESS` names, None without it. Raises
    HarnessError for another place, or options that belong to a cluster without one."""
    from harness.engines.ray import RayCluster

    place, _, address = (on or "").partition(":")
    if place == "ray":
        return RayCluster(address or None, replicas, gpus)
    if place:
        raise HarnessError(f"--on {on}: expected ray, ray:ADDRESS or, to evaluate, slurm")
    if replicas is not None or gpus is not None:
        raise HarnessError("--replicas and --replica-gpus are of a cluster: add --on ray")
    return None
