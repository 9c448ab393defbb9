"""Only regular files under the roots are opened, and what is opened is what was checked."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from hicom_agent.errors import VideoRefused
from hicom_agent.video import gate
from hicom_agent.video.gate import content_hash, open_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "v"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"film")
    (tmp_path / "v-evil").mkdir()
    (tmp_path / "v-evil" / "a.mp4").write_bytes(b"secret")
    return folder


ADDRESSES = [
    "http://host/a.mp4",
    "HTTPS://host/a.mp4",
    "file:///etc/passwd",
    "file:a.mp4",
    "concat:a.mp4|b.mp4",
    "subfile,,start,0,end,9,,:a.mp4",
    "cache:a.mp4",
    "crypto:a.mp4",
    "data:video/mp4;base64,AAAA",
    "pipe:0",
    "fd:3",
    "tcp:host",
    "async:cache:a.mp4",
    "rtsp://host/a",
]


@pytest.mark.parametrize("name", [*ADDRESSES, "a\0.mp4", ""])
def test_a_name_that_is_an_address_is_refused_unseen(name: str, opened_names: list[str]) -> None:
    with pytest.raises(VideoRefused) as error:
        open_video(name)
    assert "\n" not in str(error.value) and not opened_names


@pytest.fixture(scope="session")
def audited() -> list[list[str]]:
    """Collect the names of all files opened, from a hook that cannot be taken out again."""
    listening: list[list[str]] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and listening:
            listening[-1].append(str(arguments[0]))

    sys.addaudithook(hook)
    return listening


@pytest.fixture
def opened_names(audited: list[list[str]]) -> list[str]:
    audited.append([])
    return audited[-1]


@pytest.mark.parametrize("path", ["../v-evil/a.mp4", "a.mp4/../../v-evil/a.mp4", "{root}-evil/a.mp4", "/etc/passwd"])
def test_a_file_outside_the_roots_is_refused_and_not_opened(root: Path, path: str, opened_names: list[str]) -> None:
    with pytest.raises(VideoRefused, match="outside|not exist|cannot be followed"):
        open_video(root / path.format(root=root), roots=[root])
    assert not opened_names


def test_percent_signs_mean_nothing(root: Path) -> None:
    with pytest.raises(VideoRefused, match="does not exist"):
        open_video(f"{root}/%2e%2e/v-evil/a.mp4", roots=[root])


def test_a_file_under_a_root_is_opened_by_any_spelling(root: Path) -> None:
    for path in (root / "a.mp4", f"{root}/../v/./a.mp4"):
        with open_video(path, roots=["/nowhere", root]) as opened:
            assert (opened.path, opened.size_bytes) == ((root / "a.mp4").resolve(), 4)


def test_without_roots_any_regular_file_is_opened(root: Path) -> None:
    with open_video(root.parent / "v-evil" / "a.mp4") as opened:
        assert opened.size_bytes == 6


def test_links_are_followed_inside_the_roots_only(root: Path) -> None:
    (root / "in.mp4").symlink_to(root / "a.mp4")
    (root / "out.mp4").symlink_to(root.parent / "v-evil" / "a.mp4")
    (root / "folder").symlink_to(root.parent / "v-evil")
    (root / "loop.mp4").symlink_to(root / "loop.mp4")
    with open_video(root / "in.mp4", roots=[root]) as opened:
        assert opened.path.name == "a.mp4"
    for name in ("out.mp4", "folder/a.mp4", "loop.mp4"):
        with pytest.raises(VideoRefused):
            open_video(root / name, roots=[root])


def test_a_folder_swapped_for_a_link_meanwhile_gains_nothing(root: Path) -> None:
    inside, outside, place = root / "inside", root.parent / "v-evil", root / "place"
    inside.mkdir()
    (inside / "a.mp4").write_bytes(b"fine")
    place.symlink_to(inside)
    stop = threading.Event()

    def swap() -> None:
        spare = root / "spare"
        while not stop.is_set():
            for target in (outside, inside):
                spare.symlink_to(target)
                spare.replace(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(500):
            try:
                with open_video(place / "a.mp4", roots=[root]) as opened:
                    assert os.pread(opened.fd, 9, 0) == b"fine"
            except VideoRefused:
                pass
    finally:
        stop.set()
        thread.join()


def test_a_folder_swapped_after_the_first_look_is_noticed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = root / "inside", root.parent / "v-evil"
    inside.mkdir()
    (inside / "a.mp4").write_bytes(b"fine")
    look = gate._open_regular

    def swap_and_look(path: str | Path, real: Path) -> int:
        inside.rename(root / "away")
        inside.symlink_to(outside)
        return look(path, real)

    monkeypatch.setattr(gate, "_open_regular", swap_and_look)
    with pytest.raises(VideoRefused, match="outside"):
        open_video(inside / "a.mp4", roots=[root])


def test_what_is_no_regular_file_is_refused_and_never_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.mp4")
    (root / "zero.mp4").symlink_to("/dev/zero")
    (root / "self.mp4").symlink_to("/proc/self/mem")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.mp4"))
        for name in ("pipe.mp4", "socket.mp4", "zero.mp4", "."):
            with pytest.raises(VideoRefused, match="expected a video file"):
                open_video(root / name)
    with pytest.raises(VideoRefused, match="empty|opened"):
        open_video(root / "self.mp4")


def test_empty_missing_and_too_large_files_are_refused(root: Path) -> None:
    (root / "empty.mp4").touch()
    with pytest.raises(VideoRefused, match="is empty"):
        open_video(root / "empty.mp4")
    with pytest.raises(VideoRefused, match="does not exist"):
        open_video(root / "none.mp4")
    with pytest.raises(VideoRefused, match="has 4 bytes, at most 3"):
        open_video(root / "a.mp4", max_bytes=3)


def test_a_refusal_is_one_line_whatever_the_name(root: Path) -> None:
    with pytest.raises(VideoRefused) as error:
        open_video(root / "line\nbreak\x1b[31m.mp4")
    assert str(error.value).isprintable()


def test_nothing_stays_open_after_a_refusal(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("none.mp4", "../v-evil/a.mp4", "."):
        with pytest.raises(VideoRefused):
            open_video(root / name, roots=[root])
    with pytest.raises(VideoRefused):
        open_video(root / "a.mp4", max_bytes=1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_hash_is_that_of_the_content(root: Path) -> None:
    with open_video(root / "a.mp4") as opened:
        assert content_hash(opened) == content_hash(opened) == hashlib.sha256(b"film").hexdigest()


def test_a_file_that_grows_has_no_hash(root: Path) -> None:
    with open_video(root / "a.mp4") as opened:
        with (root / "a.mp4").open("ab") as file:
            file.write(b"more")
        with pytest.raises(VideoRefused, match="being written"):
            content_hash(opened)


def test_what_was_opened_is_read_though_the_name_now_means_another(root: Path) -> None:
    with open_video(root / "a.mp4") as opened:
        (root / "b.mp4").write_bytes(b"else")
        (root / "b.mp4").replace(root / "a.mp4")
        assert content_hash(opened) == hashlib.sha256(b"film").hexdigest()


def test_each_reader_has_an_offset_of_its_own(root: Path) -> None:
    with open_video(root / "a.mp4") as opened:
        one, two = opened.reopen(), opened.reopen()
        assert os.read(one, 2) == b"fi" and os.read(two, 4) == b"film" and os.read(one, 2) == b"lm"
        os.close(one)
        os.close(two)


def test_without_a_proc_the_same_holds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_DESCRIPTORS", Path("/nowhere"))
    with open_video(root / "a.mp4", roots=[root]) as opened:
        os.close(opened.reopen())
        (root / "b.mp4").write_bytes(b"else")
        (root / "b.mp4").replace(root / "a.mp4")
        with pytest.raises(VideoRefused, match="was replaced"):
            opened.reopen()
