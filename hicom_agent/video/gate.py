"""What may be opened: a regular file, under the roots, and never a name that a media library reads as an address."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hicom_agent.errors import VideoRefused

MAX_BYTES = 200 * 2**30
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DESCRIPTORS = Path("/proc/self/fd")
# What FFmpeg takes for a protocol when it stands before the first colon or comma of a name.
_ADDRESS = re.compile(
    r"""(amqp|android_content|async|bluray|cache|concatf?|crypto|data|dtls|fd|ffrtmp(crypt|http)|file|ftp|gophers?|hls
    |https?|httpproxy|icecast|ip[fn]s(_gateway)?|librtmp|libsmbclient|libssh|md5|mms[ht]|pipe|prompeg|rist|rtmp(t?e|t?s|t)?
    |rtp|rtsp|sctp|sdp|sftp|smb|srtp?|subfile|tcp|tee|tls|udp|udplite|unix|zmq)[:,]|.*://""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """A file that passed the gate, held open: what is read later is this file, whatever the name points to by then."""

    fd: int  # for reading; its offset is never moved, see `reopen`
    path: Path  # absolute, without links
    size_bytes: int

    def __enter__(self) -> OpenedVideo:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def reopen(self) -> int:
        """Return a new descriptor of the same file with an offset of its own; the caller closes it.

        A duplicate would share the offset, and two processes reading at once would move it under each other.
        Raises VideoRefused where the file has to be opened by name again and is no longer the same.
        """
        flags = os.O_RDONLY | os.O_CLOEXEC
        try:
            if _DESCRIPTORS.is_dir():
                return os.open(_DESCRIPTORS / str(self.fd), flags)
            fd = os.open(self.path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise VideoRefused(f"{_shown(self.path)} cannot be read any more: {error.strerror}") from error
        if not os.path.sameopenfile(fd, self.fd):
            os.close(fd)
            raise VideoRefused(f"{_shown(self.path)} was replaced while it was read; index it again")
        return fd


def open_video(path: str | Path, roots: Sequence[str | Path] = (), max_bytes: int = MAX_BYTES) -> OpenedVideo:
    """Return the file at `path`, opened; use it as a context manager.

    Without `roots` any regular file may be opened, otherwise only what really lies under one of them.
    Raises VideoRefused; nothing is opened before the name, its place and its kind have been looked at.
    """
    check_name(str(path))
    real = _real(path)
    places = [Path(os.path.realpath(root)) for root in roots]
    _check_place(path, real, places)
    fd = _open_regular(path, real)
    try:
        now = _place_of(fd, real)
        _check_place(path, now, places)
        size_bytes = os.fstat(fd).st_size
        if not 0 < size_bytes <= max_bytes:
            raise VideoRefused(
                f"{_shown(path)} is empty (0 bytes): copy it again"
                if size_bytes == 0
                else f"{_shown(path)} has {size_bytes} bytes, at most {max_bytes} are allowed; see max_video_bytes"
            )
    except BaseException:
        os.close(fd)
        raise
    return OpenedVideo(fd, real, size_bytes)


def content_hash(opened: OpenedVideo) -> str:
    """Return the SHA-256 of the content as 64 hex digits, the identity of a video.

    Raises VideoRefused when the file was written to meanwhile.
    """
    with os.fdopen(opened.reopen(), "rb") as file:
        before = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or after.st_size != opened.size_bytes:
        raise VideoRefused(f"{_shown(opened.path)} is being written; index it when it is finished")
    return digest


def _shown(path: str | Path) -> str:
    return repr(str(path))  # one line, whatever the name holds


def check_name(text: str) -> None:
    """Raise VideoRefused for a text that can be no file here: nothing, an address, a NUL in it."""
    if "\0" in text or not text:
        raise VideoRefused(f"{_shown(text)} is not a file name")
    if _ADDRESS.match(text):
        raise VideoRefused(f"{_shown(text)} is an address, expected a file on this machine; download it first")


def _real(path: str | Path) -> Path:
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError as error:
        raise VideoRefused(f"{_shown(path)} does not exist") from error
    except OSError as error:
        raise VideoRefused(f"{_shown(path)} cannot be followed: {error.strerror}") from error


def lies_under(real: Path, roots: Sequence[Path]) -> bool:
    """Return whether a path lies under one of these folders, all without links; without folders, any does."""
    return not roots or any(real.is_relative_to(root) for root in roots)


def _check_place(path: str | Path, real: Path, roots: Sequence[Path]) -> None:
    if not lies_under(real, roots):
        allowed = ", ".join(_shown(root) for root in roots)
        raise VideoRefused(f"{_shown(path)} is outside the allowed folders ({allowed}); move it there")


def _open_regular(path: str | Path, real: Path) -> int:
    try:
        _check_kind(path, os.lstat(real).st_mode)  # before opening: opening a device can do things
        fd = os.open(real, _OPEN_FLAGS)
    except OSError as error:
        why = "became a link" if error.errno == errno.ELOOP else error.strerror
        raise VideoRefused(f"{_shown(path)} cannot be opened: {why}") from error
    try:
        _check_kind(path, os.fstat(fd).st_mode)
    except VideoRefused:
        os.close(fd)
        raise
    return fd


def _check_kind(path: str | Path, mode: int) -> None:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFLNK: "a link"}
    if not stat.S_ISREG(mode):
        raise VideoRefused(f"{_shown(path)} is {kinds.get(stat.S_IFMT(mode), 'a device')}, expected a video file")


def _place_of(fd: int, real: Path) -> Path:
    """Return where the opened file lies, so that swapping a folder for a link meanwhile gains nothing."""
    if _DESCRIPTORS.is_dir():
        return (_DESCRIPTORS / str(fd)).readlink()
    now = Path(os.path.realpath(real))
    if not os.path.samestat(now.stat(), os.fstat(fd)):
        raise VideoRefused(f"{_shown(real)} was replaced while it was opened; try again")
    return now
