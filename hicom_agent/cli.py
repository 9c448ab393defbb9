"""The command line: results on standard output, progress and messages on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hicom_agent.errors import HicomAgentError, InputError

if TYPE_CHECKING:
    from hicom_agent.build import Workspace

EXIT_CODES = (
    "Exit codes: 0 done, 1 unexpected fault, 2 your input (path, question, video, option), 3 this machine (model, "
    "package, disk), 4 the store (corrupt, newer, busy), 5 the language model, 130 interrupted."
)
app = typer.Typer(
    name="hicom-agent",
    help="Ask long videos questions, and get answers with times that are right.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="See, fetch and check the models.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models_app, name="models")

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the memory; default: HICOM_AGENT_STORE, else a per-user folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
VideoArgument = Annotated[str, typer.Argument(help="An indexed video: path, id, or a unique part of its title.")]
_early_store: ContextVar[Path | None] = ContextVar("_early_store", default=None)


@app.callback()
def common(store: StoreOption = None) -> None:
    """Ask long videos questions, and get answers with times that are right."""
    _early_store.set(store)


@contextmanager
def workspace(store: Path | None = None, **flags: Any) -> Iterator[Workspace]:
    """Yield what the tools work on; `--store` may stand before or after the command."""
    from hicom_agent.build import Workspace
    from hicom_agent.screen import progress_bars
    from hicom_agent.settings import load_settings

    with progress_bars() as show:
        yield Workspace(load_settings({"store": store or _early_store.get(), **flags}), show)


@app.command(epilog="Example: hicom-agent index film.mp4 ~/Videos 'archive/**/*.mkv'")
def index(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or globs.")],
    speech: Annotated[bool | None, typer.Option("--speech/--no-speech", help="Listen to what is said.")] = None,
    ocr: Annotated[bool | None, typer.Option("--ocr/--no-ocr", help="Read what is written.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Index anew, even if nothing changed.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Watch videos once and remember them. Running it again resumes, or says that nothing is to do."""
    from hicom_agent.screen import report_line
    from hicom_agent.tools import find_files, index_video

    codes: list[int] = []
    with workspace(store, speech=speech, ocr=ocr) as work:
        for path in find_files(paths):
            try:
                report = index_video(work, path, again=again)
            except InputError as error:
                complain(error)
                codes.append(error.exit_code)
                continue
            show_json(report.as_dict(), indent=None) if as_json else typer.echo(report_line(report))
    if codes:
        raise typer.Exit(codes[0])


@app.command(epilog='Example: hicom-agent ask film.mp4 "when does a car drive through?"')
def ask(
    video: VideoArgument,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    llm: Annotated[
        str | None, typer.Option(help="A LangChain chat model, e.g. ollama:qwen3; default: packaged.")
    ] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Answer a question from what was seen, said and written; a file that is not indexed yet is indexed first."""
    from hicom_agent.screen import answer_lines
    from hicom_agent.tools import ask_video

    with workspace(store, llm=llm) as work:
        answer = ask_video(work, video, question)
    show_json(answer.model_dump()) if as_json else typer.echo("\n".join(answer_lines(answer)))


@app.command(epilog='Example: hicom-agent search "blue bottle caps" --limit 5 --json')
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    video: Annotated[list[str] | None, typer.Option("--video", help="Only in this video; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Hits at most.")] = 10,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Find moments in all indexed videos: seen, said or written."""
    from hicom_agent.screen import hit_line
    from hicom_agent.tools import search_videos

    with workspace(store) as work:
        hits = search_videos(work, query, video or [], limit)
    if as_json:
        show_json([asdict(hit) for hit in hits])
        return
    for hit in hits:
        typer.echo(hit_line(hit))
    if not hits:
        typer.echo("nothing found", err=True)


@app.command("list", epilog="Example: hicom-agent list --json")
def list_(as_json: JsonOption = False, store: StoreOption = None) -> None:
    """List the indexed videos."""
    from hicom_agent.screen import video_line
    from hicom_agent.tools import list_videos

    with workspace(store) as work:
        rows = list_videos(work)
    if as_json:
        show_json(rows)
        return
    for row in rows:
        typer.echo(video_line(row))
    if not rows:
        typer.echo("no videos yet; run: hicom-agent index PATH", err=True)


@app.command(epilog="Example: hicom-agent show film.mp4 --json")
def show(video: VideoArgument, as_json: JsonOption = False, store: StoreOption = None) -> None:
    """Show what is remembered of a video: clips, transcript, text on the screen, damage."""
    from hicom_agent.screen import show_lines
    from hicom_agent.tools import show_video

    with workspace(store) as work:
        facts = show_video(work, video)
    show_json(facts) if as_json else typer.echo("\n".join(show_lines(facts)))


@app.command(epilog="Example: hicom-agent frames film.mp4 --at 0:01:10 --at 95 --out pictures/")
def frames(
    video: VideoArgument,
    at: Annotated[list[str], typer.Option("--at", help="Seconds or HH:MM:SS; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    full: Annotated[bool, typer.Option("--full", help="Read the frame from the video itself, at full size.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Save the pictures shown at given times."""
    from hicom_agent.tools import get_frames

    with workspace(store) as work:
        written = get_frames(work, video, at, out, full=full)
    if as_json:
        show_json(written)
        return
    for frame in written:
        typer.echo(f"{frame['timecode']}  {frame['file']}")


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
    show_json(report) if as_json else typer.echo("\n".join(doctor_lines(report)))
    if report["problems"]:
        raise typer.Exit(4)


@models_app.command("list", epilog="Example: hicom-agent models list --json")
def models_list(as_json: JsonOption = False) -> None:
    """List the models: licence, source, size, and whether they are here."""
    from hicom_agent.screen import model_line

    with workspace() as work:
        rows = work.model_rows()
    show_json(rows) if as_json else typer.echo("\n".join(map(model_line, rows)))


@models_app.command("pull", epilog="Example: hicom-agent models pull")
def models_pull(names: Annotated[list[str] | None, typer.Argument(help="Default: all of the profile.")] = None) -> None:
    """Fetch models into the cache and check them."""
    with workspace() as work:
        for name, folder in work.pull_models(names or []):
            typer.echo(f"{name}  {folder}")


@models_app.command("verify", epilog="Example: hicom-agent models verify lite0")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all that are here.")] = None,
) -> None:
    """Compare every file of the models with its checksum."""
    with workspace() as work:
        rows = work.verify_models(names or [])
    for row in rows:
        typer.echo(f"{row['name']}  {row['state']}")
    if any(row["state"] != "present" for row in rows):
        raise typer.Exit(3)


def show_json(value: Any, indent: int | None = 2) -> None:
    """Print `value` as JSON on standard output."""
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=False, default=str))


def complain(error: Exception) -> None:
    """Print one line on standard error."""
    from hicom_agent.screen import plain

    typer.echo(f"hicom-agent: {plain(str(error))}", err=True)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; a fault of the world is one line."""
    try:
        app(args=arguments)
    except HicomAgentError as error:
        complain(error)
        return error.exit_code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
