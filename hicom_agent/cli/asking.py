"""`hicom-agent ask` and `hicom-agent search`: one video, or all of them."""

from __future__ import annotations

from typing import Annotated

import typer

from hicom_agent.cli.shared import (
    JsonOption,
    LlmOption,
    ProfileOption,
    StoreOption,
    show_json,
    warn,
    warn_of_no_store,
    workspace,
)
from hicom_agent.errors import InputError

ASK_EPILOG = (
    'Example: hicom-agent ask film.mp4 "when does a car drive through?" '
    'Example: hicom-agent ask --archive "what does the ferry cost?" --folder ~/Videos/harbour'
)
SEARCH_EPILOG = 'Example: hicom-agent search "blue bottle caps" --limit 5 --language en --json'

FolderOption = Annotated[str, typer.Option(help="Only videos whose file lay below this folder.")]
AfterOption = Annotated[str, typer.Option(help="Only videos indexed on this day or later, as 2026-01-31.")]
BeforeOption = Annotated[str, typer.Option(help="Only videos indexed before this day.")]
ShortestOption = Annotated[str, typer.Option(help="Only videos of this length or more: seconds, MM:SS or HH:MM:SS.")]
LongestOption = Annotated[str, typer.Option(help="Only videos of this length or less.")]
LanguageOption = Annotated[str, typer.Option(help="Only videos in which this language is spoken, as en.")]


def ask(
    video: Annotated[
        str | None, typer.Argument(help="A video: path, id, or a unique part of its title; none with --archive.")
    ] = None,
    question: Annotated[str | None, typer.Argument(help="What you want to know.")] = None,
    archive: Annotated[
        bool, typer.Option("--archive", help="Ask all videos: the likeliest are looked at, for one answer.")
    ] = False,
    folder: FolderOption = "",
    indexed_after: AfterOption = "",
    indexed_before: BeforeOption = "",
    min_duration: ShortestOption = "",
    max_duration: LongestOption = "",
    language: LanguageOption = "",
    max_videos: Annotated[
        int | None, typer.Option(min=1, help="With --archive: videos that are asked at most.")
    ] = None,
    llm: LlmOption = None,
    steps: Annotated[bool, typer.Option("--steps", help="Show how the answer came about.")] = False,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Sub-questions at most, of each video.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=1, help="Answer with what is found by then.")] = None,
    max_visual_tokens: Annotated[int | None, typer.Option(min=32, help="Stop looking at clips after so many.")] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Answer a question from what was seen, said and written; a file that is not indexed yet is indexed first."""
    from time import monotonic

    began_s = monotonic()
    from hicom_agent.screen import answer_lines, step_lines
    from hicom_agent.tools import ask_archive, ask_video, read_filter

    which = read_filter(folder, indexed_after, indexed_before, (min_duration, max_duration), language)
    name, text = read_arguments(video, question, archive=archive, filtered=which is not None or max_videos is not None)
    with workspace(store, llm=llm, profile=profile) as work:
        if archive:
            from hicom_agent.agent import Budget

            answer = ask_archive(work, text, which, Budget.of(max_seconds, max_visual_tokens, max_steps), max_videos)
        else:
            answer = ask_video(work, name, text, max_seconds, max_visual_tokens, max_steps)
    warn(answer.warning)
    if llm and not answer.spend.llm_tokens:
        typer.echo(f"{llm} was not asked: the evidence was enough, or there was none to word", err=True)
    told = [*(step_lines(answer) if steps else ()), *answer_lines(answer, monotonic() - began_s)]
    show_json(answer.model_dump()) if as_json else typer.echo("\n".join(told))


def read_arguments(video: str | None, question: str | None, *, archive: bool, filtered: bool) -> tuple[str, str]:
    """Return the video and the question that are meant; with --archive the first argument is the question.

    Raises InputError, which says how to write it.
    """
    if archive:
        if video is None or question is not None:
            raise InputError('with --archive give only the question: hicom-agent ask --archive "what is said?"')
        return "", video
    if video is None or question is None:
        raise InputError('give a video and a question: hicom-agent ask film.mp4 "what is said?"; or --archive, for all')
    if filtered:
        raise InputError("--folder and its like choose among many videos: use them with --archive, or leave them out")
    return video, question


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    video: Annotated[list[str] | None, typer.Option("--video", help="Only in this video; may be repeated.")] = None,
    folder: FolderOption = "",
    indexed_after: AfterOption = "",
    indexed_before: BeforeOption = "",
    min_duration: ShortestOption = "",
    max_duration: LongestOption = "",
    language: LanguageOption = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Hits at most.")] = 10,
    per_video: Annotated[
        int | None, typer.Option(min=1, help="Hits of one video at most; default: 3 if there are several.")
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Find moments in all indexed videos: seen, said or written. Of many videos the likeliest are searched."""
    from hicom_agent.screen import hit_line
    from hicom_agent.tools import changed_files, find_moments, read_filter

    which = read_filter(folder, indexed_after, indexed_before, (min_duration, max_duration), language)
    with workspace(store, profile=profile) as work:
        found = find_moments(work, query, video or [], limit, which=which, per_video=per_video)
        warnings = changed_files(work, video or [])
        missing = warn_of_no_store(work)
    for line in warnings.values():
        warn(line)
    rows = [moment.model_dump() | {"warning": warnings.get(moment.video_id, "")} for moment in found]
    if as_json:
        show_json(rows)
        return
    for row in rows:
        typer.echo(hit_line(row))
    if not rows and not missing:
        typer.echo("nothing found", err=True)
