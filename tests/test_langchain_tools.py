"""The LangChain surface: LangChain's own standard tests on real footage, parity with MCP, errors, and an agent."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_agent import ScriptedModel, call, converse, main
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, ToolException
from langchain_tests.integration_tests import RetrieversIntegrationTests, ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from mcp import Client
from pydantic import ValidationError
from pytest_socket import disable_socket, enable_socket

from hicom_agent.build import Workspace
from hicom_agent.errors import InputError
from hicom_agent.langchain_tools import (
    AskVideoTool,
    GetFramesTool,
    HicomToolkit,
    IndexVideoTool,
    ListVideosTool,
    SearchVideosTool,
    VideoRetriever,
)
from hicom_agent.mcp_server import make_server
from hicom_agent.settings import load_settings
from hicom_agent.testing import make_video
from hicom_agent.tools import TOOLS, index_video
from hicom_agent.tools.index_job import JobResult

KINDS = (AskVideoTool, SearchVideosTool, GetFramesTool, IndexVideoTool, ListVideosTool)
QUESTION = "when does a car drive through?"


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """Let nothing in this process open a connection."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture(scope="session")
def workspace(footage: Path, nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace that remembers the two real films."""
    flags = {"store": tmp_path_factory.mktemp("memory"), "cache": nano, "profile": "nano"}
    made = Workspace(load_settings({**flags, "speech": False, "ocr": False, "offline": True}))
    for name in ("car-detection.mp4", "bottle-detection.mp4"):
        index_video(made, footage / name)
    return made


@pytest.fixture
def toolkit(workspace: Workspace) -> HicomToolkit:
    return HicomToolkit(workspace)


def tool_call(tool: BaseTool, **arguments: Any) -> ToolMessage:
    message = tool.invoke({"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"})
    assert isinstance(message, ToolMessage)
    return message


# ---------------------------------------------------------------------- LangChain's standard tests


class Standard:
    """What the standard tests ask for; they know no fixtures, so one puts the workspace here."""

    kind: type[BaseTool]
    example: dict[str, Any]
    found: Workspace
    footage: Path

    @pytest.fixture(autouse=True)
    def _found(self, workspace: Workspace, footage: Path) -> None:
        self.found, self.footage = workspace, footage

    @property
    def tool_constructor(self) -> type[BaseTool] | BaseTool:
        return self.kind

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"workspace": self.found}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {name: str(self.footage / v) if name == "path" else v for name, v in self.example.items()}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"HICOM_AGENT_STORE": "/nowhere"}, {}, {"name": self.kind.model_fields["name"].default}


class Ask(Standard):
    kind = AskVideoTool
    example: dict[str, Any] = {"video": "car-detection", "question": QUESTION}


class Search(Standard):
    kind = SearchVideosTool
    example: dict[str, Any] = {"query": "blue bottle caps", "limit": 3}


class GetFrames(Standard):
    kind = GetFramesTool
    example: dict[str, Any] = {"video": "car-detection", "times": ["00:00:05", 16.5]}


class Index(Standard):
    kind = IndexVideoTool
    example: dict[str, Any] = {"path": "bottle-detection.mp4"}


@pytest.mark.weights
class TestAskUnit(Ask, ToolsUnitTests):
    pass


@pytest.mark.weights
class TestSearchUnit(Search, ToolsUnitTests):
    pass


@pytest.mark.weights
class TestFramesUnit(GetFrames, ToolsUnitTests):
    pass


@pytest.mark.weights
class TestIndexUnit(Index, ToolsUnitTests):
    pass


@pytest.mark.weights
class TestAskIntegration(Ask, ToolsIntegrationTests):
    pass


@pytest.mark.weights
class TestSearchIntegration(Search, ToolsIntegrationTests):
    pass


@pytest.mark.weights
class TestFramesIntegration(GetFrames, ToolsIntegrationTests):
    pass


@pytest.mark.weights
class TestIndexIntegration(Index, ToolsIntegrationTests):
    pass


@pytest.mark.weights
class TestRetrieverIntegration(RetrieversIntegrationTests):
    found: Workspace

    @pytest.fixture(autouse=True)
    def _found(self, workspace: Workspace) -> None:
        self.found = workspace

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return VideoRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"workspace": self.found}

    @property
    def retriever_query_example(self) -> str:
        return "a car drives through"


# ---------------------------------------------------------------------- without models


def test_importing_loads_no_heavy_library() -> None:
    code = (
        "import sys, hicom_agent.langchain_tools;"
        "print(sorted({'torch', 'numpy', 'cv2', 'av', 'transformers', 'faiss', 'mcp'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_tools_are_those_of_every_surface(tmp_path: Path) -> None:
    for tool in HicomToolkit(store=tmp_path).get_tools():
        known = TOOLS[tool.name]
        assert tool.args_schema == known.arguments
        assert tool.description == known.description or tool.name == "index_video", "here it returns when it is done"


def test_a_toolkit_shares_one_workspace_made_from_settings(tmp_path: Path) -> None:
    toolkit = HicomToolkit(store=tmp_path, ocr=False)
    assert toolkit.workspace.settings.store == tmp_path and not toolkit.workspace.settings.ocr
    assert all(isinstance(t, KINDS) and t.workspace is toolkit.workspace for t in toolkit.get_tools())


def test_a_tool_alone_takes_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HICOM_AGENT_STORE", str(tmp_path))
    assert AskVideoTool().workspace.settings.store == tmp_path


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    made = Workspace(load_settings({"store": tmp_path}))
    tool: Any = AskVideoTool  # which the type checker would refuse too
    with pytest.raises(InputError, match="stor="):
        HicomToolkit(stor=tmp_path)
    with pytest.raises(InputError, match="stor="):
        VideoRetriever(stor=tmp_path)
    with pytest.raises(TypeError, match="not both; got a workspace and store"):
        VideoRetriever(made, store=tmp_path)
    with pytest.raises(ValidationError, match="Extra inputs"):
        tool(workspace=made, store=tmp_path)
    with pytest.raises(ValidationError, match="k"):
        VideoRetriever(made, k=0)
    with pytest.raises(ValueError, match="need k >= 1, got 0"):
        VideoRetriever(made).invoke("a car", None, k=0)


def test_what_the_model_gets_wrong_is_an_error_that_it_reads(tmp_path: Path) -> None:
    ask, _, frames, index, _ = HicomToolkit(store=tmp_path).get_tools()
    unknown = tool_call(ask, video="holiday", question=QUESTION)
    assert unknown.status == "error" and unknown.artifact is None
    assert "no indexed video 'holiday'" in unknown.text and "index_video" in unknown.text
    assert tool_call(frames).status == "error"
    for path in ("/no/such.mp4", "http://localhost/a.mp4", "~nobody-of-this-name/a.mp4", "a\0b.mp4", str(tmp_path)):
        refused = tool_call(index, path=path)
        assert refused.status == "error" and refused.text, path
    invalid = tool_call(ask, video="holiday", question=QUESTION, max_seconds=-1)
    assert invalid.status == "error" and "max_seconds: Input should be greater than or equal to 1" in invalid.text


def test_an_error_of_ours_is_the_cause_of_a_tool_exception(tmp_path: Path) -> None:
    tool = AskVideoTool(workspace=Workspace(load_settings({"store": tmp_path})), handle_tool_error=False)
    with pytest.raises(ToolException) as caught:
        tool.invoke({"video": "holiday", "question": QUESTION})
    assert isinstance(caught.value.__cause__, InputError)


async def test_one_thread_at_a_time_uses_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, threads = 0, 0, set()

    def work() -> None:
        nonlocal inside, most
        threads.add(threading.get_ident())
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.02)
        inside -= 1

    def search(*given: Any) -> list[Any]:
        work()
        return []

    def run(*given: Any) -> dict[str, Any]:
        work()
        return {"hits": []}

    monkeypatch.setattr("hicom_agent.langchain_tools.find_moments", search)
    monkeypatch.setitem(TOOLS, "search_videos", replace(TOOLS["search_videos"], run=run))
    toolkit = HicomToolkit(store=tmp_path)
    retrievers = [VideoRetriever(toolkit.workspace) for _ in range(3)]
    tools = [SearchVideosTool(workspace=toolkit.workspace) for _ in range(3)]
    calls = [tool.ainvoke({"query": "a car"}) for tool in tools]
    await asyncio.gather(*calls, *(retriever.ainvoke("a car") for retriever in retrievers))
    assert most == 1 and len(threads) > 1 and threading.get_ident() not in threads


# ---------------------------------------------------------------------- on real footage


@pytest.mark.weights
async def test_artifacts_equal_what_mcp_gives_apart_from_what_they_cost(workspace: Workspace) -> None:
    calls = {"ask_video": Ask.example, "search_videos": Search.example}
    tools = {tool.name: tool for tool in HicomToolkit(workspace).get_tools()}
    async with Client(make_server(workspace.settings)) as client:
        for name, arguments in calls.items():
            theirs = (await client.call_tool(name, arguments)).structured_content
            message = await tools[name].ainvoke({"name": name, "args": arguments, "id": "1", "type": "tool_call"})
            ours = message.artifact
            assert json.loads(message.text) == ours and theirs is not None
            assert {k: v for k, v in ours.items() if k != "spend"} == {k: v for k, v in theirs.items() if k != "spend"}
            assert ours.get("citations") or ours.get("hits")


@pytest.mark.weights
async def test_pictures_equal_those_of_mcp_and_are_not_in_the_artifact(workspace: Workspace) -> None:
    message = tool_call(GetFramesTool(workspace=workspace), **GetFrames.example)
    async with Client(make_server(workspace.settings)) as client:
        theirs = (await client.call_tool("get_frames", GetFrames.example)).content
    blocks: list[Any] = list(message.content_blocks)
    assert [block["type"] for block in blocks] == ["text", "image"] * 2
    told = [block.text if block.type == "text" else block.data for block in theirs if block.type in ("text", "image")]
    assert [block.get("text") or block["base64"] for block in blocks] == told
    for block in blocks[1::2]:
        assert block["mime_type"] == "image/jpeg" and base64.b64decode(block["base64"]).startswith(b"\xff\xd8")
    assert [set(frame) for frame in message.artifact["frames"]] == [{"time_s", "timecode", "frame_id"}] * 2
    json.dumps(message.artifact)


@pytest.mark.weights
def test_indexing_again_is_done_at_once_and_tells_the_id(workspace: Workspace, footage: Path) -> None:
    message = tool_call(IndexVideoTool(workspace=workspace), path=str(footage / "car-detection.mp4"))
    result = JobResult(**message.artifact)
    assert result.state == "done" and result.percent == 100 and len(result.video_id) == 16
    assert set(message.artifact) == set(JobResult.model_fields)


@pytest.mark.weights
def test_a_bare_string_is_the_first_argument(workspace: Workspace) -> None:
    assert json.loads(SearchVideosTool(workspace=workspace).invoke("blue bottle caps"))["hits"]


@pytest.mark.weights
def test_documents_say_where_and_how_surely(workspace: Workspace) -> None:
    documents = VideoRetriever(workspace, k=3, videos=("car-detection",)).invoke("a car drives through")
    for document in documents:
        told = document.metadata
        keys = {"video_id", "title", "start_s", "end_s", "timecode", "score", "modality", "frame_id"}
        assert isinstance(document, Document) and set(told) == keys
        assert document.page_content.startswith(f"car-detection at {told['timecode']} ({told['modality']})")
        assert 0 <= told["start_s"] <= told["end_s"] and told["frame_id"].startswith(told["video_id"])
    assert len({document.id for document in documents}) == 3
    json.dumps([document.metadata for document in documents])


@pytest.mark.weights
def test_an_agent_asks_and_follows_up_twice(toolkit: HicomToolkit, footage: Path) -> None:
    said = converse(toolkit, str(footage / "car-detection.mp4"))
    results = [message for message in said if isinstance(message, ToolMessage)]
    assert [result.name for result in results] == ["index_video", "ask_video", "ask_video", "search_videos"]
    assert all(result.status == "success" for result in results)
    assert results[1].artifact["citations"] and not results[1].artifact["abstained"]
    assert results[2].artifact["abstained"] and results[3].artifact["hits"]
    assert isinstance(said[-1], AIMessage) and not said[-1].tool_calls
    first = results[1].artifact["citations"][0]["timecode"]
    assert said[-1].text.startswith(f"There is a car at {first}") and "I find no elephant (not seen)." in said[-1].text


@pytest.mark.weights
def test_the_scripted_agent_claims_nothing_that_its_tools_did_not_say(workspace: Workspace, tmp_path: Path) -> None:
    toolkit = HicomToolkit(Workspace(workspace.settings.model_copy(update={"store": tmp_path / "store"})))
    said = converse(toolkit, str(make_video(tmp_path / "patterns.mp4")))
    answers = [message.artifact for message in said if isinstance(message, ToolMessage) and message.name == "ask_video"]
    assert len(answers) == 2 and all(answer["abstained"] for answer in answers)
    assert said[-1].text.startswith("I find no car (") and "I find no elephant (" in said[-1].text
    said = converse(toolkit, str(tmp_path / "gone.mp4"))
    assert said[-1].text.startswith("The video could not be indexed: ") and "does not exist" in said[-1].text


@pytest.mark.weights
async def test_an_agent_reads_its_mistake_and_mends_it(toolkit: HicomToolkit) -> None:
    lines = [call("ask_video", video="holiday", question=QUESTION), call("ask_video", **Ask.example), AIMessage("done")]
    agent = create_agent(ScriptedModel(messages=iter(lines)), toolkit.get_tools())
    said = (await agent.ainvoke({"messages": [{"role": "user", "content": QUESTION}]}))["messages"]
    assert [m.status for m in said if isinstance(m, ToolMessage)] == ["error", "success"]


@pytest.mark.weights
def test_the_example_runs_offline(
    workspace: Workspace, footage: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in workspace.settings.model_dump(mode="json", exclude_defaults=True).items():
        monkeypatch.setenv(f"HICOM_AGENT_{name.upper()}", str(value))
    assert main([str(footage / "car-detection.mp4")]) == 0
    out = capsys.readouterr().out
    assert out.count("agent calls") == 4 and "ask_video: {" in out and out.splitlines()[-1].startswith("ai: ")
    assert main([]) == 2
