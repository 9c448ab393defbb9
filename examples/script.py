"""The demo's film, what is in it and when, and the questions with their true answers.

Times inside a source were read off its frames; `where` turns them into times of the film.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from film import Card, Part, Shot, place, where, where_written

DATA = Path(__file__).resolve().parent / "data"
NARRATION = DATA / "narration.opus"
SLOWER = 2.25  # of the music clip: with it the film passes ten minutes and no stretch is shown twice
SIGN, SLIDE = "#f2c230", "#f7f7f2"

SCRIPT: tuple[Part, ...] = (
    Card(("An afternoon", "a film in four chapters"), 7),
    Shot("music", 0.68, 42.32, 41.64 * SLOWER, "a singer; dancers with sunglasses by a fence", "music", 17.0),
    Card(("Chapter one: the street",), 6),
    Shot("bikes", 0.0, 10.0, 40, "a street: a man in a suit, a taxi, a cyclist, parked bicycles"),
    Shot("music", 42.32, 114.76, 72.44 * SLOWER, "a hall, a stage, a bar, a singer at a microphone"),
    Card(("Chapter two: the harbour",), 7),
    Card(("BOAT RENTAL", "Open 9:30 to 17:00", "Closed on Mondays"), 15, SIGN, "#1a1a1a"),
    Card(("Harbour budget", "Repairs: 48,200 euros", "Lighting: 3,750 euros"), 15, SLIDE, "#16324f"),
    Shot("music", 203.2, 210.6, 41, "a man in a pale coat; a narrator speaks", "narration", 41.0),
    Card(("Chapter three: the meadow",), 6),
    Shot("bunny", 0.0, 5.28, 21, "a large rabbit comes out of its burrow and stretches", "bunny", 5.28),
    Card(("Chapter four: the drive",), 6),
    Shot("carphone", 0.0, 4.0, 16, "a man with a bow tie in the back of a car"),
    Shot("music", 114.76, 203.2, 88.44 * SLOWER, "dancers with sunglasses, a singer, a hall, a stage"),
    Card(("The end", "Thank you for watching"), 8),
)

# Sunglasses in the music clip, on the man in the blue shirt, the woman in white and the man in white.
SUNGLASSES_S = (
    (11.28, 18.24),
    (22.92, 30.44),
    (31.08, 33.2),
    (37.72, 42.32),
    (114.76, 118.84),
    (120.72, 123.08),
    (125.92, 126.8),
    (128.44, 130.2),
    (132.36, 134.28),
)

Kind = Literal["seen", "said", "written", "when", "compound", "yes/no", "not in the film"]


@dataclass(frozen=True)
class Question:
    """A question, and what is true."""

    text: str
    kind: Kind
    truth: str  # in words, printed beside the answer
    keywords: tuple[tuple[str, ...], ...] = ()  # of each group the answer holds one
    ranges_s: tuple[tuple[float, float], ...] = ()  # where citing is right
    names_time: bool = False  # the answer holds a timecode inside the ranges


def said(words: str) -> tuple[float, float]:
    """Return when the narrator says the sentence that holds `words`."""
    start_s = next(p.start_s for p in place(SCRIPT) if isinstance(p.part, Shot) and p.part.sound == "narration")
    lines = [line for line in json.loads((DATA / "narration.json").read_text()) if words in line["text"]]
    return round(start_s + lines[0]["start_s"], 2), round(start_s + lines[0]["end_s"], 2)


def seen(source: str, *stretches_s: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Return when the film shows these stretches of a source."""
    return tuple(found for start, end in stretches_s for found in where(SCRIPT, source, start, end))


def questions() -> tuple[Question, ...]:
    """Return what the demo asks."""
    rabbit, rider = seen("bunny", (0, 5.28)), seen("bikes", (3.04, 10.0))  # passing cars hide the rider for 0.8 s
    tie, taxi = seen("carphone", (0, 4)), seen("bikes", (1.7, 3.04))
    sign, slide = where_written(SCRIPT, "BOAT RENTAL"), where_written(SCRIPT, "Repairs")
    chapter = where_written(SCRIPT, "Chapter two")
    return (
        Question("When does a rabbit appear?", "seen", "a large rabbit", (), rabbit, True),
        Question("When is a bicycle seen?", "seen", "a cyclist, then parked bicycles", (), rider, True),
        Question("When does a man with a bow tie sit in a car?", "seen", "a man in a car", (), tie, True),
        Question("When does somebody wear sunglasses?", "seen", "dancers", (), seen("music", *SUNGLASSES_S), True),
        Question(
            "Where is the red suitcase?",
            "said",
            "in the cellar, behind the piano",
            (("cellar", "piano"),),
            (said("suitcase"),),
        ),
        Question(
            "At what time does Oliver water the plants?",
            "said",
            "at half past seven",
            (("half past seven", "half past 7", "7:30", "7.30"),),
            (said("plants"),),
        ),
        Question("When does the boat rental open?", "written", "at 9:30", (("9:30", "9.30"),), tuple(sign)),
        Question(
            "How much do the harbour repairs cost?", "written", "48,200 euros", (("48200", "48.200"),), tuple(slide)
        ),
        Question(
            "When does the title of chapter two appear?", "when", "Chapter two: the harbour", (), tuple(chapter), True
        ),
        Question(
            "How much does one night in the boat house cost, and on which day is the boat rental closed?",
            "compound",
            "42 euros (said); on Mondays (written)",
            (("42", "forty two"), ("monday", "mondays")),
            (said("euros"), *sign),
        ),
        Question("Is there a taxi in the film?", "yes/no", "yes, in the street", (("yes",),), taxi),
        Question("What breed is the dog?", "not in the film", "there is no dog"),
        Question("Who won the chess tournament?", "not in the film", "nobody speaks of chess"),
    )
