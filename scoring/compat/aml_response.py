"""Stands for azureml's ``aml_response``: what run() may give to choose status and content type."""

import json
from collections.abc import Mapping

from ..bodies.response_body import response_body
from .flask_context import Response

__all__ = ["AMLResponse"]


class AMLResponse(Response):
    """A body with a status and a content type; 400 and more says that the request failed."""

    default_mimetype = "text/html"  # Flask's, whose class the real one is

    def __init__(
        self,
        message: object,
        status_code: int | str | None = 200,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        headers = dict(response_headers or {})
        if wrong := [name for name, text in headers.items() if not isinstance(text, str)]:
            raise TypeError(f"the header {wrong[0]} of a response is no text: make it a str")
        as_json = json_str or message is None
        status = status_code if isinstance(status_code, str | None) else int(status_code)
        super().__init__(status=status, mimetype="application/json" if as_json else None)
        self.set_data(json.dumps({} if message is None else message) if as_json else message)
        self.headers.update(headers)

    def set_data(self, value: object) -> None:
        """Replace the body: by a text, bytes, or all chunks of them that something gives.

        At once: what a generator raises is run()'s then, on the script's own line.
        """
        super().set_data(response_body(value))
        if callable(close := getattr(value, "close", None)):
            self.call_on_close(close)
