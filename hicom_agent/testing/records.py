"""Records that say in every part where they came from."""

from __future__ import annotations

from hicom_agent.types import Clip, Damage, Record, ScreenText, StoredFrame, Utterance, VideoInfo


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
