"""Speak the narration of the quality films with espeak-ng into benchmarks/data: run once, its output is committed.

apt-get install espeak-ng && .venv/bin/python benchmarks/quality_narrate.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "examples"))
from narrate import PAUSE_S, speak, write  # noqa: E402

DATA = HERE / "data"
SPOKEN = {
    # The tuning half; its film "harbour" has examples/data/narration.opus.
    "barrier": (
        "The barrier was repaired on Thursday.",
        "My colleague Ines keeps the spare key in the blue drawer.",
    ),
    "pepper": ("The cat is called Pepper.", "She sleeps in the laundry basket."),
    "weather": ("The engineers waited eleven days for better weather.", "Nobody brought sandwiches."),
    "soup": ("Tonight the soup is pumpkin with ginger.", "Please pay at the door."),
    "windmill": ("We turn left after the windmill.", "The bridge is closed until Friday."),
    # The reported half.
    "tomas": (
        "Good morning. I am Tomas, and I repair bicycles near the cathedral.",
        "A new chain costs nineteen euros.",
        "My sister Wanda paints the frames.",
    ),
    "office": ("The elevator stops at floor thirty six.", "The office moves to Lisbon in August."),
    "rinsed": (
        "Every bottle is rinsed twice.",
        "The red lamp means that the belt must stop.",
        "Call Benedict if the pump is loud.",
    ),
    "coffee-break": ("The coffee break lasts fifteen minutes.", "Sugar is in the tin behind the kettle."),
    "portugal": ("This parrot came from Portugal in a wooden crate.", "She eats walnuts and hates thunder."),
    "blankets": ("The shelter needs new blankets before winter.", "Ask for Mrs Okafor at the gate."),
    "steps": ("We climbed two hundred and ten steps to the temple.", "The guide lost his umbrella."),
    "grandfather": (
        "My grandfather bought this camera in nineteen sixty two.",
        "He photographed only horses.",
    ),
}


def main() -> None:
    """Write one sound for each stretch of speech, and spoken.json with the sentences and their times."""
    DATA.mkdir(exist_ok=True)
    told: dict[str, list[dict[str, object]]] = {}
    for name, sentences in SPOKEN.items():
        pieces, lines, rate, at = [], [], 22050, 0
        for text in sentences:
            words, rate = speak(text)
            pause = np.zeros(round(PAUSE_S * rate), np.int16)
            start = at + len(pause)
            at = start + len(words)
            pieces += [pause, words]
            lines.append({"start_s": round(start / rate, 2), "end_s": round(at / rate, 2), "text": text})
        pieces.append(np.zeros(round(PAUSE_S * rate), np.int16))
        write(np.concatenate(pieces), rate, DATA / f"{name}.opus")
        told[name] = lines
    (DATA / "spoken.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
