"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.errors import SetupError
from hicom_agent.rows import Rows, whole


@pytest.mark.parametrize(
    ("error", "expected"), [(OSError(28, "the disk is full"), SetupError), (ValueError("no"), ValueError)]
)
def test_a_file_that_fails_leaves_the_one_of_before_and_nothing_else(
    tmp_path: Path, error: Exception, expected: type[Exception]
) -> None:
    file = tmp_path / "report.json"
    with whole(file) as aside:
        aside.write_text("before")
    with pytest.raises(expected), whole(file) as aside:
        aside.write_text("half")
        raise error
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_was_never_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot write .*report\.json"), whole(tmp_path / "report.json"):
        pass


def test_a_folder_in_which_no_file_can_be_made_is_not_another_process() -> None:
    with pytest.raises(SetupError, match="no file can be made in /proc"):
        Rows(Path("/proc/answers.jsonl"), "batch")
