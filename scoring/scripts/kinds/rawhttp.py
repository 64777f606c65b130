"""The rawhttp kind, ``@rawhttp def run(request)``: the message as an HTTP request."""

from ...bodies.codecs import Body
from ...bodies.content_encoding import plain
from ...compat.aml_request import AMLRequest
from ..answering import Answering
from .one_at_a_time import CONTEXT, OneAtATime
from .run_function import Awaiting, RunFunction


class RawHttp(OneAtATime):
    """A script that gets a request object for each message; each is its own, none is merged with another."""

    kind = "rawhttp"

    def __init__(self, run: RunFunction, answering: Answering, awaiting: Awaiting) -> None:
        """See OneAtATime.

        Raises:
            ScriptError: run() has a parameter that no message fills.
        """
        super().__init__(run.taking_context(CONTEXT), answering, awaiting)

    def decode(self, body: Body) -> object:
        """Give the request object, with the body's compressions undone, and the headers where run() asks for them."""
        data = plain(body.data, body.content_encoding, None)
        return {self.run.name: AMLRequest(data, body.content_type, body.headers), **self.headers_of(body)}
