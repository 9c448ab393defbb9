"""Compare tokens made under the question with plain means and with sampled patches, at the same number of tokens.

    python benchmarks/conditioning.py            # writes benchmarks/results/conditioning.json

Encoder nano, in the space of its keys, as `compress` attends. A clip (or a window of four frames) is cut into groups;
of each becomes one token: the mean of its keys weighted by softmax(g·K / temperature), or their plain mean. Uniform
is as many keys spread evenly in time and over the picture. A clip scores as its best token does with the guide.
Groups, temperature and whether tokens are made of unit length are chosen on the tuning half, for each method and
budget; "mean, same groups" is the plain mean of the groups chosen for the conditional tokens.

What is ranked is told in conditioning_data.py; run benchmarks/quality.py first, which indexes its films. Questions
that ask for the same are one in the bootstrap. The two sets share footage: together they hold less than their number.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from conditioning_data import Set, read_quality, read_truth
from measured import circumstances
from quality_metrics import bootstrap_p
from torch import Tensor

from hicom_agent.build import Workspace
from hicom_agent.compress.clips import WINDOW
from hicom_agent.compress.direct import attend_groups, attend_whole
from hicom_agent.compress.windows import group_cells
from hicom_agent.settings import load_settings

RESULT = Path(__file__).resolve().parent / "results" / "conditioning.json"
TEMPERATURES = (0.01, 0.02, 0.05, 0.1)
SHIPPED = 0.05
Groups = tuple[int, int, int]  # in time, down and across; none: the shipped windows, and one token for the whole
ALL_PATCHES: Groups = (-1, -1, -1)
BUDGETS: dict[str, list[Groups]] = {
    "shipped": [(0, 0, 0)],
    "8": [(8, 1, 1), (4, 1, 2), (4, 2, 1), (2, 2, 2), (1, 2, 4)],
    "4": [(4, 1, 1), (2, 1, 2), (2, 2, 1), (1, 2, 2)],
    "1": [(1, 1, 1)],
}
TASKS = {  # what ways are chosen for: the sets of rankings on which they are reported
    "clips": {"both": ("4 s, truth", "stored, quality"), "truth": ("4 s, truth",), "quality": ("stored, quality",)},
    "clips of 16 s": {"both": ("16 s, truth", "16 s, quality"), "truth": ("16 s, truth",),
                      "quality": ("16 s, quality",)},
    "moments": {"both": ("moments, truth", "moments, quality"), "truth": ("moments, truth",),
                "quality": ("moments, quality",)},
}  # fmt: skip
OURS = ("conditional", "conditional .05")
THEIRS = ("mean", "mean, same groups", "uniform")
DRAWS = 10_000


class Way(NamedTuple):
    """One way to make tokens of a clip and to score them."""

    method: str
    budget: str
    groups: Groups
    temperature: float
    unit: bool  # tokens are made of unit length


@dataclass
class Scored:
    """A set with the scores of every way, [items, guides], and the number of tokens of each item by budget."""

    set: Set
    scores: dict[Way, np.ndarray] = field(default_factory=dict)
    num_tokens: dict[tuple[str, int], int] = field(default_factory=dict)

    def keep(self, item: int, way: Way, found: tuple[np.ndarray, np.ndarray]) -> None:
        """Keep what `best_token` gave."""
        for unit, values in zip((False, True), found, strict=True):
            table = self.scores.setdefault(way._replace(unit=unit), np.zeros((len(self.set.items), len(values))))
            table[item] = values


# ---------------------------------------------------------------------- tokens


def make_groups(keys: Tensor, groups: Groups) -> list[Tensor]:
    """Return blocks [n, members, e] of keys [t, h, w, e]; but for the shipped windows exactly so many, of one size.

    A clip with fewer frames than groups in time has more of them across and down.
    """
    if groups == (0, 0, 0):
        return [group_cells(keys, WINDOW).flatten(0, 2), keys.flatten(0, 2)[None]]
    t, h, w = groups
    while t > len(keys):
        t, h, w = (t // 2, h, w * 2) if w < 4 else (t // 2, h * 2, w)
    axes = [_spread_cells(length, count) for length, count in zip(keys.shape[:3], (t, h, w), strict=True)]
    cells = torch.arange(keys[..., 0].numel()).reshape(keys.shape[:3])
    members = [cells[a][:, b][:, :, c].flatten() for a, b, c in product(*axes)]
    return [keys.flatten(0, 2)[torch.stack(members)]]


def _spread_cells(length: int, count: int) -> list[Tensor]:
    size = math.ceil(length / count)
    starts = np.linspace(0, length - size, count).round().astype(int)
    return [torch.arange(start, start + size) for start in starts]


def spread_patches(keys: Tensor, num: int) -> Tensor:
    """Return `num` keys [n, e], evenly in time, and over the picture by the R2 sequence, which favours no column."""
    t, h, w, _ = keys.shape
    i = np.arange(num)
    rows, columns = (0.5 + 0.7548776662 * i) % 1 * h, (0.5 + 0.5698402910 * i) % 1 * w
    return keys[((i + 0.5) / num * t).astype(int), rows.astype(int), columns.astype(int)]


def attend_all(blocks: Sequence[Tensor], guides: Tensor, temperature: float) -> Tensor:
    """Return tokens [guides, n, e], each the mean of its group as the guide attends."""
    tokens = []
    for block in blocks:
        weights = torch.softmax(block @ guides.T / temperature, dim=1)
        tokens.append(torch.einsum("nmq,nme->qne", weights, block))
    return torch.cat(tokens, dim=1)


def best_token(tokens: Tensor, guides: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return for each guide the largest product with a token of [guides or 1, n, e], as it is and of unit length."""
    dots = (tokens * guides[:, None]).sum(-1)
    return dots.amax(1).numpy(), (dots / tokens.norm(dim=-1).clamp_min(1e-9)).amax(1).numpy()


@torch.inference_mode()
def score_all(found: Set) -> Scored:
    """Score every item under every guide in every way."""
    scored, guides = Scored(found), torch.from_numpy(np.stack(found.guides))
    for item, keys in enumerate(found.items):
        for budget, groups in ((name, shape) for name, shapes in BUDGETS.items() for shape in shapes):
            blocks = make_groups(keys, groups)
            num = scored.num_tokens[budget, item] = sum(len(block) for block in blocks)
            made = {("conditional", t): attend_all(blocks, guides, t) for t in TEMPERATURES}
            made["mean", 0.0] = torch.cat([block.mean(1) for block in blocks])[None]
            made["uniform", 0.0] = spread_patches(keys, num)[None]
            for (method, temperature), tokens in made.items():
                scored.keep(item, Way(method, budget, groups, temperature, False), best_token(tokens, guides))
        every = best_token(keys.flatten(0, 2)[None], guides)
        scored.keep(item, Way("all patches", "all", ALL_PATCHES, 0.0, False), every)
    return scored


# ---------------------------------------------------------------------- figures


def by_query(sets: Sequence[Scored], way: Way, tasks: Sequence[str], half: str) -> np.ndarray:
    """Return [queries, 2], average precision and whether the first is right, means over films and phrasings."""
    kept: dict[str, list[tuple[float, float]]] = {}
    for scored in sets:
        for ranking in scored.set.rankings:
            if ranking.task in tasks and half in (ranking.half, "all"):
                order = np.argsort(-scored.scores[way][ranking.items, ranking.guide], kind="stable")
                right = ranking.right[order]
                precision = np.cumsum(right)[right] / (np.flatnonzero(right) + 1)
                kept.setdefault(f"{ranking.half} {ranking.about}", []).append((precision.mean(), float(right[0])))
    return np.array([np.mean(values, axis=0) for values in kept.values()])


def choose(sets: Sequence[Scored], budget: str, tasks: Sequence[str]) -> dict[str, Way]:
    """Return the way of each method that is best on the tuning half."""
    value = {way: float(by_query(sets, way, tasks, "tuning")[:, 0].mean()) for way in sets[0].scores}

    def best(method: str, budget: str = budget, **fixed: Any) -> Way:
        ways = [way for way in value if (way.method, way.budget) == (method, budget)]
        return max((w for w in ways if fixed.items() <= w._asdict().items()), key=value.__getitem__)

    chosen = {"conditional": best("conditional"), "conditional .05": best("conditional", temperature=SHIPPED)}
    same = best("mean", groups=chosen["conditional"].groups)
    chosen |= {"mean": best("mean"), "mean, same groups": same, "uniform": best("uniform")}
    return chosen | {"all patches": best("all patches", "all")}


def compare(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Return the mean of paired differences, its 95 % interval and how likely chance alone makes it."""
    apart = ours - theirs
    drawn = apart[np.random.default_rng(0).integers(0, len(apart), (DRAWS, len(apart)))].mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    p = bootstrap_p(ours.tolist(), theirs.tolist(), DRAWS)
    return {"mean": round(float(apart.mean()), 3), "interval": [round(low, 3), round(high, 3)], "p": round(p, 4)}


def summarise(sets: Sequence[Scored]) -> list[dict[str, Any]]:
    """Return one row for each task, set and budget: figures of each method, and how far they are apart."""
    rows = []
    for (task, parts), budget in product(TASKS.items(), BUDGETS):
        chosen = choose(sets, budget, parts["both"])
        for name, tasks in parts.items():
            row: dict[str, Any] = {"task": task, "set": name, "budget": budget, "tokens": _tokens(sets, budget, tasks)}
            row["ways"] = {method: way._asdict() for method, way in chosen.items()}
            for half in ("tuning", "reported", "all"):
                values = {method: by_query(sets, way, tasks, half) for method, way in chosen.items()}
                row[half] = {"queries": len(values["mean"])}
                row[half] |= {
                    method: {"ap": round(v[:, 0].mean(), 3), "first": round(v[:, 1].mean(), 3)}
                    for method, v in values.items()
                }
                row[half]["apart"] = {
                    f"{a} - {b}": {m: compare(values[a][:, i], values[b][:, i]) for i, m in enumerate(("ap", "first"))}
                    for a, b in product(OURS, THEIRS)
                }
            rows.append(row)
    return rows


def _tokens(sets: Sequence[Scored], budget: str, tasks: Sequence[str]) -> float:
    used = [s.num_tokens[budget, i] for s in sets for r in s.set.rankings if r.task in tasks for i in r.items]
    return round(float(np.mean(used)), 1)


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Return average precision and first right by half, then the differences on the reported half and on all."""
    lines = []
    for row in rows:
        counts = "/".join(str(row[half]["queries"]) for half in ("tuning", "reported", "all"))
        lines += ["", f"{row['task']}, {row['set']}, {row['tokens']} tokens; tuning, reported, all: {counts} queries"]
        for method, way in row["ways"].items():
            found = [row[half][method] for half in ("tuning", "reported", "all")]
            cells = (f"   {each['ap']:.3f} {each['first']:.2f}" for each in found)
            lines.append(f"  {method:<18}{''.join(cells)}   {tuple(way.values())[2:]}")
        for pair, measure in product(row["all"]["apart"], ("ap", "first")):
            told = (_difference(row[half]["apart"][pair][measure]) for half in ("reported", "all"))
            lines.append(f"    {pair:<36}{measure:<6}{''.join(told)}")
    for theirs, half in product(THEIRS, ("reported", "all")):
        tests = [row[half]["apart"][f"conditional - {theirs}"]["ap"] for row in rows if row["set"] == "both"]
        better = sum(t["p"] < 0.05 and t["mean"] > 0 for t in tests)
        worse = sum(t["p"] < 0.05 and t["mean"] < 0 for t in tests)
        lines.append(f"conditional against {theirs}, {half}: better in {better}, worse in {worse} of {len(tests)} rows")
    return "\n".join(lines)


def _difference(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"  {found['mean']:+.3f} [{low:+.3f}, {high:+.3f}] p={found['p']:.4f} {'  ' if found['p'] < 0.05 else 'ns'}"


def check(found: Set) -> None:
    """Assert that the tokens compared are those that `compress` makes."""
    keys, guide = found.items[0], torch.from_numpy(found.guides[0])
    local = attend_groups(keys, keys, guide, WINDOW, SHIPPED).tokens.flatten(0, 2)
    shipped = torch.cat([local, attend_whole(keys, keys, guide, 1, SHIPPED)])
    assert torch.allclose(attend_all(make_groups(keys, (0, 0, 0)), guide[None], SHIPPED)[0], shipped, atol=1e-5)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=RESULT)
    out, began_s, told = options.parse_args().out, time.perf_counter(), circumstances("hicom-agent", "torch", "numpy")
    encoder = Workspace(load_settings({"profile": "nano"})).encoder
    sets = [read_truth(encoder), read_quality(encoder)]
    check(sets[0])
    rows = summarise([score_all(found) for found in sets])
    print(report(rows))
    print(f"\n{time.perf_counter() - began_s:.0f} s")
    out.write_text(json.dumps(told | {"encoder": f"{encoder.name} {encoder.version}", "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
