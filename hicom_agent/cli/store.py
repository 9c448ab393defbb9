"""The commands below `hicom-agent store`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hicom_agent.cli.shared import JsonOption, StoreOption, show_json, warn_of_no_store, workspace

store_app = typer.Typer(
    help="Merge stores, measure one, and carry videos from one to another.", no_args_is_help=True, rich_markup_mode=None
)
_GB = 2**30


@store_app.command(epilog="Example: hicom-agent store merge shard-1 shard-2 --into archive")
def merge(
    sources: Annotated[list[Path], typer.Argument(help="Folders of stores; they are only read.")],
    into: Annotated[
        Path | None, typer.Option("--into", "--store", help="Store that takes the videos in; default: the usual one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take all videos of other stores into one; of several copies the one with more in it, then the newer.

    Tokens that earlier questions left in the other stores are not taken along; they are made again when needed.
    Exit code 2 if a video had to be refused; the others are taken all the same.
    """
    from hicom_agent.tools import merge_stores

    with workspace(into) as work:
        report = merge_stores(work, sources, work.on_progress)
    _show_taken(report, as_json)


@store_app.command(epilog="Example: hicom-agent store stats --json")
def stats(as_json: JsonOption = False, store: StoreOption = None) -> None:
    """Tell how much is remembered and what takes how much of the disk."""
    from hicom_agent.tools import store_stats

    with workspace(store) as work:
        warn_of_no_store(work)
        facts = store_stats(work)
    show_json(facts) if as_json else typer.echo("\n".join(_stats_lines(facts)))


@store_app.command(epilog="Example: hicom-agent store export film.mp4 --to film.tar")
def export(
    to: Annotated[Path, typer.Option("--to", help="The file to write, which is not there yet.")],
    videos: Annotated[list[str] | None, typer.Argument(help="Indexed videos: path, id, or part of a title.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All videos of the store.")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Write what is remembered of videos into one file, a plain tar with checksums; the videos are not in it.

    Tokens that earlier questions left are not in it either; they are made again when needed.
    """
    from hicom_agent.tools import export_videos

    with workspace(store) as work:
        done = export_videos(work, videos or [], everything, to, work.on_progress)
    told = f"{len(done['videos'])} videos, {done['bytes'] / 2**20:.1f} MB: {done['file']}"
    show_json(done) if as_json else typer.echo(told)


@store_app.command("import", epilog="Example: hicom-agent store import film.tar")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `store export` wrote.")],
    max_gb: Annotated[float, typer.Option(min=0, help="Refuse a file that holds more.")] = 256,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Take in the videos of an exported file, after every byte of it is checked; twice is as once."""
    from hicom_agent.tools import import_videos

    with workspace(store) as work:
        report = import_videos(work, file, int(max_gb * _GB), work.on_progress)
    _show_taken(report, as_json)


def _show_taken(report: Mapping[str, Any], as_json: bool) -> None:
    from hicom_agent.screen import plain

    if as_json:
        show_json(report)
    else:
        for row in report["videos"]:
            why = f" ({plain(row['why'])})" if row["why"] else ""
            source = plain(row["source"])
            typer.echo(f"{plain(row['video_id'])}  {plain(row['title'])}  {row['state']}{why}  {source}")
        if not report["videos"]:
            typer.echo("nothing to take", err=True)
        if len(report["profiles"]) > 1:
            names = ", ".join(f"{plain(name)} ({number})" for name, number in report["profiles"].items())
            typer.echo(f"videos of several profiles, each asked by its own: {names}", err=True)
    if report["refused"]:
        raise typer.Exit(2)


def _stats_lines(facts: Mapping[str, Any]) -> list[str]:
    from hicom_agent.screen import plain

    total, hourly = facts["total_bytes"] / 2**20, facts["bytes_per_hour"] / 2**20
    lines = [
        f"store     {plain(facts['store'])}",
        f"videos    {facts['videos']}, {facts['hours']:.2f} h, {facts['hours_read']:.2f} h of it read",
        f"          {facts['clips']} clips, {facts['frames_kept']} of {facts['frames']} frames kept, "
        f"{facts['utterances']} utterances, {facts['texts']} texts",
        f"bytes     {total:.1f} MB, {hourly:.1f} MB for an hour of video",
    ]
    lines += [f"          {part:<11} {size / 2**20:>9.1f} MB" for part, size in facts["bytes"].items()]
    for name in ("profiles", "languages", "versions"):
        counts = ", ".join(f"{plain(key) or 'none'} ({number})" for key, number in facts[name].items())
        lines.append(f"{name:<9} {counts or 'none'}")
    if facts["videos"]:
        times = (facts["oldest_indexed_at"], facts["newest_indexed_at"])
        oldest, newest = (datetime.fromtimestamp(at).isoformat(" ", "seconds") for at in times)
        lines.append(f"indexed   {oldest} to {newest}")
    return [*lines, f"begun     {facts['unfinished']} videos not finished; index them again to go on"]
