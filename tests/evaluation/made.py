"""Folders in the public layouts of the benchmarks, with few questions and small films."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow
import pyarrow.parquet

Film = Path
SRT = """1
00:00:00,000 --> 00:00:00,900
<font color="white" size=".72c">A red ball
is thrown.</font>

2
00:00:00,950 --> 00:00:00,990
Between two frames.

3
00:00:01,000 --> 00:00:03,000
It lands &amp; rolls.
"""


def put(film: Film, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(film, path)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def videomme_row(number: int, video: str, duration: str = "short", **changes: Any) -> dict[str, Any]:
    return {
        "video_id": f"{number:03}",
        "duration": duration,
        "domain": "Knowledge",
        "sub_category": "Geography",
        "url": f"https://example.com/{video}",
        "videoID": video,
        "question_id": f"{number:03}-1",
        "task_type": "Counting Problem" if number % 2 else "Object Recognition",
        "question": f"What is thrown in scene {number}?",
        "options": ["A. A ball.", "B. A hat.", "C. A cat.", "D. Nothing."],
        "answer": "ABCD"[number % 4],
    } | changes


def make_videomme(folder: Path, film: Film, rows: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Two videos with two questions each, and one that is not there."""
    videos = ("vidA", "vidB", "gone")
    rows = rows or [videomme_row(n, videos[n // 2], ("short", "medium", "long")[n // 2]) for n in range(5)]
    (folder / "videomme").mkdir(parents=True)
    table = pyarrow.Table.from_pylist([dict(row) for row in rows])
    pyarrow.parquet.write_table(table, folder / "videomme" / "test-00000-of-00001.parquet")
    put(film, folder / "data" / "vidA.mp4")
    put(film, folder / "data" / "vidB.mkv")
    (folder / "subtitle").mkdir()
    (folder / "subtitle" / "vidA.srt").write_text(SRT)
    return folder


def make_jpegs(folder: Path, count: int) -> None:
    """Write frames 00001.jpg and so on, each brighter than the one before."""
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        (folder / f"{number:05}.jpg").write_bytes(jpeg(np.full((48, 64, 3), 10 * number, np.uint8)))


def jpeg(picture: Any) -> bytes:
    context: Any = av.CodecContext.create("mjpeg", "w")
    context.height, context.width = picture.shape[:2]
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 3)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def make_mvbench(folder: Path, film: Film) -> Path:
    """Three tasks: of videos, of stretches of videos, and of folders of frames."""
    bounds = {"start": 1.0, "end": 2.5}
    rows = {
        "object_existence": [
            {"video": "video_1.mp4", "question": "Is there a cube?", "candidates": ["yes", "no"], "answer": "no"}
            | bounds,  # which count in other tasks only
            {"video": "video_2.mp4", "question": "Is there a ball?", "candidates": ["yes", "no"], "answer": "yes"},
        ],
        "action_sequence": [
            {"video": "ACT.mp4", "question": "What then?", "candidates": ["Sat.", "Stood."], "answer": "Stood."}
            | bounds
        ],
        "episodic_reasoning": [
            {"video": "show/clip_00", "question": "Why?", "candidates": ["Fun", "Rage", "Habit"], "answer": "Fun"}
            | {"start": 0, "end": 3}
        ],
    }
    for task, entries in rows.items():
        write(folder / "json" / f"{task}.json", entries)
    put(film, folder / "video" / "clevrer" / "video_validation" / "video_1.mp4")
    put(film, folder / "video" / "star" / "Charades_v1_480" / "ACT.mp4")
    make_jpegs(folder / "video" / "tvqa" / "frames_fps3_hq" / "show" / "clip_00", 12)
    return folder


def make_egoschema(folder: Path, film: Film) -> Path:
    names = ["0001-aa", "0002-bb", "0003-cc"]
    options = {f"option {i}": f"C does thing {i}" for i in range(5)}
    write(
        folder / "questions.json", [{"q_uid": n, "google_drive_id": "x", "question": "Why?", **options} for n in names]
    )
    write(folder / "subset_answers.json", {"0001-aa": 3})
    for name in names[:2]:
        put(film, folder / "videos" / f"{name}.mp4")
    return folder


def make_mlvu(folder: Path, film: Film) -> Path:
    def entry(video: str, kind: str, **more: Any) -> dict[str, Any]:
        return {"video": video, "duration": 3.0, "question": "What is it?", "question_type": kind, **more}

    choice = {"candidates": ["1", "2", "3", "4"], "answer": "3"}
    write(folder / "json" / "1_plotQA.json", [entry("movie_1.mp4", "plotQA", **choice)])
    write(
        folder / "json" / "4_count.json", [entry("movie_1.mp4", "count", **choice), entry("2.mp4", "count", **choice)]
    )
    write(folder / "json" / "9_summary.json", [entry("s.mp4", "summary", answer="A long story.")])
    put(film, folder / "video" / "1_plotQA" / "movie_1.mp4")
    put(film, folder / "video" / "count" / "movie_1.mp4")
    return folder


def make_lvbench(folder: Path, film: Film) -> Path:
    def asked(uid: str, answer: str, kinds: list[str]) -> dict[str, Any]:
        text = "What year appears?\n(A) 1636\n(B) 1366\n(C) 1363\n(D) 1633"
        return {"uid": uid, "question": text, "answer": answer, "question_type": kinds, "time_reference": "00:01-00:02"}

    lines = [
        {"key": "Cm73ma6Ibcs", "type": "cartoon", "qa": [asked("1", "D", ["reasoning", "temporal grounding"])]},
        {"key": "gone", "type": "sport", "qa": [asked("2", "A", ["summarization"])]},
    ]
    folder.mkdir(parents=True)
    (folder / "video_info.meta.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    put(film, folder / "all_videos" / "Cm73ma6Ibcs.mp4")
    return folder


def make_longvideobench(folder: Path, film: Film) -> Path:
    def entry(number: int, name: str, group: int) -> dict[str, Any]:
        return {
            "video_id": name,
            "question": f"When the ball is thrown, what is written, {number}?",
            "question_wo_referring_query": "What is written?",
            "candidates": ["Exit", "Enter", "Stop", "Go", "None"][: 3 + number],
            "correct_choice": number,
            "position": [3],
            "topic_category": "KS-Knowledge-STEM",
            "question_category": "S2E",
            "level": "L1-Perception",
            "id": f"{name}_{number}",
            "video_path": f"{name}.mp4",
            "subtitle_path": f"{name}_en.json",
            "duration_group": group,
            "starting_timestamp_for_subtitles": 100,
            "duration": 3.0,
            "view_count": 1,
        }

    write(folder / "lvb_val.json", [entry(0, "one", 15), entry(1, "one", 15), entry(2, "two", 3600)])
    shown = [{"start": "00:01:40.000", "end": "00:01:41.200", "line": "hello"}]
    write(folder / "subtitles" / "one_en.json", [*shown, {"start": "00:01:42.4", "end": "00:01:42.5", "line": "short"}])
    write(folder / "subtitles" / "two_en.json", [{"timestamp": [100.0, None], "text": "to the end"}])
    put(film, folder / "videos" / "one.mp4")
    return folder


MAKERS = {
    "videomme": make_videomme,
    "mvbench": make_mvbench,
    "egoschema": make_egoschema,
    "mlvu": make_mlvu,
    "lvbench": make_lvbench,
    "longvideobench": make_longvideobench,
}
