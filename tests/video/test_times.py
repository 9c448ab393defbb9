"""The times of all frames, from packets, are those at which the frames are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.testing import make_video
from hicom_agent.video import open_video, read_frames, read_times
from tests.video.numbered_films import Film, read_number


def test_frame_k_is_shown_at_the_time_of_packet_k_in_order(film: Film, long_film: Film) -> None:
    for each in (film, long_film):
        with open_video(each.path) as opened:
            times_s = read_times(opened)
            assert times_s == pytest.approx(each.times_s, abs=1e-6)
            wanted = [3, 17, len(times_s) - 1]
            assert [read_number(f.picture) for f in read_frames(opened, [times_s[k] for k in wanted])] == wanted


def test_a_film_cut_short_has_the_times_up_to_there(tmp_path: Path) -> None:
    whole, cut = make_video(tmp_path / "whole.mkv", seconds=8.0, fps=10), tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with open_video(whole) as opened, open_video(cut) as opened_cut:
        times_s, first_s = read_times(opened), read_times(opened_cut)
    assert len(times_s) == 80 and 10 < len(first_s) < 70
    assert len(set(first_s) - set(times_s)) == 0
