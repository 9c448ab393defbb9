"""What a batch tells: the plan beforehand, the summary at the end, and the answers as a table."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.archive.ledger import Ledger
from hicom_agent.archive.plan import Plan
from hicom_agent.errors import HicomAgentError, InputError, SetupError
from hicom_agent.rows import whole
from hicom_agent.screen import plain
from hicom_agent.types import Progress, timecode

if TYPE_CHECKING:
    from hicom_agent.build import Workspace

NUM_TOLD = 20  # faults that a person is shown
COLUMNS = ("id", "video", "question", "answer", "option", "abstained", "confidence", "reason", "profile")
CITED = ("video_id", "start_s", "end_s", "modality", "quote")


def tell_plan(plan: Plan, work: Workspace) -> dict[str, Any]:
    """Return what a batch would do and what that takes; files are opened, and not watched."""
    with work.store() as store:
        rows = store.videos()
    asked = {word for word, wanted in (("speech", work.settings.speech), ("ocr", work.settings.ocr)) if wanted}
    known = {row.path for row in rows if asked <= set(row.settings_key.split())}
    new = [unit.target for unit in plan.units if Path(unit.target).is_absolute() and unit.target not in known]
    lost: list[dict[str, str]] = []
    watch_s = 0.0
    for number, path in enumerate(new):
        work.on_progress(Progress("looking", number, len(new), "files", Path(path).name))
        try:
            watch_s += work.probe(path).duration_s
        except HicomAgentError as error:
            lost.append({"kind": "video", "name": path, "reason": str(error)})
    hours = sum(row.covered_s for row in rows) / 3600
    bytes_an_hour = sum(row.bytes for row in rows) / hours if hours else 0.0
    return {
        "answers": plan.num_left,
        "of_the_archive": len(plan.archive),
        "answered_before": plan.num_answered,
        "videos": len(plan.units),
        "videos_to_watch": len(new) - len(lost),
        "seconds_to_watch": round(watch_s, 1),
        "bytes_to_write": round(bytes_an_hour * watch_s / 3600),  # as the videos of this store take, 0 if it has none
        "model": work.settings.llm or work.profile.name,
        "faults": [{"kind": f.kind, "name": f.name, "reason": f.reason} for f in plan.faults] + lost,
    }


def plan_lines(told: Mapping[str, Any]) -> list[str]:
    """Return a plan for a person."""
    size = f", some {told['bytes_to_write'] / 2**20:.0f} MB of memory" if told["bytes_to_write"] else ""
    before = f"; {told['answered_before']} are answered" if told["answered_before"] else ""
    return [
        f"answer   {told['answers']} questions over {told['videos']} videos with {told['model']}{before}",
        f"watch    {told['videos_to_watch']} new videos, {timecode(told['seconds_to_watch'])} of film{size}",
        *_fault_lines(told["faults"]),
    ]


def summary_lines(told: Mapping[str, Any]) -> list[str]:
    """Return a summary for a person."""
    earlier = f", {told['earlier']} by earlier runs" if told["earlier"] else ""
    cost = f"{told['visual_tokens']} visual tokens"
    cost += f", {told['llm_tokens']} tokens of language" if told["llm_tokens"] else ""
    return [
        f"answered {told['answered']} ({told['abstained']} of them declined){earlier}; {told['failed']} failed",
        f"watched  {timecode(told['watched_s'])} of film; {cost}; {told['seconds']:.1f} s",
        *(f"wrote    {file}" for file in told["files"]),
        *_fault_lines(told["errors"]),
    ]


def _fault_lines(faults: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = [f"failed   {fault['kind']} {plain(fault['name'])}: {plain(fault['reason'])}" for fault in faults]
    more = [f"         and {len(lines) - NUM_TOLD} more"] if len(lines) > NUM_TOLD else []
    return lines[:NUM_TOLD] + more


def table_file(out: Path, kind: str, questions: Path) -> Path | None:
    """Return the file of the answers as a table, None for JSON lines.

    Raises InputError where it would replace another file of the batch, SetupError where a package is missing.
    """
    path = out.with_suffix(f".{kind}") if kind != "jsonl" else None
    if questions.resolve() in (out.resolve(), path and path.resolve()) or path == out:
        raise InputError(f"the answers would replace {questions if path != out else out}; give another --out")
    if kind == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise SetupError("no package 'pyarrow'; run: pip install 'hicom-agent[archive]'")
    return path


def write_table(ledger: Ledger, path: Path) -> None:
    """Write the answers as a table; raises SetupError where the disk fails."""
    rows = [_flat(row) for row in ledger.answers()]
    with whole(path) as aside:
        (_write_csv if path.suffix == ".csv" else _write_parquet)(rows, aside)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    cited = [{name: citation[name] for name in CITED} for citation in row["citations"]]
    flat = {name: row.get(name, "") for name in COLUMNS}
    return flat | {"citations": json.dumps(cited, ensure_ascii=False), "spend": json.dumps(row["spend"])}


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.DictWriter(file, [*COLUMNS, "citations", "spend"])
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [
        {n: v.encode(errors="replace").decode() if isinstance(v, str) else v for n, v in row.items()} for row in rows
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
