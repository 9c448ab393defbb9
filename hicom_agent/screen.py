"""What a person sees in a terminal: lines for answers, hits and videos, and progress bars on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hicom_agent.types import Answer, Progress, clean_text, timecode

LOG = logging.getLogger(__name__)
ON_REQUEST = ("hicom-7b", "siglip", "qwen-1500m")  # models that nobody needs who did not ask for them
LOADING = "loading models"  # a stage that only a terminal shows
SPARK_CHARS, BARS = 64, "▁▂▃▄▅▆▇█"


def plain(text: str) -> str:
    """Return `text` as one line that cannot move the cursor or colour the terminal."""
    return clean_text(text)


def answer_lines(answer: Answer, in_all_s: float = 0.0) -> list[str]:
    """Return an answer for a person: the answer, where it was found, how sure, and how long it took with all else."""
    lines = [*(plain(line) for line in answer.answer.splitlines()), ""]
    if answer.citations:
        lines.append("closest moments:" if answer.abstained else "found at:")
    several = len({citation.video_id for citation in answer.citations}) > 1
    for citation in answer.citations:
        where = f"{citation.video_id}  " if several else ""
        quote = f'  "{plain(citation.quote)}"' if citation.quote else ""
        span = f"{timecode(citation.start_s)} - {timecode(citation.end_s)}"
        lines.append(f"  {where}{span}  {citation.modality:<6}  {citation.score:.2f}{quote}")
    spend = answer.spend
    sure = f"declined: {answer.reason}" if answer.abstained else f"confidence {answer.confidence:.2f}"
    again = f", {spend.clips_recalled} remembered" if spend.clips_recalled else ""
    looked = f"{spend.clips_compressed} clips looked at{again}"
    cost = f"{looked}, {spend.visual_tokens} visual tokens, {spend.seconds:.1f} s"
    waited = f" ({in_all_s:.1f} s with loading)" if in_all_s > spend.seconds + 1 else ""
    return [*lines, "", f"{sure}; {cost}{waited}"]


def step_lines(answer: Answer) -> list[str]:
    """Return the way to an answer for a person: what was asked, where, and what came of it."""
    lines = []
    for step in answer.steps:
        end = timecode(step.end_s) if step.end_s is not None else "the end"
        where = f" [{timecode(step.start_s)} - {end}]" if step.start_s or step.end_s is not None else ""
        why = f" ({plain(step.why)})" if step.why else ""
        lines += [f"{step.number}. {plain(step.ask)}{why}{where}", f"   {plain(step.observation)}"]
    return [*lines, ""]


def hit_line(row: Mapping[str, Any]) -> str:
    """Return one hit of a search."""
    quote = f'  "{plain(row["quote"])}"' if row["quote"] else ""
    span = f"{timecode(row['start_s'])} - {timecode(row['end_s'])}"
    return f"{row['video_id']}  {plain(row['title'])}  {span}  {row['modality']:<6}  {row['score']:.2f}{quote}"


def video_line(row: Mapping[str, Any]) -> str:
    """Return one line of `list`."""
    return (
        f"{row['video_id']}  {timecode(row['duration_s'])}  {row['num_clips']:>4} clips  "
        f"{plain(row['title'])}  {plain(row['path'])}{'  (replaced)' if row['replaced'] else ''}"
    )


def show_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return what `show` prints: the video, then its clips, words and texts by time."""
    lines = [video_line(facts["video"]), f"profile {facts['video']['profile']}, index {facts['video']['version']}"]
    kept = facts["conditioned"]
    if kept["questions"]:
        size, hourly = kept["bytes"] / 2**20, kept["bytes_per_hour"] / 2**20
        lines.append(
            f"{kept['questions']} questions remembered: {kept['clips']} clips, {size:.1f} MB, {hourly:.1f} MB/h"
        )
    for damage in facts["damage"]:
        lines.append(f"damage  {timecode(damage['start_s'])} - {timecode(damage['end_s'])}  {plain(damage['reason'])}")
    lines.append(f"{len(facts['clips'])} clips:")
    lines += [
        f"  {clip['index']:>4}  {timecode(clip['start_s'])} - {timecode(clip['end_s'])}  {plain(clip['seen'])}"
        for clip in facts["clips"]
    ]
    for name, rows in (("said", facts["speech"]), ("written", facts["texts"])):
        lines.append(f"{len(rows)} {name}:")
        lines += [f"  {timecode(row['start_s'])} - {timecode(row['end_s'])}  {plain(row['text'])}" for row in rows]
    return lines


def relevance_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what `show --relevance` prints: the curve in one line, the moments, and where the picture is."""
    bars = sparkline(found["points"], found["duration_s"])
    lines = [bars, f"{timecode(0):<{len(bars) - 8}}{timecode(found['duration_s'])}"]
    for moment in found["moments"]:
        lines.append(f"  {timecode(moment['start_s'])} - {timecode(moment['end_s'])}  {moment['score']:.2f}")
    if not found["moments"]:
        best = max(found["points"], key=lambda point: float(point["relevance"]))
        lines.append(f"  nothing counts as seen; likeliest at {timecode(best['time_s'])}  {best['relevance']:.2f}")
    return [*lines, f"wrote     {plain(found['file'])}"]


def sparkline(points: Sequence[Mapping[str, float]], duration_s: float) -> str:
    """Return the highest relevance in each part of a film as a bar, from 0 to 1; a frame stands until the next.

    >>> sparkline([{"time_s": 0.0, "relevance": 0.0}, {"time_s": 9.0, "relevance": 1.0}], 10.0)[-8:]
    '▁███████'
    """
    highest = [0.0] * SPARK_CHARS
    places = [min(SPARK_CHARS - 1, int(SPARK_CHARS * point["time_s"] / max(duration_s, 1e-3))) for point in points]
    for point, first, after in zip(points, places, [*places[1:], SPARK_CHARS], strict=True):
        for place in range(first, max(after, first + 1)):
            highest[place] = max(highest[place], point["relevance"])
    return "".join(BARS[min(len(BARS) - 1, int(len(BARS) * value))] for value in highest)


def report_line(report: Any) -> str:
    """Return what `index` prints of one video."""
    if report.state == "unchanged":
        return f"{report.video_id}  {plain(report.title)}: nothing to do, it is indexed ({report.version})"
    new = f"{report.num_kept} of {report.num_sampled} frames encoded"
    lost = f", {len(report.damage)} damaged stretches" if report.damage else ""
    return (
        f"{report.video_id}  {plain(report.title)}: {report.state} {timecode(report.duration_s)} "
        f"in {report.seconds:.1f} s, "
        f"{report.num_clips} clips, {new}, {report.num_utterances} utterances, {report.num_texts} texts{lost}"
    )


def model_line(row: Mapping[str, Any]) -> str:
    """Return one line of `models list`."""
    return (
        f"{row['name']:<16} {row['state']:<8} {row['size_bytes'] / 2**20:>7.1f} MB  {row['licence']}  {row['source']}"
    )


def doctor_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what `doctor` prints."""
    lines = [f"store     {plain(report['store'])}"]
    lines += [f"repaired  {plain(line)}" for line in report["repaired"]]
    lines += [f"problem   {plain(line)}" for line in report["problems"]] or ["          no problems"]
    lines += [f"note      {plain(line)}" for line in report["notes"]]
    lines += [f"model     {name}: {state}" for name, state in report["models"].items()]
    if any(state == "missing" for name, state in report["models"].items() if name not in ON_REQUEST):
        lines.append("          what is missing is fetched at first use, or now: hicom-agent models pull")
    lines += [f"version   {name} {version}" for name, version in report["versions"].items()]
    kept = report["conditioned"]
    lines.append(
        f"questions {kept['questions']} remembered, {kept['bytes'] / 2**20:.1f} of {kept['max_bytes'] / 2**20:.0f} MB; "
        f"used again {kept['hits']} of {kept['hits'] + kept['misses']} times; {kept['evicted']} let go"
    )
    return [*lines, f"gpu       {report['gpu'] or 'none'}", f"profile   {plain(report['profile'])}"]


@contextmanager
def progress_bars(enabled: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows progress on standard error: bars in a terminal, a line now and then elsewhere."""
    if not enabled:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield _Lines()


@contextmanager
def _bars() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[share]:>4} {task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(progress: Progress) -> None:
            if progress.stage not in tasks:
                total = progress.total or None
                tasks[progress.stage] = bars.add_task(progress.stage, total=total, share="", rate="", note="")
            task = tasks[progress.stage]
            bars.update(
                task,
                completed=progress.done,
                total=progress.total or None,  # None: the bar moves to and fro
                share=_share(progress),
                note=plain(progress.note),
                rate=_rate(progress, bars.tasks[list(tasks).index(progress.stage)].elapsed or 0.0),
            )

        yield show


def _share(progress: Progress) -> str:
    return f"{100 * progress.done / progress.total:.0f}%" if progress.total else ""


def _rate(progress: Progress, elapsed_s: float) -> str:
    if elapsed_s < 1 or not progress.done or not progress.unit:
        return ""
    each_s = progress.done / elapsed_s
    if progress.unit == "bytes":
        return f"{each_s / 2**20:.1f} MB/s"
    return f"{each_s:.0f}x" if progress.unit == "s" else f"{60 * each_s:.1f} {progress.unit} a minute"


class _Lines:
    """Writes a line at the start of each stage and then every ten seconds."""

    def __init__(self) -> None:
        self.stage, self.began_s, self.told_s = "", 0.0, 0.0

    def __call__(self, progress: Progress) -> None:
        from time import monotonic

        now_s = monotonic()
        if progress.stage == LOADING:  # a line each time would be much in a log
            return
        if progress.stage != self.stage:
            self.stage, self.began_s = progress.stage, now_s
        elif now_s - self.told_s < 10:
            return
        self.told_s = now_s
        elapsed_s = now_s - self.began_s
        left = ""
        if progress.total and progress.done and elapsed_s > 1:
            left = f", {elapsed_s * (progress.total / progress.done - 1):.0f} s left"
        note = f" ({plain(progress.note)})" if progress.note else ""
        parts = (progress.stage, _share(progress), _rate(progress, elapsed_s))
        sys.stderr.write(f"{' '.join(filter(None, parts))}{left}{note}\n")
