"""Ask the quality set of the tool as shipped, without memory of earlier questions, and with evidence from tokens.

    python benchmarks/quality_variants.py        # writes benchmarks/results/quality_variants.json

As shipped, what is seen is told by the likelihoods of every patch of every frame. The token variants know only tokens:
frames are cut into runs of four, runs into the windows of `compress`, and each run is as present as its tokens say by
the same rule. Tokens are means of likelihoods as the question attends (conditional), plain means (unconditional), or
as many patches spread evenly (uniform). All that is not seen, and how clips are compressed, stays as shipped.

The rule was fitted to patches: raw, tokens of one kind may be declined more often for no other reason. So each kind
has a constant of its own, fitted as that of the rule was, on the tuning queries of nano_truth.json: at the same rate
of false alarms. Both are reported.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nano_search
import numpy as np
import quality
import torch
from conditioning import spread_patches
from measured import circumstances
from quality_films import FILMS, Card, Film, Shot, place, spoken
from quality_metrics import bootstrap_p
from quality_more import all_questions
from quality_questions import Question

from hicom_agent.build import Workspace
from hicom_agent.compress.clips import WINDOW
from hicom_agent.compress.direct import attend_groups
from hicom_agent.compress.windows import group_cells
from hicom_agent.encode.labels import NUM_CLASSES
from hicom_agent.encode.packing import make_sparse
from hicom_agent.encode.presence import find_presence

RESULT = Path(__file__).resolve().parent / "results" / "quality_variants.json"
TOKENS = ("conditional", "unconditional", "uniform")
ABSENT = ("there is none", "none does")  # truths of unanswerable questions that ask for what would be seen
MEASURES = ("right", "hit", "iou", "abstained")
SETTINGS: dict[str, dict[str, Any]] = {"as shipped": {}, "no memory of questions": {"token_bytes": 0}}


class TokenEncoder:
    """The encoder nano, but that it scans runs of frames by their tokens alone."""

    def __init__(self, inner: Any, kind: str, constant: float = 0.0) -> None:
        self._inner, self._kind, self._constant = inner, kind, constant

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def scan(self, question: str, packed: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return for each frame how likely the run in which it is shows what the question looks for, [t]."""
        features, guide = self._inner.unpack(packed), torch.from_numpy(self._inner.encode_guide(question))
        keys, values = torch.from_numpy(features.keys), torch.from_numpy(features.values)
        starts = range(0, len(keys), WINDOW[0])
        tokens = np.stack(
            [self._tokens(keys[i : i + WINDOW[0]], values[i : i + WINDOW[0]], guide) for i in starts]
        )  # [runs, gh, gw, d]
        with np.errstate(divide="ignore"):
            grids = make_sparse(np.log(tokens[..., :NUM_CLASSES]), tokens[..., NUM_CLASSES:])
        presence = find_presence(self._inner.find_things(question), grids)
        odds = np.exp(self._constant) * presence / np.maximum(1 - presence, 1e-9)
        sure: np.ndarray = (odds / (1 + odds)).astype(np.float32)
        return np.repeat(sure, WINDOW[0])[: len(keys)]

    def _tokens(self, keys: torch.Tensor, values: torch.Tensor, guide: torch.Tensor) -> np.ndarray:
        if self._kind == "conditional":
            tokens = attend_groups(keys, values, guide, WINDOW, self._inner.temperature).tokens
        else:
            tokens = group_cells(values, WINDOW).mean(3)
        if self._kind == "uniform":
            tokens = spread_patches(values, tokens[..., 0].numel()).reshape(tokens.shape)
        return tokens[0].numpy()


def fit_constants(encoder: Any) -> dict[str, float]:
    """Return for each kind of tokens the constant at which false alarms are as frequent as with the shipped rule.

    On the films and queries of the tuning half of nano_truth; a false alarm is a presence of one half.
    """
    truth = json.loads((nano_search.HERE / "nano_truth.json").read_text())
    tuning = {name: step_s for name, step_s in truth["every_s"].items() if name not in ("bikes", "bottles")}
    films, _ = nano_search.load_films(encoder, tuning)
    queries = {query: truth["queries"][query] for query in nano_search.split(truth["queries"])["tuning"]}

    def false_scores(scanner: Any) -> tuple[np.ndarray, np.ndarray]:
        every = [
            nano_search.score(films, told, lambda f, q=q: scanner.scan(q, f.packed)) for q, told in queries.items()
        ]
        scored = nano_search.joined(every)
        return scored.score[~scored.seen], scored.weight[~scored.seen]

    shipped, weight = false_scores(encoder)
    rate = float(weight[shipped >= 0.5].sum() / weight.sum())
    constants = {}
    for kind in TOKENS:
        scores, weight = false_scores(TokenEncoder(encoder, kind))
        order = np.argsort(-scores)
        at = float(scores[order][np.searchsorted(np.cumsum(weight[order]) / weight.sum(), rate)])
        constants[kind] = round(float(np.log((1 - at) / at)), 2)
    return constants


def looks(question: Question) -> bool:
    """Return whether the question asks for what is seen: a true range is neither a card nor a sentence."""
    if question.kind == "unanswerable":
        return question.truth in ABSENT
    film = next(film for film in FILMS if film.name == question.film)
    return any(not _is_said(film, r) and not _is_written(film, r) for r in question.ranges_s)


def _is_written(film: Film, range_s: tuple[float, float]) -> bool:
    cards = [placed for placed in place(film.script) if isinstance(placed.part, Card)]
    return any(range_s[0] < placed.end_s and placed.start_s < range_s[1] for placed in cards)


def _is_said(film: Film, range_s: tuple[float, float]) -> bool:
    shots = [placed for placed in place(film.script) if isinstance(placed.part, Shot) and placed.part.sound]
    return any(range_s in film.says(line["text"]) for s in shots for line in spoken()[s.part.sound]
               if s.start_s + line["end_s"] <= s.end_s)  # fmt: skip


def ask(work: Workspace, encoder: Any, films: Mapping[str, Path], asked: Sequence[Question]) -> list[quality.Row]:
    """Ask with this encoder; writer and all else are the workspace's."""
    work.__dict__["encoder"] = encoder
    return quality.ask_all(work, films, asked)


def ask_variants(films: Mapping[str, Path]) -> tuple[dict[str, list[quality.Row]], dict[str, float]]:
    """Return the rows of each variant, and the constants of the fitted ones, which are asked for what is seen alone."""
    quality.ASKED = quality.BENCH / "variants"  # another run may be asking
    first = quality.fresh_workspace()
    encoder, writer = first.encoder, first.writer
    rows = {}
    constants = fit_constants(encoder)
    plans = [(name, settings, encoder, all_questions()) for name, settings in SETTINGS.items()]
    plans += [(f"{kind} tokens", {}, TokenEncoder(encoder, kind), all_questions()) for kind in TOKENS]
    seen = tuple(question for question in all_questions() if looks(question))
    plans += [(f"{kind} tokens, fitted", {}, TokenEncoder(encoder, kind, constants[kind]), seen) for kind in TOKENS]
    for name, settings, scanner, asked in plans:
        work = quality.fresh_workspace(**settings)
        work.__dict__["writer"] = writer
        rows[name] = ask(work, scanner, films, asked)
        print(f"{name}: {len(rows[name])} asked", flush=True)
    return rows, constants


# ---------------------------------------------------------------------- figures


def compare(ours: Sequence[quality.Row], theirs: Sequence[quality.Row]) -> dict[str, Any]:
    """Return the mean of each paired difference and how likely chance alone makes it, over questions asked of both."""
    known = {row.id: row for row in theirs}
    pairs = [(row, known[row.id]) for row in ours if row.id in known]
    found: dict[str, Any] = {"n": len(pairs)}
    for measure in MEASURES:
        values = [(getattr(a, measure), getattr(b, measure)) for a, b in pairs]
        kept = [(float(a), float(b)) for a, b in values if a is not None and b is not None]
        mine, other = ([pair[i] for pair in kept] for i in (0, 1))
        found[measure] = {
            "mean": round(float(np.mean(mine) - np.mean(other)), 3),
            "p": round(bootstrap_p(mine, other), 4),
        }
    return found


def summarise(rows: Mapping[str, Sequence[quality.Row]]) -> dict[str, Any]:
    """Return figures and comparisons of each variant, by half, of all questions and of those for what is seen."""
    seen = {question.id for question in all_questions() if looks(question)}
    told: dict[str, Any] = {}
    for part, wanted in (("all", None), ("seen", seen)):
        for half in ("tuning", "reported", "both"):
            some = {
                name: [r for r in each if (wanted is None or r.id in wanted) and half in (r.half, "both")]
                for name, each in rows.items()
                if wanted is not None or not name.endswith("fitted")
            }
            told[f"{part}, {half}"] = {
                name: {
                    "figures": quality.figures(each),
                    "against": {other: compare(each, some[other]) for other in rivals(name) if other in some},
                }
                for name, each in some.items()
            }
    return told


def rivals(name: str) -> tuple[str, ...]:
    """Return what a variant is compared with."""
    if name == "as shipped":
        return ()
    kind, _, fitted = name.partition(" tokens")
    conditional = f"conditional tokens{fitted}"
    return ("as shipped", conditional) if kind in TOKENS[1:] else ("as shipped",)


def report(told: Mapping[str, Any]) -> str:
    """Return the table."""
    lines = []
    for part, variants in told.items():
        headings = "".join(f"{heading:>10}" for heading in quality.COLUMNS)
        lines += ["", f"{part:<30}{'n':>4}{headings}{'P(abst)':>10}{'R(abst)':>10}"]
        for name, found in variants.items():
            figures = found["figures"]
            cells = [f"{figures[key]:>10.{digits}f}" for key, digits in quality.COLUMNS.values()]
            cells += [f"{figures[key]:>10.2f}" for key in ("abstention_precision", "abstention_recall")]
            lines.append(f"  {name:<28}{figures['n']:>4}{''.join(cells)}")
        for name, found in variants.items():
            for other, apart in found["against"].items():
                cells = [f"{m} {apart[m]['mean']:+.3f} p={apart[m]['p']:.3f}" for m in MEASURES]
                lines.append(f"    {name} - {other}: {', '.join(cells)}")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=RESULT)
    out, began_s = options.parse_args().out, time.perf_counter()
    machine = circumstances("hicom-agent", "torch", "numpy")
    films = quality.make_films(list(quality.HALVES))
    quality.index(films)
    rows, constants = ask_variants(films)
    told = summarise(rows)
    print(report(told))
    print(f"\nconstants: {constants}; {time.perf_counter() - began_s:.0f} s")
    kept = {name: [asdict(row) for row in each] for name, each in rows.items()}
    small = {name: [{k: row[k] for k in ("id", *MEASURES)} for row in each] for name, each in kept.items()}
    out.write_text(json.dumps(machine | {"constants": constants, "figures": told, "rows": small}, indent=1) + "\n")


if __name__ == "__main__":
    main()
