"""Does compression under the question earn its place? Trained from scratch in a made world, at equal visual tokens.

    python benchmarks/claim.py                    # all arms, three seeds: at most an hour on two cores
    python benchmarks/claim.py --quick            # one seed, few steps: minutes, to see that all runs

One encoder and one language model are made (`claim_base.py`); then every arm goes through align, condition and tune by
`hicom_agent.training`, and through align and tune alone. All make sixteen tokens of a film's 512 patches.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np  # noqa: E402
import torch  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to make sixteen tokens of a film."""

    name: str
    projector: str
    guided: bool
    pooled: bool = False

    @property
    def unguided(self) -> str:
        """Return the projector of alignment, in which nothing is guided."""
        return self.projector.split("_guide")[0] if "_guide" in self.projector else self.projector


BOTH = "local44_global8"
ARMS = (
    Arm("average pooling", "mlp2x_gelu", guided=False, pooled=True),
    Arm("unconditional local", "local24", guided=False),
    Arm("unconditional local + global", BOTH, guided=False),
    Arm("conditional local", "local24", guided=True),
    Arm("conditional local + global, direct", BOTH, guided=True),
    Arm("conditional local + global, coarse", "local44_guidedirect_global8_guidecoarse", guided=True),
)
PAIRS = ((3, 1), (4, 2), (5, 2), (5, 0))  # an arm, and what it is compared with
BOUND = 2.43  # points, the paper's gain of conditions at equal tokens
RATES = {"align": 3e-3, "condition": 2e-3, "tune": 4e-3}
TRAIN_SEED, TEST_SEED = 100, 200


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made and learned."""

    worlds: int = 2500
    held_out: int = 400
    questions: int = 8  # of a held-out world
    encoder_steps: int = 1200
    words_steps: int = 1000
    align: int = 60  # steps of 64
    condition: int = 150
    tune: int = 350
    seeds: int = 3


QUICK = Size(worlds=60, held_out=30, encoder_steps=60, words_steps=40, align=4, condition=6, tune=10, seeds=1)
BATCH = 64


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages of one arm under one seed, in a folder."""

    folder: Path
    size: Size
    arm: Arm
    seed: int

    def output(self, *stages: str) -> Path:
        """Return where the checkpoint after some stages lies; arms that align alike share it."""
        name = self.arm.unguided if stages in ((), ("align",)) else self.arm.name.replace(", ", " ").replace(" ", "-")
        return self.folder / f"seed{self.seed}" / ".".join((name, *stages))


def use_one_thread() -> None:
    """Let a process of the pool use one core: two with one thread each do more than one with two."""
    torch.set_num_threads(1)


def make_worlds(folder: Path, seed: int, count: int) -> Any:
    """Return films, encoded under this name if they are."""
    from claim_data import Films
    from claim_world import make_world

    random = np.random.default_rng(seed)
    worlds = [make_world(random) for _ in range(count)]
    return Films(worlds, folder) if (folder / "E.npy").is_file() else worlds


def make_encoder(folder: Path, size: Size) -> dict[str, float]:
    """Train the encoder, encode all films, and return how well it points."""
    from claim_base import pointing, train_encoder
    from claim_data import encode

    kept, began = folder / "encoder.json", time.monotonic()
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    learned = make_worlds(folder / "none", TRAIN_SEED, size.worlds)
    tests = make_worlds(folder / "none", TEST_SEED, size.held_out)
    tower = train_encoder(learned, folder / "siglip", size.encoder_steps, 0, say)
    encode(tower, tests, folder / "test")
    encode(tower, learned, folder / "train")
    made = {"pointing": pointing(tower, tests[:60]), "seconds": time.monotonic() - began}
    kept.write_text(json.dumps(made))
    return made


def make_words(folder: Path, size: Size) -> dict[str, float]:
    """Train the language model."""
    from claim_base import train_language_model

    kept, began = folder / "words.json", time.monotonic()
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    worlds = make_worlds(folder / "none", TRAIN_SEED, size.worlds)
    train_language_model(worlds, folder / "qwen", size.words_steps, 0, say)
    made = {"seconds": time.monotonic() - began}
    kept.write_text(json.dumps(made))
    return made


def run_stage(chain: Chain, films: Any, stage: str, before: tuple[str, ...]) -> float:
    """Train one stage from what came before it; return its seconds."""
    from claim_data import Asked

    from hicom_agent.training import TrainConfig, train

    guided = chain.arm.guided and stage != "align"
    steps = getattr(chain.size, stage)
    config = TrainConfig(
        stage=stage,
        output=chain.output(*before, stage),
        projector=chain.arm.projector if guided else chain.arm.unguided,
        guide="direct" if guided else "off",
        frames=8,
        learning_rate=RATES[stage],
        batch=BATCH,
        micro_batch=BATCH,
        max_steps=steps,
        seed=chain.seed,
        device="cpu" if not torch.cuda.is_available() else "",
        save_steps=10**6,
        logging_steps=10,
        tensorboard=False,
        skip_condition=True,
        start=chain.output(*before) if before else make_start(chain),
    )
    samples = Asked(films, stage, steps * BATCH, chain.seed, guided=guided, pooled=chain.arm.pooled)
    return train(config, samples).seconds


def make_start(chain: Chain) -> Path:
    """Write encoder and language model with a projector between them, and return the folder.

    The release draws its first weights with a spread of 0.02, for layers of 1152. So narrow a projector would say
    next to nothing with that, so the spread grows as the root of the width falls.
    """
    from claim_base import WIDTH

    from hicom_agent.training.model import TrainableHICom
    from hicom_agent.training.start import join

    folder = chain.output()
    torch.manual_seed(chain.seed)
    changes = {"mm_projector_type": chain.arm.unguided, "use_guide": "off", "num_frames": 8}
    model, _ = TrainableHICom.from_checkpoint(join(chain.folder / "siglip", chain.folder / "qwen"), changes)
    model.train_parts("align")
    with torch.no_grad():
        for layer in model.projector.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.mul_((1152 / WIDTH) ** 0.5)
    model.save(folder)
    return folder


def align(chain: Chain) -> None:
    """Align a projector once for all arms that share it."""
    run_stage(chain, make_worlds(chain.folder / "train", TRAIN_SEED, chain.size.worlds), "align", ())


def finish(chain: Chain) -> dict[str, Any]:
    """Take an arm through its stages, with condition and without; return which held-out answers are right."""
    films = make_worlds(chain.folder / "train", TRAIN_SEED, chain.size.worlds)
    tests = make_worlds(chain.folder / "test", TEST_SEED, chain.size.held_out)
    seconds = run_stage(chain, films, "condition", ("align",))
    found: dict[str, Any] = {"arm": chain.arm.name, "seed": chain.seed}
    for name, before in (("conditioned", ("align", "condition")), ("plain", ("align",))):
        took = run_stage(chain, films, "tune", before)
        found[name], found["tokens"] = evaluate(chain, tests, chain.output(*before, "tune"))
        found[f"{name}_s"] = took + (seconds if name == "conditioned" else 0)
        share = statistics.fmean(right for _, right in found[name])
        say(f"{chain.arm.name}, seed {chain.seed}, {name}: {100 * share:.1f} %, {took:.0f} s")
    return found


@torch.inference_mode()
def evaluate(chain: Chain, films: Any, folder: Path) -> tuple[list[tuple[str, bool]], int]:
    """Return the kind of each held-out question and whether the likeliest word is its answer; and the tokens."""
    from claim_data import held_out, make_sample

    from hicom_agent.training.model import TrainableHICom
    from hicom_agent.training.samples import collate

    model, _ = TrainableHICom.from_checkpoint(folder)
    model.train(False)
    arm, rows, found, tokens = chain.arm, held_out(films.worlds, chain.size.questions, TEST_SEED), [], 0
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        samples = [
            make_sample(films, which, question, answer, slice(None), guided=arm.guided, pooled=arm.pooled)
            for which, question, answer, _ in part
        ]
        batch = collate(samples)
        batch.pop("skipped")
        if not tokens:
            seen = {key: batch[key] for key in ("modals", "pixels", "features", "guide_ids")}
            tokens = len(model.visual_tokens(**seen)[0])
        words = model(**batch)["logits"].argmax(-1)[::2]  # each answer is a word and the end of the turn
        truth = torch.tensor([sample.labels[-2] for sample in samples])
        found += [(kind, bool(right)) for (*_, kind), right in zip(part, (words == truth).tolist(), strict=True)]
    return found, tokens


# ------------------------------------------------------------------ what it comes to


def guess(size: Size) -> dict[str, Any]:
    """Return per cent right without looking: the most frequent answer to such a question, or the first one named."""
    from claim_data import held_out
    from claim_world import make_world

    def rows(seed: int, count: int) -> list[tuple[str, str, str]]:
        random = np.random.default_rng(seed)
        asked = held_out([make_world(random) for _ in range(count)], size.questions, seed)
        return [(question, answer, kind) for _, question, answer, kind in asked]

    seen: dict[str, Counter[str]] = {}
    for question, answer, _ in rows(TRAIN_SEED, size.held_out):
        seen.setdefault(_form(question), Counter())[answer] += 1
    right: dict[str, list[bool]] = {}
    for question, answer, kind in rows(TEST_SEED, size.held_out):
        told = question.split()[4] if kind == "order" else seen[_form(question)].most_common(1)[0][0]
        right.setdefault(kind, []).append(told == answer)
    every = [each for found in right.values() for each in found]
    return {"all": 100 * statistics.fmean(every), "kinds": {k: 100 * statistics.fmean(v) for k, v in right.items()}}


def _form(question: str) -> str:
    """Return a question without the thing that it is about."""
    return " ".join(question.split()[:2])


def two_sided_p(values: list[float]) -> float:
    """Return how likely means at least this far from 0 are by chance: Student's t over seeds."""
    spread = statistics.stdev(values)
    if not spread:
        return 0.0 if statistics.fmean(values) else 1.0
    t, free = abs(statistics.fmean(values)) / (spread / len(values) ** 0.5), len(values) - 1
    x = np.linspace(0, np.pi / 2, 200_001)  # the density's tail under t = sqrt(free) tan(x)
    height = np.cos(x) ** (free - 1)
    beyond = x >= np.arctan(t / free**0.5)
    return float(np.trapezoid(height[beyond], x[beyond]) / np.trapezoid(height, x))


def half_width(values: list[float]) -> float:
    """Return half of the 95 % interval of a mean over seeds (Student's t)."""
    quantile = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571}.get(len(values) - 1, 1.96)
    return quantile * statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def points(results: list[dict[str, Any]], arm: str, way: str, kind: str = "") -> list[float]:
    """Return an arm's accuracy in per cent by seed, of one kind of question or of all."""
    own = sorted((result for result in results if result["arm"] == arm), key=lambda result: result["seed"])
    return [100 * statistics.fmean(right for k, right in result[way] if kind in ("", k)) for result in own]


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means and intervals of all arms, and differences over seeds with their p."""
    from claim_world import KINDS

    def told(values: list[float]) -> dict[str, Any]:
        return {"mean": statistics.fmean(values), "half_width": half_width(values), "seeds": values}

    def gain(ours: list[float], theirs: list[float]) -> dict[str, Any]:
        each = [a - b for a, b in zip(ours, theirs, strict=True)]
        return told(each) | {"p": two_sided_p(each) if len(each) > 1 else float("nan")}

    arms = [
        {
            "arm": arm.name,
            "tokens": next(result["tokens"] for result in results if result["arm"] == arm.name),
            **{way: told(points(results, arm.name, way)) for way in ("conditioned", "plain")},
            "kinds": {kind: statistics.fmean(points(results, arm.name, "conditioned", kind)) for kind in KINDS},
            "stage_gain": gain(points(results, arm.name, "conditioned"), points(results, arm.name, "plain")),
        }
        for arm in ARMS
    ]
    gains = [
        {
            "ours": ARMS[ours].name,
            "theirs": ARMS[theirs].name,
            **{
                way: gain(points(results, ARMS[ours].name, way), points(results, ARMS[theirs].name, way))
                for way in ("conditioned", "plain")
            },
        }
        for ours, theirs in PAIRS
    ]
    return {"arms": arms, "gains": gains}


def show(summary: dict[str, Any]) -> None:
    """Print the tables."""
    from claim_world import KINDS

    def cell(value: dict[str, Any]) -> str:
        return f"{value['mean']:5.1f} ±{value['half_width']:4.1f}"

    print(
        f"\n{'accuracy, %':<36} tokens  {'all stages':>12}  {'no condition':>12}  {'gain of the stage':>18}  ", end=""
    )
    print("  ".join(f"{kind:>9}" for kind in KINDS))
    for row in summary["arms"]:
        kinds = "  ".join(f"{row['kinds'][kind]:9.1f}" for kind in KINDS)
        gain = f"{cell(row['stage_gain'])} p={row['stage_gain']['p']:.3f}"
        print(f"{row['arm']:<36} {row['tokens']:>6}  {cell(row['conditioned'])}  {cell(row['plain'])}  {gain}  {kinds}")
    kinds = "  ".join(f"{summary['guess']['kinds'][kind]:9.1f}" for kind in KINDS)
    print(f"{'(the best guess without looking)':<44} {summary['guess']['all']:5.1f}".ljust(93), kinds)
    print("\ngain at equal tokens, points" + " " * 58 + "all stages             no condition")
    for row in summary["gains"]:
        told = "  ".join(f"{cell(row[way])} p={row[way]['p']:.4f}" for way in ("conditioned", "plain"))
        print(f"{row['ours']} - {row['theirs']:<40}".ljust(84), told)


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, file=sys.stderr, flush=True)


def run(folder: Path, size: Size, workers: int) -> dict[str, Any]:
    """Make all, train all, and return the results with the seconds of each part."""
    began = time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=use_one_thread) as pool:
        made = [pool.submit(make, folder, size) for make in (make_encoder, make_words)]
        encoder, words = (each.result() for each in made)
        base_s = time.monotonic() - began
        say(f"the encoder points at the right patch for {encoder['pointing']:.2f} of questions; {base_s:.0f} s")
        chains = [Chain(folder, size, arm, seed) for seed in range(size.seeds) for arm in ARMS]
        first = {chain.output("align"): chain for chain in chains}
        list(pool.map(align, first.values()))
        results = list(pool.map(finish, chains))
    return {
        "encoder": encoder,
        "language_model": words,
        "seconds": time.monotonic() - began,
        "base_seconds": base_s,
        "results": results,
    }


def main() -> None:
    """Run the comparison and keep its numbers."""
    from measured import RESULTS, Line, circumstances, save

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few steps and one seed: shows that it runs, no more")
    parser.add_argument("--resume", action="store_true", help="go on with what a stopped run left in the folder")
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench" / "claim", help="where all is made")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, of one thread each")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/claim.json, with --quick none")
    given = parser.parse_args()
    size = QUICK if given.quick else Size()
    folder = given.folder / ("quick" if given.quick else "full")
    if not given.resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    around = circumstances("torch", "transformers", "accelerate")
    found = run(folder, size, given.workers)
    summary = summarise(found.pop("results")) | {"guess": guess(size)}
    show(summary)
    main_gain = summary["gains"][2]["conditioned"]
    lines = [
        Line("whole comparison", found["seconds"] / 60, "min", 60),
        Line("conditional - unconditional, points", -main_gain["mean"], "points", -BOUND, "negative: ours is better"),
        Line("p over seeds", main_gain["p"], "", 0.05),
    ]
    print()
    for line in lines:
        print(line)
    out = given.out or (None if given.quick else RESULTS / "claim.json")
    if out is not None:
        save(out, lines, around | found | summary | {"size": {n: getattr(size, n) for n in Size.__slots__}})


if __name__ == "__main__":
    main()
