"""Clients that record by themselves what is asked of them inside of `prompt.invocation()`.

A client is changed in one method, which all its calls go through, and stays the object it is. Of OpenAI's and Anthropic's
clients that is `request`, so streams, helpers, `parse` and raw responses are recorded like a plain call; of boto3's the two
methods of Converse. What goes wrong while recording is counted and not raised.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from ._promptops import Invocation, current_invocation
from ._streams import RecordedStream

if TYPE_CHECKING:
    from ._types import Client

Begin = Callable[[tuple[Any, ...], dict[str, Any]], "Invocation | None"]

#: What is set on a client that is wrapped.
MARK = "_promptops_is_wrapped"
#: Calls of models, by how their paths end.
PATHS = ("/chat/completions", "/responses", "/messages")


def wrap(client: Client) -> Client:
    """As `promptops.wrap`."""
    if getattr(client, MARK, False):
        return client
    changed: Any = client
    packages = {one.__module__.partition(".")[0] for one in type(client).__mro__}
    if packages & {"openai", "anthropic"} and callable(getattr(client, "request", None)):
        changed.request = _recorded(changed.request, _request_of_path, _answer_of_request)
        # A copy with other options is wrapped as well.
        changed.copy = _wrapping(changed.copy)
        changed.with_options = changed.copy
    elif _service(client) == "bedrock-runtime":
        changed.converse = _recorded(changed.converse, _request_of_model, _answer_of_converse)
        changed.converse_stream = _recorded(changed.converse_stream, _request_of_model, _answer_of_converse)
    else:
        name = f"{type(client).__module__}.{type(client).__qualname__}"
        raise TypeError(f"a client of openai, anthropic or boto3's bedrock-runtime can be wrapped, not `{name}`")
    setattr(changed, MARK, True)
    return client


def _service(client: Any) -> Any:
    meta = getattr(client, "meta", None)
    return getattr(getattr(meta, "service_model", None), "service_name", None)


def _wrapping(make: Callable[..., Client]) -> Callable[..., Client]:
    @wraps(make)
    def call(*args: Any, **kwargs: Any) -> Client:
        return wrap(make(*args, **kwargs))

    return call


def _recorded(method: Callable[..., Any], begin: Begin, answer: Callable[[Invocation, Any, Any], Any]) -> Any:
    """Returns the method with recording around it."""
    if iscoroutinefunction(method):

        @wraps(method)
        async def call_later(*args: Any, **kwargs: Any) -> Any:
            invocation = _begun(begin, args, kwargs)
            if invocation is None:
                return await method(*args, **kwargs)
            try:
                reply = await method(*args, **kwargs)
            except BaseException as error:
                _failed(invocation, error)
                raise
            return _answered(invocation, answer, reply, kwargs)

        return call_later

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        invocation = _begun(begin, args, kwargs)
        if invocation is None:
            return method(*args, **kwargs)
        try:
            reply = method(*args, **kwargs)
        except BaseException as error:
            _failed(invocation, error)
            raise
        return _answered(invocation, answer, reply, kwargs)

    return call


def _begun(begin: Begin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Invocation | None:
    """The invocation that a call is, if it is a model's and inside of one."""
    current = current_invocation()
    if current is None:
        return None
    try:
        return begin(args, kwargs)
    except Exception:
        current._swallow()
        return None


def _failed(invocation: Invocation, error: BaseException) -> None:
    try:
        invocation._fail(error)
    except Exception:
        invocation._swallow()


def _answered(invocation: Invocation, answer: Callable[[Invocation, Any, Any], Any], reply: Any, kwargs: Any) -> Any:
    try:
        return answer(invocation, reply, kwargs)
    except Exception:
        invocation._swallow()
        return reply


def _request_of_path(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Invocation | None:
    options = kwargs["options"] if "options" in kwargs else args[1]
    path = options.url.partition("?")[0]
    if options.method.lower() != "post" or not path.endswith(PATHS):
        return None
    body = options.json_data
    return _request(body.get("model") if isinstance(body, dict) else None)


def _request_of_model(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Invocation | None:
    return _request(kwargs.get("modelId"))


def _request(model: Any) -> Invocation | None:
    current = current_invocation()
    return current._begin_request(model if isinstance(model, str) else None) if current else None


def _answer_of_request(invocation: Invocation, reply: Any, kwargs: Any) -> Any:
    if hasattr(reply, "http_response") and callable(getattr(reply, "parse", None)):
        return _answer_raw(invocation, reply, kwargs)
    if kwargs.get("stream"):
        return RecordedStream(invocation, reply)
    invocation._answer(reply)
    return reply


def _answer_raw(invocation: Invocation, reply: Any, kwargs: Any) -> Any:
    """Records a response that the caller parses, when it is parsed, or its body where that is there."""
    parse = reply.parse
    parsed: list[Any] = []

    def recorded(value: Any) -> Any:
        # It is parsed once, however often it is asked for.
        if not parsed:
            answer = RecordedStream(invocation, value) if kwargs.get("stream") else value
            parsed.append((value, answer))
            if answer is value:
                invocation._answer(value)
        return parsed[0][1] if parsed[0][0] is value else value

    async def recorded_later(value: Any) -> Any:
        return _answered(invocation, lambda _, value, __: recorded(value), await value, kwargs)

    @wraps(parse)
    def call(*args: Any, **kwargs: Any) -> Any:
        value = parse(*args, **kwargs)
        if isawaitable(value):
            return recorded_later(value)
        return _answered(invocation, lambda _, value, __: recorded(value), value, kwargs)

    if kwargs.get("stream"):
        reply.parse = call
        return reply
    try:
        body = reply.http_response.json()
    except Exception:
        # It was not read yet, and the caller may read it in other ways than by `parse`.
        invocation._answer_unseen()
        reply.parse = call
        return reply
    id = reply.http_response.headers.get("x-request-id") or reply.http_response.headers.get("request-id")
    invocation._answer({**body, "_request_id": id} if isinstance(body, dict) and id else body)
    return reply


def _answer_of_converse(invocation: Invocation, reply: Any, kwargs: Any) -> Any:
    if "stream" not in reply:
        invocation._answer(reply)
        return reply
    head = {name: value for name, value in reply.items() if name != "stream"}
    reply["stream"] = RecordedStream(invocation, reply["stream"], head)
    return reply
