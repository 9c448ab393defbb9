"""What is written on the screen: PP-OCR through RapidOCR, whose models lie inside its package; no downloads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rapidocr
from rapidocr import RapidOCR

from hicom_agent.errors import SetupError
from hicom_agent.types import ScreenText, clean_text

if TYPE_CHECKING:
    from hicom_agent.types import Picture

# Measured on 512-pixel frames, 48 with made text of 8 to 30 px, 26 bare real ones: the detector at full size finds 46
# of 48 and costs 220 ms of CPU a frame; at 288 px with low thresholds it costs a third and points at 43 of those 46. So
# it glances first, and reads in full only where the glance saw anything. Gradient measures could not tell text from
# foliage: the faintest text had less of it than most bare frames.
_GLANCE_PX = 288
_SURE = 0.65  # of a line; textures read as letters scored up to 0.72, made text of 9 px and more from 0.8
_SAME = 0.8  # difflib ratio of two readings of one line
_MISSED_FRAMES = 1  # a line may flicker off for so many frames


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text in a picture."""

    text: str
    score: float  # 0 to 1
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 as shares of width and height


class ScreenReader:
    """Reads text in pictures."""

    def __init__(self, *, threads: int = 0) -> None:
        """Prepare the models of the installed package for half of `threads` (0: all cores).

        Raises SetupError if the package has no models.
        """
        folder = Path(rapidocr.__file__).parent / "models"
        shared = {
            "Global.use_cls": False,
            "Global.log_level": "critical",
            "Det.limit_type": "max",
            "Det.model_path": _only(folder, "*_det_*.onnx"),  # a path given is never downloaded
            "Rec.model_path": _only(folder, "*_rec_*.onnx"),
            # its threads wait by spinning: beside a busy decoder two on two cores took twice as long as one
            "EngineConfig.onnxruntime.intra_op_num_threads": max(1, (threads or os.cpu_count() or 2) // 2),
        }
        self._glancer = RapidOCR(
            params={**shared, "Det.limit_side_len": _GLANCE_PX, "Det.thresh": 0.2, "Det.box_thresh": 0.2}
        )
        self._reader = RapidOCR(params={**shared, "Det.limit_side_len": 960})

    def read(self, picture: Picture) -> list[TextLine]:
        """Return the lines of a picture, from the top. `picture`: [h, w, 3] RGB."""
        height, width = picture.shape[:2]
        if min(height, width) < 16 or picture.std() < 1.0:
            return []
        bgr = np.ascontiguousarray(picture[..., ::-1])
        if max(height, width) > _GLANCE_PX and self._glancer(bgr, use_rec=False).boxes is None:
            return []
        found: Any = self._reader(bgr)
        if found.txts is None:
            return []
        return [
            TextLine(clean_text(text), float(score), _share(box, width, height))
            for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
            if _is_text(clean_text(text), score)
        ]

    @staticmethod
    def gather(times_s: Sequence[float], lines: Sequence[Sequence[str]], step_s: float) -> list[ScreenText]:
        """Return each line once for as long as it stands; see `gather`."""
        return gather(times_s, lines, step_s)


@dataclass(slots=True)
class _Standing:
    """A line that is on the screen."""

    first: int  # frame
    last: int
    readings: Counter[str] = field(default_factory=Counter)
    latest: str = ""

    def see(self, index: int, text: str) -> None:
        self.last, self.latest = index, text
        self.readings[text] += 1


def gather(times_s: Sequence[float], lines: Sequence[Sequence[str]], step_s: float) -> list[ScreenText]:
    """Return each line once for as long as it stands, in the reading seen most often.

    `lines[i]` is what the frame at `times_s[i]` shows; a frame stands for at most `step_s`. Lines whose figures differ
    are never the same, for a score or a price is what is asked for.

    >>> gather([0.0, 1.0, 2.0], [["Gate 12"], ["Gate 12", "Go"], ["Gate 14"]], 1.0)[0]
    ScreenText(start_s=0.0, end_s=2.0, text='Gate 12')
    """
    if len(times_s) != len(lines):
        raise ValueError(f"need as many times as frames, got {len(times_s)} and {len(lines)}")
    standing: list[_Standing] = []
    gone: list[_Standing] = []
    for index, texts in enumerate(lines):
        gone += [line for line in standing if index - line.last > _MISSED_FRAMES + 1]
        standing = [line for line in standing if index - line.last <= _MISSED_FRAMES + 1]
        free = {id(line): line for line in standing}
        for text in texts:
            line = _match(text, list(free.values()))
            if line is None:
                line = _Standing(index, index)
                standing.append(line)
            else:
                del free[id(line)]
            line.see(index, text)
    gone += standing
    gone.sort(key=lambda line: line.first)
    return [_entry(line, times_s, step_s) for line in gone]


def _entry(line: _Standing, times_s: Sequence[float], step_s: float) -> ScreenText:
    end_s = times_s[line.last] + step_s
    if line.last + 1 < len(times_s):
        end_s = min(end_s, times_s[line.last + 1])
    text = max(line.readings, key=lambda reading: (line.readings[reading], len(reading), reading))
    return ScreenText(float(times_s[line.first]), float(end_s), text)


def _match(text: str, standing: Sequence[_Standing]) -> _Standing | None:
    for line in standing:
        if line.latest == text:
            return line
    likely = [(_likeness(text, line.latest), -i) for i, line in enumerate(standing)]
    best, at = max(likely, default=(0.0, 0))
    return standing[-at] if best >= _SAME else None


def _likeness(one: str, other: str) -> float:
    """Return how alike two readings are, 0 if their figures differ."""
    a, b = ("".join(text.casefold().split()) for text in (one, other))
    if [c for c in a if c.isdigit()] != [c for c in b if c.isdigit()]:
        return 0.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.real_quick_ratio() < _SAME or matcher.quick_ratio() < _SAME:
        return 0.0
    return matcher.ratio()


def _only(folder: Path, pattern: str) -> str:
    found = sorted(folder.glob(pattern))
    if not found:
        raise SetupError(f"no {pattern} in {folder}; run: pip install --force-reinstall rapidocr")
    return str(found[0])


def _is_text(text: str, score: float) -> bool:
    """Tell whether a reading is text: sure, and more than one character unless very sure."""
    size = sum(letter.isalnum() for letter in text)
    return score >= _SURE and (size >= 2 or (size == 1 and score >= 0.9))


def _share(box: Any, width: int, height: int) -> tuple[float, float, float, float]:
    x, y = np.asarray(box, float).T
    return float(x.min() / width), float(y.min() / height), float(x.max() / width), float(y.max() / height)
