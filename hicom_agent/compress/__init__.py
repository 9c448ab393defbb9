"""Clips compressed under a question: visual tokens, and where the question looked."""

from hicom_agent.compress.clips import compress

__all__ = ["compress"]
