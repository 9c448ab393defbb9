"""What a call to the server gives back: facts, pictures, or one line with what is wrong."""

from __future__ import annotations

import json
from typing import Any

import mcp.types as t

from hicom_agent.tools.get_frames import caption

MAX_ERROR_CHARS = 480


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


def remedy(error: Exception) -> str:
    """Return one line with what is wrong and what to do, of a length that every client shows."""
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + "…"
