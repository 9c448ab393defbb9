"""The memory: a catalogue, vectors, and how both are committed."""
