"""What `doctor` and `models` report: the store, the models, versions of what matters, the GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError, SetupError
from hicom_agent.profiles import Choice
from hicom_agent.settings import Settings


def examine(
    settings: Settings, models: Sequence[Mapping[str, Any]], profile: Choice, *, repair: bool
) -> dict[str, Any]:
    """Return what is well and what is not; repair the store first if asked."""
    from hicom_agent import memory

    repaired = memory.repair(settings.store) if repair else []
    findings = memory.check(settings.store)
    return {
        "store": str(settings.store),
        "repaired": [str(line) for line in repaired],
        "problems": [str(finding) for finding in findings if finding.serious],
        "notes": [str(finding) for finding in findings if not finding.serious],
        "models": {row["name"]: row["state"] for row in models},
        "versions": versions(),
        "conditioned": conditioned(settings),
        "gpu": gpu(),
        "profile": f"{profile.name}: {profile.why}",
    }


def conditioned(settings: Settings) -> dict[str, Any]:
    """Return how much is kept of what questions made of videos, and how often it was of use."""
    from hicom_agent.memory import Conditioned

    with closing(Conditioned(settings.store, settings.token_bytes)) as memory:
        kept = memory.kept()
    asked = kept.hits + kept.misses
    return {
        "questions": kept.num_looks,
        "clips": kept.num_clips,
        "bytes": kept.bytes,
        "file_bytes": kept.file_bytes,
        "max_bytes": kept.max_bytes,
        "hits": kept.hits,
        "misses": kept.misses,
        "hit_rate": round(kept.hits / asked, 3) if asked else 0.0,
        "evicted": kept.evicted,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, FFmpeg and the libraries that read videos and run models."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import av

    found = {"python": platform.python_version()}
    for name in ("hicom-agent", "av", "decord", "torch", "transformers", "scenedetect", "faiss-cpu", "faiss-gpu-cu12"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["ffmpeg"] = getattr(av, "ffmpeg_version_info", "") or str(av.library_versions.get("libavcodec", ""))
    return found


def gpu() -> str:
    """Return the name of the GPU, or nothing; raises SetupError where torch is broken."""
    try:
        import torch
    except ImportError as error:
        raise SetupError(f"torch cannot be imported ({error}); run: make setup") from error
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def model_rows(cache: Path) -> list[dict[str, Any]]:
    """Return what is known of every model, cheaply."""
    from hicom_agent import models

    return [asdict(row) for row in models.status(cache)]


def models_to_pull(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the named models, or all of profile nano; raises InputError for an unknown name."""
    known = {row["name"]: row for row in rows}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no model {unknown[0]!r}; there are: {', '.join(known)}")
    return list(names) or [name for name in known if name != "pp-ocr" and known[name]["profile"] == "nano"]


def verify_models(cache: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Compare files with their checksums; without names, of all models that are here."""
    from hicom_agent import models

    here = [row["name"] for row in model_rows(cache) if row["state"] != "missing"]
    return [asdict(row) for row in models.verify(cache, names or here)]
