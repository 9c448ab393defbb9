"""What a build has come to, in two files that a kill at any moment leaves mendable.

NAME.ledger.jsonl      the truth: settings, films watched, and for each clip asked its pairs and what was rejected; a
                       line is on the disk before the next clip is noted, so no clip that was answered is asked again
NAME.jsonl             the pairs that the ledger tells of, in its order: what training reads
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError
from hicom_agent.pairs.clips import Film, Scene
from hicom_agent.pairs.terms import check_same
from hicom_agent.rows import Rows, as_line, plain, read_lines

Key = tuple[str, float, float]  # path, start and end of a clip
BEGINNING = b'{"'  # of every line that we write
PAIRS_UNSYNCED = (1000, 60.0)  # lines, seconds: what a loss of power takes of the pairs comes back from the ledger


def key_of(film: Film, scene: Scene) -> Key:
    """Return what a clip is known by."""
    return film.path, scene.start_s, scene.end_s


def ledger_file(out: Path) -> Path:
    """Return where the ledger of a file of pairs is."""
    return out.with_name(f"{out.stem}.ledger.jsonl")


class Past:
    """What earlier runs noted; reading it changes nothing."""

    def __init__(self, out: Path) -> None:
        """Read the ledger of `out`; raises InputError for files that no build wrote, SetupError for the disk."""
        self.file, self.out = ledger_file(out), out
        self.settings: dict[str, Any] | None = None
        self.films: dict[str, Film] = {}
        self.done: set[Key] = set()
        self.calls = self.tokens_in = self.tokens_out = 0
        self.end = 0  # bytes of whole lines
        for number, row, line_end in read_lines(self.file, BEGINNING):
            if not isinstance(row, dict):
                raise InputError(f"line {number} of {self.file} was not written by a build; give another --out")
            self.take(row)
            self.end = line_end
        with plain(out):
            held = out.exists() and out.stat().st_size
        if held and self.settings is None:
            raise InputError(f"{out} holds something that no ledger tells of ({self.file.name}); give another --out")

    def take(self, row: Mapping[str, Any]) -> None:
        """Note a row; raises InputError for one that no build wrote."""
        try:
            (kind,) = row
            value = row[kind]
            if kind == "settings":
                self.settings = dict(value)
            elif kind == "film":
                film = Film.from_row(value)
                self.films[film.path] = film
            elif kind == "clip":
                self.done.add((value["video"], value["start"], value["end"]))
                self.calls += value["calls"]
                self.tokens_in += value["tokens_in"]
                self.tokens_out += value["tokens_out"]
            else:
                raise ValueError(kind)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self.file} was not written by this version; give another --out") from error

    def check(self, settings: dict[str, Any]) -> None:
        """Raise InputError unless these are the settings that it was begun with, if it was."""
        if self.settings is not None:
            check_same(self.settings, settings, str(self.out))

    def clips(self) -> Iterator[dict[str, Any]]:
        """Return what is noted of each clip, from the file."""
        for line in read_lines(self.file, BEGINNING):
            if "clip" in line.row:
                yield line.row["clip"]


class Ledger(Past):
    """Both files, locked and open for more."""

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        """Open and mend the files of `out`.

        Raises InputError where another build writes them, they were begun with other settings, or hold something else;
        SetupError for the disk.
        """
        self._rows = Rows(ledger_file(out), "build")
        self._pairs: Rows | None = None
        try:
            super().__init__(out)
            self.check(settings)
            self._rows.begin(self.end)
            self._pairs = Rows(out, "build", *PAIRS_UNSYNCED)
            self._mend(self._pairs)
            if self.settings is None:
                self._note({"settings": settings})
        except BaseException:
            self.close()
            raise

    def add_film(self, film: Film) -> None:
        """Note a film that was watched."""
        self._note({"film": film.as_row()})

    def add_clip(self, clip: dict[str, Any]) -> None:
        """Note a clip that was answered, with its `pairs`, and append these; raises SetupError where the disk fails."""
        self._note({"clip": clip})
        assert self._pairs is not None
        for pair in clip["pairs"]:
            self._pairs.add(pair)

    def close(self) -> None:
        """Let go of the files."""
        for rows in (self._pairs, self._rows):
            if rows is not None:
                rows.close()

    def _note(self, row: dict[str, Any]) -> None:
        self._rows.add(row)
        self.take(row)

    def _mend(self, pairs: Rows) -> None:
        """Make the pairs what the ledger tells; raises InputError where whole lines of them are something else."""
        told = (pair for clip in self.clips() for pair in clip["pairs"])
        end = 0
        missing: list[dict[str, Any]] = []
        with plain(self.out):
            self.out.touch()
            with self.out.open("rb") as written:
                for pair in told:
                    line = as_line(pair)
                    if written.read(len(line)) != line:
                        missing.append(pair)
                        break
                    end += len(line)
                written.seek(end)
                rest = written.read(1 << 20)
        if b"\n" in rest and b"\0" not in rest:
            raise InputError(f"{self.out} was changed since it was written; put it back, or give another --out")
        pairs.begin(end)
        for pair in (*missing, *told):
            pairs.add(pair)
