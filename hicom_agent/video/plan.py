"""What is asked of a decoding process, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass

GLIMPSE_STEP_S = 0.2
GLIMPSE_SIDE_PX = 64
SOUND_HZ = 16000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one video may cost; the defaults let any honest video through."""

    max_streams: int = 32
    max_pixels: int = 64_000_000  # of one picture
    max_duration_s: float = 100 * 3600.0
    max_gap_s: float = 6 * 3600.0  # between two pictures; a longer one is a broken clock
    memory_bytes: int = 4 * 2**30  # address space of the decoding process
    cpu_s: int = 6 * 3600  # of one decoding process
    stall_s: float = 30.0  # without a sign of life, before it is killed
    max_restarts: int = 8  # in one pass over the video
    restart_step_s: float = 10.0  # left out after a crash; twice as much when it crashes again at once

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What one pass over the pictures gives."""

    start_s: float = 0.0  # from here on; the same as the tail of a pass from 0
    sample_every_s: float = 1.0  # grid of the frames: the first one at or after each multiple
    side_px: int = 512  # longest side of the frames; smaller pictures are not enlarged
    pictures: bool = True  # False: glimpses only

    def __post_init__(self) -> None:
        if not (self.start_s >= 0 and self.sample_every_s > 0 and self.side_px >= 1):
            raise ValueError(f"need start_s >= 0, sample_every_s > 0 and side_px >= 1, got {self}")
