"""Answers that come in events: passed on as they are, and recorded on the way."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ._promptops import Invocation

# What the clients' helpers for streams call the answer as far as it came.
SNAPSHOTS = ("current_message_snapshot", "current_completion_snapshot")


def recorded(invocation: Invocation, reply: Any) -> Any:
    """Returns a stream that is recorded as the answer of `invocation`, or a reply of Bedrock that holds such a stream."""
    if isinstance(reply, dict):
        head = {name: value for name, value in reply.items() if name != "stream"}
        return {**reply, "stream": _begin(invocation, reply["stream"], head)}
    # That of a wrapped client is recorded already.
    return reply if type(reply) is RecordedStream else _begin(invocation, reply, {})


def _begin(invocation: Invocation, stream: Any, head: dict[str, Any]) -> Any:
    if type(stream) is RecordedStream:
        return stream
    # A stream that was asked for by hand is the only answer of its invocation; further ones are calls within it.
    if invocation._is_asked():
        invocation = invocation._begin_request(None)
    return RecordedStream(invocation, stream, head)


class RecordedStream:
    """Stands for a stream of a provider's client: the same chunks, attributes and class, read once.

    Whatever goes wrong while recording is counted and not raised. The record is complete when the stream is exhausted,
    closed, left by its `with`, or let go.
    """

    __slots__ = ("__weakref__", "_promptops_call", "_promptops_chunks", "_promptops_seen", "_promptops_stream")

    def __init__(self, call: Invocation, stream: Any, head: dict[str, Any] | None = None) -> None:
        self._set(call=call, stream=stream, chunks=None, seen=False)
        try:
            call._begin_stream(head or _head(stream))
        except Exception:
            call._swallow()

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, f"_promptops_{name}", value)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # `isinstance` asks for it.
        return type(self._promptops_stream)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._promptops_stream, name)
        if name == "text_stream":
            return self._async_texts(value) if hasattr(value, "__anext__") else self._texts(value)
        if name.startswith("get_final_") and callable(value):
            return self._answers(value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._promptops_stream, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._promptops_stream, name)

    def __dir__(self) -> list[str]:
        return dir(self._promptops_stream)

    def __repr__(self) -> str:
        return repr(self._promptops_stream)

    def __iter__(self) -> RecordedStream:
        if self._promptops_chunks is None:
            self._set(chunks=iter(self._promptops_stream))
        return self

    def __next__(self) -> Any:
        if self._promptops_chunks is None:
            self._set(chunks=iter(self._promptops_stream))
        try:
            chunk = next(self._promptops_chunks)
        except StopIteration:
            self._end()
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._record(chunk)
        return chunk

    def __aiter__(self) -> RecordedStream:
        if self._promptops_chunks is None:
            self._set(chunks=aiter(self._promptops_stream))
        return self

    async def __anext__(self) -> Any:
        if self._promptops_chunks is None:
            self._set(chunks=aiter(self._promptops_stream))
        try:
            chunk = await anext(self._promptops_chunks)
        except StopAsyncIteration:
            self._end()
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._record(chunk)
        return chunk

    def __enter__(self) -> Any:
        try:
            entered = self._promptops_stream.__enter__()
        except BaseException as error:
            self._end(error)
            raise
        return self._entered(entered)

    def __exit__(self, *error: Any) -> Any:
        try:
            return self._promptops_stream.__exit__(*error)
        finally:
            self._end()

    async def __aenter__(self) -> Any:
        try:
            entered = await self._promptops_stream.__aenter__()
        except BaseException as error:
            self._end(error)
            raise
        return self._entered(entered)

    async def __aexit__(self, *error: Any) -> Any:
        try:
            return await self._promptops_stream.__aexit__(*error)
        finally:
            self._end()

    def close(self) -> Any:
        """Closes the stream, as its own method of this name does. The record is complete then."""
        return self._close(self._promptops_stream.close)

    def aclose(self) -> Any:
        """As `close`, of an asynchronous generator."""
        return self._close(self._promptops_stream.aclose)

    def __del__(self) -> None:
        self._end()

    def _entered(self, entered: Any) -> Any:
        """What `with` gives: this stream, or that of a helper which asks for one only when it is entered."""
        if entered is self._promptops_stream:
            return self
        self._set(stream=entered, chunks=None)
        return self

    def _close(self, close: Any) -> Any:
        try:
            closing = close()
        finally:
            self._end()
        return closing

    def _record(self, chunk: Any) -> None:
        try:
            self._set(seen=True)
            self._promptops_call._event(chunk)
        except Exception:
            self._promptops_call._swallow()

    def _end(self, error: BaseException | None = None) -> None:
        """Completes the record; only the first time."""
        call = self._promptops_call
        try:
            if error is None and not self._promptops_seen:
                # A helper was read in another way than by its events.
                self._answer_snapshot()
            call._end_stream(error)
        except Exception:
            call._swallow()

    def _answer_snapshot(self) -> None:
        for name in SNAPSHOTS:
            try:
                snapshot = getattr(self._promptops_stream, name)
            except Exception:
                # There is none of this name, or none yet.
                continue
            self._set(seen=True)
            self._promptops_call._answer(snapshot)

    def _answers(self, final: Any) -> Any:
        """Wraps a helper's method that waits for the whole answer."""

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = final(*args, **kwargs)
            if isawaitable(answer):

                async def later() -> Any:
                    whole = await answer
                    self._answer(whole)
                    return whole

                return later()
            self._answer(answer)
            return answer

        return call

    def _answer(self, whole: Any) -> None:
        try:
            if not self._promptops_seen and not isinstance(whole, str):
                self._set(seen=True)
                self._promptops_call._answer(whole)
        except Exception:
            self._promptops_call._swallow()

    def _texts(self, texts: Iterator[str]) -> Iterator[str]:
        try:
            for text in texts:
                self._promptops_call.first_token()
                yield text
        except GeneratorExit:
            self._end()
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._end()

    async def _async_texts(self, texts: AsyncIterator[str]) -> AsyncIterator[str]:
        try:
            async for text in texts:
                self._promptops_call.first_token()
                yield text
        except GeneratorExit:
            self._end()
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._end()


def _head(stream: Any) -> dict[str, Any]:
    """What is known beside the events: the provider's id of the request."""
    headers = getattr(getattr(stream, "response", None), "headers", None)
    for name in ("x-request-id", "request-id"):
        id = headers.get(name) if headers is not None else None
        if isinstance(id, str):
            return {"_request_id": id}
    return {}
