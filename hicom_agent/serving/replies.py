"""What a call to the server gives back: facts, pictures, or one line with what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mcp.types as t
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from pydantic import ValidationError

from hicom_agent.errors import HicomAgentError
from hicom_agent.jobs import Job
from hicom_agent.tools.definition import for_agents, what_is_wrong
from hicom_agent.tools.get_frames import caption
from hicom_agent.types import clean_text, shorten

MAX_ERROR_CHARS = 480
MAX_JOBS = 2  # named in an error


class Server(MCPServer[Any]):
    """Tells arguments that are wrong in one line; its library shows what pydantic prints, with addresses."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool; raises ToolError."""
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error, UnexpectedToolError) or not isinstance(error.__cause__, ValidationError):
                raise
            raise ToolError(f"{name}: {shorten(what_is_wrong(error.__cause__), 400)}") from error.__cause__


def result(found: dict[str, Any]) -> t.CallToolResult:
    """Return structured content, and the same facts as text for clients that read only that."""
    text = json.dumps(found, ensure_ascii=False)
    return t.CallToolResult(content=[t.TextContent(type="text", text=text)], structured_content=found)


def pictures(found: dict[str, Any]) -> t.CallToolResult:
    """Return each picture after a line about it."""
    content: list[t.ContentBlock] = []
    for frame in found["frames"]:
        content.append(t.TextContent(type="text", text=caption(frame)))
        content.append(t.ImageContent(type="image", data=frame["jpeg"], mime_type="image/jpeg"))
    return t.CallToolResult(content=content)


def remedy(error: HicomAgentError, more: str = "") -> str:
    """Return one line with what is wrong and what to do, of a length that every client shows; `more` is never cut."""
    more = f"; {more}" if more else ""
    return shorten(for_agents(error.line), MAX_ERROR_CHARS - 1 - len(more)) + more


def where_to_find(jobs: Sequence[Job]) -> str:
    """Return where a video that is not indexed may be: in the queue, or nowhere yet."""
    named = [
        f"{shorten(clean_text(Path(job.path).name), 60)} is {'being indexed' if job.state == 'running' else 'queued'}: "
        f"job_status {job.job_id} tells when it is done"
        for job in jobs[:MAX_JOBS]
    ]
    named += [f"{len(jobs) - MAX_JOBS} more are queued"] if len(jobs) > MAX_JOBS else []
    return "; ".join(named) or "index_video a new file first"
