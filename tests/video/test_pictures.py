"""Pictures are upright, have square pixels and 8 bits, and are no larger than asked."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hicom_agent.video.moments import read_moments
from hicom_agent.video.pictures import Shaper, fit, tone_mapped
from hicom_agent.video.plan import Limits
from hicom_agent.video.probing import look
from hicom_agent.video.reader import Pictures
from tests.video.numbered_films import Film, Recipe, Rgb, draw, even, read_number, write_film


def first_picture(film: Film, side_px: int = 512) -> Rgb:
    fd = os.open(film.path, os.O_RDONLY)
    try:
        return next(read_moments(Pictures(fd, Limits()), [0.0, 0.1, 0.2], side_px, f"/proc/self/fd/{fd}")).picture
    finally:
        os.close(fd)


def shown_size(film: Film) -> tuple[int, int]:
    fd = os.open(film.path, os.O_RDONLY)
    try:
        values = look(fd, Limits(), lambda _: None)
        return values["width_px"], values["height_px"]
    finally:
        os.close(fd)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_pictures_are_turned_upright(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    film = write_film(tmp_path / "a.mp4", even(10), Recipe(turned=(degrees, mirrored)))
    wanted = np.rot90(draw(0, (160, 96)), degrees // 90)
    wanted = wanted[:, ::-1] if mirrored else wanted
    picture = first_picture(film)
    assert picture.shape == wanted.shape and np.abs(picture.astype(int) - wanted).mean() < 8
    assert shown_size(film) == (wanted.shape[1], wanted.shape[0])


@pytest.mark.parametrize(("sar", "size"), [((4, 3), (213, 96)), ((1, 2), (160, 192)), ((1, 1), (160, 96))])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_pixels_are_made_square(tmp_path: Path, name: str, sar: tuple[int, int], size: tuple[int, int]) -> None:
    film = write_film(tmp_path / name, even(10), Recipe(sar=Fraction(*sar)))
    picture = first_picture(film)
    assert picture.shape == (size[1], size[0], 3) and read_number(picture) == 0
    assert shown_size(film) == size


def test_the_longest_side_is_as_asked_and_nothing_is_enlarged(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", even(5), Recipe(size=(640, 360)))
    assert first_picture(film).shape == (288, 512, 3)
    assert first_picture(film, 100).shape == (56, 100, 3)
    assert first_picture(film, 2000).shape == (360, 640, 3)


@pytest.mark.parametrize(("size", "wanted"), [((8000, 2), (512, 1)), ((1, 1), (1, 1)), ((512, 513), (511, 512))])
def test_no_side_vanishes(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert fit(size, 512) == wanted


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuvj420p"])
def test_every_pixel_format_looks_the_same(tmp_path: Path, pix_fmt: str) -> None:
    film = write_film(tmp_path / "a.mp4", even(5), Recipe(pix_fmt=pix_fmt))
    picture = first_picture(film)
    assert read_number(picture) == 0
    assert np.abs(picture.astype(int) - draw(0, (160, 96))).mean() < 8


def test_hdr_is_brought_into_the_range_of_a_screen(tmp_path: Path) -> None:
    """A grey of 203 nits is paper white; PQ codes it at 58 % of the range."""
    nits_203 = 573
    options = {"preset": "ultrafast", "x265-params": "log-level=none:transfer=smpte2084:colorprim=bt2020"}
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p10le"
        frame = av.VideoFrame(128, 64, "yuv420p10le")
        for plane, value in zip(frame.planes, (nits_203, 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        for tick in range(3):
            frame.pts = tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    picture = first_picture(Film(tmp_path / "a.mp4", []))
    assert picture.dtype == np.uint8 and picture.mean() == pytest.approx(190, abs=6)


@pytest.mark.parametrize("transfer", [16, 18])
def test_tone_mapping_keeps_black_grey_and_order(transfer: int) -> None:
    ramp: Rgb = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    mapped = tone_mapped(ramp, transfer, 9)
    assert mapped[0, 0].tolist() == [0, 0, 0]
    assert np.all(np.diff(mapped[0, :, 1].astype(int)) >= 0)
    assert np.ptp(mapped[0].astype(int), axis=1).max() <= 2


def test_glimpses_are_about_64_wide_whatever_the_shape(tmp_path: Path) -> None:
    shaper = Shaper(512)
    for size in ((640, 360), (36, 1280), (2, 4000), (8, 8)):
        glimpse = shaper.glimpse(av.VideoFrame(*size, "yuv420p"))
        assert max(glimpse.shape[:2]) == 64 and min(glimpse.shape[:2]) >= 1


def test_a_film_of_ever_new_sizes_does_not_fill_the_memory() -> None:
    shaper = Shaper(512)
    for side in range(16, 96, 2):
        shaper.glimpse(av.VideoFrame(side, 16, "yuv420p"))
    assert len(shaper._reformatters) <= 8
