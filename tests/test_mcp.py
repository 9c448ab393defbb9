"""The MCP surface, real client to real server: in memory, over stdio, over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import psutil
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from hicom_agent.mcp_server import INSTRUCTIONS, make_server
from hicom_agent.serving.replies import MAX_ERROR_CHARS
from hicom_agent.settings import load_settings
from hicom_agent.tools import TOOLS

CARS_S = [(4.4, 8.8), (14.4, 19.2), (25.4, 28.0)]
SLACK_S = 2.0
QUESTION = "when does a car drive through?"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
TOKENS = {"anna": "a" * 24, "ben": "b" * 24}


@pytest.fixture(scope="module")
def store(footage: Path, nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hicom_agent.cli import main

    folder = tmp_path_factory.mktemp("memory")
    path = str(footage / "car-detection.mp4")
    assert main(["index", path, "--store", str(folder), "--no-speech", "--no-ocr"]) == 0
    return folder


def run_in_memory(store: Path, test: Callable[[Client], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        given = {"store": store, "speech": False, "ocr": False, **settings}
        async with Client(make_server(load_settings(given, {}))) as client:
            await test(client)

    anyio.run(main)


def facts(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found


def words(result: Any) -> list[str]:
    return [str(block.text) for block in result.content if block.type == "text"]


def error(result: Any) -> str:
    assert result.is_error
    text = str(result.content[0].text)
    assert len(text) < 500 and "\n" not in text
    return text


def in_truth(citation: dict[str, Any]) -> bool:
    return any(a - SLACK_S <= citation["start_s"] and citation["end_s"] <= b + SLACK_S for a, b in CARS_S)


async def index(client: Client, path: str) -> dict[str, Any]:
    job = facts(await client.call_tool("index_video", {"path": path}))
    while job["state"] not in ("done", "failed", "cancelled"):
        await anyio.sleep(0.3)
        job = facts(await client.call_tool("job_status", {"job_id": job["job_id"]}))
    return job


# ---------------------------------------------------------------------- in memory


def test_tools_are_listed_in_order_with_words_that_say_when_to_use_them(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == list(TOOLS) and len(listed) <= 7
        for tool in listed:
            assert tool.description and "Use it" in tool.description or tool.name == "cancel_job"
            assert tool.input_schema["type"] == "object"
            assert (tool.output_schema is None) == (tool.name == "get_frames")
            assert tool.annotations and tool.annotations.destructive_hint is False

    run_in_memory(tmp_path, test)
    assert len(INSTRUCTIONS.splitlines()) == 4


def test_a_question_is_answered_with_the_right_times_in_structure_and_in_text(store: Path) -> None:
    async def test(client: Client) -> None:
        result = await client.call_tool("ask_video", {"video": "car", "question": QUESTION})
        answer = facts(result)
        assert answer["citations"] and all(in_truth(citation) for citation in answer["citations"])
        (text,) = words(result)
        assert json.loads(text) == answer and len(text) <= 2000 and answer["untrusted_quotes"] is True
        again = facts(
            await client.call_tool("ask_video", {"video": answer["citations"][0]["video_id"], "question": QUESTION})
        )
        assert {**again, "spend": {}} == {**answer, "spend": {}}

    run_in_memory(store, test)


def test_frames_come_as_small_pictures_with_their_times(store: Path) -> None:
    async def test(client: Client) -> None:
        answer = facts(await client.call_tool("ask_video", {"video": "car", "question": QUESTION}))
        ids = [citation["frame_id"] for citation in answer["citations"]][:2]
        for arguments in ({"frame_ids": ids}, {"video": "car", "times": ["0:07", 15.5], "max_side": 128}):
            result = await client.call_tool("get_frames", arguments)
            assert not result.is_error and result.structured_content is None
            kinds = [block.type for block in result.content]
            assert kinds == ["text", "image"] * (len(kinds) // 2)
            pictures = [str(block.data) for block in result.content if block.type == "image"]
            assert len(pictures) == 2 and sum(map(len, pictures)) <= 600_000
        for wrong, told in (
            ({}, "give either"),
            ({"frame_ids": ["nothing"]}, "no frame"),
            ({"video": "car", "times": ["99:00:00"]}, "past the end"),
        ):
            assert told in error(await client.call_tool("get_frames", wrong))

    run_in_memory(store, test)


def test_search_list_resources_prompts_and_completion_serve_what_is_remembered(store: Path) -> None:
    async def test(client: Client) -> None:
        hits = facts(await client.call_tool("search_videos", {"query": "a car", "limit": 3}))["hits"]
        assert hits and all(in_truth(hit) and hit["title"] == "car-detection" for hit in hits)
        page = facts(await client.call_tool("list_videos", {}))
        assert page["total"] == 1 and not page["next_cursor"]
        video_id = page["videos"][0]["video_id"]
        for uri in ("hicom://videos", f"hicom://videos/{video_id}/clips", f"hicom://videos/{video_id}/transcript"):
            read: Any = (await client.read_resource(uri)).contents[0]
            assert json.loads(read.text)
        assert len((await client.list_prompts()).prompts) == 3
        prompt: Any = await client.get_prompt("summary", {"video": "car"})
        assert '"car"' in prompt.messages[0].content.text
        from mcp.types import ResourceTemplateReference

        reference = ResourceTemplateReference(type="ref/resource", uri="hicom://videos/{video_id}/clips")
        found = await client.complete(reference, {"name": "video_id", "value": "car-d"})
        assert found.completion.values == [video_id]

    run_in_memory(store, test)


def test_mistakes_are_told_with_what_to_do_next(store: Path) -> None:
    async def test(client: Client) -> None:
        ask: list[tuple[str, dict[str, Any], str]] = [
            ("ask_video", {"video": "nothing", "question": "x?"}, "no indexed video"),
            ("ask_video", {"video": "car", "question": " "}, "empty"),
            ("index_video", {"path": "/no/such.mp4"}, "is no file"),
            ("index_video", {"path": "~nobody-of-this-name/a.mp4"}, "is no file"),
            ("index_video", {"path": "a\0b.mp4"}, "is not a file name"),
            ("index_video", {"path": "http://localhost/a.mp4"}, "is an address"),
            ("ask_video", {"video": "~nobody-of-this-name/a.mp4", "question": "x?"}, "no indexed video"),
            ("job_status", {"job_id": "unknown"}, "index_video gives one"),
            ("list_videos", {"cursor": "x"}, "cursor"),
            ("search_videos", {"query": "a car", "videos": ["nothing"]}, "no indexed video"),
        ]
        for tool, arguments, told in ask:
            assert told in error(await client.call_tool(tool, arguments))
        for tool, arguments, told in (
            ("ask_video", {"video": "car", "question": "x" * 2001}, "ask_video: question: String should have at most"),
            ("ask_video", {"video": "car", "question": "x?", "max_seconds": 1e9}, "max_seconds: Input should be less"),
            ("ask_video", {}, "ask_video: video: Field required; question: Field required"),
            ("get_frames", {"frame_ids": ["a"] * 5}, "get_frames: frame_ids: "),
            ("search_videos", {"query": "a", "limit": 51}, "search_videos: limit: "),
            ("list_videos", {"limit": 0}, "list_videos: limit: "),
        ):
            message = error(await client.call_tool(tool, arguments))
            assert told in message and "pydantic" not in message
        assert MAX_ERROR_CHARS < 500

    run_in_memory(store, test)


def test_an_agent_is_told_of_tools_and_of_the_queue_and_not_of_commands(
    footage: Path, nano: Path, tmp_path: Path
) -> None:
    async def test(client: Client) -> None:
        ask = {"video": "car", "question": QUESTION}
        assert "nothing is indexed yet; index_video a new file first" in error(await client.call_tool("ask_video", ask))
        jobs = [
            facts(await client.call_tool("index_video", {"path": str(footage / f"{name}-detection.mp4")}))["job_id"]
            for name in ("bottle", "car")
        ]
        message = error(await client.call_tool("ask_video", ask))
        assert "nothing is indexed yet; bottle-detection.mp4 is " in message and "hicom-agent" not in message
        assert all(f"job_status {job} tells when" in message for job in jobs)
        for job in jobs:
            await client.call_tool("cancel_job", {"job_id": job})

    run_in_memory(tmp_path, test)


def test_a_file_that_is_no_video_is_refused_before_it_is_queued(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.mp4").write_text("these are notes, " * 99)

    async def test(client: Client) -> None:
        for name, told in (("empty.mp4", "is empty"), ("notes.mp4", "is not a video that can be opened")):
            for tool, arguments in (("index_video", {"path": name}), ("ask_video", {"video": name, "question": "x?"})):
                assert told in error(await client.call_tool(tool, arguments))

    run_in_memory(tmp_path / "store", test, roots=(tmp_path,))


def test_a_budget_ends_the_looking_and_says_what_is_missing(store: Path) -> None:
    async def test(client: Client) -> None:
        given = {"video": "car", "question": "when does a bottle appear?", "max_visual_tokens": 32}
        answer = facts(await client.call_tool("ask_video", given))
        assert answer["spend"]["clips_compressed"] == 1 and "not looked at" in answer["spend"]["note"]
        assert answer["reason"] == "out of budget" and "max_visual_tokens" in answer["next"]

    run_in_memory(store, test)


def test_progress_only_grows_and_comes_while_work_goes_on(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hicom_agent.serving.steps.HEARTBEAT_S", 0.1)

    async def test(client: Client) -> None:
        told: list[tuple[float, str | None]] = []

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, message))

        await client.call_tool("ask_video", {"video": "car", "question": QUESTION}, progress_callback=tell)
        numbers = [number for number, _ in told]
        assert len(told) >= 3 and numbers == sorted(set(numbers))
        assert any("still at it" in str(message) for _, message in told)

    run_in_memory(store, test)


def test_a_file_that_is_not_indexed_becomes_a_job_at_once(footage: Path, nano: Path, tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        path = str(footage / "car-detection.mp4")
        await client.call_tool("list_videos", {})  # the worker is warm
        waiting = facts(await client.call_tool("ask_video", {"video": path, "question": QUESTION}))
        assert waiting["abstained"] and waiting["reason"] == "not indexed"
        assert waiting["job_id"] and "job_status" in waiting["next"]
        job = await index(client, path)
        assert job["job_id"] == waiting["job_id"] and job["state"] == "done"
        answer = facts(await client.call_tool("ask_video", {"video": job["video_id"], "question": QUESTION}))
        assert answer["citations"] and all(in_truth(citation) for citation in answer["citations"])

    run_in_memory(tmp_path, test)


def test_paths_outside_the_roots_are_refused_however_they_are_written(
    footage: Path, nano: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.mp4").symlink_to(footage / "car-detection.mp4")

    async def test(client: Client) -> None:
        for path in (
            str(footage / "car-detection.mp4"),
            str(root / "link.mp4"),
            f"{root}/../{footage.name}/car-detection.mp4",
            "/etc/passwd",
            "relative.mp4",
        ):
            assert "not in a folder" in error(await client.call_tool("index_video", {"path": path}))
        assert (await client.call_tool("ask_video", {"video": str(root / "link.mp4"), "question": "x?"})).is_error

    run_in_memory(tmp_path / "store", test, roots=(root,))


def test_a_relative_path_is_of_the_first_root_that_holds_the_file(footage: Path, nano: Path, tmp_path: Path) -> None:
    roots = (tmp_path / "one", tmp_path / "two")
    (roots[1] / "sub").mkdir(parents=True)
    roots[0].mkdir()
    shutil.copy(footage / "car-detection.mp4", roots[1] / "-dash.mp4")
    shutil.copy(footage / "car-detection.mp4", roots[1] / "sub" / "slides.mp4")

    async def test(client: Client) -> None:
        waiting = facts(await client.call_tool("ask_video", {"video": "-dash.mp4", "question": QUESTION}))
        assert waiting["reason"] == "not indexed" and waiting["job_id"]
        assert facts(await client.call_tool("index_video", {"path": "-dash.mp4"}))["job_id"] == waiting["job_id"]
        await client.call_tool("cancel_job", {"job_id": waiting["job_id"]})
        job = await index(client, "sub/slides.mp4")
        assert job["state"] == "done"
        answer = facts(await client.call_tool("ask_video", {"video": "sub/slides.mp4", "question": QUESTION}))
        assert answer["citations"] and not answer["job_id"]
        for outside in ("../two-and-more.mp4", "sub/../../secret.mp4", "x" * 500):
            assert "not in a folder" in error(await client.call_tool("index_video", {"path": outside}))

    (tmp_path / "secret.mp4").write_bytes(b"secret")
    run_in_memory(tmp_path / "store", test, roots=roots)


# ---------------------------------------------------------------------- over stdio


def command(store: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "hicom_agent", "mcp", "--store", str(store), *options]


@asynccontextmanager
async def over_stdio(store: Path, **environment: str) -> AsyncIterator[Client]:
    name, *arguments = command(store)
    own = {"HICOM_AGENT_SPEECH": "false", "HICOM_AGENT_OCR": "false", **environment}
    server = StdioServerParameters(command=name, args=arguments, env={**os.environ, **own})
    async with Client(stdio_client(server)) as client:
        yield client


def test_over_stdio_a_film_is_indexed_asked_and_looked_at(footage: Path, nano: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with over_stdio(tmp_path) as client:
            await client.list_tools()
            (server,) = psutil.Process().children()
            assert not any("torch" in library.path for library in server.memory_maps()), "it answers at once"
            job = await index(client, str(footage / "car-detection.mp4"))
            for question in (QUESTION, "Is there a car?", "how often does a car drive by?"):
                answer = facts(await client.call_tool("ask_video", {"video": job["video_id"], "question": question}))
                assert not answer["abstained"] and all(in_truth(citation) for citation in answer["citations"])
            frames = await client.call_tool("get_frames", {"frame_ids": [answer["citations"][0]["frame_id"]]})
            assert [block.type for block in frames.content] == ["text", "image"]

    anyio.run(main)


def test_nothing_but_the_protocol_is_on_standard_output_even_if_a_library_prints(tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.mkdir()
    (noise / "sitecustomize.py").write_text(
        "import builtins, os\nreal = builtins.__import__\n"
        "def noisy(name, *a, **k):\n"
        "    if name == 'mcp.server' or name == 'hicom_agent.mcp_server':\n"
        "        print('noise', flush=True); os.write(1, b'more noise\\n')\n"
        "    return real(name, *a, **k)\n"
        "builtins.__import__ = noisy\n"
    )
    own = {**os.environ, "PYTHONPATH": str(noise)}
    with subprocess.Popen(
        command(tmp_path / "store"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=own
    ) as server:
        assert server.stdin and server.stdout and server.stderr
        server.stdin.write(json.dumps(HELLO).encode() + b"\n")
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["result"]["serverInfo"]["name"] == "hicom-agent"
        server.stdin.close()
        rest = server.stdout.read()
        assert all(json.loads(line) for line in rest.splitlines())
        assert b"noise" in server.stderr.read()


def test_closing_standard_input_ends_the_server_and_all_it_started(store: Path) -> None:
    with subprocess.Popen(
        command(store), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdin and server.stdout
        for message in (
            HELLO,
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_videos", "arguments": {}}},
        ):  # fmt: skip
            server.stdin.write(json.dumps(message).encode() + b"\n")
        server.stdin.flush()
        server.stdout.readline()
        server.stdout.readline()
        started = children(server.pid)
        assert started
        server.stdin.close()
        assert server.wait(30) == 0
    ends_at = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < ends_at:
        time.sleep(0.1)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


# ---------------------------------------------------------------------- over HTTP


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


@contextmanager
def http_server(store: Path, *options: str, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = port or free_port()
    own = {**os.environ, "HICOM_AGENT_SPEECH": "false", "HICOM_AGENT_OCR": "false"}
    with subprocess.Popen(command(store, "--http", f"127.0.0.1:{port}", *options), env=own) as server:
        try:
            ends_at = time.monotonic() + 20
            while time.monotonic() < ends_at:
                with socket.socket() as it:
                    if it.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/mcp", server
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def test_the_rules_of_transport_hold(tmp_path: Path) -> None:
    with http_server(tmp_path) as (url, _):
        hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        accept = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        for headers, content, code in (
            ({"Host": "evil.example"}, json.dumps(hello), 421),
            ({"Origin": "http://evil.example"}, json.dumps(hello), 403),
            ({}, json.dumps({**hello, "params": {"x": "y" * (5 << 20)}}), 413),
        ):
            assert httpx2.post(url, headers={**accept, **headers}, content=content).status_code == code, headers


def test_a_server_open_to_others_needs_hosts_and_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hicom_agent.cli import main

    tokens = tmp_path / "tokens"
    tokens.write_text("anna short\n")
    for options, told in (
        (["--http", "0.0.0.0:8000"], "--allow-host and --token-file"),
        (["--http", "0.0.0.0:8000", "--allow-host", "films.example"], "--allow-host and --token-file"),
        (["--http", "127.0.0.1:8000", "--token-file", str(tokens)], "20 characters"),
        (["--http", "8000"], "HOST:PORT"),
        (["--root", str(tmp_path / "nothing")], "no folder"),
    ):
        assert main(["mcp", "--store", str(tmp_path), *options]) == 2
        assert told in capsys.readouterr().err


def test_two_clients_index_ask_and_cancel_and_a_killed_server_goes_on(
    footage: Path, nano: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{name} {token}\n" for name, token in TOKENS.items()))
    port = free_port()
    store = tmp_path / "store"

    @asynccontextmanager
    async def client_of(url: str, name: str) -> AsyncIterator[Client]:
        from mcp.client.streamable_http import streamable_http_client

        own = {"Authorization": f"Bearer {TOKENS[name]}"}
        async with (
            httpx2.AsyncClient(headers=own, timeout=60) as web,
            Client(streamable_http_client(url, http_client=web)) as client,
        ):
            yield client

    async def begin(url: str) -> str:
        async with client_of(url, "anna") as anna, client_of(url, "ben") as ben:
            job = facts(await anna.call_tool("index_video", {"path": str(footage / "car-detection.mp4")}))
            unknown = error(await ben.call_tool("job_status", {"job_id": job["job_id"]}))
            never = error(await ben.call_tool("job_status", {"job_id": "x" * len(job["job_id"])}))
            assert unknown.replace(job["job_id"], "ID") == never.replace("x" * len(job["job_id"]), "ID")
            other = facts(await ben.call_tool("index_video", {"path": str(footage / "bottle-detection.mp4")}))
            stopped = facts(await ben.call_tool("cancel_job", {"job_id": other["job_id"]}))
            assert stopped["state"] == "cancelled"
            while facts(await anna.call_tool("job_status", {"job_id": job["job_id"]}))["state"] == "queued":
                await anyio.sleep(0.1)
            return str(job["job_id"])

    async def go_on(url: str, job_id: str) -> None:
        async with client_of(url, "anna") as anna, client_of(url, "ben") as ben:
            job = facts(await anna.call_tool("job_status", {"job_id": job_id}))
            while job["state"] not in ("done", "failed"):
                await anyio.sleep(0.3)
                job = facts(await anna.call_tool("job_status", {"job_id": job_id}))
            assert job["state"] == "done", job
            answers: list[dict[str, Any]] = []

            async def ask(client: Client, question: str) -> None:
                answers.append(facts(await client.call_tool("ask_video", {"video": "car", "question": question})))

            async with anyio.create_task_group() as group:
                group.start_soon(ask, anna, QUESTION)
                group.start_soon(ask, ben, "Is there a car?")
                group.start_soon(ask, ben, "how often does a car drive by?")
            assert len(answers) == 3
            assert all(in_truth(citation) for answer in answers for citation in answer["citations"])
            frames = await ben.call_tool("get_frames", {"frame_ids": [answers[0]["citations"][0]["frame_id"]]})
            assert [block.type for block in frames.content] == ["text", "image"]

    with http_server(store, "--token-file", str(tokens), port=port) as (url, server):
        assert httpx2.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == 401
        job_id = anyio.run(begin, url)
        server.kill()
        server.wait(30)
    with http_server(store, "--token-file", str(tokens), port=port) as (url, _):
        anyio.run(go_on, url, job_id)
