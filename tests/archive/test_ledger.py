"""The ledger: one whole line for each answer, whatever ended the run before."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.archive.ledger import Ledger
from hicom_agent.archive.questions import Fault
from hicom_agent.errors import InputError, SetupError
from hicom_agent.testing import FullDisk


def row(name: str, video: str = "a.mp4") -> dict[str, Any]:
    return {"id": name, "video": video, "question": f"{name}?", "answer": "At 00:00:01"}


def write(out: Path, *rows: dict[str, Any]) -> None:
    with closing(Ledger(out)) as ledger:
        for each in rows:
            ledger.add(each)


def test_what_is_written_is_known_the_next_time(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "answers.jsonl"
    write(out, row("1"), row("2", "\udcff.mp4"), row("2", ""))
    with closing(Ledger(out)) as ledger:
        assert ledger.done == {("1", "a.mp4"): "1?", ("2", "\udcff.mp4"): "2?", ("2", ""): "2?"}


def test_a_line_cut_short_anywhere_is_made_again(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    write(out, row("1"), row("2"))
    whole = out.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(len(whole)):
        out.write_bytes(whole[:end])
        with closing(Ledger(out)) as ledger:
            assert len(ledger.done) == (end >= first)
            for name in ("1", "2"):
                if (name, "a.mp4") not in ledger.done:
                    ledger.add(row(name))
        assert out.read_bytes() == whole


def test_zeros_that_a_loss_of_power_left_are_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    write(out, row("1"))
    whole = out.read_bytes()
    for tail in (b"\0" * 4096, b"\0" * 100 + b"\n"):
        out.write_bytes(whole + tail)
        with closing(Ledger(out)) as ledger:
            assert list(ledger.done) == [("1", "a.mp4")]
        assert out.read_bytes() == whole


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "notes.jsonl"
    for text in (
        "dear diary\nday two\n",
        '{"id": 1}\n{"id": 2}\n',
        json.dumps(row("1")) + "\n" + json.dumps(row("1")) + "\n",
    ):
        out.write_text(text)
        with pytest.raises(InputError, match="give another --out"):
            Ledger(out)
        assert out.read_text() == text
    with pytest.raises(SetupError, match="cannot write"):
        Ledger(tmp_path)


def test_two_batches_do_not_write_one_file(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "answers.jsonl")), pytest.raises(InputError, match="another batch writes"):
        Ledger(tmp_path / "answers.jsonl")


def test_errors_count_their_tries_and_go_when_all_is_well(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    for tries in (1, 2):
        with closing(Ledger(out)) as ledger:
            ledger.fail(Fault("video", "a.mp4", "no picture", ("1",)))
            ledger.fail(Fault("video", "a.mp4", "no picture", ("2",)))
            ledger.settle()
            [line] = (tmp_path / "errors.jsonl").read_text().splitlines()
            told = {"kind": "video", "name": "a.mp4", "reason": "no picture", "ids": ["1", "2"], "tries": tries}
            assert json.loads(line) == told
    with closing(Ledger(out)) as ledger:
        ledger.settle()
    assert not (tmp_path / "errors.jsonl").exists()


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "answers.jsonl"
    with closing(Ledger(out)) as ledger:
        ledger.add(row("1"))
        monkeypatch.setattr(ledger._rows, "_file", FullDisk(ledger._rows._file))
        with pytest.raises(SetupError, match="what was written is kept"):
            ledger.add(row("2"))
        assert ("2", "a.mp4") not in ledger.done
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["1"]


def test_a_file_of_errors_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "errors.jsonl"
    mine.write_text("my own log of errors\n")
    with pytest.raises(InputError, match="line 1 of .* was not written by a batch"):
        Ledger(tmp_path / "answers.jsonl")
    assert mine.read_text() == "my own log of errors\n"
    write(tmp_path / "other.jsonl", row("1"))  # the failure has let go of its lock, and another name has other errors


def test_a_thousand_faults_are_noted_in_no_time(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "answers.jsonl")) as ledger:
        written = 0
        real = ledger._tell

        def count() -> None:
            nonlocal written
            written += 1
            real()

        ledger._tell = count  # type: ignore[method-assign]
        for number in range(2000):
            ledger.fail(Fault("question", f"line {number}", "no JSON"))
        ledger.settle()
    assert written < 50
    assert len((tmp_path / "errors.jsonl").read_text().splitlines()) == 2000
