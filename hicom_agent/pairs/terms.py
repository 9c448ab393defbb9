"""What a set of pairs is made by: the same for all of one file."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from hicom_agent.errors import InputError
from hicom_agent.prompts import load_prompt

CATEGORIES = ("attribute", "action", "place", "order", "count", "text", "person", "object", "relation", "other")
PROMPTS = ("pairs_system", "pairs_ask", "pairs_repair")
FLAGS = {
    "llm": "--llm",
    "eye": "--keyframes",
    "num_pairs": "--pairs",
    "num_pictures": "--pictures",
    "side_px": "--side",
    "min_s": "--min-clip",
    "max_s": "--max-clip",
    "similarity": "--similarity",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides which clips there are and what is asked of them."""

    llm: str  # name of the chat model
    eye: str = "colours"  # what compares pictures: "nano" or "colours"
    num_pairs: int = 3  # asked of a clip
    num_pictures: int = 8  # of a clip at most
    side_px: int = 512  # longest side of a picture
    min_s: float = 5.0  # of a clip
    max_s: float = 120.0
    similarity: float = 0.9  # cosine to an earlier keyframe from which on a picture shows nothing new

    def __post_init__(self) -> None:
        if not 0 < 2 * self.min_s <= self.max_s < inf:
            raise InputError(
                f"--min-clip {self.min_s:g} and --max-clip {self.max_s:g}: expected a maximum of at least twice the "
                "minimum, for longer shots are split"
            )

    def settings(self) -> dict[str, Any]:
        """Return what the ledger keeps of them."""
        return asdict(self) | {"prompts": _prompts_version()}


def check_same(before: dict[str, Any], now: dict[str, Any], out: str) -> None:
    """Raise InputError, which names the difference, unless a file was begun with the same settings."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            was, flag = before.get(name), FLAGS.get(name)
            if flag is None:
                raise InputError(f"{out} was begun by another version of hicom-agent ({name}); give another --out")
            raise InputError(f"{out} was begun with {flag} {was}, now {now.get(name)}; give that or another --out")


def _prompts_version() -> str:
    """Return what tells one version of the prompts from another; not for security."""
    empty = dict.fromkeys(("categories", "number", "seconds", "pictures", "why"), "")
    return f"{zlib.crc32(chr(0).join(load_prompt(name, **empty) for name in PROMPTS).encode()):08x}"
