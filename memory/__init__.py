"""The memory: a catalogue, vectors, and how both are committed."""

from hicom_agent.memory.conditioned import Conditioned, Kept, Look
from hicom_agent.memory.doctor import Finding, check, repair
from hicom_agent.memory.journal import Journal
from hicom_agent.memory.queries import VideoFilter, VideoRow
from hicom_agent.memory.shards import adopt
from hicom_agent.memory.store import Store

__all__ = [
    "Conditioned",
    "Finding",
    "Journal",
    "Kept",
    "Look",
    "Store",
    "VideoFilter",
    "VideoRow",
    "adopt",
    "check",
    "repair",
]
