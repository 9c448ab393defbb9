"""What was answered is never lost nor doubled, wherever a kill cuts the files."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.errors import InputError, SetupError
from hicom_agent.pairs.clips import Film, Scene
from hicom_agent.pairs.ledger import Ledger, Past, ledger_file
from hicom_agent.pairs.terms import Terms
from hicom_agent.testing import FullDisk

SETTINGS = Terms("scripted:model").settings()


def clip(number: int, num_pairs: int = 2) -> dict[str, Any]:
    """Return a clip that was answered."""
    place = {"video": "/a/b\udce9.mp4", "start": 10.0 * number, "end": 10.0 * number + 8}
    pairs = [{"id": f"{number}-{i}", **place, "caption": "Ein Café."} for i in range(num_pairs)]
    return {**place, "calls": 1, "tokens_in": 100, "tokens_out": 20, "pairs": pairs, "rejected": []}


def ids(out: Path) -> list[str]:
    return [json.loads(line)["id"] for line in out.read_bytes().splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a file of two clips."""
    path = tmp_path / "made" / "pairs.jsonl"
    with closing(Ledger(path, SETTINGS)) as ledger:
        ledger.add_film(Film("/a/film.mp4", 1, 2, 60.0, 320, 180, 1, 2, (Scene(0.0, 8.0, (1.0,), (1.0, 2.0)),)))
        ledger.add_clip(clip(0))
        ledger.add_clip(clip(1))
    return path


def test_what_is_noted_is_there_again(out: Path) -> None:
    past = Past(out)
    assert past.settings == SETTINGS and list(past.films) == ["/a/film.mp4"]
    assert past.films["/a/film.mp4"].scenes[0].pictures_s == (1.0, 2.0)
    assert past.done == {("/a/b\udce9.mp4", 0.0, 8.0), ("/a/b\udce9.mp4", 10.0, 18.0)}
    assert (past.calls, past.tokens_in, past.tokens_out) == (2, 200, 40)
    assert ids(out) == ["0-0", "0-1", "1-0", "1-1"]


def test_a_kill_at_any_byte_of_either_file_is_mended(out: Path, tmp_path: Path) -> None:
    whole, ledger = out.read_bytes(), ledger_file(out).read_bytes()
    first = ledger.index(b'{"clip"')
    second = ledger.index(b'{"clip"', first + 1)
    cuts = [(len(ledger), end) for end in range(0, len(whole), 13)]
    cuts += [(end, len(whole) // 2) for end in range(second, len(ledger), 41)]
    for number, (ledger_end, pairs_end) in enumerate(cuts):
        folder = tmp_path / str(number)
        folder.mkdir()
        ledger_file(folder / "pairs.jsonl").write_bytes(ledger[:ledger_end])
        (folder / "pairs.jsonl").write_bytes(whole[:pairs_end])
        with closing(Ledger(folder / "pairs.jsonl", SETTINGS)) as mended:
            assert len(mended.done) == (2 if ledger_end == len(ledger) else 1)
            if len(mended.done) == 1:
                mended.add_clip(clip(1))
        assert (folder / "pairs.jsonl").read_bytes() == whole
        assert ledger_file(folder / "pairs.jsonl").read_bytes() == ledger
        shutil.rmtree(folder)


def test_pairs_that_were_deleted_come_back_from_the_ledger(out: Path) -> None:
    whole = out.read_bytes()
    out.unlink()
    Ledger(out, SETTINGS).close()
    assert out.read_bytes() == whole


def test_pairs_that_were_changed_are_left_alone(out: Path) -> None:
    changed = out.read_bytes().replace(b'"0-1"', b'"0-9"')
    out.write_bytes(changed)
    with pytest.raises(InputError, match="was changed since it was written"):
        Ledger(out, SETTINGS)
    assert out.read_bytes() == changed


def test_a_file_that_no_build_wrote_is_left_alone(tmp_path: Path, out: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("my own\n")
    with pytest.raises(InputError, match="no ledger tells of"):
        Ledger(mine, SETTINGS)
    assert mine.read_text() == "my own\n"
    for text in ('{"clip": {"video": 3}}\n', "[]\n{}\n", '{"settings": {}}\n\0\0\n{"more": 1}\n'):
        ledger_file(out).write_text(text)
        with pytest.raises(InputError, match="was not written by"):
            Past(out)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Terms("other:model"), "begun with --llm scripted:model, now other:model"),
        (Terms("scripted:model", num_pictures=4), "begun with --pictures 8, now 4"),
        (Terms("scripted:model", similarity=0.5), "begun with --similarity 0.9, now 0.5"),
    ],
)
def test_other_settings_on_the_same_file_are_refused(out: Path, other: Terms, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Ledger(out, other.settings())
    with pytest.raises(InputError, match="another version"):
        Ledger(out, SETTINGS | {"prompts": "older"})


def test_two_builds_do_not_write_one_file(out: Path) -> None:
    for other in (out, out.with_suffix(".json")):  # which has the same ledger
        with closing(Ledger(out, SETTINGS)), pytest.raises(InputError, match="another build writes"):
            Ledger(other, SETTINGS)


def test_a_full_disk_leaves_whole_lines_and_the_same_run_again_goes_on(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Ledger(out, SETTINGS)) as ledger:
        monkeypatch.setattr(ledger._rows, "_file", FullDisk(ledger._rows._file))
        with pytest.raises(SetupError, match="what was written is kept"):
            ledger.add_clip(clip(2))
        assert len(ledger.done) == 2
    with closing(Ledger(out, SETTINGS)) as ledger:
        ledger.add_clip(clip(2))
    assert ids(out) == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").mkdir()
    with pytest.raises((InputError, SetupError), match="pairs.jsonl"):
        Ledger(tmp_path / "pairs.jsonl", SETTINGS)
