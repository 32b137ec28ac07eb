"""Loading without holding up an event loop. Imported when it is first used, since asyncio takes its time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._promptops import Prompt


async def loaded(
    load: Callable[..., Prompt], kept: Prompt | None, id: str, version: int | None, key: str | int | None
) -> Prompt:
    """Returns the prompt that is in memory, else loads it on a thread."""
    return kept if kept is not None else await asyncio.to_thread(load, id, version, key=key)
