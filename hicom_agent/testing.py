"""Doubles for tests and benchmarks: values that say in every part where they came from, and models from seeds."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.types import Clip, Damage, Record, ScreenText, StoredFrame, Utterance, VideoInfo

if TYPE_CHECKING:
    from hicom_agent.types import Floats


def make_record(mark: int, *, video_id: str = "00000000000000aa", num_frames: int = 8, width: int = 16) -> Record:
    """Return a record in which text, times, pictures and vectors all hold `mark`: a mixture of two shows.

    Every second frame is shown by the one before it. All vectors [., width] are the same for one mark; those of two
    marks are at right angles while marks are below `width`.
    """
    import numpy as np

    def rows(count: int) -> np.ndarray:
        return np.tile(np.eye(width, dtype=np.float32)[mark % width], (count, 1))

    kept = [i for i in range(num_frames) if i % 2 == 0]
    frames = [
        StoredFrame(i + mark / 1000, i - i % 2, 0.5, _picture(mark, i) if i % 2 == 0 else b"")
        for i in range(num_frames)
    ]
    clips = [Clip(i, 2.0 * i, 2.0 * i + 2 - mark / 1000) for i in range(num_frames // 2)]
    return Record(
        video_id=video_id,
        sha256=video_id + "0" * 48,
        path=f"/films/{mark}/film-{video_id}.mp4",
        title=f"film {video_id} cut {mark}",
        info=VideoInfo(num_frames + mark / 1000, 640, 360, "h264", "aac"),
        profile="made-1",
        clips=clips,
        frames=frames,
        speech=[Utterance(i, i + 0.5, f"line {i} of take{mark} has a dog barking") for i in range(4)],
        texts=[ScreenText(1, 2, f"TAKE{mark} exit")],
        damage=[Damage(num_frames - 1, num_frames, f"broken in take{mark}")],
        vectors={"frames": rows(len(kept)), "speech": rows(4), "texts": rows(1)},
        packed={
            "codes": np.array([[[mark % 256, i % 256]] * 6 for i in kept], np.uint8).reshape(len(kept), 6, 2),
            "scale": np.full((len(kept), 2), mark, np.float16),
        },
        language="en",
        covered_s=num_frames - 1.0,
        settings_key=f"take={mark} speech",
    )


def _picture(mark: int, frame: int) -> bytes:
    return f"picture {frame} of take{mark};".encode() * (20 + frame % 7)


def make_video(path: Path, *, seconds: float = 4.0, fps: int = 25, sound: bool = False, seed: int = 0) -> Path:
    """Write an H.264 film of 320x180 that changes its picture every two seconds, and return its path.

    Each shot is a pattern of its own with a moving square; `sound` adds a tone.
    """
    import av
    import numpy as np

    rng = np.random.default_rng(seed)
    with av.open(str(path), "w", format="matroska" if path.suffix == ".mkv" else "mp4") as film:
        track = film.add_stream("libx264", rate=fps, width=320, height=180, pix_fmt="yuv420p")
        tone = film.add_stream("aac", rate=16_000, layout="mono") if sound else None
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


def make_array(seed: int, name: str, shape: Sequence[int], scale: float = 1.0, offset: float = 0.0) -> Floats:
    """Return an array that anyone can make again: normal numbers from a seed and a name, float32."""
    import numpy as np

    drawn = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(tuple(shape)) * scale
    return (drawn + offset).astype(np.float32)


def weight_scale(name: str) -> tuple[float, float]:
    """Return spread and mean of a made weight: small, norms around 1, embeddings larger."""
    if name.endswith("_alpha"):
        return 0.3, 0.0
    if name.endswith(("embed_tokens.weight", "token_embedding.weight")):
        return 0.5, 0.0
    is_norm = name.endswith("weight") and "norm" in name.split(".")[-2]
    return 0.05, 1.0 if is_norm else 0.0


def make_weights(seed: int, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return tensors by name, made from a seed."""
    import torch

    return {n: torch.from_numpy(make_array(seed, n, shape, *weight_scale(n))) for n, shape in shapes.items()}
