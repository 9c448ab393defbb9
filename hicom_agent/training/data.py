"""Conversations about pictures and videos as training samples: LLaVA's files, mixed, checked, and read when needed.

What is known to be broken from the file alone is left out at the start; what turns out so later becomes `Broken`.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from hicom_agent.encode.siglip import GuideTokenizer, prepare
from hicom_agent.errors import InputError
from hicom_agent.llm.chat import IGNORED, TAGS, ChatFormat
from hicom_agent.training.config import Part, TrainConfig, check_part, placed_part, read_yaml
from hicom_agent.training.footage import read_footage, read_picture
from hicom_agent.training.guides import guide_of
from hicom_agent.training.samples import Broken, Sample
from hicom_agent.types import clean_text

LOG = logging.getLogger(__name__)

MAX_FILE_BYTES = 16 * 2**30
MAX_TALKS = 100_000_000  # of a part, repeated; the largest public mixtures have a tenth of it
_ROLES = ("human", "gpt")


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation, as a file has it; with guidance on, up to one of its answers."""

    name: str  # for messages: file, place and id
    modal: str  # "video", "image", or "" for words alone
    file: Path | None
    span_s: tuple[float, float] | None  # of a video; None: all of it
    turns: tuple[tuple[str, str], ...]  # question and answer


class Malformed(Exception):
    """Say what is wrong with one entry; never leaves this room."""


def load_talks(config: TrainConfig) -> tuple[list[Talk], list[Broken]]:
    """Return the conversations of a config's data, mixed as it says, and the broken ones.

    Raises InputError where a file is none of conversations, or nothing usable is left.
    """
    talks: list[Talk] = []
    broken: dict[str, Broken] = {}
    parts = list(_parts(config))
    if not parts:
        raise InputError("data: name JSON or JSONL files of conversations, or a YAML list of them")
    names = Counter(path.name for path in {part.path for part in parts})
    files = {part.path: part.path.name if names[part.path.name] == 1 else str(part.path) for part in parts}
    for number, part in enumerate(parts):
        good: list[Talk] = []
        for i, entry in enumerate(_entries(part.path)):
            own = f" {clean_text(str(entry['id']))[:80]}" if isinstance(entry, dict) and "id" in entry else ""
            name = f"{files[part.path]}[{i}]{own}"
            try:
                good.append(parse_talk(entry, part.folder, name))
            except Malformed as error:
                broken[name] = Broken(name, str(error))
        talks += _mixed(good, part, random.Random(f"{config.seed}-{number}"))
    for each in broken.values() if os.environ.get("RANK", "0") == "0" else ():
        LOG.warning("%s is left out: %s", each.name, each.reason)
    if not talks:
        first = next((f"; the first: {each.name}: {each.reason}" for each in broken.values()), "")
        raise InputError(f"data: of {len(broken)} conversations none can be used{first}")
    return talks, list(broken.values())


def check_kinds(config: TrainConfig, talks: Sequence[Talk]) -> None:
    """Raise InputError where the data have nothing to look at, or only pictures where a stage needs videos."""
    kinds = {talk.modal for talk in talks} - {""}
    if not kinds:
        raise InputError(f"data: no conversation has a picture or a video, and {config.stage} trains the projector")
    if config.stage == "condition" and "video" not in kinds:
        raise InputError("data: condition needs videos, and all conversations are about pictures; add 'video' entries")


def parse_talk(entry: Any, folder: Path, name: str) -> Talk:
    """Return one entry of a file as a conversation; raises Malformed."""
    if isinstance(entry, ValueError):
        raise Malformed(f"is no JSON: {entry}")
    if not isinstance(entry, dict):
        raise Malformed(f"need an object, got {type(entry).__name__}")
    modal, file = _medium(entry, folder)
    turns = _turns(entry.get("conversations"), modal)
    return Talk(name, modal, file, _span(entry) if modal == "video" else None, turns)


def _medium(entry: dict[str, Any], folder: Path) -> tuple[str, Path | None]:
    kinds = [kind for kind in ("video", "image") if entry.get(kind) is not None]
    if not kinds:
        return "", None
    value = entry[kinds[0]]
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if len(kinds) > 1 or (isinstance(value, list) and value):
        raise Malformed("several pictures or videos; one is supported")
    if not isinstance(value, str) or not value or "\0" in value:
        raise Malformed(f"{kinds[0]}: need a file name, got {value!r:.60}")
    file = folder / value
    try:
        there = file.is_file()
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise Malformed(f"{str(file)[:200]!r} cannot be opened: {error.strerror}") from error
    if not there:
        raise Malformed(f"{str(file)!r} does not exist, or is no file")
    return kinds[0], file


def _span(entry: dict[str, Any]) -> tuple[float, float] | None:
    if entry.get("start") is None and entry.get("end") is None:
        return None
    start, end = entry.get("start"), entry.get("end")
    start = 0.0 if start is None else start
    if isinstance(start, (int, float)) and isinstance(end, (int, float)) and 0 <= start < end <= sys.float_info.max:
        return float(start), float(end)
    raise Malformed(f"need 0 <= start < end in seconds, got {start!r:.60} and {end!r:.60}")


def _turns(said: Any, modal: str) -> tuple[tuple[str, str], ...]:
    """Return questions and answers in pairs, without tags: the medium stands before the first question."""
    if not isinstance(said, list) or not said:
        raise Malformed("no conversation")
    for number, turn in enumerate(said):
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
            raise Malformed(f"turn {number}: need 'from' and a text under 'value'")
        if turn.get("from") not in _ROLES:
            raise Malformed(f"turn {number}: unknown role {turn.get('from')!r}; there are: human, gpt")
        if turn["from"] != _ROLES[number % 2]:
            raise Malformed(f"turn {number}: is {turn['from']}'s; human and gpt take turns, human first")
    if len(said) % 2:
        raise Malformed("the last question has no answer")
    pairs = [(said[i]["value"], said[i + 1]["value"].strip()) for i in range(0, len(said), 2)]
    tag = TAGS.get(modal, "")
    asked = "\n".join(question for question, _ in pairs)
    if modal == "video" and tag not in asked and asked.count(TAGS["image"]) == 1:
        tag = TAGS["image"]  # LLaVA's own sets of videos write it for a video, too
    if tag and asked.count(tag) > 1:
        raise Malformed(f"{tag} stands more than once; one {modal} is supported")
    if not all(clean_text(answer) for _, answer in pairs):
        raise Malformed("an answer is empty, so nothing could be learned")
    return tuple((question.replace(tag, "").strip() if tag else question.strip(), answer) for question, answer in pairs)


def _mixed(talks: list[Talk], part: Part, draw: random.Random) -> list[Talk]:
    """Return a part's talks as often as it says: some of them drawn, or all of them again."""
    wanted = part.count if part.count is not None else round((1.0 if part.ratio is None else part.ratio) * len(talks))
    if not talks:
        return []
    if wanted > MAX_TALKS:
        raise InputError(f"{part.path}: {wanted} samples are asked of it, at most {MAX_TALKS}; lower ratio or count")
    whole, rest = divmod(max(1, wanted), len(talks))
    chosen = sorted(draw.sample(range(len(talks)), rest))
    return talks * whole + [talks[i] for i in chosen]


def _parts(config: TrainConfig) -> Iterator[Part]:
    if not isinstance(config.data, Path):
        yield from config.data
        return
    if config.data.suffix not in (".yaml", ".yml"):
        yield Part(path=config.data)
        return
    listed = read_yaml(config.data)
    if not isinstance(listed, list):
        raise InputError(f"{config.data}: need a list of parts, each with a path, got {type(listed).__name__}")
    for number, each in enumerate(listed):
        yield check_part(placed_part(each, config.data.parent), f"{config.data}: part {number}")


def _entries(file: Path) -> Iterable[Any]:
    """Return the entries of a JSON or JSONL file, for a bad line the error; raises InputError."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{file} is larger than {MAX_FILE_BYTES >> 30} GiB; split it into parts")
        if file.suffix == ".jsonl":
            with file.open("rb") as lines:  # a line that is no text is one broken entry, not a broken file
                return [_entry(line) for line in lines if line.strip()]
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read conversations {file}: {error}") from error
    if not isinstance(found, list):
        raise InputError(f"{file}: need a list of conversations, got {type(found).__name__}")
    return found


def _entry(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return ValueError(str(error))


class Talks(Dataset[Sample | Broken]):
    """Conversations as samples: with guidance on one for each answer, of the turns up to it."""

    def __init__(
        self, talks: Sequence[Talk], config: TrainConfig, chat: ChatFormat, guides: GuideTokenizer | None, side_px: int
    ) -> None:
        self._config, self._chat, self._guides, self._side_px = config, chat, guides, side_px
        if guides is None:
            self._rows = [(talk, len(talk.turns)) for talk in talks]
        else:
            self._rows = [(talk, number) for talk in talks for number in range(1, len(talk.turns) + 1)]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample | Broken:
        """Return a sample, or why there is none."""
        talk, num_turns = self._rows[index]
        try:
            return self._make(talk, talk.turns[:num_turns])
        except (InputError, Malformed) as error:
            return Broken(talk.name, str(error))

    def _make(self, talk: Talk, turns: Sequence[tuple[str, str]]) -> Sample:
        ids, answers = self._chat.dialogue(turns, talk.modal)
        labels = [IGNORED] * len(ids)
        for places in answers if self._guides is None else answers[-1:]:
            for place in places:
                labels[place] = ids[place]
        most = self._config.max_text_ids
        ids, labels = ids[:most], labels[:most]
        if all(label == IGNORED for label in labels):
            raise Malformed(f"its answer starts after {most} ids, the limit max_text_ids")
        seen = talk.modal != ""
        if seen and min(ids) >= 0:
            raise Malformed(f"its {talk.modal} stands after {most} ids, the limit max_text_ids")
        guide = self._guides([guide_of(turns[-1][0])])[0] if seen and self._guides is not None else None
        return Sample(ids, labels, guide, talk.modal or "image", self._pixels(talk))

    def _pixels(self, talk: Talk) -> Any:
        if talk.file is None:
            return None
        recipe = self._config.recipe
        if talk.modal == "video":
            pictures = read_footage(talk.file, recipe.frames, talk.span_s, self._config.roots)
        else:
            pictures = [read_picture(talk.file, self._config.roots)]
        return prepare(pictures, self._side_px, pad=recipe.aspect == "pad")
