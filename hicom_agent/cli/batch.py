"""`hicom-agent batch`: every question over every video of an archive."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hicom_agent.cli.shared import JsonOption, ProfileOption, StoreOption, complain, early, show_json, workspace
from hicom_agent.errors import HicomAgentError

if TYPE_CHECKING:
    from hicom_agent.archive.batch import Workers
    from hicom_agent.archive.local import Terms

NOT_STARTED, PARTIAL = 1, 2
CORES_A_WORKER = 4
EPILOG = (
    "Example: hicom-agent batch --videos 'archive/**/*.mp4' --questions questions.jsonl --out answers.jsonl "
    "Exit codes: 0 every question has its answer; 2 some failed (errors.jsonl says why; the same command tries them "
    "again); 1 not started."
)


def batch(
    questions: Annotated[Path, typer.Option(help="JSON lines or CSV with id, question, and perhaps video, options.")],
    out: Annotated[Path, typer.Option(help="File of the answers, a JSON line each; what it holds is not asked again.")],
    videos: Annotated[
        list[str] | None, typer.Option(help="Files, folders or globs; default: all that is remembered.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Put questions without a video to every video.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, each with its own models; default: one for four cores.")
    ] = None,
    ray: Annotated[str, typer.Option(help="Work on a Ray cluster: its address, auto, or local.")] = "",
    table: Annotated[
        Literal["jsonl", "csv", "parquet"], typer.Option("--format", help="Write the answers in this format, too.")
    ] = "jsonl",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it takes.")] = False,
    max_videos: Annotated[int, typer.Option(min=1, help="Videos asked for one question to the archive.")] = 16,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Sub-questions of a question at most.")] = None,
    max_visual_tokens: Annotated[int | None, typer.Option(min=32, help="Of a question at most.")] = None,
    llm: Annotated[
        str | None, typer.Option(help="A LangChain chat model, e.g. ollama:qwen3; default: packaged.")
    ] = None,
    speech: Annotated[bool | None, typer.Option("--speech/--no-speech", help="Listen to what is said.")] = None,
    ocr: Annotated[bool | None, typer.Option("--ocr/--no-ocr", help="Read what is written.")] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Answer many questions over many videos; after a kill the same command goes on where it was."""
    from hicom_agent.archive.batch import Batch
    from hicom_agent.archive.ledger import Ledger, read_answers
    from hicom_agent.archive.local import Terms
    from hicom_agent.archive.plan import read_job
    from hicom_agent.archive.report import plan_lines, summary_lines, table_of, tell_plan

    code = NOT_STARTED
    try:
        with ExitStack() as stack:
            flags: dict[str, Any] = {"llm": llm, "profile": profile, "speech": speech, "ocr": ocr}
            work = stack.enter_context(workspace(store, **flags))
            settings, cores = work.settings, os.cpu_count() or 1
            num = workers or max(1, cores // CORES_A_WORKER)
            flags |= {"store": settings.store, "threads": settings.threads or max(1, cores // num)}
            given = {name: value for name, value in (early.get() | flags).items() if value is not None}
            terms = Terms(given, settings.store / "shards", not ray, max_steps, max_visual_tokens)
            crew = _make_workers(terms, num, ray)
            ledger = None if dry_run else stack.enter_context(closing(Ledger(out)))
            done = read_answers(out)[0] if ledger is None else ledger.done
            with work.store() as memory:
                plan = read_job(questions, videos or [], memory, done, settings.max_question_chars, each=each)
            if ledger is None:
                told = tell_plan(plan, work)
                show_json(told) if as_json else typer.echo("\n".join(plan_lines(told)))
                return
            code = PARTIAL
            summary = Batch(plan, ledger, crew, settings.store, max_videos, work.on_progress).run()
            files = [out, *table_of(ledger, table)]
        code = summary.exit_code
        told = asdict(summary) | {"files": [str(file) for file in files], "errors": ledger.errors}
        show_json(told) if as_json else typer.echo("\n".join(summary_lines(told)))
    except HicomAgentError as error:
        complain(error)
    if code:
        raise typer.Exit(code)


def _make_workers(terms: Terms, num: int, ray: str) -> Workers:
    from hicom_agent.archive.local import Local
    from hicom_agent.archive.on_ray import OnRay

    return OnRay(terms, num, ray) if ray else Local(terms, num)
