"""Stages of training: conversations and footage in, a checkpoint in the release's layout out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.training.config import TrainConfig, load_config
    from hicom_agent.training.run import plan, train

_HOMES = {"TrainConfig": "config", "load_config": "config", "plan": "run", "train": "run"}
__all__ = ["TrainConfig", "load_config", "plan", "train"]


def __getattr__(name: str) -> Any:
    """Return a public name from the module that has it; a config is read without torch."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
