"""Mode `mcp`: questions go to the real server over stdio, as an agent that holds the tools would put them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from hicom_agent.errors import AnswerError, SetupError, VideoUnreadable
from hicom_agent.evaluation.asking import Reply, agent_settings, within
from hicom_agent.evaluation.films import film_of
from hicom_agent.evaluation.questions import LETTERS, Question
from hicom_agent.prompts import load_prompt
from hicom_agent.settings import PREFIX
from hicom_agent.types import Progress

if TYPE_CHECKING:
    from hicom_agent.build import Workspace

MAX_SECONDS = 300.0  # of a call, the most that the tool takes
LEAST_TOKENS = 32  # that the tool takes as a limit
SILENCE_S = 2 * MAX_SECONDS  # after which a server counts as broken: it ends each call by itself
POLL_S = 0.3


class ByServer:
    """A server process of its own, with the settings of this one; it ends with the `with`."""

    def __init__(
        self, work: Workspace, questions: Sequence[Question], films: Path, log: Path, max_visual_tokens: int | None
    ) -> None:
        self._work, self._films, self._log = work, films, log
        # where they really lie: a benchmark's folder may hold links to another disk
        self._roots = {question.path.resolve().parent for question in questions if question.path is not None}
        self._max_visual_tokens = max_visual_tokens
        self._ids: dict[str, str] = {}  # of videos that are remembered, by unit
        self._portal: BlockingPortal | None = None
        self._client: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> ByServer:
        """Start the server; raises SetupError where it does not come up."""
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client

        self._films.mkdir(parents=True, exist_ok=True)
        roots = [part for root in (*self._roots, self._films.absolute()) for part in ("--root", str(root))]
        with ExitStack() as stack:
            errors = stack.enter_context(self._log.open("a", encoding="utf-8"))
            command = ["-m", "hicom_agent", "mcp", *roots]
            server = StdioServerParameters(command=sys.executable, args=command, env=self._environment())
            self._portal = stack.enter_context(start_blocking_portal())
            try:
                client = Client(stdio_client(server, errlog=errors))
                self._client = stack.enter_context(self._portal.wrap_async_context_manager(client))
            except Exception as error:
                raise SetupError(f"the server did not start; see {self._log}") from error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _environment(self) -> dict[str, str]:
        """Return the environment of the server: this one's, and all settings as variables, which beat a file's."""
        given = self._work.settings.model_dump(mode="json", exclude={"roots"}, exclude_none=True)
        given |= {"store": str(self._work.settings.store.absolute()), "profile": self._work.profile.name}
        if self._max_visual_tokens is not None:
            given["token_bytes"] = 0  # what an earlier question compressed costs nothing, and would stretch a limit
        return dict(os.environ) | {PREFIX + name.upper(): str(value) for name, value in given.items()}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides about its answers."""
        hicom = self._work.hicom
        model = self._work.profile.name if hicom is None else hicom.version
        return {**agent_settings(self._work, model, self._max_visual_tokens), "max_seconds": MAX_SECONDS}

    def watch(self, question: Question) -> None:
        """Let the server index a question's video, or what is meant of it; raises InputError, AnswerError."""
        if question.unit not in self._ids:
            assert question.path is not None and self._portal is not None
            film = film_of(question.path, question.span_s, self._films, self._work.settings)
            job = self._portal.call(self._index, str(film.absolute()))
            if job["state"] != "done":
                raise VideoUnreadable(f"{film} was not indexed: {job['error'] or job['state']}")
            self._ids[question.unit] = job["video_id"]

    async def _index(self, path: str) -> dict[str, Any]:
        job = await self._call("index_video", {"path": path})
        while job["state"] in ("queued", "running"):
            self._work.on_progress(Progress(job["stage"] or job["state"], job["percent"], 100.0, "%"))
            await anyio.sleep(POLL_S)
            job = await self._call("job_status", {"job_id": job["job_id"]})
        return job

    def ask(self, question: Question) -> Reply:
        """Return what `ask_video` says to the question with its options; raises AnswerError."""
        options = "\n".join(f"{letter}. {o}" for letter, o in zip(LETTERS, question.options, strict=False))
        given: dict[str, Any] = {
            "video": self._ids[question.unit],
            "question": load_prompt("choice_tool", question=question.text, options=options).strip(),
            "max_seconds": MAX_SECONDS,
        }
        return within(self._max_visual_tokens, LEAST_TOKENS, lambda budget: self._ask(given, budget))

    def _ask(self, given: dict[str, Any], max_visual_tokens: int | None) -> Reply:
        assert self._portal is not None
        limit = {} if max_visual_tokens is None else {"max_visual_tokens": max_visual_tokens}
        found = self._portal.call(self._call, "ask_video", {**given, **limit})
        spend = found["spend"]
        return Reply(
            text=found["answer"],
            visual_tokens=spend["visual_tokens"],
            llm_tokens=spend["llm_tokens"],
            note="declined" if found["abstained"] else "",
        )

    async def _call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from mcp.shared.exceptions import MCPError

        try:
            result = await self._client.call_tool(tool, arguments, read_timeout_seconds=SILENCE_S)
        except (MCPError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            told = f"the server ended or broke: {error}; see {self._log}, then run the same command to go on"
            raise SetupError(told) from error
        if result.is_error:
            raise AnswerError(f"{tool}: {' '.join(str(getattr(part, 'text', '')) for part in result.content)[:400]}")
        found: dict[str, Any] = result.structured_content
        return found
