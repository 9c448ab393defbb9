"""Footage into data for training: clips, and of each the pairs of instruction and description that a chat model writes.

Source: the way in which HICom-248K was made, as its paper tells it; the set itself was never published.
"""
