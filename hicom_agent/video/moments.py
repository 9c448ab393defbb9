"""Read single frames by time: decord where it can be trusted, PyAV otherwise. Runs in the decoding process.

Measured on 183 films whose pictures carry their number: PyAV as used here gave no wrong frame. decord 0.6.0 gave none
for VP8, VP9 and ordinary H.264 in MP4 and Matroska; it gave wrong ones for MPEG-4 with B-frames, H.264 with intra
refresh, HEVC, edit lists, MPEG-TS and AVI, has no AV1, and knows nothing of rotation and pixel shape. So it is used for
the first kind only, and what it gives is compared with PyAV's frames at both ends of what was asked, in every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from av.video.frame import VideoFrame

from hicom_agent.errors import VideoUnreadable
from hicom_agent.video.glimpses import LEADS_S
from hicom_agent.video.pictures import Shaper, turns
from hicom_agent.video.reader import Pictures, Shown

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

    from hicom_agent.video.pictures import Picture

TOLERANCE_S = 1e-3  # a frame counts as shown this much before its time: callers round
_AHEAD_S = 3.0  # as far PyAV decodes on instead of looking for a keyframe
_WORTH = 3  # frames from which on opening decord, which reads the whole index, can pay
_BATCH = 4  # frames in full size that decord gives at once
_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
_CODECS = ("h264", "vp8", "vp9")
_SLICE, _WHOLE_SLICE = 1, 5  # kinds of H.264 units: part of any picture, part of one that starts afresh (IDR)
_ALIKE = 10.0  # mean absolute difference, of 255, up to which two decoders show the same


class Moment(NamedTuple):
    """The frame shown at a time that was asked for."""

    time_s: float  # when the frame begins to be shown
    picture: Picture  # RGB


def read_moments(source: Pictures, times_s: Sequence[float], side_px: int, path: str = "") -> Iterator[Moment]:
    """Yield for each of the ascending times the frame shown then: the last that begins at or before it.

    `path` is where decord may open the same file, "" to leave it out.
    Raises VideoUnreadable when no frame can be decoded there.
    """
    if path and len(times_s) >= _WORTH and plain_start(path) and trusted(source, times_s[0], times_s[-1]):
        ends = [_moment(source, Shaper(side_px), shown) for shown in shown_at(source, (times_s[0], times_s[-1]))]
        found = from_decord(path, times_s, side_px)
        if found and all(_agree(ours, theirs) for ours, theirs in zip(ends, (found[0], found[-1]), strict=True)):
            yield from found
            return
    shaper = Shaper(side_px)
    for shown in shown_at(source, times_s):
        yield _moment(source, shaper, shown)


def shown_at(source: Pictures, times_s: Iterable[float]) -> Iterator[Shown]:
    """Yield for each of the ascending times the frame shown then, by PyAV."""
    frames: Iterator[Shown] = iter(())
    current: Shown | None = None
    following: Shown | None = None
    for time_s in times_s:
        until_s = time_s + TOLERANCE_S
        if current is None or (following is not None and until_s - current.time_s > _AHEAD_S):
            current, frames = _from_before(source, until_s)
            following = next(frames, None)
        while following is not None and following.time_s <= until_s:
            current, following = following, next(frames, None)
        yield current


def trusted(source: Pictures, start_s: float, end_s: float) -> bool:
    """Return whether decord shows every frame of this stretch as PyAV does, as far as was measured."""
    context, first = source.stream.codec_context, source.first
    return (
        source.container.format.name in _CONTAINERS
        and context.name in _CODECS
        and context.pix_fmt == "yuv420p"
        and source.stream.sample_aspect_ratio in (None, 0, 1)
        and first is not None
        and turns(first) == (0, False)
        and not any(entry.is_discard for entry in source.stream.index_entries)  # an edit list
        and (context.name != "h264" or all(starts_afresh(packet) for packet in source.keyframes(start_s, end_s)))
    )


def plain_start(path: str) -> bool:
    """Return whether a file begins so that no FFmpeg takes it for a list of other files; decord's has no allow-list."""
    with Path(path).open("rb") as file:
        head = file.read(8)
    return head[4:] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3"


def starts_afresh(packet: Packet[VideoStream]) -> bool:
    """Return whether an H.264 packet needs none before it; a keyframe may also be where a slow refresh begins."""
    header, data = packet.stream.codec_context.extradata or b"", bytes(packet)
    if len(header) < 5 or header[0] != 1:
        return False  # not written as in MP4: nothing to go by
    prefix, at = (header[4] & 3) + 1, 0
    while at + prefix < len(data):
        kind = data[at + prefix] & 31
        if kind in (_SLICE, _WHOLE_SLICE):
            return kind == _WHOLE_SLICE
        at += prefix + int.from_bytes(data[at : at + prefix])
    return False


def from_decord(path: str, times_s: Sequence[float], side_px: int) -> list[Moment]:
    """Return the frames shown at the ascending times by decord's clock, or nothing where it cannot say."""
    from decord import DECORDError, VideoReader

    shaper = Shaper(side_px)
    try:
        reader = VideoReader(path, num_threads=1)
        starts_s = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        starts_s -= starts_s[0]
        if np.any(np.diff(starts_s) <= 0):
            return []
        found = np.searchsorted(starts_s, np.asarray(times_s) + TOLERANCE_S, side="right") - 1
        indexes = np.maximum(found, 0).tolist()
        moments = []
        for first in range(0, len(indexes), _BATCH):
            some = indexes[first : first + _BATCH]
            for index, picture in zip(some, reader.get_batch(some).asnumpy(), strict=True):
                moments.append(Moment(float(starts_s[index]), shaper.picture(VideoFrame.from_ndarray(picture), None)))
        return moments
    except (DECORDError, IndexError, ValueError):
        return []


def _from_before(source: Pictures, time_s: float) -> tuple[Shown, Iterator[Shown]]:
    """Return a frame that begins at or before a time (or the video's first) and an iterator over those after it."""
    for lead_s in LEADS_S:
        from_s = time_s - lead_s
        frames = (item for item in source.shown(from_s) if isinstance(item, Shown))
        first = next(frames, None)
        if first is not None and (first.time_s <= time_s or from_s <= 0):
            return first, frames
    raise VideoUnreadable(f"has no picture that can be decoded at {time_s:.3f} s")


def _moment(source: Pictures, shaper: Shaper, shown: Shown) -> Moment:
    return Moment(shown.time_s, shaper.picture(shown.frame, source.stream.sample_aspect_ratio))


def _agree(ours: Moment, theirs: Moment) -> bool:
    if abs(ours.time_s - theirs.time_s) > TOLERANCE_S or ours.picture.shape != theirs.picture.shape:
        return False
    return float(np.abs(ours.picture.astype(np.int16) - theirs.picture).mean()) <= _ALIKE
