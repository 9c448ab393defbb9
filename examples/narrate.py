"""Speak the demo film's narration with espeak-ng into examples/data: run once, its output is committed.

apt-get install espeak-ng && .venv/bin/python examples/narrate.py
"""

from __future__ import annotations

import json
import subprocess
import wave
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent / "data"
SENTENCES = (
    "Good evening. My name is Martha, and I look after the old boat house.",
    "The red suitcase stands in the cellar, behind the piano.",
    "Every evening at half past seven, Oliver waters the plants on the balcony.",
    "The last train leaves at a quarter past nine.",
    "One night in the boat house costs forty two euros.",
    "If you lose the key, telephone Doctor Lindgren.",
)
PAUSE_S = 1.5  # a breath: long enough that a recogniser ends its line with the sentence


def speak(text: str) -> tuple[NDArray[np.int16], int]:
    """Return what espeak-ng says, and its rate; the voice and pace were chosen because Whisper base follows them."""
    command = ["espeak-ng", "-v", "en-us", "-s", "138", "-p", "48", "-g", "2", "--stdout", text]
    sound = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(BytesIO(sound)) as spoken:
        return np.frombuffer(sound[44:], np.int16), spoken.getframerate()


def main() -> None:
    """Write narration.opus and narration.json, the sentences with their times."""
    pieces: list[NDArray[np.int16]] = []
    lines: list[dict[str, object]] = []
    rate, at = 22050, 0
    for text in SENTENCES:
        words, rate = speak(text)
        pause = np.zeros(round(PAUSE_S * rate), np.int16)
        start = at + len(pause)
        at = start + len(words)
        pieces += [pause, words]
        lines.append({"start_s": round(start / rate, 2), "end_s": round(at / rate, 2), "text": text})
    pieces.append(np.zeros(round(PAUSE_S * rate), np.int16))
    write(np.concatenate(pieces), rate, DATA / "narration.opus")
    (DATA / "narration.json").write_text(json.dumps(lines, indent=2) + "\n")


def write(samples: NDArray[np.int16], rate: int, path: Path) -> None:
    """Encode mono sound as Opus at 32 kbit/s."""
    with av.open(str(path), "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=48000, layout="mono")
        stream.bit_rate = 32000
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler("flt", "mono", 48000, frame_size=960)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))


if __name__ == "__main__":
    main()
