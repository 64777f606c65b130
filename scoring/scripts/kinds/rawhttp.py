"""The rawhttp kind, ``@rawhttp def run(request)``: the message as an HTTP request."""

from ...bodies.codecs import Body
from ...bodies.content_encoding import plain
from ...compat.aml_request import AMLRequest
from .one_at_a_time import OneAtATime


class RawHttp(OneAtATime):
    """A script that gets a request object for each message."""

    kind = "rawhttp"
    merges = False

    def decode(self, body: Body) -> object:
        """Give the request object, with the body's compressions undone, and the headers where run() asks for them."""
        data = plain(body.data, body.content_encoding, None)
        return {self.run.name: AMLRequest(data, body.content_type, body.headers), **self.headers_of(body)}
