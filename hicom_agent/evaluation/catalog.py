"""Which benchmarks there are, and which one a folder holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hicom_agent.errors import InputError
from hicom_agent.evaluation import egoschema, longvideobench, lvbench, mlvu, mvbench, videomme
from hicom_agent.evaluation.questions import Benchmark, Question

BENCHMARKS = {
    each.name: each
    for each in (
        Benchmark(
            name="videomme",
            title="Video-MME",
            dataset="lmms-lab/Video-MME",
            split="test",
            layout=f"{videomme.PLACES[0]}, data/*.mp4 and subtitle/*.srt",
            read=videomme.read,
            looks=videomme.looks,
            wording="best answer",
            has_subtitles=True,
            paper={32: 58.1, 64: 58.9, 128: 60.3},
            paper_subtitles={32: 60.1, 64: 63.3, 128: 64.8},
        ),
        Benchmark(
            name="mvbench",
            title="MVBench",
            dataset="OpenGVLab/MVBench",
            split="train",  # as its page on the hub calls it; it is only for tests
            layout="json/action_sequence.json and its like, and video/",
            read=mvbench.read,
            looks=mvbench.looks,
            wording="brackets",
            mean_of="task",
            mean_name="mean of tasks",
            paper={32: 64.1, 64: 64.7, 128: 64.0},
        ),
        Benchmark(
            name="egoschema",
            title="EgoSchema",
            dataset="lmms-lab/egoschema",
            split="test",
            layout="questions.json, subset_answers.json and videos/*.mp4",
            read=egoschema.read,
            looks=egoschema.looks,
            wording="brackets",
            paper={32: 60.5, 64: 62.2, 128: 62.3},
        ),
        Benchmark(
            name="mlvu",
            title="MLVU dev",
            dataset="MLVU/MVLU",
            split="dev",
            layout="json/1_plotQA.json and its like, and video/1_plotQA/",
            read=mlvu.read,
            looks=mlvu.looks,
            wording="brackets",
            mean_of="task",
            mean_name="M-avg",
            paper={32: 62.8, 64: 65.1, 128: 67.2},
        ),
        Benchmark(
            name="lvbench",
            title="LVBench",
            dataset="THUDM/LVBench",
            split="train",  # as its page on the hub calls it; it is only for tests
            layout=f"{lvbench.PLACES[0]} and all_videos/*.mp4",
            read=lvbench.read,
            looks=lvbench.looks,
            wording="brackets",
        ),
        Benchmark(
            name="longvideobench",
            title="LongVideoBench val",
            dataset="longvideobench/LongVideoBench",
            split="validation",
            layout=f"{longvideobench.FILE}, videos/ and subtitles/",
            read=longvideobench.read,
            looks=longvideobench.looks,
            has_subtitles=True,
        ),
    )
}


def read_benchmark(name: str, folder: Path) -> tuple[Benchmark, list[Question]]:
    """Return a benchmark and its questions, in the order of its files.

    Raises InputError, which says what was expected, and which benchmark the folder looks like if it does.
    """
    if name not in BENCHMARKS:
        raise InputError(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    again = f"get the files of {benchmark.title} again"
    try:
        found = folder.is_dir() and benchmark.looks(folder)
        questions = benchmark.read(folder) if found else []
    except (InputError, OSError) as error:  # such as a name that is too long, or a folder that may not be read
        raise InputError(f"{str(error)[:600]}; {again}") from error
    if not found:
        raise InputError(_what_else(benchmark, folder))
    twice = [key for key, count in Counter(question.id for question in questions).items() if count > 1]
    if twice or not questions:
        why = f"the id {twice[0]!r} stands there twice" if twice else "there is no question"
        raise InputError(f"{folder}: {why}; {again}")
    return benchmark, questions


def _what_else(benchmark: Benchmark, folder: Path) -> str:
    """Return why a folder is not this benchmark's, and which one it looks like."""
    if not folder.is_dir():
        return f"--data {folder} is no folder; {benchmark.title} needs {benchmark.layout}"
    others = [other for other in BENCHMARKS.values() if other.looks(folder)]
    hint = f"; it looks like {others[0].title}: give --benchmark {others[0].name}" if others else ""
    return f"{folder} does not hold {benchmark.title}: expected {benchmark.layout}{hint}"
