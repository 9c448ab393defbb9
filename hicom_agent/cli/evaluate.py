"""`hicom-agent eval`: the questions of a public benchmark, and a score."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hicom_agent.cli.shared import (
    PARTIAL,
    CheckpointOption,
    JsonOption,
    LlmOption,
    OcrOption,
    ProfileOption,
    SpeechOption,
    StoreOption,
    early,
    show_json,
    workspace,
)
from hicom_agent.errors import InputError

if TYPE_CHECKING:
    from hicom_agent.build import Workspace
    from hicom_agent.evaluation.asking import Asker
    from hicom_agent.evaluation.log import Shard
    from hicom_agent.evaluation.questions import Benchmark, Question

EPILOG = (
    "Example: hicom-agent eval --benchmark videomme --data Video-MME/ --mode model --num-frames 64 "
    "Exit codes: 0 all questions whose videos are here have their answers; 6 some failed (the table says why; --retry "
    "asks them again); others as for every command: hicom-agent --help."
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options ask for."""

    mode: str
    out: Path
    num_frames: int | None
    max_visual_tokens: int | None
    subtitles: bool


def evaluate(
    benchmark: Annotated[
        Literal["videomme", "mvbench", "egoschema", "mlvu", "lvbench", "longvideobench"],
        typer.Option(help="Which benchmark."),
    ],
    data: Annotated[Path, typer.Option(help="Its folder, as published: questions and videos.")],
    mode: Annotated[
        Literal["model", "agent", "mcp"],
        typer.Option(help="Who answers: HICom alone on even frames, the agent, or the MCP server's ask_video."),
    ] = "agent",
    out: Annotated[
        Path | None, typer.Option(help="Folder of logs and results; default: evaluations/BENCHMARK-MODE.")
    ] = None,
    max_visual_tokens: Annotated[int | None, typer.Option(min=32, help="Of a question at most.")] = None,
    num_frames: Annotated[
        int | None, typer.Option(min=1, help="Of a video, in mode model; default: 32, or what the tokens allow.")
    ] = None,
    subtitles: Annotated[
        bool, typer.Option("--subtitles", help="Show the benchmark's subtitles, in mode model.")
    ] = False,
    shard: Annotated[str, typer.Option(help="Only this part of the videos, such as 1/4: one for each GPU.")] = "1/1",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions whose videos are here.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Ask questions again that failed.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Ask nothing: one table of all logs in --out.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and which videos miss.")] = False,
    llm: LlmOption = None,
    speech: SpeechOption = None,
    ocr: OcrOption = None,
    profile: ProfileOption = None,
    checkpoint: CheckpointOption = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Ask a public benchmark's questions and report the score; after a kill the same command goes on where it was."""
    from hicom_agent.evaluation.catalog import read_benchmark
    from hicom_agent.evaluation.log import Shard

    part = Shard.parse(shard)
    folder = out or Path("evaluations") / f"{benchmark}-{mode}"
    wish = Wish(mode, folder, num_frames, max_visual_tokens, subtitles)
    known, questions = read_benchmark(benchmark, data)
    _check(wish, known)
    if merge:
        _tell(_report(known, questions, folder), as_json=as_json)
        return
    if dry_run:
        _tell_plan(_look_ahead(questions, folder, part, limit, retry), as_json=as_json)
        return
    flags: dict[str, Any] = {"llm": llm, "speech": speech, "ocr": ocr, "profile": profile, "checkpoint": checkpoint}
    if mode != "model" and max_visual_tokens is not None:
        flags["max_visual_tokens"] = max(128, max_visual_tokens)  # of the model that sees, at once
    own_store = store or early.get().get("store") or folder / part.named("store")
    with workspace(own_store, **flags) as work:
        _run(work, wish, known, questions, part, limit, retry)
    found = _report(known, questions, folder)
    _tell(found, as_json=as_json)
    if found["coverage"]["failed"]:
        raise typer.Exit(PARTIAL)


def _check(wish: Wish, benchmark: Benchmark) -> None:
    if wish.subtitles and not benchmark.has_subtitles:
        raise InputError(f"{benchmark.title} has no subtitles; leave --subtitles out")
    for name, given in (("--subtitles", wish.subtitles), ("--num-frames", wish.num_frames)):
        if given and wish.mode != "model":
            raise InputError(f"{name} is for --mode model; the agent listens and chooses what to look at by itself")


def _run(
    work: Workspace,
    wish: Wish,
    benchmark: Benchmark,
    questions: list[Question],
    part: Shard,
    limit: int | None,
    retry: bool,
) -> None:
    """Ask what is left."""
    from importlib.metadata import version

    from hicom_agent.evaluation.log import Log, hash_questions
    from hicom_agent.evaluation.run import ask_all, make_plan

    asker = _make_asker(work, wish, benchmark, part, questions)
    settings = {
        "version": version("hicom-agent"),
        "benchmark": benchmark.name,
        "questions": hash_questions(questions),
        "mode": wish.mode,
        "profile": work.profile.name,
        **asker.settings,
    }
    with closing(Log(wish.out, part, settings)) as log:
        plan = make_plan(questions, log.known, part, limit, retry=retry)
        if plan.left:
            with asker:
                ask_all(plan, asker, log, work.on_progress)


def _make_asker(work: Workspace, wish: Wish, benchmark: Benchmark, part: Shard, questions: list[Question]) -> Asker:
    films = wish.out / "films"
    if wish.mode == "model":
        from hicom_agent.evaluation.by_model import ByModel

        limits = (wish.num_frames, wish.max_visual_tokens)
        return ByModel(work, benchmark.wording, films, *limits, subtitles=wish.subtitles)
    if wish.mode == "agent":
        from hicom_agent.evaluation.by_agent import ByAgent

        return ByAgent(work, films, wish.max_visual_tokens)
    from hicom_agent.evaluation.by_server import ByServer

    return ByServer(work, questions, films, wish.out / part.named("server.log"), wish.max_visual_tokens)


def _report(benchmark: Benchmark, questions: list[Question], out: Path) -> dict[str, Any]:
    """Return the score of all logs in a folder, after writing it there; raises InputError, SetupError."""
    from hicom_agent.evaluation.card import model_card, submission, write_json
    from hicom_agent.evaluation.log import fingerprint, hash_questions, merge_logs, read_settings
    from hicom_agent.evaluation.table import score

    settings = read_settings(out)
    if settings.get("questions") != hash_questions(questions):
        asked = settings.get("benchmark")
        raise InputError(f"{out} holds answers to other questions ({asked}); give the --data that they were read from")
    rows = merge_logs(out, fingerprint(settings))
    found = score(benchmark, questions, rows, settings)
    write_json(out / "result.json", found)
    write_json(out / "model-card.json", model_card(benchmark, found))
    files = [out / "result.json", out / "model-card.json"]
    if answers := submission(questions, rows):
        write_json(out / "submission.json", answers)
        files.append(out / "submission.json")
    return found | {"files": [str(file) for file in files]}


def _look_ahead(questions: list[Question], out: Path, part: Shard, limit: int | None, retry: bool) -> dict[str, Any]:
    from hicom_agent.evaluation.log import SETTINGS, fingerprint, merge_logs, read_settings
    from hicom_agent.evaluation.run import make_plan

    known = merge_logs(out, fingerprint(read_settings(out))) if (out / SETTINGS).is_file() else {}
    plan = make_plan(questions, known, part, limit, retry=retry)
    return {
        "questions": len(questions),
        "left": len(plan.left),
        "earlier": plan.num_earlier,
        "videos": len({question.video for question in plan.left}),
        "missing": list(plan.missing),
    }


def _tell_plan(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(told)
        return
    from hicom_agent.evaluation.table import NUM_TOLD
    from hicom_agent.screen import plain

    typer.echo(f"ask      {told['left']} of {told['questions']} questions about {told['videos']} videos")
    typer.echo(f"earlier  {told['earlier']} questions were asked before; {len(told['missing'])} videos are not here")
    for video in told["missing"][:NUM_TOLD]:
        typer.echo(f"missing  {plain(video)}")


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    from hicom_agent.evaluation.table import table_lines

    lines = [*table_lines(found), *(f"wrote      {file}" for file in found["files"])]
    show_json(found) if as_json else typer.echo("\n".join(lines))
