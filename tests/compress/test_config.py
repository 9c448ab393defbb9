from __future__ import annotations

import logging
from typing import Any

import pytest

from hicom_agent.compress import HIComConfig
from hicom_agent.errors import SetupError

COARSE = ("model.mm_projector.global_compressor.guide_injector.coarse_proj.0.weight",)


def parse(code: str, names: tuple[str, ...] = (), **other: Any) -> HIComConfig:
    config = {"mm_projector_type": code, "use_guide": "direct", "hidden_size": 48, **other}
    return HIComConfig.from_checkpoint(config, names)


@pytest.mark.parametrize(
    ("code", "window", "num_global", "modes"),
    [
        ("local43_global32_coarse", (4, 3, 3), 32, ("direct", "direct")),  # a bare suffix is no mode
        ("local412", (4, 12, 12), None, ("direct", None)),
        ("local43_guidedirect_global32_guidecoarse", (4, 3, 3), 32, ("direct", "coarse")),
        ("local43_guideoff_global32_guidecoarse", (4, 3, 3), 32, ("off", "coarse")),
        ("global16_local22", (2, 2, 2), 16, ("direct", "direct")),  # in either order
        ("global8", None, 8, (None, "direct")),
    ],
)
def test_the_code_of_a_projector_is_read_as_the_original_reads_it(
    code: str, window: Any, num_global: int | None, modes: tuple[str | None, str | None]
) -> None:
    config = parse(code)
    assert (config.local.window if config.local else None) == window
    assert (config.whole.num_tokens if config.whole else None) == num_global
    assert (config.local.mode if config.local else None, config.whole.mode if config.whole else None) == modes


def test_flags_of_a_branch_are_its_own() -> None:
    config = parse("local43_adaptqkvg_global32_adaptg", use_clip_scale="global")
    assert config.local and config.whole
    assert (config.local.adapt, config.whole.adapt) == ("qkvg", "g")
    assert (config.local.clip_scale, config.whole.clip_scale) == (False, True)


def test_weights_decide_the_mode_against_the_code_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        config = parse("local43_global32_coarse", COARSE)
    assert config.whole and config.local and (config.local.mode, config.whole.mode) == ("direct", "coarse")
    assert len(caplog.records) == 1 and "coarse" in caplog.text
    caplog.clear()
    parse("local43_guidedirect_global32_guidecoarse", COARSE)
    assert not caplog.records


def test_an_override_beats_weights_and_leaves_them_out() -> None:
    given = {"mm_projector_type": "local43_global32", "use_guide": "direct", "hidden_size": 48}
    config = HIComConfig.from_checkpoint(given, COARSE, {"global": "direct"})
    assert config.whole and config.whole.mode == "direct"
    assert config.ignored == ("global_compressor.guide_injector.coarse_",)


def test_the_baseline_has_no_branch() -> None:
    config = parse("mlp2x_gelu", use_guide=None)
    assert (config.depth, config.local, config.whole, config.guided) == (2, None, None, False)
    assert parse("linear", use_guide="off").depth == 1


def test_training_keys_are_ignored() -> None:
    assert parse("local43_global32", delay_load=True, image_grid_pinpoints=[[1, 2]], mm_projector_lr=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mm_projector_type": "local4_global32"}, "two or three digits"),
        ({"mm_projector_type": "local40"}, "two or three digits"),
        ({"mm_projector_type": "local43_global"}, "number of tokens"),
        ({"mm_projector_type": "resampler"}, "resampler"),
        ({"mm_projector_type": None}, "mm_projector_type"),
        ({"mm_projector_type": "local43_guidehard_global32"}, "'hard'"),
        ({"use_guide": "sideways"}, "sideways"),
        ({"use_guide": None, "mm_projector_type": "local43_guidedirect"}, "needs use_guide"),
        ({"mm_projector_type": "local43_guidefine_global32"}, "does not go with"),
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"mm_newline_position": "between"}, "between"),
    ],
)
def test_a_config_that_cannot_be_is_told_in_one_line(change: dict[str, Any], message: str) -> None:
    given = {"mm_projector_type": "local43_global32", "use_guide": "direct", "hidden_size": 48, **change}
    with pytest.raises(SetupError, match=message) as caught:
        HIComConfig.from_checkpoint(given)
    assert "\n" not in str(caught.value)
