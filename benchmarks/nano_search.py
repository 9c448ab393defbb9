"""Measure how well the nano encoder finds what is asked, and knows what is not there.

    python benchmarks/nano_search.py            # writes benchmarks/results/nano_search.json
    python benchmarks/nano_search.py --fit      # fits the curve of encode/presence.py anew on the tuning half

Truth is in nano_truth.json, read off the frames. The queries are split in two by their place in the alphabet, those
that some film shows and those that none does apart: constants are chosen on one half, the other is reported as well.
Each film weighs the same in a query, each query the same in a sum.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from hicom_agent.agent import sight
from hicom_agent.compress import compress
from hicom_agent.encode import NanoEncoder, presence
from hicom_agent.encode.packing import unpack_grids
from hicom_agent.models import ensure
from hicom_agent.settings import load_settings
from hicom_agent.types import Clip, ClipFeatures, FrameFeatures

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "videos"
EDGE_S = 0.15  # frames this near to where a thing comes or goes are not counted
FALSE_ALARMS = 0.01  # of the tuning half, at which the curve passes one half
STRENGTHS = (0.3, 0.35, 0.4, 0.45, 0.5)  # of a moment, from which it may count: SEEN_FROM is chosen among them
FORMS = ("When does {} appear?", "Is there {} in the video?", "At what point can you see {}?")


@dataclass(frozen=True)
class Film:
    """One film, encoded, packed and unpacked."""

    name: str
    times_s: np.ndarray
    features: FrameFeatures
    packed: dict[str, np.ndarray]


@dataclass(frozen=True)
class Scored:
    """Scores of one query over the frames that count."""

    seen: np.ndarray  # bool
    score: np.ndarray
    weight: np.ndarray
    film: np.ndarray  # name


def read(path: Path, every_s: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the first frame at or after each multiple of `every_s`."""
    times_s, pictures = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= len(times_s) * every_s - 1e-6:
                times_s.append(frame.time)
                pictures.append(frame.to_ndarray(format="rgb24"))
    return np.array(times_s), pictures


def load_films(encoder: NanoEncoder, every_s: dict[str, float]) -> tuple[list[Film], dict[str, Any]]:
    """Return the films, and what seeing and keeping them costs."""
    sys.path.insert(0, str(HERE.parent / "examples"))
    from footage import fetch

    paths = fetch(HERE.parent / ".demo" / "footage")
    paths |= {"cars": SHARED / "car-detection.mp4", "bottles": SHARED / "bottle-detection.mp4"}
    films, spent_s, num_frames, num_bytes, drift = [], 0.0, 0, 0, []
    for name, step_s in every_s.items():
        if not paths[name].is_file():
            print(f"left out: {name} ({paths[name]} is absent)", file=sys.stderr)
            continue
        times_s, pictures = read(paths[name], step_s)
        encoder.encode_frames(pictures[:1])
        started = time.perf_counter()
        features = encoder.encode_frames(pictures)
        spent_s += time.perf_counter() - started
        packed = encoder.pack(features)
        again = encoder.unpack(packed)
        drift.append(float((1 - (again.pooled * features.pooled).sum(1)).max()))
        num_frames, num_bytes = num_frames + len(pictures), num_bytes + sum(a.nbytes for a in packed.values())
        films.append(Film(name, times_s, again, packed))
    cost = {
        "ms_per_frame": round(1e3 * spent_s / num_frames, 1),
        "threads": torch.get_num_threads(),
        "packed_bytes_per_frame": num_bytes // num_frames,
        "largest_cosine_distance_by_packing": max(drift),
    }
    return films, cost


def judge(truth: dict[str, Any], film: Film) -> np.ndarray:
    """Return 1 where the film shows it, 0 where not, NaN where that is not sure."""
    told = truth.get(film.name, {})
    found = np.zeros(len(film.times_s))
    for key, value in (("unsure", np.nan), ("seen", 1.0)):
        if told.get(key) == "all":
            found[:] = value
            continue
        for start_s, end_s in told.get(key, []):
            found[(film.times_s >= start_s) & (film.times_s <= end_s)] = value
            if key == "seen":
                for edge_s in (start_s, end_s):
                    found[np.abs(film.times_s - edge_s) < EDGE_S] = np.nan
    return found


def score(films: list[Film], truth: dict[str, Any], function: Any) -> Scored:
    """Return what `function(film)` gives, beside the truth."""
    parts = []
    for film in films:
        told = judge(truth, film)
        counts = ~np.isnan(told)
        if counts.any():
            weight = np.full(counts.sum(), 1 / counts.sum())
            names = np.full(counts.sum(), film.name)
            parts.append((told[counts] == 1, np.asarray(function(film))[counts], weight, names))
    return Scored(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def auc(seen: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """Return the chance that a frame that shows it scores above one that does not; ties count half."""
    _, place = np.unique(value, return_inverse=True)
    ahead, behind = np.bincount(place, weight * seen), np.bincount(place, weight * ~seen)
    below = np.cumsum(behind) - behind
    return float((ahead * (below + behind / 2)).sum() / (ahead.sum() * behind.sum()))


def joined(scored: list[Scored]) -> Scored:
    """Return all queries as one."""
    return Scored(*(np.concatenate([getattr(s, n) for s in scored]) for n in ("seen", "score", "weight", "film")))


def recall_at(scored: Scored, false_alarms: float) -> float:
    """Return the share of true frames above the score that this share of false ones reaches."""
    order = np.argsort(-scored.score[~scored.seen])
    weight = scored.weight[~scored.seen][order]
    limit = scored.score[~scored.seen][order][np.searchsorted(np.cumsum(weight) / weight.sum(), false_alarms)]
    return _share(scored.weight, scored.seen, scored.score > limit)


def _share(weight: np.ndarray, among: np.ndarray, chosen: np.ndarray) -> float:
    return float((weight * (among & chosen)).sum() / (weight * among).sum())


def summarise(scored: dict[str, Scored], threshold: float | None = None) -> dict[str, Any]:
    """Return the figures of one method over some queries."""
    everything = joined(list(scored.values()))
    aucs = [auc(s.seen, s.score, s.weight) for s in scored.values() if s.seen.any()]
    figures: dict[str, Any] = {
        "queries": len(scored),
        "mean_auc_of_a_query": round(float(np.mean(aucs)), 3),
        "auc_over_all_queries": round(auc(everything.seen, everything.score, everything.weight), 3),
        "recall_at_1_2_5_percent_false": [round(recall_at(everything, rate), 2) for rate in (0.01, 0.02, 0.05)],
    }
    if threshold is not None:
        above = everything.score >= threshold
        films = [(s.seen[k].any(), s.score[k].max()) for s in scored.values() for k in _films(s)]
        shown = np.array([best for seen, best in films if seen])
        absent = np.array([best for seen, best in films if not seen])
        figures["at_one_half"] = {
            "frames_found": round(_share(everything.weight, everything.seen, above), 2),
            "frames_false": round(_share(everything.weight, ~everything.seen, above), 4),
            "films_found": round(float((shown >= threshold).mean()), 2),
            "films_false": round(float((absent >= threshold).mean()), 3),
        }
    return figures


def believed(scored: dict[str, Scored]) -> dict[str, tuple[float, float]]:
    """Return for each strength from which a moment may count the share of films with it, and of those without."""
    films = [(s.seen[k].any(), sight.strength(s.score[k])) for s in scored.values() for k in _films(s)]
    shown, absent = (np.array([best for seen, best in films if seen == kind]) for kind in (True, False))
    return {f"{low:.2f}": (round(float((shown >= low).mean()), 2), round(float((absent >= low).mean()), 3))
            for low in STRENGTHS}  # fmt: skip


def _films(scored: Scored) -> list[np.ndarray]:
    return [scored.film == name for name in np.unique(scored.film)]


def methods(encoder: NanoEncoder, query: str) -> dict[str, Any]:
    """Return each way to score the frames of a film under a query."""
    raw, guide = encoder.encode_texts([query])[0], encoder.encode_guide(query)

    def attended(film: Film) -> np.ndarray:
        clip = Clip(0, float(film.times_s[0]), float(film.times_s[-1]))
        light = FrameFeatures(film.features.keys[..., :1], film.features.keys, film.features.pooled)
        return compress(ClipFeatures(clip, film.times_s, light), guide).frame_relevance

    return {
        "pooled vector (baseline)": lambda film: film.features.pooled @ raw,
        "best patch": lambda film: (film.features.keys @ guide).max((1, 2)),
        "attention of the compressor": attended,
        "presence": lambda film: encoder.scan(query, film.packed),
    }


def split(queries: dict[str, Any]) -> dict[str, list[str]]:
    """Return the two halves."""
    kinds = [[q for q in sorted(queries) if any("seen" in film for film in queries[q].values()) is kind]
             for kind in (True, False)]  # fmt: skip
    return {"tuning": kinds[0][::2] + kinds[1][::2], "report": kinds[0][1::2] + kinds[1][1::2]}


def fit(encoder: NanoEncoder, films: list[Film], queries: dict[str, Any]) -> list[float]:
    """Return the curve fitted to `queries`; frames that show it count three times."""
    rows, told, weights = [], [], []
    for query, truth in queries.items():
        things = [thing for thing in presence.choose_main(encoder.find_things(query)) if thing.classes]
        if len(things) != 1 or things[0].colour:
            continue
        for film in films:
            found = judge(truth, film)
            counts = ~np.isnan(found)
            evidence = presence.weigh(things[0].classes, unpack_grids(film.packed, 11))
            rows.append(evidence[counts])
            told.append(found[counts])
            weights.append(np.full(counts.sum(), 1 / max(1, counts.sum())))
    x = np.column_stack([np.concatenate(rows), np.ones(sum(len(r) for r in rows))]).astype(np.float64)
    y, weight = np.concatenate(told), np.concatenate(weights)
    curve = _logistic(x, y, np.where(y == 1, 3, 1) * weight)
    scores = x @ curve
    order = np.argsort(-scores[y == 0])
    share = np.cumsum(weight[y == 0][order]) / weight[y == 0].sum()
    curve[-1] -= scores[y == 0][order][np.searchsorted(share, FALSE_ALARMS)]
    return [round(float(value), 2) for value in curve]


def _logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    curve, weight = np.zeros(x.shape[1]), weight / weight.sum()
    ridge = 3e-3 * np.diag([1.0] * (x.shape[1] - 1) + [0.0])
    for _ in range(60):
        chance = 1 / (1 + np.exp(-x @ curve))
        slope = x.T @ (weight * (chance - y)) + ridge @ curve
        bend = (x * (weight * chance * (1 - chance))[:, None]).T @ x + ridge + 1e-9 * np.eye(x.shape[1])
        curve = curve - np.linalg.solve(bend, slope)
    return curve


def compare(encoder: NanoEncoder, films: list[Film], queries: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of each method."""
    scored: dict[str, dict[str, Scored]] = {}
    for query, truth in queries.items():
        for name, function in methods(encoder, query).items():
            scored.setdefault(name, {})[query] = score(films, truth, function)
    figures = {name: summarise(each, 0.5 if name == "presence" else None) for name, each in scored.items()}
    figures["presence"]["films_found_and_false_from_strength"] = believed(scored["presence"])
    return figures


def compare_forms(encoder: NanoEncoder, films: list[Film], queries: dict[str, Any]) -> dict[str, float]:
    """Return the mean AUC of a query put as a question, with the vector of the question and with its guide."""
    found: dict[str, list[float]] = {"question as it is": [], "guide": []}
    for query, truth in queries.items():
        if not any("seen" in film for film in truth.values()):
            continue
        for form in FORMS:
            question = form.format(query)
            vectors = (encoder.encode_texts([question])[0], encoder.encode_guide(question))
            for name, vector in zip(found, vectors, strict=True):
                each = score(films, truth, lambda film, v=vector: film.features.pooled @ v)
                found[name] += [auc(each.seen, each.score, each.weight)] if each.seen.any() else []
    return {name: round(float(np.mean(values)), 3) for name, values in found.items()}


def detail(encoder: NanoEncoder, films: list[Film], queries: dict[str, Any]) -> dict[str, Any]:
    """Return per query how much of it is found, and the highest presence where it is not."""
    rows = {}
    for query, truth in queries.items():
        each = score(films, truth, lambda film, q=query: encoder.scan(q, film.packed))
        row: dict[str, Any] = {"highest_where_absent": round(float(each.score[~each.seen].max()), 2)}
        if each.seen.any():
            row["median_where_seen"] = round(float(np.median(each.score[each.seen])), 2)
            row["auc"] = round(auc(each.seen, each.score, each.weight), 3)
        rows[query] = row
    return rows


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--fit", action="store_true", help="print the curve fitted to the tuning half")
    options.add_argument("--out", type=Path, default=HERE / "results" / "nano_search.json")
    chosen = options.parse_args()
    cache = load_settings().cache
    lite0, minilm, labels = (ensure(name, cache) for name in ("lite0", "minilm", "imagenet-labels"))
    encoder = NanoEncoder(lite0 / "efficientnet-lite0.pth", minilm, labels)
    truth = json.loads((HERE / "nano_truth.json").read_text())
    films, cost = load_films(encoder, truth["every_s"])
    halves = {name: {q: truth["queries"][q] for q in chosen} for name, chosen in split(truth["queries"]).items()}
    if chosen.fit:
        print("CURVE =", fit(encoder, films, halves["tuning"]), "now", presence.CURVE)
        return
    results = {
        "encoder": f"{encoder.name} {encoder.version}",
        "films": {film.name: len(film.times_s) for film in films},
        "cost": cost,
        **{half: compare(encoder, films, queries) for half, queries in halves.items()},
        "mean_auc_of_questions": compare_forms(encoder, films, truth["queries"]),
        "queries": detail(encoder, films, truth["queries"]),
    }
    chosen.out.parent.mkdir(exist_ok=True)
    chosen.out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps({key: value for key, value in results.items() if key != "queries"}, indent=1))


if __name__ == "__main__":
    main()
