"""Subtitles, and which of them stand at the frames that are shown."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hicom_agent.errors import InputError
from hicom_agent.evaluation.layout import Entry, is_number, read_entries, read_text
from hicom_agent.types import clean_text, parse_time

_TIMES = re.compile(r"(\d+:\d\d:\d\d)[,.](\d+)\s*-->\s*(\d+:\d\d:\d\d)[,.](\d+)")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
SHORTEST_S = 1.0  # of LongVideoBench: a shorter line counts for a second around its middle, as in its public loader


@dataclass(frozen=True, slots=True)
class Subtitle:
    """One subtitle, on the clock of its video."""

    start_s: float
    end_s: float
    text: str  # one line


def read_subtitles(path: Path, from_s: float = 0.0) -> list[Subtitle]:
    """Return the subtitles of an .srt or .json file by time; `from_s` is where the video begins on their clock.

    Raises InputError for a file that cannot be read or holds none.
    """
    found = _read_json(path) if path.suffix == ".json" else _read_srt(path)
    moved = [Subtitle(each.start_s - from_s, each.end_s - from_s, each.text) for each in found if each.text]
    return sorted(moved, key=lambda each: (each.start_s, each.end_s))


def lines_at(subtitles: Sequence[Subtitle], times_s: Sequence[float]) -> list[str]:
    """Return the texts that stand at one of the times, each subtitle once, in order of time.

    >>> lines_at([Subtitle(0, 2, "hello"), Subtitle(2, 4, "so"), Subtitle(4, 6, "bye")], [1.0, 5.0, 5.5])
    ['hello', 'bye']
    """
    return [each.text for each in subtitles if any(each.start_s <= time_s < each.end_s for time_s in times_s)]


def _read_srt(path: Path) -> list[Subtitle]:
    text = read_text(path, errors="replace")
    found = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        head, _, words = block.strip().partition("\n")
        if "-->" not in head:  # a number comes first
            head, _, words = words.partition("\n")
        times = _TIMES.search(head)
        if times is not None:
            start_s, end_s = (parse_time(f"{times[i]}.{times[i + 1]}") for i in (1, 3))
            found.append(Subtitle(start_s, end_s, clean_text(html.unescape(_TAG.sub("", words)))))
    if not found and text.strip():
        raise InputError(f"no subtitle in {path}: expected lines such as 00:00:01,000 --> 00:00:02,500")
    return found


def _read_json(path: Path) -> list[Subtitle]:
    found = []
    for entry in read_entries(path):
        if "timestamp" in entry.fields:
            start_s, end_s = _timestamp(entry)
            text = entry.fields.get("text")
        else:
            start_s, end_s = (_seconds(entry, name) for name in ("start", "end"))
            text = entry.fields.get("line")
        if not isinstance(text, str):
            raise entry.wrong("line", "a text")
        if end_s - start_s < SHORTEST_S:
            middle_s = (start_s + end_s) / 2
            start_s, end_s = middle_s - SHORTEST_S / 2, middle_s + SHORTEST_S / 2
        found.append(Subtitle(start_s, end_s, clean_text(text)))
    return found


def _timestamp(entry: Entry) -> tuple[float, float]:
    """Return start and end; the last one of a video may have no end."""
    value = entry.fields["timestamp"]
    if not isinstance(value, list) or len(value) != 2 or not is_number(value[0]):
        raise entry.wrong("timestamp", "a start and an end in seconds")
    return float(value[0]), float(value[1]) if is_number(value[1]) else float("inf")


def _seconds(entry: Entry, name: str) -> float:
    try:
        return parse_time(entry.text(name))
    except ValueError as error:
        raise entry.wrong(name, "a time such as 00:01:02.500") from error
