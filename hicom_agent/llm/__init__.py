"""Language models that answer from evidence, and what keeps them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.llm.hicom import HIComModel

__all__ = ["HIComModel"]


def __getattr__(name: str) -> Any:
    """Load the model's code when it is asked for: a question to nano needs none of it."""
    if name == "HIComModel":
        from hicom_agent.llm.hicom import HIComModel

        return HIComModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
