"""The command line: results on standard output, progress and messages on standard error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hicom_agent.errors import HicomAgentError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hicom_agent.settings import Settings

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
    Path | None, typer.Option("--store", help="Folder of the memory; default: HICOM_AGENT_STORE, else a per-user folder.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
VideoArgument = Annotated[str, typer.Argument(help="An indexed video: path, id, or a unique part of its title.")]


@app.callback()
def common(context: typer.Context, store: StoreOption = None) -> None:
    """Ask long videos questions, and get answers with times that are right."""
    context.obj = store


def settings_of(store: Path | None, **flags: Any) -> Settings:
    """Return the settings of this call; `--store` may stand before or after the command."""
    import click

    from hicom_agent.settings import load_settings

    return load_settings({"store": store or click.get_current_context().obj, **flags})


@app.command(epilog="Example: hicom-agent index film.mp4 ~/Videos 'archive/**/*.mkv'")
def index(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or globs.")],
    speech: Annotated[bool, typer.Option("--speech/--no-speech", help="Listen to what is said.")] = True,
    ocr: Annotated[bool, typer.Option("--ocr/--no-ocr", help="Read what is written.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Index anew, even if nothing changed.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Watch videos once and remember them. Running it again resumes, or says that nothing is to do."""
    from hicom_agent import build
    from hicom_agent.screen import progress_bars

    settings = settings_of(store, speech=speech, ocr=ocr)
    with progress_bars() as progress, build.open_indexer(settings, progress) as indexer:
        failed: list[HicomAgentError] = []
        for path in build.find_videos(paths):
            try:
                report = indexer.index(path, again=again)
            except InputError as error:
                failed.append(error)
                complain(error)
                continue
            show_json(report.as_dict()) if as_json else typer.echo(report.line())
    if failed:
        raise typer.Exit(failed[0].exit_code)


@app.command(epilog='Example: hicom-agent ask film.mp4 "when does a car drive through?"')
def ask(
    video: VideoArgument,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    llm: Annotated[str | None, typer.Option(help="A LangChain chat model, e.g. ollama:qwen3; default: packaged.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Answer a question from what was seen, said and written; a file that is not indexed yet is indexed first."""
    from hicom_agent import build
    from hicom_agent.screen import answer_lines, progress_bars

    settings = settings_of(store, llm=llm)
    with progress_bars() as progress:
        answer = build.ask(settings, video, question, progress)
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
    from hicom_agent import build
    from hicom_agent.screen import hit_line, progress_bars

    with progress_bars() as progress:
        hits = build.search(settings_of(store), query, video or [], limit, progress)
    if as_json:
        show_json([hit.as_dict() for hit in hits])
        return
    for hit in hits:
        typer.echo(hit_line(hit))
    if not hits:
        typer.echo("nothing found", err=True)


@app.command("list", epilog="Example: hicom-agent list --json")
def list_videos(as_json: JsonOption = False, store: StoreOption = None) -> None:
    """List the indexed videos."""
    from hicom_agent import build
    from hicom_agent.screen import video_line

    rows = build.list_videos(settings_of(store))
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
    from hicom_agent import build
    from hicom_agent.screen import show_lines

    facts = build.show(settings_of(store), video)
    show_json(facts) if as_json else typer.echo("\n".join(show_lines(facts)))


@app.command(epilog="Example: hicom-agent frames film.mp4 --at 0:01:10 --at 95 --out pictures/")
def frames(
    video: VideoArgument,
    at: Annotated[list[str], typer.Option("--at", help="Seconds or HH:MM:SS; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    full: Annotated[bool, typer.Option("--full", help="Read the frame from the video at full size.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Save the pictures shown at given times."""
    from hicom_agent import build

    written = build.save_frames(settings_of(store), video, at, out, full)
    if as_json:
        show_json(written)
        return
    for frame in written:
        typer.echo(f"{frame['timecode']}  {frame['file']}")


@app.command(epilog="Example: hicom-agent forget film.mp4")
def forget(video: VideoArgument, as_json: JsonOption = False, store: StoreOption = None) -> None:
    """Forget a video: the memory of it is deleted, the file is not touched."""
    from hicom_agent import build

    video_id = build.forget(settings_of(store), video)
    show_json({"forgotten": video_id}) if as_json else typer.echo(f"forgot {video_id}")


@app.command(epilog="Example: hicom-agent doctor --repair")
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild what can be rebuilt.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Check the store, the models, FFmpeg and the GPU; exit code 4 if something is wrong with the store."""
    from hicom_agent import build

    report = build.doctor(settings_of(store), repair=repair)
    show_json(report) if as_json else typer.echo("\n".join(build.doctor_lines(report)))
    if report["problems"]:
        raise typer.Exit(4)


@models_app.command("list", epilog="Example: hicom-agent models list --json")
def models_list(as_json: JsonOption = False) -> None:
    """List the models: licence, source, size, and whether they are here."""
    from hicom_agent import build

    rows = build.model_rows(settings_of(None))
    if as_json:
        show_json(rows)
        return
    for row in rows:
        typer.echo("  ".join(str(value) for value in row.values()))


@models_app.command("pull", epilog="Example: hicom-agent models pull")
def models_pull(names: Annotated[list[str] | None, typer.Argument(help="Default: all of the profile.")] = None) -> None:
    """Fetch models into the cache and check them."""
    from hicom_agent import build
    from hicom_agent.screen import progress_bars

    with progress_bars() as progress:
        for name, folder in build.pull_models(settings_of(None), names or [], progress):
            typer.echo(f"{name}  {folder}")


@models_app.command("verify", epilog="Example: hicom-agent models verify lite0")
def models_verify(names: Annotated[list[str] | None, typer.Argument(help="Default: all that are here.")] = None) -> None:
    """Compare every file of the models with its checksum."""
    from hicom_agent import build

    bad = False
    for row in build.verify_models(settings_of(None), names or []):
        bad = bad or row["state"] != "present"
        typer.echo(f"{row['name']}  {row['state']}")
    if bad:
        raise typer.Exit(3)


def show_json(value: Any) -> None:
    """Print `value` as JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def complain(error: Exception) -> None:
    """Print one line on standard error."""
    from hicom_agent.screen import plain

    typer.echo(f"hicom-agent: {plain(str(error))}", err=True)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; a fault of the world is one line."""
    import click

    try:
        result = app(args=arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HicomAgentError as error:
        complain(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        typer.echo("hicom-agent: interrupted; run the same command again to resume", err=True)
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
