"""Flask where it is installed, else werkzeug alone; and what Flask's helpers need around a request."""

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from werkzeug.wrappers import Request, Response

__all__ = ["Request", "Response", "flask_context"]

_app: Any = None
with suppress(ImportError):
    from flask import Flask, Request, Response  # type: ignore[assignment, import-not-found, no-redef, unused-ignore]

    _app = Flask(__name__)


def flask_context(request: Request) -> AbstractContextManager[object]:
    """Give the context in which Flask's helpers, such as ``jsonify()`` and ``current_app``, know the request."""
    if _app is None:
        return nullcontext()
    _app.request_class = lambda environ: request
    context: AbstractContextManager[object] = _app.request_context(request.environ)
    return context
