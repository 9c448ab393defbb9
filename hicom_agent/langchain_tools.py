"""The LangChain surface: the tools of `tools/` for an agent in this process, a toolkit of them, and a retriever.

    from hicom_agent.langchain_tools import HicomToolkit
    agent = create_agent("ollama:qwen3", HicomToolkit(store="my-store").get_tools())

Models are loaded in this process and used by one thread at a time, whatever tools and retrievers share a workspace.
"""

from __future__ import annotations

import asyncio
import json
import os
from threading import Lock
from typing import Any, Literal
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages.content import ImageContentBlock, TextContentBlock
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import ArgsSchema, BaseTool, BaseToolkit, ToolException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hicom_agent.build import Workspace
from hicom_agent.errors import HicomAgentError, UnknownVideo
from hicom_agent.settings import load_settings
from hicom_agent.tools import MAX_SECONDS, TOOLS, Tool, index_video
from hicom_agent.tools.definition import for_agents, what_is_wrong
from hicom_agent.tools.get_frames import caption
from hicom_agent.tools.index_job import JobResult
from hicom_agent.tools.search_videos import Moment, find_moments

ASK, SEARCH, FRAMES = (TOOLS[name] for name in ("ask_video", "search_videos", "get_frames"))
INDEX, LIST = (TOOLS[name] for name in ("index_video", "list_videos"))

_LOCKS: WeakKeyDictionary[Workspace, Lock] = WeakKeyDictionary()
_LOCKS_LOCK = Lock()


def _turn(workspace: Workspace) -> Lock:
    """Return the lock of a workspace's models, the same for all that share it."""
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(workspace, Lock())


def _choose(workspace: Workspace | None, settings: dict[str, Any]) -> Workspace:
    if workspace is None:
        return Workspace(load_settings(settings))
    if settings:
        raise TypeError(f"give a workspace or settings, not both; got a workspace and {', '.join(settings)}")
    return workspace


def _say_what_is_wrong(error: Exception) -> str:
    """Return a line that names each wrong argument, so that the model can mend its call."""
    return what_is_wrong(error) if isinstance(error, ValidationError) else str(error)


class _VideoTool(BaseTool):
    """What the tools share. Without a workspace, one is made from the environment and the settings file."""

    model_config = ConfigDict(extra="forbid")

    workspace: Workspace = Field(default_factory=lambda: _choose(None, {}), exclude=True, repr=False)
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    handle_validation_error: Any = Field(default_factory=lambda: _say_what_is_wrong)

    def _run(self, *first: Any, **given: Any) -> tuple[Any, dict[str, Any]]:
        """Return what the model reads and the artifact, JSON only; raises ToolException with the remedy."""
        tool = TOOLS[self.name]
        given |= dict(zip(tool.arguments.model_fields, first, strict=False))  # a bare string is the first argument
        arguments = tool.arguments(**given)
        try:
            with _turn(self.workspace):
                found = self._call(tool, arguments)
        except HicomAgentError as error:
            remedy = "; index_video a new file first" if isinstance(error, UnknownVideo) else ""
            raise ToolException(for_agents(error.line) + remedy) from error
        return self._shown(json.loads(json.dumps(found, ensure_ascii=False)))

    async def _arun(self, *first: Any, **given: Any) -> tuple[Any, dict[str, Any]]:
        """Do the same in a thread; a call that is cancelled keeps its turn until its thread ends."""
        return await asyncio.to_thread(self._run, *first, **given)

    def _call(self, tool: Tool, arguments: Any) -> dict[str, Any]:
        return tool.run(self.workspace, arguments, getattr(arguments, "max_seconds", MAX_SECONDS))

    def _shown(self, found: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return json.dumps(found, ensure_ascii=False), found


class AskVideoTool(_VideoTool):
    """Answers a question about an indexed video, with times."""

    name: str = ASK.name
    description: str = ASK.description
    args_schema: ArgsSchema | None = ASK.arguments


class SearchVideosTool(_VideoTool):
    """Finds moments in all indexed videos."""

    name: str = SEARCH.name
    description: str = SEARCH.description
    args_schema: ArgsSchema | None = SEARCH.arguments


class GetFramesTool(_VideoTool):
    """Shows pictures: a line and an image block each. The artifact has their ids and times, without the pictures."""

    name: str = FRAMES.name
    description: str = FRAMES.description
    args_schema: ArgsSchema | None = FRAMES.arguments

    def _shown(self, found: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        blocks: list[TextContentBlock | ImageContentBlock] = []
        for frame in found["frames"]:
            blocks.append(TextContentBlock(type="text", text=caption(frame)))
            blocks.append(ImageContentBlock(type="image", base64=frame.pop("jpeg"), mime_type="image/jpeg"))
        return blocks, found


class ListVideosTool(_VideoTool):
    """Lists the indexed videos."""

    name: str = LIST.name
    description: str = LIST.description
    args_schema: ArgsSchema | None = LIST.arguments


class IndexVideoTool(_VideoTool):
    """Watches a video and returns when it is remembered: here nothing polls, so the job is done at once."""

    name: str = INDEX.name
    description: str = (
        "Watch a video file once and remember it, so that it can be asked and searched; returns when it is done. "
        "Use it for a new file, before ask_video. The same content again is done at once."
    )
    args_schema: ArgsSchema | None = INDEX.arguments

    def _call(self, tool: Tool, arguments: Any) -> dict[str, Any]:
        path = os.path.expanduser(arguments.path)  # noqa: PTH111 a Path would fold the slashes of an address
        report = index_video(self.workspace, path)
        done = {"job_id": "", "state": "done", "percent": 100.0, "video_id": report.video_id}
        return JobResult.model_validate({**done, "next": "ask_video with the video_id"}).model_dump()


class HicomToolkit(BaseToolkit):
    """The tools on one workspace: one given, or made from settings as keywords (store="my-store", ocr=False)."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    workspace: Workspace = Field(exclude=True, repr=False)

    def __init__(self, workspace: Workspace | None = None, **settings: Any) -> None:
        BaseModel.__init__(self, workspace=_choose(workspace, settings))

    def get_tools(self) -> list[BaseTool]:
        """Return the tools, in the order in which an agent should see them."""
        kinds = (AskVideoTool, SearchVideosTool, GetFramesTool, IndexVideoTool, ListVideosTool)
        return [kind(workspace=self.workspace) for kind in kinds]


class VideoRetriever(BaseRetriever):
    """Finds the `k` moments that answer best to a query, as documents; a workspace or settings as for the toolkit.

    `invoke(query, k=3)` asks for another number. Raises HicomAgentError, for a chain has no way to read a remedy.
    """

    workspace: Workspace = Field(exclude=True, repr=False)
    k: int = Field(10, ge=1, le=50, description="moments at most")
    videos: tuple[str, ...] = Field((), description="only in these: id, path or part of a title; empty: in all")

    def __init__(self, workspace: Workspace | None = None, **given: Any) -> None:
        fields = {name: given.pop(name) for name in type(self).model_fields if name in given}
        BaseModel.__init__(self, workspace=_choose(workspace, given), **fields)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun | None = None, k: int | None = None
    ) -> list[Document]:
        if k is not None and k < 1:
            raise ValueError(f"need k >= 1, got {k}")
        with _turn(self.workspace):
            return [_document(moment) for moment in find_moments(self.workspace, query, self.videos, k or self.k)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun | None = None, k: int | None = None
    ) -> list[Document]:
        return await asyncio.to_thread(self._get_relevant_documents, query, k=k)


def _document(moment: Moment) -> Document:
    words = f"{moment.title} at {moment.timecode} ({moment.modality})"
    return Document(
        id=f"{moment.video_id}:{moment.modality}:{moment.start_s:.3f}-{moment.end_s:.3f}",
        page_content=f"{words}: {moment.quote}" if moment.quote else words,
        metadata=moment.model_dump(exclude={"quote"}),
    )
