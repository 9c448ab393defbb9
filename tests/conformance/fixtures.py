"""What the scenarios of the conformance suite ask a server for, beside what ours has; never installed.

The names and the texts are the suite's. Completion has no fixture: the server's own is what is tested.
As a program, serves over HTTP on a port of this machine: python -m tests.conformance.fixtures PORT STORE
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import mcp.types as t
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from pydantic import Field

from hicom_agent.mcp_server import make_server
from hicom_agent.serving.http import make_app, run_app
from hicom_agent.settings import load_settings

Ctx = Context[Any, Any]
Server = MCPServer[Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = base64.b64encode(
    b"RIFF\x26\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\2\0\0\0\0\0"
).decode()
PAUSE_S = 0.05

DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_PLAIN = {"type": "string", "enum": ["option1", "option2", "option3"]}
_TITLED = [{"const": f"value{i}", "title": f"Option {i}"} for i in (1, 2, 3)]
ENUMS = {
    "untitledSingle": _PLAIN,
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": _PLAIN},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}
SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def extend(server: Server) -> None:
    """Register everything that a scenario of the suite names."""
    for add in (
        _add_contents,
        _add_talks,
        _add_rounds,
        _add_stateful_rounds,
        _add_probes,
        _add_resources,
        _add_prompts,
    ):
        add(server)
    _answer_older_methods(server)
    # Ours does not resume streams; the scenario of polling needs a server that does.
    server.streamable_http_app = partial(  # type: ignore[method-assign]
        server.streamable_http_app, event_store=Events(), retry_interval=100
    )


def _tool(server: Server, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return server.tool(name=name, description="A fixture of the conformance suite.", structured_output=False)


def _text(text: str) -> t.TextContent:
    return t.TextContent(type="text", text=text)


def _embedded(uri: str, mime_type: str, text: str) -> t.EmbeddedResource:
    return t.EmbeddedResource(type="resource", resource=t.TextResourceContents(uri=uri, mime_type=mime_type, text=text))


IMAGE = t.ImageContent(type="image", data=PNG, mime_type="image/png")


def _add_contents(server: Server) -> None:
    """Register a tool for each kind of content, and one that fails."""

    @_tool(server, "test_simple_text")
    def simple() -> str:
        return "This is a simple text response for testing."

    @_tool(server, "test_image_content")
    def image() -> list[t.ContentBlock]:
        return [IMAGE]

    @_tool(server, "test_audio_content")
    def audio() -> list[t.ContentBlock]:
        return [t.AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    @_tool(server, "test_embedded_resource")
    def embedded() -> list[t.ContentBlock]:
        return [_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @_tool(server, "test_multiple_content_types")
    def mixed() -> list[t.ContentBlock]:
        data = json.dumps({"test": "data", "value": 123})
        resource = _embedded("test://mixed-content-resource", "application/json", data)
        return [_text("Multiple content types test:"), IMAGE, resource]

    @_tool(server, "test_error_handling")
    def fail() -> str:
        raise ToolError("This tool intentionally returns an error for testing")


def _add_talks(server: Server) -> None:
    """Register tools that say or ask something while they run."""

    @_tool(server, "test_tool_with_logging")
    async def log(ctx: Ctx) -> str:
        for what in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(what)
            await anyio.sleep(PAUSE_S)
        return "logged"

    @_tool(server, "test_tool_with_progress")
    async def progress(ctx: Ctx) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"step {done} of 100")
            await anyio.sleep(PAUSE_S)
        return "progress told"

    @_tool(server, "test_sampling")
    async def sample(prompt: str, ctx: Ctx) -> str:
        messages = [t.SamplingMessage(role="user", content=_text(prompt))]
        told = await ctx.session.create_message(messages, max_tokens=100, related_request_id=ctx.request_id)
        return f"LLM response: {getattr(told.content, 'text', '')}"

    @_tool(server, "test_elicitation")
    async def elicit(message: str, ctx: Ctx) -> str:
        return await _elicit(ctx, message, {"username": {"type": "string"}, "email": {"type": "string"}})

    @_tool(server, "test_elicitation_sep1034_defaults")
    async def defaults(ctx: Ctx) -> str:
        return await _elicit(ctx, "Tell about yourself", DEFAULTS)

    @_tool(server, "test_elicitation_sep1330_enums")
    async def enums(ctx: Ctx) -> str:
        return await _elicit(ctx, "Choose", ENUMS)

    @_tool(server, "test_reconnection")
    async def reconnect(ctx: Ctx) -> str:
        await ctx.close_sse_stream()
        await anyio.sleep(4 * PAUSE_S)
        return "Reconnection test completed"


def _schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


async def _elicit(ctx: Ctx, message: str, properties: dict[str, Any]) -> str:
    told = await ctx.session.elicit_form(message, _schema(properties), related_request_id=ctx.request_id)
    return f"User response: action={told.action}, content={json.dumps(told.content)}"


# ---------------------------------------------------------------------- a question as a result (2026-07-28)


def _question(message: str, **properties: str) -> t.ElicitRequest:
    schema = _schema({name: {"type": kind} for name, kind in properties.items()})
    return t.ElicitRequest(params=t.ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(text: str, max_tokens: int) -> t.CreateMessageRequest:
    messages = [t.SamplingMessage(role="user", content=_text(text))]
    return t.CreateMessageRequest(params=t.CreateMessageRequestParams(messages=messages, max_tokens=max_tokens))


def _ask(state: str | None = None, /, **requests: t.InputRequest) -> t.InputRequiredResult:
    return t.InputRequiredResult(input_requests=requests, request_state=state)


def _told(ctx: Ctx, key: str) -> dict[str, Any] | None:
    """Return what the client answered to a question, if it did."""
    answer = (ctx.input_responses or {}).get(key)
    return answer.model_dump() if answer is not None else None


def _add_rounds(server: Server) -> None:
    """Register tools that ask for one thing, and end when they are told."""

    @_tool(server, "test_input_required_result_elicitation")
    async def elicitation(ctx: Ctx) -> str | t.InputRequiredResult:
        told = _told(ctx, "user_name")
        if told is None:
            return _ask(user_name=_question("What is your name?", name="string"))
        return f"Hello, {(told['content'] or {}).get('name')}!"

    @_tool(server, "test_input_required_result_sampling")
    async def sampling(ctx: Ctx) -> str | t.InputRequiredResult:
        told = _told(ctx, "capital_question")
        return json.dumps(told) if told else _ask(capital_question=_sampling("What is the capital of France?", 100))

    @_tool(server, "test_input_required_result_list_roots")
    async def roots(ctx: Ctx) -> str | t.InputRequiredResult:
        told = _told(ctx, "client_roots")
        return json.dumps(told, default=str) if told else _ask(client_roots=t.ListRootsRequest())

    @_tool(server, "test_input_required_result_capabilities")
    async def capabilities(ctx: Ctx) -> str | t.InputRequiredResult:
        can = ctx.client_capabilities or t.ClientCapabilities()
        requests: dict[str, t.InputRequest] = {}
        if can.sampling is not None:
            requests["greeting"] = _sampling("Generate a greeting", 50)
        if can.elicitation is not None:
            requests["user_name"] = _question("What is your name?", name="string")
        return _ask(**requests) if requests and not ctx.input_responses else "nothing to ask"

    @_tool(server, "test_streaming_elicitation")
    async def streaming(ctx: Ctx) -> str | t.InputRequiredResult:
        await ctx.report_progress(1, 2)
        told = _told(ctx, "confirm")
        return json.dumps(told) if told else _ask(confirm=_question("Please confirm", ok="boolean"))


def _add_stateful_rounds(server: Server) -> None:
    """Register tools whose state travels through the client; the server seals it."""

    async def confirm(ctx: Ctx) -> str | t.InputRequiredResult:
        told = _told(ctx, "confirm")
        if told is None or ctx.request_state != "asked":
            return _ask("asked", confirm=_question("Please confirm", ok="boolean"))
        return "state-ok"

    for name in ("test_input_required_result_request_state", "test_input_required_result_tampered_state"):
        _tool(server, name)(confirm)

    @_tool(server, "test_input_required_result_multiple_inputs")
    async def multiple(ctx: Ctx) -> str | t.InputRequiredResult:
        questions: dict[str, t.InputRequest] = {
            "user_name": _question("What is your name?", name="string"),
            "greeting": _sampling("Generate a greeting", 50),
            "client_roots": t.ListRootsRequest(),
        }
        missing = {key: asked for key, asked in questions.items() if _told(ctx, key) is None}
        return _ask("asked", **missing) if missing else "all told"

    @_tool(server, "test_input_required_result_multi_round")
    async def multi_round(ctx: Ctx) -> str | t.InputRequiredResult:
        first, second = _told(ctx, "step1"), _told(ctx, "step2")
        if second and ctx.request_state:
            return f"{ctx.request_state} likes {second['content']}"
        if first:
            name = str((first["content"] or {}).get("name"))
            return _ask(name, step2=_question("Step 2: What is your favorite color?", color="string"))
        return _ask("nobody", step1=_question("Step 1: What is your name?", name="string"))


def _add_probes(server: Server) -> None:
    """Register tools by which the suite looks at headers, schemas, capabilities and changes of the lists."""

    @_tool(server, "test_missing_capability")
    async def missing(ctx: Ctx) -> str:
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            needs: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(t.MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs sampling", needs)
        return "the client can sample"

    @_tool(server, "test_logging_tool")
    async def log(ctx: Ctx) -> str:
        await ctx.info("told only to those who asked")
        return "logged"

    @_tool(server, "test_custom_headers")
    def headers(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        return region

    @_tool(server, "test_trigger_tool_change")
    async def change_tools(ctx: Ctx) -> str:
        name = "test_comes_and_goes"
        if name in [tool.name for tool in await server.list_tools()]:
            server.remove_tool(name)
        else:
            _tool(server, name)(lambda: "here")
        await ctx.notify_tools_changed()
        return "changed"

    @_tool(server, "test_trigger_prompt_change")
    async def change_prompts(ctx: Ctx) -> str:
        name = "test_comes_and_goes"
        if name in [prompt.name for prompt in await server.list_prompts()]:
            server.remove_prompt(name)
        else:
            server.prompt(name=name, description="Here for now.")(lambda: "here")
        await ctx.notify_prompts_changed()
        return "changed"

    @_tool(server, "json_schema_2020_12_tool")
    def with_schema(**given: Any) -> str:
        return json.dumps(given)

    # no public way leads from a schema of one's own to a tool
    tool = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert tool is not None
    tool.parameters = SCHEMA_2020_12


def _add_resources(server: Server) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """Return a text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """Return a picture."""
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """Return what the address says."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """Return what a client may watch."""
        return "Watched resource content"


def _add_prompts(server: Server) -> None:
    @server.prompt(name="test_simple_prompt", description="Say one thing.")
    def simple() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(name="test_prompt_with_arguments", description="Say two things.")
    def with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(name="test_prompt_with_embedded_resource", description="Show a resource.")
    def with_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 the suite's name
        resource = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @server.prompt(name="test_prompt_with_image", description="Show a picture.")
    def with_image() -> list[UserMessage]:
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]

    @server.prompt(name="test_input_required_result_prompt", description="Ask first.")
    async def asking(ctx: Ctx) -> str | t.InputRequiredResult:
        told = _told(ctx, "user_context")
        return json.dumps(told) if told else _ask(user_context=_question("What context?", context="string"))


def _answer_older_methods(server: Server) -> None:
    """Serve what 2025-11-25 has and 2026-07-28 took away; the builder of servers offers no door to it."""

    async def accept(ctx: Any, params: Any) -> t.EmptyResult:
        return t.EmptyResult()

    low = server._lowlevel_server
    low.add_request_handler("resources/subscribe", t.SubscribeRequestParams, accept)
    low.add_request_handler("resources/unsubscribe", t.UnsubscribeRequestParams, accept)
    low.add_request_handler("logging/setLevel", t.SetLevelRequestParams, accept)


class Events(EventStore):
    """Every event of every stream, in order, so that a client can take one up again."""

    def __init__(self) -> None:
        self._events: list[tuple[str, t.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: t.JSONRPCMessage | None) -> str:
        """Keep an event and return its id."""
        self._events.append((stream_id, message))
        return str(len(self._events) - 1)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what came later in the same stream, and return that stream."""
        last = int(last_event_id)
        if not 0 <= last < len(self._events):
            return None
        stream = self._events[last][0]
        for number, (owner, message) in enumerate(self._events[last + 1 :], last + 1):
            if owner == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def serve(port: int, store: Path) -> None:
    """Serve the real server with the fixtures, until interrupted."""
    host = "127.0.0.1"
    server = make_server(load_settings({"store": store, "roots": (store,), "profile": "nano"}), extend=extend)
    run_app(make_app(server, host), host, port)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
