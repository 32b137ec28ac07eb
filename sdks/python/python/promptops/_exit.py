"""Has what waits to be sent delivered when the process ends."""

import atexit
import os
import signal
import sys
import threading
from types import FrameType

from promptops import _promptops

_is_prepared = False


def prepare() -> None:
    """Registers for the end of the process. Called when the first loader is opened whose records are sent from a queue."""
    global _is_prepared
    if _is_prepared:
        return
    _is_prepared = True
    atexit.register(_promptops.end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_prepare_child)
    # Lambda sends it to a function that has extensions, shortly before it ends the environment. Elsewhere whoever runs the process
    # decides what the signal means.
    in_lambda = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    if in_lambda and threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)


def _prepare_child() -> None:
    """Has a worker of `multiprocessing` deliver too: it ends without what is registered with `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # What is registered before the worker begins is forgotten then; this is called after that.
        util.register_after_fork(prepare, lambda _: util.Finalize(None, _promptops.end, exitpriority=0))


def _terminate(number: int, _frame: FrameType | None) -> None:
    _promptops.end()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
