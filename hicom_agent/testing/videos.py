"""Films made for a test."""

from __future__ import annotations

from pathlib import Path


def make_video(path: Path, *, seconds: float = 4.0, fps: int = 25, sound: bool = False, seed: int = 0) -> Path:
    """Write an H.264 film of 320x180 that changes its picture every two seconds, and return its path.

    Each shot is a pattern of its own with a moving square; `sound` adds a tone.
    """
    import av
    import numpy as np

    rng = np.random.default_rng(seed)
    with av.open(str(path), "w", format="matroska" if path.suffix == ".mkv" else "mp4") as film:
        track = film.add_stream("libx264", rate=fps, width=320, height=180, pix_fmt="yuv420p")
        coding = {"aac_coder": "fast"}  # the other one takes 40 ms for each second of sound
        tone = film.add_stream("aac", rate=16_000, layout="mono", bit_rate=16_000, options=coding) if sound else None
        shot = np.zeros((180, 320, 3), np.uint8)
        for i in range(round(seconds * fps)):
            if i % (2 * fps) == 0:
                shot = rng.integers(0, 256, (9, 16, 3), np.uint8).repeat(20, 0).repeat(20, 1)
            picture = shot.copy()
            picture[80:100, (i * 3) % 300 : (i * 3) % 300 + 20] = 255
            film.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(track.encode(None))
        if tone is not None:
            samples = (8000 * np.sin(np.arange(round(seconds * 16_000)) * 0.17)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate = 16_000
            film.mux(tone.encode(frame))
            film.mux(tone.encode(None))
    return path
