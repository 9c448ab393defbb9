"""MCP over HTTP: which hosts may be named, how large a request may be, and who may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl

from hicom_agent.errors import InputError

if TYPE_CHECKING:
    from starlette.applications import Starlette

MIN_TOKEN_CHARS = 20


def run_app(app: Starlette, host: str, port: int) -> None:
    """Serve at http://HOST:PORT/mcp until interrupted."""
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)


def make_app(server: MCPServer[Any], host: str, allowed_hosts: Sequence[str] = ()) -> Starlette:
    """Return the HTTP application of a server.

    Requests with another Host or Origin than loopback's or an allowed one are refused, as are bodies over 4 MiB.
    """
    hosts = [*(f"{name}:*" for name in ("127.0.0.1", "localhost", "[::1]")), *_with_ports(allowed_hosts)]
    origins = [f"{scheme}://{name}" for name in hosts for scheme in ("http", "https")]
    return server.streamable_http_app(
        host=host,
        max_sessions=1000,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins),
    )


def make_auth(host: str, port: int, tokens: Mapping[str, str]) -> tuple[AuthSettings, StaticTokens]:
    """Return what a server needs to serve only those who send one of these tokens."""
    url = AnyHttpUrl(f"http://{host}:{port}/mcp")
    return AuthSettings(issuer_url=url, resource_server_url=url, validate_token_resource=False), StaticTokens(tokens)


def _with_ports(hosts: Sequence[str]) -> list[str]:
    return [form for host in hosts for form in ((host,) if ":" in host else (host, f"{host}:*"))]


class StaticTokens:
    """Users told apart by a token each, from a file; kept as hashes and compared in constant time."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._hashes = {name: sha256(token.encode()).digest() for name, token in tokens.items()}

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token it is, or None."""
        given, found = sha256(token.encode()).digest(), None
        for name, known in self._hashes.items():
            if compare_digest(given, known):
                found = AccessToken(token=token, client_id=name, scopes=[], subject=name)
        return found


def read_tokens(path: Path) -> dict[str, str]:
    """Return tokens by user from lines NAME TOKEN; raises InputError for a file without, or a token that is short."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise InputError(f"--token-file {path} cannot be read: {error.strerror}") from error
    if not lines or any(len(line) != 2 or len(line[1]) < MIN_TOKEN_CHARS for line in lines):
        raise InputError(
            f"--token-file {path} needs lines NAME TOKEN, with tokens of {MIN_TOKEN_CHARS} characters at least"
        )
    return {name: token for name, token in lines}
