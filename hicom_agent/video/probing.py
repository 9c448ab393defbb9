"""Say what a video is, after looking into it. Runs in the decoding process."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from hicom_agent.errors import VideoUnreadable
from hicom_agent.video.container import declared_end_s, open_container, picture_track, sound_name, sound_track
from hicom_agent.video.pictures import shown_size, turns
from hicom_agent.video.reader import Pictures
from hicom_agent.video.sound import first_sound_s

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

    from hicom_agent.video.plan import Limits
    from hicom_agent.video.reader import Watch


def look(fd: int, limits: Limits, watch: Watch) -> dict[str, Any]:
    """Return the values of a VideoInfo; the first picture has been decoded.

    A picture track without any picture counts as none where there is sound.
    Raises VideoRefused, or VideoUnreadable when there are neither pictures nor sound.
    """
    with open_container(fd, limits) as container:
        has_pictures = picture_track(container, limits) is not None
        sound = sound_name(container)
        kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    if has_pictures:
        try:
            return {**_of_pictures(fd, limits, watch), "audio_codec": sound}
        except VideoUnreadable:
            if not sound:
                raise
    start_s = first_sound_s(fd, limits) if sound else None
    if start_s is None:
        raise VideoUnreadable(f"has no moving pictures and no sound (it has: {kinds}; cover art does not count)")
    end_s = _end_s(fd, limits, False, watch)
    return {"duration_s": max(0.0, end_s - start_s), "width_px": 0, "height_px": 0, "codec": "", "audio_codec": sound}


def _of_pictures(fd: int, limits: Limits, watch: Watch) -> dict[str, Any]:
    source = Pictures(fd, limits, watch)
    if source.first is None:
        raise VideoUnreadable("has no first picture")
    width_px, height_px = shown_size(source.first, source.stream.sample_aspect_ratio)
    if turns(source.first)[0] % 2:
        width_px, height_px = height_px, width_px
    codec, origin_s = source.stream.codec_context.name, source.origin_s
    source.container.close()
    duration_s = max(0.0, _end_s(fd, limits, True, watch) - origin_s)
    return {"duration_s": duration_s, "width_px": width_px, "height_px": height_px, "codec": codec}


def _end_s(fd: int, limits: Limits, of_pictures: bool, watch: Watch) -> float:
    """Return where a track ends on the container's clock: as declared, or where its last packet ends."""
    with open_container(fd, limits) as container:
        track = picture_track(container, limits) if of_pictures else sound_track(container)
        if track is None:
            return 0.0
        end_s, _ = declared_end_s(container, track)
        return end_s or _last_packet_end_s(container, track, watch)


def _last_packet_end_s(container: InputContainer, track: Stream, watch: Watch) -> float:
    end = 0
    try:
        for packet in container.demux(track):
            watch(None)
            end = max(end, (packet.pts or 0) + (packet.duration or 0))
    except av.FFmpegError:
        pass  # up to here it can be read
    return float(end * Fraction(track.time_base or 0))
