"""The rawhttp kind, ``@rawhttp def run(request)``: the message as an HTTP request."""

from collections.abc import Sequence
from typing import cast

from ...bodies.codecs import Body
from ...bodies.content_encoding import decompressed
from ...compat.aml_request import AMLRequest
from ...compat.flask_context import flask_context
from ...predictions import Context
from .one_at_a_time import OneAtATime


class RawHttp(OneAtATime):
    """A script that gets a request object for each message."""

    kind = "rawhttp"
    alone = "a request object is of one message"
    wants_context = True

    def decode(self, body: Body) -> AMLRequest:
        """Give the request object, with the body's compressions undone."""
        data, charsets = decompressed(body.data, body.content_encoding)
        return AMLRequest(data, body.content_type, body.headers, ", ".join(charsets))

    def _call(self, request: object, contexts: Sequence[Context] = ()) -> object:
        raw = cast(AMLRequest, request)  # as decode() gave it
        raw.context = contexts[0] if contexts else raw.context
        with flask_context(raw):
            return super()._call(request, contexts)
