"""`hicom-agent mcp`: the tools for an agent, over stdio or HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hicom_agent.cli.shared import ProfileOption, StoreOption, early
from hicom_agent.errors import InputError
from hicom_agent.pipes import stdout_set_aside

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def mcp(
    root: Annotated[
        list[Path] | None, typer.Option("--root", help="Folder that videos may come from; may be repeated.")
    ] = None,
    http: Annotated[str, typer.Option(help="Serve HTTP at HOST:PORT instead of stdio, e.g. 127.0.0.1:8000.")] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Host header to accept beside loopback; may be repeated.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a line NAME TOKEN for each user of the HTTP server.")
    ] = None,
    profile: ProfileOption = None,
    store: StoreOption = None,
) -> None:
    """Serve ask_video and the other tools to an agent over MCP: on standard input and output, or over HTTP."""
    with stdout_set_aside():  # an agent expects the protocol alone there, and importing may print
        from hicom_agent import mcp_server
        from hicom_agent.serving.http import make_app, make_auth, read_tokens, run_app
        from hicom_agent.settings import load_settings

        flags = {"store": store, "profile": profile, "roots": tuple(path.expanduser() for path in root or ()) or None}
        given = {name: value for name, value in flags.items() if value is not None}
        settings = load_settings(early.get() | given)
        _check_roots(settings.roots)
        if http:
            host, port = _address(http)
            tokens = read_tokens(token_file) if token_file else {}
            if host not in LOOPBACK and not (allow_host and tokens):
                raise InputError(f"--http {http} is open to other machines: that needs --allow-host and --token-file")
            auth, verifier = make_auth(host, port, tokens) if tokens else (None, None)
            server = mcp_server.make_server(settings, auth=auth, token_verifier=verifier)
            run_app(make_app(server, host, allow_host or []), host, port)
            return
        server = mcp_server.make_server(settings)
    server.run("stdio")


def _check_roots(roots: tuple[Path, ...]) -> None:
    for folder in roots:
        if not folder.is_dir():
            raise InputError(f"--root {folder} is no folder")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"--http {text!r} is no HOST:PORT, such as 127.0.0.1:8000")
    return host.strip("[]"), int(port)
