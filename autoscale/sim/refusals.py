"""How the embedded API server refuses."""

from __future__ import annotations

from typing import Any

_REASONS = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class Refused(Exception):  # noqa: N818 - what the API server does
    """An answer other than yes: an HTTP status, the API server's sentence, and (reason, message) of each cause."""

    def __init__(self, code: int, message: str, *, causes: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.causes = causes

    @property
    def status(self) -> dict[str, Any]:
        """As the `Status` object that goes over the wire."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": _REASONS.get(self.code, ""),
            "code": self.code,
            **({"details": {"causes": [{"reason": r, "message": m} for r, m in self.causes]}} if self.causes else {}),
        }
