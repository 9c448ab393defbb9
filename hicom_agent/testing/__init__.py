"""Doubles for tests and benchmarks: records that say where they came from, made films, models from seeds."""

from hicom_agent.testing.checkpoints import make_array, make_checkpoint, make_weights, weight_scale
from hicom_agent.testing.disks import FullDisk
from hicom_agent.testing.parts import make_parts
from hicom_agent.testing.records import make_record
from hicom_agent.testing.videos import make_video

__all__ = [
    "FullDisk",
    "make_array",
    "make_checkpoint",
    "make_parts",
    "make_record",
    "make_video",
    "make_weights",
    "weight_scale",
]
