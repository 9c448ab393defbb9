"""When each frame of a video is shown, from its packets alone. Runs in the decoding process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from hicom_agent.video.plan import Limits
    from hicom_agent.video.reader import Pictures, Watch


def packet_times(source: Pictures, limits: Limits, watch: Watch) -> list[float]:
    """Return the times of all frames, ascending; nothing but the first picture is decoded.

    A damaged file has those up to the damage, an hour of film takes a second or so.
    """
    times: set[float] = set()
    source.container.seek(0, stream=source.stream)
    try:
        for packet in source.container.demux(source.stream):
            watch(None)
            stamp = packet.pts if packet.pts is not None else packet.dts
            if packet.size and stamp is not None and stamp >= source.origin:
                times.add(float((stamp - source.origin) * source.tick_s))
    except (av.FFmpegError, IndexError):
        pass  # up to here it can be read
    return sorted(time_s for time_s in times if time_s <= limits.max_duration_s)
