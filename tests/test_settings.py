"""Flags beat the environment, which beats the file, which beats the defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.errors import InputError
from hicom_agent.settings import load_settings
from hicom_agent.types import clean_text, parse_time, timecode


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('llm = "file"\nthreads = 3\nsample_every_s = 2.0\n')
    environment = {"HICOM_AGENT_CONFIG": str(file), "HICOM_AGENT_LLM": "environment", "HICOM_AGENT_THREADS": "2"}
    settings = load_settings({"llm": "flag", "threads": None}, environment)
    assert (settings.llm, settings.threads, settings.sample_every_s) == ("flag", 2, 2.0)


def test_roots_are_separated_like_path(tmp_path: Path) -> None:
    settings = load_settings(environment={"HICOM_AGENT_ROOTS": "/a:/b", "HICOM_AGENT_CONFIG": str(tmp_path / "none")})
    assert settings.roots == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(("name", "value"), [("threads", "-1"), ("sample_every_s", "often"), ("profile", "huge")])
def test_a_bad_setting_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"setting {name}={value!r}") as caught:
        load_settings(environment={f"HICOM_AGENT_{name.upper()}": value})
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_in_the_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('colour = "red"\n')
    with pytest.raises(InputError, match="colour"):
        load_settings(environment={"HICOM_AGENT_CONFIG": str(file)})


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("llm = ")
    with pytest.raises(InputError, match="config.toml"):
        load_settings(environment={"HICOM_AGENT_CONFIG": str(file)})


@pytest.mark.parametrize(("text", "seconds"), [("95", 95.0), ("1:35", 95.0), ("0:01:35", 95.0), ("01:02:05.5", 3725.5)])
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5", "1:", "nan", "inf"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text)


def test_a_timecode_is_rounded_down() -> None:
    assert timecode(3725.999) == "01:02:05"


def test_invisible_and_terminal_characters_are_removed() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore")
    assert clean_text(f"a\x1b[31mred\x1b[0m{hidden} \u200bline\r\n two\u202e") == "ared line two"
