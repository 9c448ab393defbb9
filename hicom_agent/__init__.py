"""Answer questions about long videos. The public names, and nothing else; each is loaded when first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.errors import HicomAgentError
    from hicom_agent.types import Answer, Citation, Hit

__version__ = "0.1.0"
__all__ = ["Answer", "Citation", "HicomAgentError", "Hit", "__version__"]


def __getattr__(name: str) -> Any:
    """Return a public name; pydantic is not loaded for a help text or in a process that decodes."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("hicom_agent.errors" if name == "HicomAgentError" else "hicom_agent.types"), name)
