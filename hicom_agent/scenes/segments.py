"""A stream of pictures cut into minutes, each worked and saved on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hicom_agent.scenes.cuts import LEAD_S, TAIL_S
from hicom_agent.types import Damage, Frame, Glimpse

SEGMENT_S = 60.0


@dataclass
class Segment:
    """A minute of video as it comes from the decoder, with the glimpses around it that a cut detector needs."""

    index: int
    glimpses: list[Glimpse]
    frames: list[Frame]
    damage: list[Damage]

    @property
    def start_s(self) -> float:
        """Return where it starts."""
        return self.index * SEGMENT_S

    @property
    def end_s(self) -> float:
        """Return where the next one starts."""
        return (self.index + 1) * SEGMENT_S


def split_segments(items: Iterable[Glimpse | Frame | Damage], first: int) -> Iterator[Segment]:
    """Yield segments from number `first` on, each as soon as all that belongs to it was seen."""
    glimpses: list[Glimpse] = []
    frames: list[Frame] = []
    damage: list[Damage] = []
    index, seen_glimpse_s, seen_frame_s = first, 0.0, 0.0

    def cut() -> Segment:
        start_s, end_s = index * SEGMENT_S, (index + 1) * SEGMENT_S
        near = [g for g in glimpses if start_s - LEAD_S <= g.time_s < end_s + TAIL_S]
        segment = Segment(
            index,
            near,
            [f for f in frames if start_s <= f.time_s < end_s],
            [d for d in damage if start_s <= d.start_s < end_s],
        )
        glimpses[:] = [g for g in glimpses if g.time_s >= end_s - LEAD_S]
        frames[:] = [f for f in frames if f.time_s >= end_s]
        damage[:] = [d for d in damage if d.start_s >= end_s]
        return segment

    for item in items:
        if isinstance(item, Glimpse):
            glimpses.append(item)
            seen_glimpse_s = item.time_s
        elif isinstance(item, Frame):
            frames.append(item)
            seen_frame_s = item.time_s
        else:
            damage.append(item)
            seen_glimpse_s = seen_frame_s = max(item.end_s, seen_glimpse_s, seen_frame_s)
        while min(seen_glimpse_s - TAIL_S, seen_frame_s) >= (index + 1) * SEGMENT_S:
            yield cut()
            index += 1
    while any(x >= index * SEGMENT_S for x in [*(g.time_s for g in glimpses), *(d.start_s for d in damage)]):
        yield cut()
        index += 1
