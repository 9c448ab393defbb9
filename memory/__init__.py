"""The memory: a catalogue, vectors, and how both are committed."""

from hicom_agent.memory.archives import export, import_archive
from hicom_agent.memory.conditioned import Conditioned, Kept, Look
from hicom_agent.memory.doctor import Finding, check, repair
from hicom_agent.memory.files import SeenFile
from hicom_agent.memory.joining import check_sources, merge
from hicom_agent.memory.journal import Journal
from hicom_agent.memory.queries import VideoFilter, VideoRow
from hicom_agent.memory.shards import Taken, adopt
from hicom_agent.memory.stats import Stats, stats
from hicom_agent.memory.store import Store

__all__ = [
    "Conditioned",
    "Finding",
    "Journal",
    "Kept",
    "Look",
    "SeenFile",
    "Stats",
    "Store",
    "Taken",
    "VideoFilter",
    "VideoRow",
    "adopt",
    "check",
    "check_sources",
    "export",
    "import_archive",
    "merge",
    "repair",
    "stats",
]
