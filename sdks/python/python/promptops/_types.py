"""Types of the stubs, which nothing imports at run time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeVar

Client = TypeVar("Client")


class EventStream(Protocol):
    """A stream of boto3."""

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None: ...


Stream = TypeVar(
    "Stream",
    bound="Iterator[Any] | AsyncIterator[Any] | AbstractContextManager[Any] | AbstractAsyncContextManager[Any] | EventStream",
)
