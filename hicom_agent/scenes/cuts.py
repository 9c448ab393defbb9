"""Where one shot ends and the next begins: PySceneDetect's detectors on glimpses, frame by frame where it matters.

Glimpses on the grid alone would find only half of the cuts of a quickly cut film (measured: 50 of 106), because the
detector compares a step with its neighbours. With the glimpses in between, which come wherever the picture changed
much, it sees what it would see of every frame there (106 of 106), and its cuts are exact to the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode, SceneDetector, ThresholdDetector
from scenedetect.common import Timecode

from hicom_agent.types import Glimpse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures = NDArray[np.uint8]  # [t, h, w, 3] BGR
    Detector = Literal["adaptive", "content", "loose"]

# Glimpses around a segment that its result depends on. Multiples of the grid's step, so that a pass that is resumed
# at the lead-in sees the same glimpses as one from the start. The longest reach is that of `changes`.
LEAD_S = 6.0
TAIL_S = 6.0

TICKS_PER_S = 1_000_000
REACH = 3  # the adaptive detector scores a step by two steps before and after it
MIN_STEP = 6.0  # mean change of a value, of 255; below it only the hue of near-black noise looks like a cut
STAND_OUT = 2.2  # times the mean of the four steps around; real cuts have 3.2 or more, the detector asks for 3 in HSV
LOOSE = 22.0  # of the content detector, whose own is 27; at 18 cars that pass a still camera were cuts
HOLD_S = 0.5  # a picture that stands longer than this (slides, time-lapse) is given to the detector again
DARK = 12  # mean value of a picture in a fade, PySceneDetect's default
FLASH_S = 0.4  # what is back within this time was a flash
SAME = 0.4  # of the size of the cut: less difference than that is the same shot


def segment_cuts(
    glimpses: Sequence[Glimpse], start_s: float, end_s: float, detector: Detector = "adaptive"
) -> list[float]:
    """Return the times in [start_s, end_s) of the first frames of new shots.

    The result is a function of the glimpses in [start_s - LEAD_S, end_s + TAIL_S); others are ignored, so it is the
    same for a pass from the start and for one resumed at the lead-in. If the first of these lies in the segment,
    what was shown before is not known, and it counts as a cut (unless the video begins here).
    """
    near = [g for g in glimpses if start_s - LEAD_S <= g.time_s < end_s + TAIL_S]
    cuts = find_cuts(near, detector)
    if near and 0 < start_s <= near[0].time_s:
        cuts.insert(0, near[0].time_s)
    return [time_s for time_s in cuts if start_s <= time_s < end_s]


def find_cuts(glimpses: Sequence[Glimpse], detector: Detector = "adaptive") -> list[float]:
    """Return the times of the first frames of new shots: sharp cuts and ends of fades through black.

    Glimpses are in order of time. Flashes are no cuts.
    """
    if len(glimpses) < 2:
        return []
    times_s, pictures = _hold(glimpses)
    steps = _steps(pictures)
    cuts = set(_fades(times_s, pictures))
    marked = steps >= MIN_STEP
    if detector == "adaptive":
        marked &= _stand_out(steps)
    for first, last in _runs(marked):
        found = _detect(_make_detector(detector), times_s[first:last], pictures[first:last])
        cuts.update(first + i for i in found if marked[first + i] and _stays(first + i, times_s, pictures))
    return [float(times_s[i]) for i in sorted(cuts)]


def stack_pictures(glimpses: Sequence[Glimpse]) -> Pictures:
    """Return the pictures as one array, all in the size of the first; a stream may change its size."""
    height, width = glimpses[0].picture.shape[:2]
    fitting = [
        g.picture if g.picture.shape[:2] == (height, width) else cv2.resize(g.picture, (width, height))
        for g in glimpses
    ]
    return np.stack(fitting)


def _make_detector(name: Detector) -> SceneDetector:
    # A minimum length would be a memory longer than the lead-in; it is kept by `make_clips` instead.
    if name == "adaptive":
        return AdaptiveDetector(min_scene_len=0)
    return ContentDetector(threshold=LOOSE if name == "loose" else 27.0, min_scene_len=0)


def _hold(glimpses: Sequence[Glimpse]) -> tuple[NDArray[np.float64], Pictures]:
    """Return times and pictures with copies of those that stand long and of the last, as a screen would show them.

    Without them, steps between slides would have only steps between slides to be compared with.
    """
    times_s, index = [glimpses[0].time_s], [0]
    for i, (left, right) in enumerate(pairwise(glimpses)):
        if right.time_s - left.time_s > HOLD_S:
            times_s += np.linspace(left.time_s, right.time_s, REACH + 2)[1:-1].tolist()
            index += [i] * REACH
        times_s.append(right.time_s)
        index.append(i + 1)
    times_s += [times_s[-1] + n / TICKS_PER_S for n in range(1, REACH)]
    index += [index[-1]] * (REACH - 1)
    return np.array(times_s), stack_pictures(glimpses)[index]


def _steps(pictures: Pictures) -> NDArray[np.float64]:
    """Return the mean change from each picture's predecessor [t], 0 for the first."""
    flat = pictures.reshape(len(pictures), -1)
    return np.concatenate([[0.0], cv2.absdiff(flat[1:], flat[:-1]).mean(1)])


def _stand_out(steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which steps are larger than those around them: the adaptive detector's question, asked cheaply."""
    padded = np.pad(steps, 2, mode="edge")
    around = (padded[:-4] + padded[1:-3] + padded[3:-1] + padded[4:]) / 4
    return steps >= STAND_OUT * around


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return [first, last) of the stretches that hold all marked pictures and what a detector needs around them.

    Only these are given to a detector: most of a film is calm, and a detector costs 0.15 ms a picture.
    """
    runs: list[tuple[int, int]] = []
    for i in np.flatnonzero(mask).tolist():
        first, last = max(0, i - REACH), min(len(mask), i + REACH)
        if runs and first <= runs[-1][1]:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return runs


def _detect(detector: SceneDetector, times_s: NDArray[np.float64], pictures: Pictures) -> list[int]:
    """Return the indices of the pictures at which the detector reports a cut."""
    ticks = np.round((times_s - times_s[0]) * TICKS_PER_S).astype(np.int64)
    found: list[FrameTimecode] = []
    for tick, picture in zip(ticks.tolist(), pictures, strict=True):
        code = FrameTimecode(Timecode(tick, Fraction(1, TICKS_PER_S)), Fraction(TICKS_PER_S))
        found += detector.process_frame(code, picture)
    index: list[int] = np.searchsorted(ticks, [code.pts for code in found]).tolist()
    return index


def _fades(times_s: NDArray[np.float64], pictures: Pictures) -> list[int]:
    """Return where pictures come back from black: the first that is brighter, which needs no memory of how long.

    A dark scene that only flickers about the threshold does not come back.
    """
    brightness = pictures.reshape(len(pictures), -1).mean(1)
    found: list[int] = []
    for first, last in _runs(np.diff(brightness < DARK, prepend=brightness[0] < DARK)):
        detector = ThresholdDetector(threshold=DARK, min_scene_len=0, fade_bias=1.0)
        found += [first + i for i in _detect(detector, times_s[first:last], pictures[first:last])]
    soon = [brightness[(times_s >= times_s[i]) & (times_s <= times_s[i] + 1.0)] for i in found]
    return [i for i, values in zip(found, soon, strict=True) if values.max() >= 2 * DARK]


def _stays(i: int, times_s: NDArray[np.float64], pictures: Pictures) -> bool:
    """Return whether the shot before picture i is gone for good, and the one after it was not there just before."""
    before, after = pictures[i - 1].astype(np.int16), pictures[i].astype(np.int16)
    size = np.abs(after - before).mean()
    later = pictures[i + 1 : np.searchsorted(times_s, times_s[i] + FLASH_S, side="right")]
    earlier = pictures[np.searchsorted(times_s, times_s[i] - FLASH_S) : i - 1]
    far = [np.abs(later - before).mean((1, 2, 3)), np.abs(earlier - after).mean((1, 2, 3))]
    return bool(np.all(np.concatenate(far) > SAME * size))
