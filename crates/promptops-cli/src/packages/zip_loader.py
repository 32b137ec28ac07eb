"""The native part of promptops, when the package is a ZIP on the path: `promptops package glue-zip` puts this file there.

The system loads a shared library only from a file of its own. So the first import of a machine writes the library, and the bundle
beside it, into a folder that belongs to this user alone; later imports find them there. Nothing is loaded whose SHA-256 is not the one
that the ZIP names. Processes that import at the same time may all write: each writes under a name of its own, and the last rename wins
with equal bytes. Where no folder can be written to or run from, the library is loaded from memory.
"""

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import stat
import sys
import tempfile

_MANIFEST = "packaged.json"
_BUNDLE = "prompts.bundle"


def _read(name):
    """Reads a file that lies beside this one, in the ZIP or in the folder that it was unpacked into."""
    return __loader__.get_data(os.path.join(os.path.dirname(__file__), name))


def _folders():
    """Yields the folders that files may be kept in, the likeliest first."""
    user = "promptops-%d" % os.getuid()
    chosen = os.environ.get("PROMPTOPS_CACHE")
    if chosen:
        yield os.path.join(chosen, "native-%d" % os.getuid())
    try:
        yield os.path.join(tempfile.gettempdir(), user)
    except OSError:  # no temporary folder can be written to
        pass
    home = os.environ.get("HOME")
    if home:
        yield os.path.join(home, ".cache", user)
    yield os.path.join(os.getcwd(), "." + user)


def _private(folder):
    """Makes a folder that nobody else can write to, or raises OSError."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise OSError("others can write to `%s`" % folder)


def _is_whole(path, digest):
    """Says whether a file is there and has the digest."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == digest
    except OSError:
        return False


def _verified(name, digest):
    """Reads a file beside this one and checks it."""
    content = _read(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ImportError("`%s` in %s was altered: build the package again" % (name, os.path.dirname(__file__)))
    return content


def _keep(folder, name, digest):
    """Puts a file into a folder unless it is there whole."""
    path = os.path.join(folder, name)
    if _is_whole(path, digest):
        return
    content = _verified(name, digest)
    handle, staged = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(staged, 0o500)
        os.replace(staged, path)
    except OSError:
        os.unlink(staged)
        raise


def _in_memory(name, digest):
    """Puts a file into memory and returns the path under which it can be opened while this process lives."""
    content = _verified(name, digest)
    handle = os.memfd_create(name)
    written = 0
    while written < len(content):
        written += os.write(handle, content[written:])
    return "/proc/%d/fd/%d" % (os.getpid(), handle)


def _load(path):
    """Loads the library in place of this module."""
    loader = importlib.machinery.ExtensionFileLoader(__name__, path)
    spec = importlib.util.spec_from_file_location(__name__, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[__name__] = module


def _import():
    digests = json.loads(_read(_MANIFEST))
    library = next(name for name in digests if name != _BUNDLE)
    # One folder for what belongs together, so that another package of the same user has another.
    name = hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()[:32]
    reasons = []
    for base in _folders():
        folder = os.path.join(base, name)
        try:
            _private(base)
            _private(folder)
            for file, digest in digests.items():
                _keep(folder, file, digest)
            return _load(os.path.join(folder, library))
        except OSError as error:  # it cannot be written to, or is full
            reasons.append("%s: %s" % (base, error))
        except ImportError as error:  # nothing may be run from it, or the ZIP was altered
            reasons.append("%s: %s" % (base, error))
    try:
        module = _load(_in_memory(library, digests[library]))
        if _BUNDLE in digests and not any(
            os.environ.get(name) for name in ("PROMPTOPS_BUNDLE", "PROMPTOPS_LOCK", "PROMPTOPS_REGISTRY", "PROMPTOPS_PROMPTS")
        ):
            os.environ["PROMPTOPS_BUNDLE"] = _in_memory(_BUNDLE, digests[_BUNDLE])
        return module
    except (AttributeError, OSError, ImportError) as error:
        reasons.append("memory: %s" % error)
    raise ImportError(
        "the native part of promptops cannot be loaded; set PROMPTOPS_CACHE to a folder that can be written to and run from\n"
        + "\n".join(reasons)
    )


_import()
