"""`hicom-agent batch`: every question over every video of an archive."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hicom_agent.cli.shared import (
    PARTIAL,
    JsonOption,
    LlmOption,
    OcrOption,
    ProfileOption,
    SpeechOption,
    StoreOption,
    resumable,
    show_json,
    workspace,
)

if TYPE_CHECKING:
    from hicom_agent.archive.batch import Workers
    from hicom_agent.archive.local import Terms
    from hicom_agent.build import Workspace

CORES_A_WORKER = 4
EPILOG = (
    "Example: hicom-agent batch --videos 'archive/**/*.mp4' --questions questions.jsonl --out answers.jsonl "
    "Exit codes: 0 every question has its answer; 6 some failed (errors.jsonl says why; the same command tries them "
    "again); others as for every command (hicom-agent --help): it did not begin, or ended there and goes on."
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
    llm: LlmOption = None,
    speech: SpeechOption = None,
    ocr: OcrOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Answer many questions over many videos; after a kill the same command goes on where it was."""
    flags = {"llm": llm, "profile": profile, "speech": speech, "ocr": ocr}
    with resumable(), ExitStack() as stack:
        work = stack.enter_context(workspace(store, **flags))
        job = (questions, videos or [], each)
        if dry_run:
            told = _look_ahead(work, out, *job)
        else:
            limits = (max_steps, max_visual_tokens)
            told = _run(stack, work, out, *job, table, _terms(work, workers, ray, *limits), max_videos)
    from hicom_agent.archive.report import plan_lines, summary_lines

    lines = plan_lines if dry_run else summary_lines
    show_json(told) if as_json else typer.echo("\n".join(lines(told)))
    if told["faults"] or told.get("failed"):
        raise typer.Exit(PARTIAL)


def _look_ahead(work: Workspace, out: Path, questions: Path, videos: list[str], each: bool) -> dict[str, Any]:
    from hicom_agent.archive.ledger import lost_videos, read_answers
    from hicom_agent.archive.plan import add_lost, read_job
    from hicom_agent.archive.report import tell_plan

    done, _ = read_answers(out)
    with work.store() as memory:
        plan = read_job(questions, videos, memory, done, work.settings.max_question_chars, each=each)
    add_lost(plan, lost_videos(out), work.probe)
    return tell_plan(plan, work)


def _terms(
    work: Workspace, workers: int | None, ray: str, max_steps: int | None, max_visual_tokens: int | None
) -> tuple[Terms, int, str]:
    """Return what workers must know, how many there are, and where."""
    from hicom_agent.archive.local import Terms

    settings, cores = work.settings, work.threads
    num = workers or max(1, cores // CORES_A_WORKER)
    store = settings.store.absolute()
    flags = settings.model_dump(mode="json") | {"store": str(store), "profile": work.profile.name}
    flags |= {"roots": tuple(flags["roots"]), "threads": settings.threads or max(1, cores // num)}
    return Terms(flags, store / "shards", not ray, max_steps, max_visual_tokens), num, ray


def _run(
    stack: ExitStack,
    work: Workspace,
    out: Path,
    questions: Path,
    videos: list[str],
    each: bool,
    table: str,
    terms: tuple[Terms, int, str],
    max_videos: int,
) -> dict[str, Any]:
    """Do the batch and return what it came to."""
    from hicom_agent.archive.batch import Batch
    from hicom_agent.archive.ledger import Ledger
    from hicom_agent.archive.plan import add_lost, read_job
    from hicom_agent.archive.report import table_file, write_table

    file = table_file(out, table, questions)
    ledger = stack.enter_context(closing(Ledger(out)))
    with work.store() as memory:
        plan = read_job(questions, videos, memory, ledger.done, work.settings.max_question_chars, each=each)
    add_lost(plan, ledger.lost_before, work.probe)
    crew = _make_workers(*terms)
    if plan.units or plan.archive:
        _fetch_models(work)
        stack.enter_context(crew)
    batch = Batch(plan, ledger, crew, work.settings.store.absolute(), max_videos, work.on_progress)
    summary = batch.run()
    if file is not None:
        write_table(ledger, file)
    files = [str(out), *([str(file)] if file else [])]
    return asdict(summary) | {"files": files, "errors": ledger.errors}


def _fetch_models(work: Workspace) -> None:
    """Bring what workers need, once and not by each of them; what is missing is told before anything begins."""
    from hicom_agent.profiles import PACKAGED, writer_model

    settings = work.settings
    if work.hicom is None:
        speech = ["whisper-base"] if settings.speech else []
        words = [writer_model(settings.llm)] if settings.llm in ("", PACKAGED) else []
        for name in ["lite0", "minilm", "imagenet-labels", *speech, *words]:
            work.model(name)
    if settings.llm not in ("", PACKAGED):
        _ = work.writer
    work.rank("", [])


def _make_workers(terms: Terms, num: int, ray: str) -> Workers:
    from hicom_agent.archive.local import Local
    from hicom_agent.archive.on_ray import OnRay

    return OnRay(terms, num, ray) if ray else Local(terms, num)
