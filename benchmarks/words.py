"""Measure how well questions about words said and written are answered and declined, on films that are only words.

    python benchmarks/words.py               # both halves; writes benchmarks/results/words.json
    python benchmarks/words.py --half tuning --misses
    python benchmarks/words.py --mentions    # from which support on a thing is found, and what is not there with it
    python benchmarks/words.py --fit         # prints WEIGHTS for hicom_agent/agent/reading.py
    python benchmarks/words.py --fit-rank    # prints RANK_HOLDS and RANK_ABOUT for the same
    python benchmarks/words.py --fit-reader --llm packaged:qwen-1500m    # and for rereading.py

The films of words_set.json hold no pictures: real store, real sentence model, real small language model. Rules of
reading are chosen on the tuning half.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import circumstances

from hicom_agent.agent.confidence import log_odds
from hicom_agent.agent.evidence import (
    KINDS,
    MODALITY,
    Asked,
    Evidence,
    Kind,
    find_words,
    likely_lines,
    nearest_sentences,
    rank_scores,
)
from hicom_agent.agent.plan import SubQuestion, understand
from hicom_agent.agent.reading import READ_FROM, compare
from hicom_agent.agent.rereading import LINES
from hicom_agent.agent.temporal import anchor_question, read_task
from hicom_agent.build import Workspace
from hicom_agent.llm.lines import LineReader
from hicom_agent.memory import Store
from hicom_agent.settings import load_settings
from hicom_agent.types import Clip, Record, ScreenText, Utterance, VideoInfo

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "examples"))
from judge import holds, within  # noqa: E402

STORE = HERE.parent / ".bench" / "words"
RIDGE = 3.0
EVERY_LINE = 1000
NO_READER = "give --llm packaged:qwen-1500m"


@dataclass(frozen=True)
class Row:
    """A question, what was answered, and what that is worth."""

    film: str
    text: str
    answerable: bool
    answer: str
    abstained: bool
    confidence: float
    right: bool
    hit: bool  # the first citation is the line that answers


def load_films(half: str) -> list[dict[str, Any]]:
    """Return the films of a half, or of both."""
    films: list[dict[str, Any]] = json.loads((HERE / "words_set.json").read_text())["films"]
    return [film for film in films if half in ("both", film["half"])]


def remember(work: Workspace, film: dict[str, Any], store: Store) -> str:
    """Commit a film and return its id."""
    video_id = sha256(json.dumps([film["said"], film["written"]]).encode()).hexdigest()
    encoder = work.encoder
    said, written = [Utterance(*row) for row in film["said"]], [ScreenText(*row) for row in film["written"]]
    end_s = max(row.end_s for row in [*said, *written])
    store.commit(
        Record(
            video_id=video_id[:16],
            sha256=video_id,
            path=f"/words/{film['name']}",
            title=film["name"],
            info=VideoInfo(end_s, 640, 360, "h264", "aac"),
            profile=encoder.version,
            clips=[Clip(0, 0, end_s)],
            frames=[],
            speech=said,
            texts=written,
            damage=[],
            vectors={
                "speech": encoder.encode_texts([row.text for row in said]),
                "texts": encoder.encode_texts([row.text for row in written]),
            },
            covered_s=end_s,
            settings_key="every=1.0 ocr speech",
        )
    )
    return video_id[:16]


def ask_words(work: Workspace, film: dict[str, Any], questions: Sequence[dict[str, Any]]) -> list[Row]:
    """Ask questions of a film, and return what came of each."""
    with Store.open(STORE, write=True) as store:
        video_id = remember(work, film, store)
        answers = [work.agent(store).ask(video_id, question["text"]) for question in questions]
    rows = []
    for question, answer in zip(questions, answers, strict=True):
        kept = all(holds(answer.answer, group) for group in question["keywords"])
        right = answer.abstained if not question["answerable"] else kept and not answer.abstained
        cited = answer.citations[0] if answer.citations and not answer.abstained else None
        start_s = question["start_s"]
        hit = cited is not None and start_s is not None and within(cited.start_s, cited.start_s, [(start_s, start_s)])
        told = (answer.answer, answer.abstained, answer.confidence, bool(right), hit)
        rows.append(Row(film["name"], question["text"], question["answerable"], *told))
    return rows


def figures(rows: Sequence[Row]) -> dict[str, float]:
    """Return the shares that count."""
    able, unable = [row for row in rows if row.answerable], [row for row in rows if not row.answerable]
    return {
        "answerable": len(able),
        "right": round(sum(row.right for row in able) / len(able), 3),
        "cited_right": round(sum(row.hit for row in able) / len(able), 3),
        "declined": round(sum(row.abstained for row in able) / len(able), 3),
        "unanswerable": len(unable),
        "declined_rightly": round(sum(row.abstained for row in unable) / len(unable), 3),
    }


# ---------------------------------------------------------------------- mentions


def print_mentions(work: Workspace) -> None:
    """Print how many things that are mentioned are found at their line, from which support on, and how many that are
    not mentioned; each in its film, and in one film of all of them."""
    films = load_films("tuning")
    whole: dict[str, Any] = {"name": "all", "said": [], "written": []}
    for number, film in enumerate(films):
        for kind in ("said", "written"):
            whole[kind] += [[start + 100 * number, end + 100 * number, text] for start, end, text in film[kind]]
    alone = [each for film in films for each in find_mentions(work, film, film["mentions"])]
    things = [[name, at and at + 100 * number] for number, film in enumerate(films) for name, at in film["mentions"]]
    for where, found in (("each in its film", alone), ("all in one film", find_mentions(work, whole, things))):
        for least in (0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15):
            there = [is_at(lines[0], at) for _, at, lines in found if at is not None and lines[0].support >= least]
            strange = sum(at is None and lines[0].support >= least for _, at, lines in found)
            absent = sum(at is None for _, at, _ in found)
            print(
                f"{where}, from {least:.2f}: {sum(there)} of {len(found) - absent} at their line, "
                f"{len(there) - sum(there)} elsewhere, {strange} of {absent} that are not there"
            )


def find_mentions(
    work: Workspace, film: dict[str, Any], things: Sequence[Sequence[Any]], *, ranked: bool = True
) -> list[tuple[str, float | None, list[Evidence]]]:
    """Return things, where each is mentioned, and the lines by how surely they are about it."""
    found = []
    with Store.open(STORE, write=True) as store:
        video_id = remember(work, film, store)
        for name, at in things:
            sub = understand(anchor_question(name)[0])
            vector = work.encoder.encode_texts([sub.text])[0]
            rank = work.rank if ranked else None
            asked = Asked(sub.text, vector, sub.thing, topical=True, encode=work.encoder.encode_texts, rank=rank)
            lines = [line for kind in KINDS for line in find_words(store, kind, asked, [video_id], EVERY_LINE)]
            found.append((name, at, sorted(lines, key=lambda line: -line.support)))
    return found


def is_at(line: Evidence, at: float | None) -> bool:
    """Tell whether a line starts there."""
    return at is not None and abs(line.start_s - at) < 0.01


# ---------------------------------------------------------------------- weights


class Case(NamedTuple):
    """A question of the tuning half, as it is looked for in its film."""

    film: str
    question: dict[str, Any]
    sub: SubQuestion
    store: Store
    video_id: str

    def find(self, kind: Kind, asked: Asked) -> list[Evidence]:
        """Return every line."""
        return find_words(self.store, kind, asked, [self.video_id], EVERY_LINE)

    def is_answer(self, piece: Evidence) -> bool:
        """Tell whether a line answers."""
        return is_at(piece, self.question["start_s"])


def tuning_cases(work: Workspace) -> Iterator[Case]:
    """Yield every question while the store with its film is open."""
    for film in load_films("tuning"):
        with Store.open(STORE, write=True) as store:
            video_id = remember(work, film, store)
            for question in film["questions"]:
                sub = understand(read_task(question["text"], 1e9).text)
                yield Case(film["name"], question, sub, store, video_id)


def gather(work: Workspace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of every question of the tuning half and every line of its film: what they share, whether the line
    answers, and the number of the question."""
    seen, answers, number = [], [], []
    for case in tuning_cases(work):
        sub, vector = case.sub, work.encoder.encode_texts([case.sub.text])[0]
        asked = Asked(sub.text, vector, sub.about, topical=sub.kind != "open", encode=work.encoder.encode_texts)
        for kind in KINDS:
            if MODALITY[kind] not in sub.sources:
                continue
            cosines = case.store.vectors(case.video_id, kind) @ vector
            pieces = case.find(kind, asked)
            nearest = nearest_sentences(asked, pieces)
            for at, piece in enumerate(pieces):
                near = max(float(cosines[piece.index]), nearest.get(at, 0.0))
                seen.append(compare(sub.text, sub.about, piece.spelled_out, piece.context, near))
                answers.append(case.is_answer(piece))
                number.append((case.film, case.question["text"], case.question["answerable"]))
    _, which = np.unique([f"{a}|{b}|{c}" for a, b, c in number], return_inverse=True)
    return np.array(seen), np.array(answers, float), which


def gather_read(work: Workspace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same of the lines that are read again: log odds of support, log odds of the reader, and 1."""
    model = work.writer
    assert isinstance(model, LineReader), NO_READER
    seen, answers, number = [], [], []
    for case in tuning_cases(work):
        sub = case.sub
        if sub.kind != "open":
            continue
        encode = work.encoder.encode_texts
        asked = Asked(sub.text, encode([sub.text])[0], sub.about, encode=encode, rank=work.rank)
        lines = [piece for kind in KINDS for piece in case.find(kind, asked)]
        fitting = sorted((p for p in lines if p.modality in sub.sources), key=lambda p: -p.support)[:LINES]
        for piece in fitting:
            seen.append((log_odds(piece.support), model.holds(sub.text, piece.spelled_out), 1.0))
            answers.append(case.is_answer(piece))
            number.append(f"{case.film}|{case.question['text']}")
    _, which = np.unique(number, return_inverse=True)
    return np.array(seen), np.array(answers, float), which


def gather_rank(work: Workspace, *, topical: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same of the lines that are read together with a question, or with a thing they may be about."""
    seen, answers, number = [], [], []
    for name, sub, found, is_answer in _things(work) if topical else _open_questions(work):
        lines = likely_lines(found)
        asked = Asked(sub.text, np.zeros(0), sub.thing if topical else sub.about, topical=topical, rank=work.rank)
        for line, score in zip(lines, rank_scores(asked, lines) or [], strict=True):
            seen.append((log_odds(line.support), score, 1.0))
            answers.append(is_answer(line))
            number.append(name)
    _, which = np.unique(number, return_inverse=True)
    return np.array(seen), np.array(answers, float), which


Looked = tuple[str, SubQuestion, list[Evidence], Callable[[Evidence], bool]]


def _things(work: Workspace) -> Iterator[Looked]:
    """Yield what is looked for, the lines most likely about it before they are ranked, and which of them are."""
    for film in load_films("tuning"):
        for name, at, lines in find_mentions(work, film, film["mentions"], ranked=False):
            yield f"{film['name']}|{name}", understand(anchor_question(name)[0]), lines, partial(is_at, at=at)


def _open_questions(work: Workspace) -> Iterator[Looked]:
    """Yield the same of questions that lines answer, of each kind of line by itself."""
    encode = work.encoder.encode_texts
    for case in tuning_cases(work):
        asked = Asked(case.sub.text, encode([case.sub.text])[0], case.sub.about, encode=encode)
        for kind in KINDS if case.sub.kind == "open" else ():
            if MODALITY[kind] in case.sub.sources:
                yield f"{case.film}|{case.question['text']}", case.sub, case.find(kind, asked), case.is_answer


def gather_mentions(work: Workspace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same of lines and the things that they may be about."""
    model = work.writer
    assert isinstance(model, LineReader), NO_READER
    seen, answers, number = [], [], []
    for film in load_films("tuning"):
        for name, at, lines in find_mentions(work, film, film["mentions"]):
            for line in lines[:LINES]:
                seen.append((log_odds(line.support), model.is_about(name.removeprefix("the "), line.spelled_out), 1.0))
                answers.append(is_at(line, at))
                number.append(f"{film['name']}|{name}")
    _, which = np.unique(number, return_inverse=True)
    return np.array(seen), np.array(answers, float), which


def fit(
    gathered: tuple[np.ndarray, np.ndarray, np.ndarray], ridge: float = RIDGE, declined: float = 0.8
) -> list[float]:
    """Return the weights of a logistic curve, whose constant puts the share `declined` of the unanswerable below."""
    x, y, which = gathered
    mean, spread = x.mean(0), x.std(0) + 1e-9
    mean[-1], spread[-1] = 0.0, 1.0
    z, weights = (x - mean) / spread, np.zeros(x.shape[1])
    pull = ridge * np.eye(len(weights))
    pull[-1, -1] = 1e-6
    for _ in range(50):
        chance = 1 / (1 + np.exp(-z @ weights))
        bend = (z * (chance * (1 - chance))[:, None]).T @ z + pull
        weights = weights - np.linalg.solve(bend, z.T @ (chance - y) + pull @ weights)
    scores = z @ weights
    best = np.array([scores[which == each].max() for each in range(which.max() + 1)])
    able = np.array([y[which == each].any() for each in range(which.max() + 1)])
    threshold = np.quantile(best[~able], declined)
    print(f"answerable above: {(best[able] > threshold).mean():.2f}")
    plain = weights / spread
    plain[-1] = (
        weights[-1] - float((weights / spread * mean)[:-1].sum()) - threshold + math.log(READ_FROM / (1 - READ_FROM))
    )
    return [round(float(weight), 2) for weight in plain]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("tuning", "held", "both"), default="both")
    parser.add_argument("--misses", action="store_true", help="of the tuning half")
    parser.add_argument("--mentions", action="store_true", help="of the tuning half")
    parser.add_argument("--fit", action="store_true", help="print weights fitted to the tuning half")
    parser.add_argument("--fit-rank", action="store_true", help="print RANK_HOLDS and RANK_ABOUT fitted to it")
    parser.add_argument(
        "--fit-reader", action="store_true", help="print HOLDS and ABOUT for hicom_agent/agent/rereading.py"
    )
    parser.add_argument("--llm", default="", help="another language model, such as packaged:qwen-1500m")
    options = parser.parse_args()
    work = Workspace(load_settings({"store": STORE, "profile": "nano", "llm": options.llm}))
    if options.mentions:
        print_mentions(work)
        return
    if options.fit:
        print("WEIGHTS =", tuple(fit(gather(work))))
        return
    if options.fit_rank:
        print("RANK_HOLDS =", tuple(fit(gather_rank(work, topical=False), ridge=0.5)))
        print("RANK_ABOUT =", tuple(fit(gather_rank(work, topical=True), ridge=0.5, declined=1.0)))
        return
    if options.fit_reader:
        print("HOLDS =", tuple(fit(gather_read(work), ridge=0.5, declined=0.9)))
        print("ABOUT =", tuple(fit(gather_mentions(work), ridge=0.5, declined=1.0)))
        return
    rows = {f["name"]: (f["half"], ask_words(work, f, f["questions"])) for f in load_films(options.half)}
    halves = {half: [row for of, some in rows.values() for row in some if of == half] for half in ("tuning", "held")}
    found = {half: figures(some) for half, some in halves.items() if some}
    print(json.dumps(found, indent=1))
    for row in halves["tuning"] if options.misses else []:
        if not row.right:
            print(
                f"  {row.film}: {row.text}\n    {'answerable' if row.answerable else 'NOT in the film'}: {row.answer}"
            )
    if options.half == "both":
        result = circumstances("hicom-agent", "torch") | {"figures": found}
        result["rows"] = [asdict(row) for some in halves.values() for row in some]
        name = f"words-{options.llm.rpartition(':')[2]}.json" if options.llm else "words.json"
        (HERE / "results" / name).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
