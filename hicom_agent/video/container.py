"""Open a container by its descriptor, with what FFmpeg may use spelled out. Runs in the decoding process."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.stream import Discard, Disposition

from hicom_agent.errors import VideoRefused, VideoUnreadable

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

    from hicom_agent.video.plan import Limits

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,mp3,wav,flac"
PICTURE_DECODERS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mpeg2video", "mjpeg", "prores")
MAX_BOXES = 10_000  # of an MP4, that are looked at
SOUND_DECODERS = ("aac", "mp3", "mp3float", "opus", "vorbis", "flac", "ac3", "pcm_s16le")


def open_container(fd: int, limits: Limits) -> InputContainer:
    """Return the opened container, its streams checked; only one may be open on a descriptor.

    Options for the container do not reach the decoders that PyAV opens later: those are checked by name
    and limited in `picture_track`.
    Raises VideoRefused or VideoUnreadable.
    """
    os.lseek(fd, 0, os.SEEK_SET)  # FFmpeg reads from where the offset stands
    options = {
        "fd": str(fd),
        "protocol_whitelist": "fd",
        "format_whitelist": FORMATS,
        "codec_whitelist": ",".join(PICTURE_DECODERS + SOUND_DECODERS),
        "max_pixels": str(limits.max_pixels),
    }
    try:
        container: InputContainer = av.open("fd:", options=options, metadata_errors="replace")
    except MemoryError:
        raise
    except av.EOFError as error:
        raise VideoUnreadable("ends before its first picture; copy it again") from error
    except av.FFmpegError as error:
        if is_cut_off(fd):
            raise VideoUnreadable(
                "begins as an MP4 and its index is missing: it may have been cut off while it was copied or recorded; "
                "copy it again"
            ) from error
        raise VideoRefused(
            "is not a video that can be opened: expected MP4, MKV, WebM, AVI, MPEG, FLV or Ogg, whole at its beginning"
        ) from error
    count = len(container.streams)
    if not 1 <= count <= limits.max_streams:
        raise VideoRefused(f"has {count} streams, expected 1 to {limits.max_streams}")
    length_s = (container.duration or 0) / av.time_base
    if length_s > limits.max_duration_s:
        raise VideoRefused(
            f"says that it lasts {length_s / 3600:.0f} h, at most {limits.max_duration_s / 3600:.0f} h are allowed"
        )
    return container


def is_cut_off(fd: int) -> bool:
    """Return whether a file begins as an MP4 does, and ends before its index (the box `moov`) does."""
    size, at = os.fstat(fd).st_size, 0
    if os.pread(fd, 4, 4) != b"ftyp":
        return False
    for _ in range(MAX_BOXES):
        head = os.pread(fd, 16, at)
        length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4])
        at += length or size  # 0: up to the end
        if head[4:8] == b"moov":
            return at > size
        if at >= size or length in range(1, 8):
            return True
    return False


def picture_track(container: InputContainer, limits: Limits) -> VideoStream | None:
    """Return the first video track that is not an attached picture (cover art), ready to decode, or None.

    Raises VideoRefused for a decoder or a size that is not allowed.
    """
    for stream in container.streams.video:
        if stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails):
            continue
        context = stream.codec_context
        name = context.name if context else "unknown"
        if context is None or name not in PICTURE_DECODERS:
            raise VideoRefused(f"has pictures coded as {name}, expected one of {', '.join(PICTURE_DECODERS)}")
        if context.width * context.height > limits.max_pixels:
            raise VideoRefused(
                f"has pictures of {context.width} x {context.height}, at most {limits.max_pixels} pixels are allowed"
            )
        context.options = {"max_pixels": str(limits.max_pixels)}  # a header can lie: the decoder checks again
        context.thread_type = "AUTO"
        if context.width * context.height > 4096 * 2304:
            context.thread_count = 2  # each thread holds whole pictures
        _only(container, stream)
        return stream
    return None


def sound_track(container: InputContainer) -> AudioStream | None:
    """Return the first audio track with an allowed decoder, ready to decode, or None."""
    for stream in container.streams.audio:
        if stream.codec_context and stream.codec_context.name in SOUND_DECODERS:
            _only(container, stream)
            return stream
    return None


def sound_name(container: InputContainer) -> str:
    """Return the decoder of the sound track, "" without one."""
    names = (stream.codec_context.name for stream in container.streams.audio if stream.codec_context)
    return next((name for name in names if name in SOUND_DECODERS), "")


def declared_end_s(container: InputContainer, stream: Stream) -> tuple[float, bool]:
    """Return where a track ends on the container's clock, 0 where unknown, and whether it is this track's own."""
    if stream.duration:
        return float(((stream.start_time or 0) + stream.duration) * Fraction(stream.time_base or 0)), True
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds), True  # Matroska, by nearly every writer
    except ValueError:
        pass
    if container.duration:
        return ((container.start_time or 0) + container.duration) / av.time_base, False
    return 0.0, False


def _only(container: InputContainer, wanted: Stream) -> None:
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == wanted.index else Discard.all
