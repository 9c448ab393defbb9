"""Make a film of known contents, index it, ask questions, and print each answer beside what is true.

    make demo

Exit code 0: at most one answer is not right, what the film does not hold was declined, and no citation lies more
than two seconds outside its true range. 1: not so. Otherwise the exit code of the command that failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from film import make_film, place
from footage import fetch
from judge import Verdict, judge, passed
from script import NARRATION, SCRIPT, Question, questions

from hicom_agent.errors import HicomAgentError

FOLDER = Path(__file__).resolve().parents[1] / ".demo"
FILM = FOLDER / "film.mp4"
STORE = FOLDER / "store"


def main() -> int:
    """Run the demonstration and return its exit code."""
    try:
        make()
    except HicomAgentError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    began_s = time.monotonic()
    indexed = run("index", str(FILM), capture=False)
    if indexed.returncode:
        return indexed.returncode
    print(f"indexed in {time.monotonic() - began_s:.0f} s\n")
    verdicts = []
    for number, question in enumerate(questions(), 1):
        asked_s = time.monotonic()
        asked = run("ask", str(FILM), question.text, "--json")
        if asked.returncode:
            return asked.returncode
        answer = json.loads(asked.stdout)
        verdicts.append(judge(question, answer))
        print(report(number, question, answer, verdicts[-1], time.monotonic() - asked_s), flush=True)
    print(summary(verdicts))
    return 0 if passed(verdicts) else 1


def make() -> None:
    """Fetch the footage and make the film, unless both are here."""
    began_s = time.monotonic()
    sources = {**fetch(FOLDER / "footage"), "narration": NARRATION}
    new = make_film(SCRIPT, sources, FILM)
    length = clock(place(SCRIPT)[-1].end_s)
    print(f"{FILM}: {length} {f'made in {time.monotonic() - began_s:.0f} s' if new else 'was here'}", flush=True)


def run(command: str, *arguments: str, capture: bool = True) -> subprocess.CompletedProcess[str]:
    """Run hicom-agent; its messages and progress go to standard error as they come."""
    line = [sys.executable, "-m", "hicom_agent.cli", command, *arguments, "--store", str(STORE)]
    return subprocess.run(line, stdout=subprocess.PIPE if capture else None, text=True)


def report(number: int, question: Question, answer: dict[str, Any], verdict: Verdict, waited_s: float) -> str:
    """Return what is printed of one question; each is asked by a process that loads its models anew."""
    told = answer["answer"].replace("\n", "\n            ")
    label = "closest" if answer["abstained"] else "cites"
    cited = ", ".join(f"{span(c['start_s'], c['end_s'])} {c['modality']}" for c in answer["citations"]) or "-"
    true = ", ".join(span(start, end) for start, end in question.ranges_s) or "nowhere"
    why = f" ({'; '.join(filter(None, (verdict.why, *verdict.stray)))})" if not verdict.right else ""
    return (
        f"{number:2}. {question.text}  [{question.kind}]\n"
        f"    answer: {told}\n"
        f"    {label}: {cited}\n"
        f"    true:   {question.truth}: {true}\n"
        f"    -> {verdict.word}{why}, {answer['spend']['seconds']:.1f} s ({waited_s:.1f} s with loading)\n"
    )


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return the last line."""
    strays = sum(len(verdict.stray) for verdict in verdicts)
    answered = sum(verdict.word == "answered" for verdict in verdicts)
    right = sum(verdict.right for verdict in verdicts)
    return (
        f"{right} of {len(verdicts)} right; {answered} answered that the film does not hold; "
        f"{strays} citations outside their true range: {'passed' if passed(verdicts) else 'FAILED'}"
    )


def span(start_s: float, end_s: float) -> str:
    """Return a stretch as 1:58-2:26."""
    return f"{clock(start_s)}-{clock(end_s)}"


def clock(seconds: float) -> str:
    """Return a time as M:SS."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


if __name__ == "__main__":
    sys.exit(main())
