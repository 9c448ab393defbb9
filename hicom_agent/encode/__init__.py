"""Frames and questions into one space: V, E and the guide, as HICom names them."""
