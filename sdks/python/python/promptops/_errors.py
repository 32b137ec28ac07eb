"""What can go wrong, by what can be done about it."""

from __future__ import annotations


class PromptOpsError(Exception):
    """A prompt could not be loaded or rendered.

    ``code`` is the name that every SDK shares, as ``not-found``; ``hint`` says what to do next, where that is known.
    """

    code: str
    hint: str | None

    def __init__(self, message: str, code: str, hint: str | None = None) -> None:
        super().__init__(message, code, hint)
        self.message = message
        self.code = code
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class PromptNotFoundError(PromptOpsError, LookupError):
    """No prompt of this name or version is there. Fix the name, or publish and pin it."""


class NotPinnedError(PromptOpsError):
    """The version may not be loaded here. Pin it."""


class IntegrityError(PromptOpsError):
    """Stored bytes are not those that were pinned, or not readable. Find out who changed them."""


class InvalidPromptError(PromptOpsError, ValueError):
    """The prompt's file has problems. Fix the file."""


class ConfigurationError(PromptOpsError):
    """No source of prompts is configured, or it cannot be used. Fix the setting."""


class RegistryUnavailableError(PromptOpsError):
    """The registry did not answer, and what is known is not enough or older than it may be. Try again."""


class RenderError(PromptOpsError, ValueError):
    """The template did not render with these values. Fix the values or the template."""


class PromptOpsWarning(UserWarning):
    """Something works and deserves attention, as prompts that nothing pins. Said once."""


BY_CODE: dict[str, type[PromptOpsError]] = {
    "invalid-name": PromptNotFoundError,
    "not-found": PromptNotFoundError,
    "not-pinned": NotPinnedError,
    "integrity": IntegrityError,
    "corrupt": IntegrityError,
    "missing": IntegrityError,
    "invalid-prompt": InvalidPromptError,
    "no-source": ConfigurationError,
    "invalid-setting": ConfigurationError,
    "unavailable": RegistryUnavailableError,
    "stale": RegistryUnavailableError,
    "render": RenderError,
}
