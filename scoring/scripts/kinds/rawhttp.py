"""The rawhttp kind, ``@rawhttp def run(request)``: the message as an HTTP request."""

from ...bodies.codecs import Body
from ...bodies.content_encoding import decompressed
from ...compat.aml_request import AMLRequest
from .one_at_a_time import OneAtATime


class RawHttp(OneAtATime):
    """A script that gets a request object for each message."""

    kind = "rawhttp"
    merges = False

    def decode(self, body: Body) -> object:
        """Give the request object, with the body's compressions undone, and the headers where run() asks for them."""
        data, charsets = decompressed(body.data, body.content_encoding)
        request = AMLRequest(data, body.content_type, body.headers, ", ".join(charsets))
        return {self.run.name: request, **self.headers_of(body)}
