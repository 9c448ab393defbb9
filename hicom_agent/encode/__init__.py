"""Frames and questions into one space: V, E and the guide, as HICom names them.

The names are loaded when first asked for: colours and guides need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.encode.guide import guide_text
    from hicom_agent.encode.nano import NanoEncoder

_HOMES = {"NanoEncoder": "nano", "guide_text": "guide"}
__all__ = ["NanoEncoder", "guide_text"]


def __getattr__(name: str) -> Any:
    """Return a public name from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
