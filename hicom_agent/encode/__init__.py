"""Frames and questions into one space: V, E and the guide, as HICom names them."""

from hicom_agent.encode.guide import guide_text
from hicom_agent.encode.nano import NanoEncoder

__all__ = ["NanoEncoder", "guide_text"]
