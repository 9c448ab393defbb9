"""The command line: results on standard output, progress and messages on standard error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hicom_agent.cli.asking import ASK_EPILOG, SEARCH_EPILOG, ask, search
from hicom_agent.cli.batch import EPILOG as BATCH_EPILOG
from hicom_agent.cli.batch import batch
from hicom_agent.cli.data import data_app
from hicom_agent.cli.evaluate import EPILOG as EVAL_EPILOG
from hicom_agent.cli.evaluate import evaluate
from hicom_agent.cli.models import models_app
from hicom_agent.cli.server import mcp
from hicom_agent.cli.shared import (
    CheckpointOption,
    JsonOption,
    OcrOption,
    ProfileOption,
    SpeechOption,
    StoreOption,
    TowerOption,
    complain,
    early,
    resumable,
    show_json,
    warn,
    warn_of_no_store,
    workspace,
)
from hicom_agent.cli.store import store_app
from hicom_agent.cli.train import EPILOG as TRAIN_EPILOG
from hicom_agent.cli.train import train
from hicom_agent.errors import HicomAgentError, InputError

EXIT_CODES = (
    "Exit codes: 0 done, 1 unexpected fault, 2 your input (path, question, video, option), 3 this machine (model, "
    "package, disk), 4 the store (corrupt, newer, busy), 5 the language model, "
    "6 some of many failed and the rest is there (batch, eval), 130 interrupted."
)
app = typer.Typer(
    name="hicom-agent",
    help="Ask long videos questions, and get answers with times that are right.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},  # the commands take it from here
)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.add_typer(store_app, name="store")
app.command(epilog="Example: hicom-agent mcp --root ~/Videos")(mcp)
app.command(epilog=BATCH_EPILOG)(batch)
app.command("eval", epilog=EVAL_EPILOG)(evaluate)
app.command(epilog=TRAIN_EPILOG)(train)

VideoArgument = Annotated[str, typer.Argument(help="An indexed video: path, id, or a unique part of its title.")]


def show_version(wanted: bool) -> None:
    """Print the version and stop, if that is wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(version("hicom-agent"))
        raise typer.Exit


@app.callback()
def common(
    store: StoreOption = None,
    profile: ProfileOption = None,
    checkpoint: CheckpointOption = None,
    vision_tower: TowerOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask long videos questions, and get answers with times that are right."""
    early.set({"store": store, "profile": profile, "checkpoint": checkpoint, "vision_tower": vision_tower})


@app.command(epilog="Example: hicom-agent index film.mp4 ~/Videos 'archive/**/*.mkv'")
def index(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or globs.")],
    speech: SpeechOption = None,
    ocr: OcrOption = None,
    again: Annotated[bool, typer.Option("--again", help="Index anew, even if nothing changed.")] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Watch videos once and remember them. Running it again resumes, or says that nothing is to do."""
    from hicom_agent.screen import report_line
    from hicom_agent.tools import find_files, index_video

    codes: list[int] = []
    with resumable(), workspace(store, speech=speech, ocr=ocr, profile=profile) as work:
        typer.echo(f"profile {work.profile.name}: {work.profile.why}", err=True)
        for path in find_files(paths):
            try:
                report = index_video(work, path, again=again)
            except InputError as error:
                complain(error)
                if as_json:
                    show_json({"path": str(path), "error": str(error)}, indent=None)
                codes.append(error.exit_code)
                continue
            show_json(report.as_dict(), indent=None) if as_json else typer.echo(report_line(report))
    if codes:
        raise typer.Exit(codes[0])


app.command(epilog=ASK_EPILOG)(ask)
app.command(epilog=SEARCH_EPILOG)(search)


@app.command("list", epilog="Example: hicom-agent list --json")
def list_(as_json: JsonOption = False, store: StoreOption = None) -> None:
    """List the indexed videos."""
    from hicom_agent.screen import plain, video_line
    from hicom_agent.tools import list_videos, unfinished_videos

    with workspace(store) as work:
        rows, begun = list_videos(work), unfinished_videos(work)
        missing = warn_of_no_store(work)
    for name in begun:
        typer.echo(f"begun and not finished: {plain(name)}; the same hicom-agent index goes on", err=True)
    if as_json:
        show_json(rows)
        return
    for row in rows:
        typer.echo(video_line(row))
    if not (rows or begun or missing):
        typer.echo("no videos yet; run: hicom-agent index PATH", err=True)


@app.command(epilog='Example: hicom-agent show film.mp4 --relevance "a taxi" --out taxi.png')
def show(
    video: VideoArgument,
    relevance: Annotated[
        str | None, typer.Option(help="A question: draw how likely each moment of the video shows it, as a PNG.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File of that picture; default: TITLE-relevance.png.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show what is remembered of a video: clips, transcript, text on the screen, damage; or where a question leads."""
    from hicom_agent.screen import relevance_lines, show_lines
    from hicom_agent.tools import show_relevance, show_video

    if out is not None and relevance is None:
        raise InputError("--out names the picture of --relevance QUESTION; without it show writes no file")
    with workspace(store) as work:
        facts = show_video(work, video) if relevance is None else show_relevance(work, video, relevance, out)
    warn(facts["warning"])
    lines = show_lines if relevance is None else relevance_lines
    show_json(facts) if as_json else typer.echo("\n".join(lines(facts)))


@app.command(epilog="Example: hicom-agent frames film.mp4 --at 0:01:10 --at 95 --out pictures/")
def frames(
    video: VideoArgument,
    at: Annotated[list[str], typer.Option("--at", help="Seconds or HH:MM:SS; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    full: Annotated[bool, typer.Option("--full", help="Read the frame from the video itself, at full size.")] = False,
    heat: Annotated[str | None, typer.Option(help="A question: paint where the pictures answer to it.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Save the pictures shown at given times."""
    from hicom_agent.tools import get_frames

    with workspace(store) as work:
        written = get_frames(work, video, at, out, full=full, heat=heat)
    warn(written[0].get("warning", "") if written else "")
    if as_json:
        show_json(written)
        return
    for frame in written:
        sure = f"  {frame['relevance']:.2f}" if "relevance" in frame else ""
        typer.echo(f"{frame['timecode']}{sure}  {frame['file']}")


@app.command(epilog="Example: hicom-agent forget film.mp4")
def forget(video: VideoArgument, as_json: JsonOption = False, store: StoreOption = None) -> None:
    """Forget a video: the memory of it is deleted, the file is not touched."""
    from hicom_agent.tools import forget_video

    with workspace(store) as work:
        video_id = forget_video(work, video)
    show_json({"forgotten": video_id}) if as_json else typer.echo(f"forgot {video_id}")


@app.command(epilog="Example: hicom-agent doctor --repair")
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild what can be rebuilt.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Check the store, the models, FFmpeg and the GPU; exit code 4 if something is wrong with the store."""
    from hicom_agent.screen import doctor_lines

    with workspace(store) as work:
        report = work.doctor(repair=repair)
        warn_of_no_store(work)
    show_json(report) if as_json else typer.echo("\n".join(doctor_lines(report)))
    if report["problems"]:
        raise typer.Exit(4)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; a fault of the world is one line."""
    try:
        app(args=arguments)
    except HicomAgentError as error:
        complain(error)
        return error.exit_code
    except SystemExit as done:
        if done.code == InputError.exit_code:
            _hint_at_dashes(sys.argv[1:] if arguments is None else arguments)
        return done.code if isinstance(done.code, int) else 0
    return 0


def _hint_at_dashes(arguments: list[str]) -> None:
    """Say how to name a file whose name begins as an option does."""
    for name in arguments:
        if name.startswith("-") and Path(name).exists():
            typer.echo(f"hicom-agent: {name!r} is read as an option; to name that file write {'./' + name!r}", err=True)
