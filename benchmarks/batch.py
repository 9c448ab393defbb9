"""A batch over eight films of real footage: undisturbed, under random kills, on Ray, and against separate questions.

    python benchmarks/batch.py                 # everything; writes benchmarks/results/batch.json
    python benchmarks/batch.py --only kills --kills 20 --seed 3

Every run begins with an empty memory. `kills` ends the driver, its whole process group, or one worker at random, and
runs the same command again each time; `ray` does the same rows with `--ray local`; `ray-kill` kills an actor that
watches and one that answers; `shared` times ten questions about one remembered film as one batch and one by one.
Rows are compared without what they cost. Films are those of the quality set, from .bench/quality.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from measured import RESULTS, Line, circumstances, save
from quality import make_films
from quality_films import FILMS
from quality_questions import questions

FOLDER = Path(__file__).resolve().parent.parent / ".bench" / "batch"
RESULT = RESULTS / "batch.json"
A_FILM = 10  # questions
ARCHIVE = ("When do we see a car?", "What time does the ferry leave?", "Is there a zebra?")
WAYS = ("kills", "ray", "ray-kill", "shared")
Rows = dict[tuple[str, str], str]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", choices=WAYS)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--films", type=int, default=len(FILMS))
    chosen = options.parse_args()
    found = circumstances("hicom-agent", "torch", "ray")
    films = make_films([film.name for film in FILMS][: chosen.films])
    job = make_job(films)
    plain, plain_s = undisturbed(job)
    lines = [Line("rows of an undisturbed run", len(plain), "rows"), Line("its time", plain_s, "s")]
    ways = (chosen.only,) if chosen.only else WAYS
    if "kills" in ways:
        lines += kills(job, plain, chosen.kills, chosen.seed)
    if "ray" in ways:
        lines += same("Ray", plain, run(job, "ray", "--ray", "local"))
    if "ray-kill" in ways:
        lines += ray_kill(job, plain)
    if "shared" in ways:
        lines += shared(films)
    print("\n".join(map(str, lines)))
    if not chosen.only and chosen.films == len(FILMS):
        save(RESULT, lines, found | {"films": chosen.films, "kills": chosen.kills, "seed": chosen.seed})


def make_job(films: dict[str, Path]) -> Path:
    """Write the questions and return their file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    asked: list[dict[str, Any]] = [{"id": f"archive-{i}", "question": text} for i, text in enumerate(ARCHIVE)]
    for name, path in films.items():
        of_film = [question for question in questions() if question.film == name][:A_FILM]
        asked += [{"id": question.id, "question": question.text, "video": str(path)} for question in of_film]
    path = FOLDER / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in asked))
    return path


def command(job: Path, name: str, *more: str) -> list[str]:
    films = sorted({row["video"] for row in map(json.loads, job.open()) if "video" in row})
    videos = [word for film in films for word in ("--videos", film)]
    out, store = FOLDER / name / "answers.jsonl", FOLDER / name / "store"
    words = ["batch", "--questions", str(job), "--out", str(out), "--store", str(store), *videos, *more]
    return [sys.executable, "-m", "hicom_agent.cli", *words]


def start(job: Path, name: str, *more: str, again: bool = False) -> subprocess.Popen[bytes]:
    if not again:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        (FOLDER / name).mkdir(parents=True)
    log = (FOLDER / name / "log").open("ab")
    return subprocess.Popen(command(job, name, *more), start_new_session=True, stdout=log, stderr=log)


def run(job: Path, name: str, *more: str) -> Rows:
    code = start(job, name, *more).wait()
    assert code == 0, f"{name}: exit code {code}; see {FOLDER / name / 'log'}"
    return rows(name)


def rows(name: str) -> Rows:
    """Return the rows by id, without what they cost; raises AssertionError for one that is there twice."""
    found: Rows = {}
    for line in (FOLDER / name / "answers.jsonl").open():
        row = json.loads(line)
        del row["spend"]
        key = (row["id"], row["video"])
        assert key not in found, f"{key} is there twice"
        found[key] = json.dumps(row, sort_keys=True)
    return found


def same(what: str, plain: Rows, other: Rows) -> list[Line]:
    missing, changed = (
        len(plain.keys() - other.keys()),
        [k for k in plain.keys() & other.keys() if plain[k] != other[k]],
    )
    for key in changed[:3]:
        print(f"{what} {key}:\n  {plain[key]}\n  {other[key]}")
    more = len(other.keys() - plain.keys())
    return [
        Line(f"{what}: rows missing or too many", missing + more, "rows", 0),
        Line(f"{what}: rows that differ", len(changed), "rows", 0),
    ]


def undisturbed(job: Path) -> tuple[Rows, float]:
    began_s = time.monotonic()
    found = run(job, "plain")
    return found, time.monotonic() - began_s


def kills(job: Path, plain: Rows, num: int, seed: int) -> list[Line]:
    """Kill a run `num` times at random moments, resumed each time, and compare what it ends with."""
    chance, began_s = random.Random(seed), time.monotonic()
    process, done, ended = start(job, "kills"), 0, 0
    while done < num:
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(2.0, 16.0))
        if process.poll() is not None:  # it came to its end before: begin anew, so that every kill hits a run at work
            same_so_far = [line.value for line in same("kills", plain, rows("kills"))]
            assert not any(same_so_far), "a run that was killed ended with other rows"
            ended += 1
            process = start(job, "kills")
            continue
        kill(process, chance.choice(("driver", "group", "worker")))
        done += 1
        if process.poll() is not None:
            process = start(job, "kills", again=True)
    assert process.wait() == 0, f"see {FOLDER / 'kills' / 'log'}"
    return [
        Line("kills", done, "kills", note=f"{ended} runs came to their end in between"),
        Line("time under kills", time.monotonic() - began_s, "s"),
        *same("kills", plain, rows("kills")),
    ]


def kill(process: subprocess.Popen[bytes], what: str) -> None:
    children = psutil.Process(process.pid).children()
    workers = [child for child in children if "hicom_agent.archive.local" in " ".join(child.cmdline())]
    if what == "worker" and workers:
        workers[0].kill()
        return
    if what == "group":
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def ray_kill(job: Path, plain: Rows) -> list[Line]:
    """Kill an actor that watches, and one that answers, in the middle of a run on Ray."""
    process, killed = start(job, "ray-kill", "--ray", "local"), 0
    for stage in ("Watching", "Answering"):
        actor = wait_for(process, stage)
        time.sleep(4.0)  # into its work
        if actor is not None and process.poll() is None:
            actor.kill()
            killed += 1
    assert process.wait() == 0, f"see {FOLDER / 'ray-kill' / 'log'}"
    return [Line("actors killed on Ray", killed, "actors"), *same("Ray, actors killed", plain, rows("ray-kill"))]


def wait_for(process: subprocess.Popen[bytes], stage: str) -> psutil.Process | None:
    """Return the actor of a stage when it has begun a unit."""
    while process.poll() is None:
        for each in psutil.process_iter(["name", "cmdline"]):
            if stage in " ".join(each.info["cmdline"] or [each.info["name"] or ""]) and "ray::" in " ".join(
                each.info["cmdline"] or ()
            ):
                return each
        time.sleep(0.2)
    return None


def shared(films: dict[str, Path]) -> list[Line]:
    """Time ten questions about one remembered film, as one batch and as ten commands."""
    name, film = next(iter(films.items()))
    asked = [question for question in questions() if question.film == name][:A_FILM]
    job = FOLDER / "ten.jsonl"
    job.write_text("".join(json.dumps({"id": q.id, "question": q.text, "video": str(film)}) + "\n" for q in asked))
    store = FOLDER / "ten-store"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(FOLDER / "plain" / "store", store)
    shutil.rmtree(store / "conditioned")
    cli = [sys.executable, "-m", "hicom_agent.cli"]
    began_s = time.monotonic()
    for question in asked:
        told = [*cli, "ask", str(film), question.text, "--store", str(store), "--json"]
        subprocess.run(told, check=True, capture_output=True)
    alone_s = time.monotonic() - began_s
    shutil.rmtree(store / "conditioned")
    out = FOLDER / "ten.out.jsonl"
    out.unlink(missing_ok=True)
    began_s = time.monotonic()
    told = [*cli, "batch", "--questions", str(job), "--out", str(out), "--store", str(store), "--videos", str(film)]
    subprocess.run(told, check=True, capture_output=True)
    together_s = time.monotonic() - began_s
    return [
        Line("ten questions, one by one", alone_s, "s"),
        Line("ten questions, one batch", together_s, "s"),
        Line("one batch, of ten alone", together_s / alone_s, "x", 1 / 3),
    ]


if __name__ == "__main__":
    main()
