"""How a call tells a client that work goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server.mcpserver import Context

HEARTBEAT_S = 10.0


@dataclass
class Steps:
    """Progress that only ever grows, told at each step and at least every ten seconds."""

    ctx: Context[Any, Any]
    num: int = 0
    last: str = "waiting for a worker"
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def tell(self, message: str) -> None:
        """Report one more step."""
        async with self.lock:
            self.num += 1
            self.last = message
            await self.ctx.report_progress(self.num, None, message)

    async def beat(self) -> None:
        """Report every ten seconds that work goes on."""
        while True:
            await anyio.sleep(HEARTBEAT_S)
            await self.tell(f"{self.last} (still at it)")
