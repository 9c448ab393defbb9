"""Cuts, lasting changes, clips, and which sampled frames show something new."""

from hicom_agent.scenes.changes import find_changes, segment_changes
from hicom_agent.scenes.clips import make_clips
from hicom_agent.scenes.cuts import LEAD_S, TAIL_S, find_cuts, segment_cuts
from hicom_agent.scenes.gate import ChangeGate, thumbnail
from hicom_agent.scenes.segments import SEGMENT_S, Segment, split_segments

__all__ = [
    "LEAD_S",
    "SEGMENT_S",
    "TAIL_S",
    "ChangeGate",
    "Segment",
    "find_changes",
    "find_cuts",
    "make_clips",
    "segment_changes",
    "segment_cuts",
    "split_segments",
    "thumbnail",
]
