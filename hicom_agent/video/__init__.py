"""Open a video, and get its pictures, sound and frames from a process that may die without harm.

The names are loaded when first asked for: the process that decodes imports this package too, and needs little of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.video.client import probe, read_audio, read_frames, read_times, stream
    from hicom_agent.video.gate import OpenedVideo, content_hash, open_video
    from hicom_agent.video.plan import Limits, StreamPlan

_HOMES = {
    "Limits": "plan",
    "OpenedVideo": "gate",
    "StreamPlan": "plan",
    "content_hash": "gate",
    "open_video": "gate",
    "probe": "client",
    "read_audio": "client",
    "read_frames": "client",
    "read_times": "client",
    "stream": "client",
}
__all__ = [
    "Limits",
    "OpenedVideo",
    "StreamPlan",
    "content_hash",
    "open_video",
    "probe",
    "read_audio",
    "read_frames",
    "read_times",
    "stream",
]


def __getattr__(name: str) -> Any:
    """Return a public name from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
