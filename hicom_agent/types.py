"""The values that flow from a path to an answer. Times are seconds from the first shown frame, from pts.

Arrays: b batch, t frames, h and w grid cells, n tokens, d width of values, e width of the joint space.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Floats = NDArray[np.float32]

Modality = Literal["visual", "speech", "text"]
Reason = Literal["", "not seen", "not indexed", "contradictory", "out of budget"]

_TERMINAL = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b.?", re.DOTALL)
_UNSEEN = {"Cc", "Cf", "Cs", "Co"}  # control, format (zero width, bidi, tags), surrogates, private use
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is; what a bar, a log or a notification shows."""

    stage: str  # "hashing", "watching", "listening", "remembering", "fetching NAME"
    done: float
    total: float  # in the same unit; 0 where unknown
    unit: str = "s"  # seconds of video, or "bytes"
    note: str = ""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What the container says of a video, after the gate has checked it."""

    duration_s: float  # from the first shown frame to the end of the last; 0 where unknown
    width_px: int  # of the upright picture with square pixels; 0 without video
    height_px: int
    codec: str  # decoder of the picture track, "" without video
    audio_codec: str  # "" without sound


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One small picture, dense in time: enough to see cuts and change, not to recognise things."""

    time_s: float
    picture: Picture  # [h, w, 3] BGR, longest side about 64
    on_grid: bool = True  # False: sent in between because the picture changed much, to refine a cut to the frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One sampled picture, upright, square pixels."""

    time_s: float
    picture: Picture  # [h, w, 3] RGB, longest side as asked


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of video that could not be decoded."""

    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words said in one breath."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class ScreenText:
    """Text that stands on the screen, one entry for as long as it stands."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of 2 to 30 seconds without a cut inside; `scenes.make_clips` says what gives where both cannot hold."""

    index: int  # position in its video, from 0
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class FrameFeatures:
    """What an encoder gives for t pictures: the interface of HICom (V, E) and a pooled vector for search."""

    values: Floats  # V [t, h, w, d], what is averaged into tokens
    keys: Floats  # E [t, h, w, e], patches in the space of the guide
    pooled: Floats  # [t, e], unit length


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """The encoded frames of one clip."""

    clip: Clip
    times_s: Floats  # [t], of the frames
    frames: FrameFeatures


@dataclass(frozen=True, slots=True)
class CompressedClip:
    """One clip under one question: visual tokens and where the question looked."""

    clip: Clip
    times_s: Floats  # [t]
    tokens: Floats  # [n, d], local groups (t, h, w) first, then global
    frame_relevance: Floats  # [t], how much each frame answers to the guide
    patch_attention: Floats  # [t, h, w], attention inside each group times the group's share; sums to 1
    group_relevance: Floats  # [gt, gh, gw]
    attended: Floats  # [e], unit length: what of the clip the question looked at, in the space of the guide
    score: float  # of the clip, comparable between clips under one question


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A sampled frame as the memory keeps it."""

    time_s: float
    shown_by: int  # index of the kept frame that shows the same (its own index if it is kept)
    novelty: float  # difference to the nearest earlier frame, 0 to 1
    thumbnail: bytes  # JPEG, empty unless kept


@dataclass(frozen=True, slots=True)
class Record:
    """All that is remembered of one video, as one commit writes it."""

    video_id: str  # first 16 hex digits of the content's SHA-256
    sha256: str
    path: str
    title: str
    info: VideoInfo
    profile: str  # encoder name and version: vectors of different profiles never meet
    clips: list[Clip]
    frames: list[StoredFrame]
    speech: list[Utterance]
    texts: list[ScreenText]
    damage: list[Damage]
    vectors: dict[str, Floats] = field(default_factory=dict)  # "frames" [kept, e], "speech" [., e], "texts" [., e]
    packed: dict[str, np.ndarray] = field(
        default_factory=dict
    )  # patch features of kept frames as the encoder packs them
    language: str = ""  # of the speech, "" if none
    covered_s: float = 0.0  # seconds of video that were decoded
    settings_key: str = ""  # words that say what was asked of the indexer, such as "every=1.0 ocr speech"


@dataclass(frozen=True, slots=True)
class Hit:
    """A stretch of a video that may answer a question."""

    video_id: str
    start_s: float
    end_s: float
    score: float
    modality: Modality
    quote: str = ""  # words said or written there
    frame_id: str = ""  # "VIDEO:INDEX" of a kept frame


class _Leaving(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Citation(_Leaving):
    """Where in a video an answer is grounded."""

    video_id: str
    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    timecode: str  # HH:MM:SS of start_s
    score: float
    modality: Modality
    quote: str = ""  # untrusted: said or written in the video
    frame_id: str = ""


class LookedAt(_Leaving):
    """A stretch of a video whose pictures were compressed under a question."""

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    patches: int  # that the encoder saw
    tokens: int  # that were left of them


class Coverage(_Leaving):
    """How much of the video stands behind an answer."""

    indexed_s: float
    total_s: float
    looked_at_s: float = 0.0  # length of the clips compressed for this question, now or by an earlier one
    compression: float = 0.0  # patches for each token, of all that was looked at; 0 if nothing was
    looked_at: list[LookedAt] = []  # in time order, what touches is one


class Spend(_Leaving):
    """What an answer cost."""

    steps: int = 0  # sub-questions asked
    clips_compressed: int = 0
    clips_recalled: int = 0  # used again from an earlier question that looked for the same
    visual_tokens: int = 0  # compressed now
    llm_tokens: int = 0
    note: str = ""  # what had to be given up, such as frames for want of memory
    seconds: float = 0.0
    retrieval_s: float = 0.0
    compression_s: float = 0.0
    llm_s: float = 0.0


class Step(_Leaving):
    """One thing that was asked of the memory on the way to an answer, and what came of it."""

    number: int  # from 1
    ask: str  # the sub-question
    why: str = ""  # what it is for, such as "after"
    start_s: float = Field(default=0.0, ge=0)  # what counts begins here
    end_s: float | None = None  # and before here; None: the end of the video
    observation: str  # what is known afterwards, as a language model that plans reads it
    answered: bool = False
    failed: bool = False  # a plan that could not be followed; the observation says why
    citations: list[Citation] = []
    clips_compressed: int = 0
    clips_recalled: int = 0
    visual_tokens: int = 0
    seconds: float = 0.0


class Answer(_Leaving):
    """The answer to one question, with its evidence."""

    question: str
    answer: str
    abstained: bool
    confidence: float = Field(ge=0, le=1)  # that the answer is right, or that it was right to decline
    reason: Reason = ""  # why it abstained
    citations: list[Citation]  # of an abstention: the closest moments
    coverage: Coverage
    spend: Spend
    profile: str
    index_version: str
    warning: str = ""  # the file that was asked about does not hold this film any more
    steps: list[Step] = []  # how it came about


def timecode(seconds: float) -> str:
    """Return seconds as HH:MM:SS, rounded down.

    >>> timecode(3725.9)
    '01:02:05'
    """
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def parse_time(text: str) -> float:
    """Return the seconds that "95", "95.5", "1:35" or "0:01:35" mean.

    Raises ValueError for anything else.
    """
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise ValueError(f"{text!r} is not a time; write seconds, MM:SS or HH:MM:SS")
    return sum(float(part) * 60.0**power for power, part in enumerate(reversed(parts)))


def shorten(text: str, num_chars: int) -> str:
    """Return a text of at most so many characters, and a mark where it was cut.

    >>> shorten("a long line", 6)
    'a long…'
    """
    return text if len(text) <= num_chars else text[:num_chars].rstrip() + "…"


def clean_text(text: str) -> str:
    """Return what a person would see of a text from outside, on one line.

    Terminal sequences, control characters and characters without a shape (zero width, bidi overrides, variation
    selectors, tags) are left out: they hide words from people, or move the terminal's cursor.

    >>> clean_text("pay\\u200b \\x1b[31mnow\\n")
    'pay now'
    """
    seen = _BLANK.sub("", _TERMINAL.sub("", text))
    return " ".join("".join(c for c in seen if c.isspace() or unicodedata.category(c) not in _UNSEEN).split())
