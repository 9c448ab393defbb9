"""Answer questions about long videos. The public names, and nothing else."""

from hicom_agent.errors import HicomAgentError
from hicom_agent.types import Answer, Citation, Hit

__version__ = "0.1.0"
__all__ = ["Answer", "Citation", "HicomAgentError", "Hit", "__version__"]
