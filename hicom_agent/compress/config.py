"""What a checkpoint fixes of its compressor: parsed once, from its config and the names of its weights.

Source: HICom (arXiv 2503.16036), released code, the builder of the projector. Its quirks are kept where weights depend
on them: a bare suffix such as `_coarse` is no mode, and is ignored.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from hicom_agent.compress.windows import Window
from hicom_agent.errors import SetupError

LOG = logging.getLogger(__name__)

Mode = Literal["off", "direct", "coarse", "fine"]
Newline = Literal["no_token", "one_token", "frame", "grid"]
Branch = Literal["local", "global"]

PREFIX = "model.mm_projector."
MODES: tuple[Mode, ...] = ("off", "direct", "coarse", "fine")


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """The branch that makes a token of each group of neighbouring patches."""

    window: Window  # frames, rows, columns of a group
    mode: Mode
    adapt: str = ""  # of "qkvg": which inputs pass a learned, gated projection
    clip_scale: bool = False  # unit vectors with a learned scale, as in CLIP


@dataclass(frozen=True, slots=True)
class GlobalConfig:
    """The branch that makes a few tokens of the whole clip."""

    num_tokens: int
    mode: Mode
    adapt: str = ""  # "g" or nothing
    clip_scale: bool = False


@dataclass(frozen=True, slots=True)
class HIComConfig:
    """One compressor. Without any branch it is the baseline: an MLP on each patch, and fewer patches."""

    width: int  # D, of patches and guides
    hidden_size: int  # M, of the language model
    use_guide: Mode  # of the whole model: "off" means that keys are values, "fine" that guides are token level
    local: LocalConfig | None
    whole: GlobalConfig | None
    depth: int = 0  # linear layers of the baseline, 0 with a branch
    newline: Newline = "no_token"  # where a video's newline vectors stand
    merge: str = "spatial_unpad"  # mm_patch_merge_type: newlines stand in a video only if it starts with "spatial"
    aspect: str = "pad"  # image_aspect_ratio
    num_frames: int = 32  # that the model was trained on
    ignored: tuple[str, ...] = ()  # beginnings of weight names that an override makes superfluous

    @property
    def guided(self) -> bool:
        """Return whether keys are joint-space patches and a guide is needed."""
        return self.use_guide != "off"

    @classmethod
    def from_checkpoint(
        cls,
        config_json: Mapping[str, Any],
        weight_names: Iterable[str] = (),
        modes: Mapping[Branch, Mode] | None = None,
    ) -> HIComConfig:
        """Return the compressor of a checkpoint's config.json; names of weights with or without `model.mm_projector.`.

        Keys of an injector decide the mode of a branch, against the code if need be, with a warning; `modes` overrides
        both. What only concerns training is ignored. Raises SetupError where the original could not run either.
        """
        code = _text(config_json, "mm_projector_type")
        use_guide = _mode(config_json.get("use_guide") or "off", "use_guide")
        local, whole = _part(code, "local", "global"), _part(code, "global", "local")
        names = [name.removeprefix(PREFIX) for name in weight_names]
        chosen: dict[Branch, Mode] = {}
        parts: tuple[tuple[Branch, str | None], ...] = (("local", local), ("global", whole))
        for branch, part in parts:
            if part is not None:
                chosen[branch] = _choose_mode(branch, part, use_guide, names, modes or {})
        scaled = {part.strip() for part in str(config_json.get("use_clip_scale") or "").split(",")}
        return cls(
            width=_number(config_json, "mm_hidden_size", 1152),
            hidden_size=_number(config_json, "hidden_size", 0),
            use_guide=use_guide,
            local=None if local is None else _parse_local(local, code, chosen["local"], "local" in scaled),
            whole=None if whole is None else _parse_global(whole, code, chosen["global"], "global" in scaled),
            depth=_depth(code) if local is None and whole is None else 0,
            newline=_newline(config_json),
            merge=str(config_json.get("mm_patch_merge_type", "spatial_unpad")),
            aspect=str(config_json.get("image_aspect_ratio", "pad")),
            num_frames=_number(config_json, "num_frames", 32),
            ignored=_ignored(names, chosen, modes or {}),
        )


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    if not isinstance(value, str) or not value:
        raise SetupError(f"config.json: need a text under {key!r}, got {value!r}; is it a HICom checkpoint?")
    return value


def _number(config: Mapping[str, Any], key: str, default: int) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SetupError(f"config.json: need a whole number above 0 under {key!r}, got {value!r}")
    return value


def _mode(value: object, where: str) -> Mode:
    if value not in MODES:
        raise SetupError(f"config.json: {where} is {value!r}; there are: {', '.join(MODES)}")
    return value


def _part(code: str, name: str, other: str) -> str | None:
    """Return the text after the last `name` up to a following `other`.

    >>> _part("local43_global32_coarse", "local", "global")
    '43_'
    """
    return code.rsplit(name, 1)[1].split(other, 1)[0] if name in code else None


def _choose_mode(branch: Branch, part: str, use_guide: Mode, names: list[str], modes: Mapping[Branch, Mode]) -> Mode:
    """Return a branch's mode: the override, else what the weights are for, else what the code says."""
    stated = re.search(r"guide([^_]*)", part)
    mode = _mode(stated.group(1), f"the guide of {branch} in mm_projector_type") if stated else use_guide
    injector = f"{branch}_compressor.guide_injector."
    held: Mode | None = next(
        (kind for kind in ("coarse", "fine") if any(f"{injector}{kind}_proj" in name for name in names)), None
    )
    if branch in modes:
        mode = modes[branch]
    elif held is not None and held != mode:
        LOG.warning("the checkpoint has %s weights for its %s branch, so %s is used, not %s", held, branch, held, mode)
        mode = held
    if mode != "off" and use_guide == "off":
        raise SetupError(f"config.json: the {branch} branch is {mode}, which needs use_guide, and that is off")
    if mode != "off" and (mode == "fine") != (use_guide == "fine"):
        raise SetupError(f"config.json: the {branch} branch is {mode}, which does not go with use_guide {use_guide!r}")
    return mode


def _ignored(names: list[str], chosen: Mapping[Branch, Mode], modes: Mapping[Branch, Mode]) -> tuple[str, ...]:
    found = []
    for branch in modes:
        for kind in ("coarse", "fine"):
            start = f"{branch}_compressor.guide_injector.{kind}_"
            if chosen.get(branch) != kind and any(name.startswith(start) for name in names):
                found.append(start)
    return tuple(found)


def _parse_local(part: str, code: str, mode: Mode, clip_scale: bool) -> LocalConfig:
    digits = re.match(r"\d*", part)
    number = digits.group() if digits else ""
    if not 2 <= len(number) <= 3 or "0" in (number[0], number[1:].lstrip("0") or "0"):
        raise SetupError(
            f"mm_projector_type {code!r}: after local come two or three digits (43 is 4x3x3), got {number!r}"
        )
    size = int(number[1:])
    adapt = re.search(r"adapt([qkvg]+)", part)
    return LocalConfig((int(number[0]), size, size), mode, adapt.group(1) if adapt else "", clip_scale)


def _parse_global(part: str, code: str, mode: Mode, clip_scale: bool) -> GlobalConfig:
    digits = re.match(r"\d+", part)
    if not digits or int(digits.group()) < 1:
        raise SetupError(f"mm_projector_type {code!r}: after global comes the number of tokens")
    return GlobalConfig(int(digits.group()), mode, "g" if "adaptg" in part else "", clip_scale)


def _depth(code: str) -> int:
    """Return the number of linear layers of an uncompressed projector."""
    found = re.fullmatch(r"mlp([1-9]\d*)x_gelu", code)
    if code != "linear" and not found:
        raise SetupError(f"mm_projector_type {code!r} is neither linear, mlpKx_gelu, nor made of local and global")
    return int(found.group(1)) if found else 1


def _newline(config: Mapping[str, Any]) -> Newline:
    """Return the policy; without the key it is one_token in a config that says how patches are merged."""
    value = config.get("mm_newline_position", "one_token" if "mm_patch_merge_type" in config else "no_token")
    if value not in ("no_token", "one_token", "frame", "grid"):
        raise SetupError(f"config.json: mm_newline_position is {value!r}; there are: no_token, one_token, frame, grid")
    return cast(Newline, value)
