"""Clips compressed under a question: visual tokens, and where the question looked."""

from hicom_agent.compress.clips import compress
from hicom_agent.compress.config import HIComConfig
from hicom_agent.compress.projector import HIComProjector

__all__ = ["HIComConfig", "HIComProjector", "compress"]
