"""The commands below `hicom-agent data`: footage into data for training."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hicom_agent.cli.shared import JsonOption, show_json, workspace
from hicom_agent.errors import AnswerError, InputError

if TYPE_CHECKING:
    from hicom_agent.build import Workspace
    from hicom_agent.llm.calls import Chat
    from hicom_agent.pairs.ledger import Past
    from hicom_agent.pairs.plan import Plan, Prices
    from hicom_agent.pairs.terms import Terms

TIMEOUT_S, TRIES = 180.0, 6  # of a call with pictures; while a service is busy, it is asked again
data_app = typer.Typer(help="Make data for training of your own footage.", no_args_is_help=True, rich_markup_mode=None)


@data_app.callback()
def data() -> None:
    """Make data for training of your own footage."""


@data_app.command(
    "build",
    epilog="Example: hicom-agent data build ~/Videos --out pairs.jsonl --llm ollama:qwen3-vl --dry-run "
    "Exit codes: 0 all clips answered, or as many as the limits allow; 2 a video was skipped; 5 calls failed (the same "
    "command tries them again).",
)
def build(
    videos: Annotated[list[str], typer.Argument(help="Files, folders, or globs.")],
    out: Annotated[Path, typer.Option(help="File of the pairs, a JSON line each; the same command goes on with it.")],
    llm: Annotated[
        str | None, typer.Option(help="A LangChain chat model that sees pictures, e.g. ollama:qwen3-vl.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked and what it takes.")] = False,
    limit_clips: Annotated[int | None, typer.Option(min=1, help="Ask about the first clips only.")] = None,
    price_in: Annotated[float | None, typer.Option(min=0, help="Price of a million tokens that it reads.")] = None,
    price_out: Annotated[float | None, typer.Option(min=0, help="Price of a million tokens that it writes.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Of the whole file at most, at these prices.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Calls at once.")] = 4,
    pairs: Annotated[int, typer.Option(min=1, max=10, help="Pairs asked of a clip.")] = 3,
    pictures: Annotated[int, typer.Option(min=1, max=64, help="Pictures of a clip at most.")] = 8,
    side: Annotated[int, typer.Option(min=64, max=2048, help="Longest side of a picture in pixels.")] = 512,
    min_clip: Annotated[float, typer.Option(min=1, help="Seconds of a clip at least.")] = 5.0,
    max_clip: Annotated[float, typer.Option(min=2, help="Seconds of a clip at most.")] = 120.0,
    keyframes: Annotated[
        str, typer.Option(help="What tells pictures apart: nano (its models), colours, or auto: nano if they are here.")
    ] = "auto",
    similarity: Annotated[
        float, typer.Option(min=0, max=1, help="From here on a picture is like an earlier keyframe, and is none.")
    ] = 0.9,
    as_json: JsonOption = False,
) -> None:
    """Have a chat model write instructions and descriptions of the clips of videos; after a kill it goes on."""
    from hicom_agent.pairs.plan import Prices
    from hicom_agent.pairs.report import report_lines
    from hicom_agent.pairs.terms import Terms

    prices = Prices(price_in, price_out, max_cost)
    numbers = (pairs, pictures, side, min_clip, max_clip, similarity)
    with workspace(llm=llm) as work:
        from hicom_agent.pairs.ledger import Past

        terms = Terms(_llm(work), _eye(work, keyframes, Past(out)), *numbers)
        if dry_run:
            _look_ahead(work, videos, Past(out), terms, prices, limit_clips, as_json)
            return
        report, broken, code = _build(work, videos, out, terms, prices, limit_clips, jobs)
    show_json(report) if as_json else typer.echo("\n".join(report_lines(report, out)))
    if broken:
        raise AnswerError(report["stopped"])
    if code:
        raise typer.Exit(code)


def _llm(work: Workspace) -> str:
    from hicom_agent.profiles import PACKAGED

    if work.settings.llm in ("", PACKAGED):
        raise InputError("data build needs --llm, a LangChain chat model that sees pictures, such as ollama:qwen3-vl")
    return work.settings.llm


def _eye(work: Workspace, wanted: str, past: Past) -> str:
    """Return what compares pictures: of auto what an earlier run took."""
    from hicom_agent.pairs.likeness import choose_eye

    if wanted == "auto" and past.settings is not None:
        wanted = str(past.settings.get("eye", wanted))
    return choose_eye(wanted, work.settings.cache)


def _look_ahead(
    work: Workspace,
    videos: list[str],
    past: Past,
    terms: Terms,
    prices: Prices,
    limit_clips: int | None,
    as_json: bool,
) -> None:
    """Print what would be done; nothing is written."""
    from hicom_agent.pairs.plan import plan_lines

    past.check(terms.settings())
    told = _plan(work, videos, past, terms, limit_clips).tell(prices, terms)
    show_json(told) if as_json else typer.echo("\n".join(plan_lines(told)))
    if told["skipped"]:
        raise typer.Exit(InputError.exit_code)


def _build(
    work: Workspace,
    videos: list[str],
    out: Path,
    terms: Terms,
    prices: Prices,
    limit_clips: int | None,
    jobs: int,
) -> tuple[dict[str, Any], bool, int]:
    """Do it; return the report, whether the model was given up, and the exit code."""
    from hicom_agent.pairs.builder import Builder
    from hicom_agent.pairs.ledger import Ledger
    from hicom_agent.pairs.plan import plan_lines
    from hicom_agent.pairs.report import make_report, write_report

    chat = _chat(terms.llm)
    with closing(Ledger(out, terms.settings())) as ledger:
        plan = _plan(work, videos, ledger, terms, limit_clips, ledger.add_film)
        typer.echo("\n".join(plan_lines(plan.tell(prices, terms))), err=True)
        run = Builder(chat, work.read_frames, terms, ledger, prices, jobs).run(plan, work.on_progress)
        report = make_report(ledger, run, plan.faults, prices)
        write_report(report, out)
    return report, run.broken, run.exit_code or (InputError.exit_code if plan.faults else 0)


def _chat(name: str) -> Chat:
    """Return the chat model, before hours are spent on watching; raises SetupError, or InputError if it is blind."""
    from hicom_agent.llm.calls import Chat

    chat = Chat(name, timeout_s=TIMEOUT_S, tries=TRIES)
    if not chat.sees:
        raise InputError(f"llm {name!r} reads no pictures, as LangChain knows it; name a model that does")
    return chat


def _plan(
    work: Workspace, videos: list[str], past: Past, terms: Terms, limit_clips: int | None, note: Any = lambda film: None
) -> Plan:
    """Watch what was not watched before, and return what is to be asked; raises InputError if there is no clip."""
    from hicom_agent import video
    from hicom_agent.pairs.builder import Footage, watch_films
    from hicom_agent.pairs.likeness import make_eye
    from hicom_agent.pairs.plan import make_plan
    from hicom_agent.tools import find_files

    settings = work.settings
    footage = Footage(
        partial(video.open_video, roots=settings.roots, max_bytes=settings.max_video_bytes),
        work.limits,
        lambda: make_eye(terms.eye, settings.cache, work.threads),
        work.on_progress,
    )
    films, faults = watch_films(find_files(videos), terms, past, footage, note)
    plan = make_plan(films, faults, past, terms, limit_clips)
    if not films:
        raise InputError(faults[0].reason + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""))
    if not any(film.scenes for film in films):
        raise InputError(
            f"no clip of {terms.min_s:g} to {terms.max_s:g} s in {len(films)} videos; try a lower --min-clip"
        )
    return plan
