"""HTTP as registries and IoT Hub need it: the system's certificates, tries with a limit, one sentence for a failure."""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from email.utils import mktime_tz, parsedate_tz
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit

import orjson
import urllib3
from urllib3 import exceptions

from ..errors import PackagingError
from .connections import BLOCK, Pools

T = TypeVar("T")
U = TypeVar("U")
Body = bytes | Callable[[], Iterable[bytes]] | None
"""What is sent: bytes, or what gives them anew each time, since a redirect or a login sends a body twice."""

AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which trying again helps."""

LONGEST_WAIT = 60.0
"""Seconds between two tries at most, whatever Retry-After says."""

_REMEDIES = {  # part of OpenSSL's reason → what helps; against every other one an authority that is trusted does
    "expired": "have it renewed there, unless this machine's clock is wrong",
    "not yet valid": "is this machine's clock wrong?",
    "is not valid for": "use the name that it is for",
}
_MOST_TEXT = 16 << 20
_MOST_REDIRECTS = 5


class Answer(NamedTuple):
    """What came back: its body, empty if it is left to be read by ``chunks()``; the address it came from at last."""

    status: int
    reason: str
    headers: Mapping[str, str]
    url: str
    content: bytes
    stream: urllib3.BaseHTTPResponse

    def json(self) -> Any:
        """Give the JSON document in it; None if it is none."""
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(self.content)
        return None


class Login(NamedTuple):
    """An ``Authorization`` header, and the only origin that may see it."""

    origin: tuple[str, str, int]
    header: str

    def __repr__(self) -> str:
        return f"Login({self.origin!r}, …)"


class BusyError(PackagingError):
    """The connection broke, or the other side had a moment's trouble: trying again may help.

    Attributes:
        wait: seconds for which the other side wants to be left alone.
        is_last: it has been tried again already.
    """

    is_last = False

    def __init__(self, sentence: str, answer: Answer | None = None) -> None:
        super().__init__(sentence)
        said = answer.headers.get("Retry-After", "") if answer is not None else ""
        self.wait = float(said) if said.isdecimal() else 0.0
        with contextlib.suppress(ValueError, OverflowError):  # a date that there is not
            self.wait = mktime_tz(date) - time.time() if (date := parsedate_tz(said)) else self.wait


class NotTlsError(BusyError):
    """The other side does not speak TLS."""


def tried(attempt: Callable[[], T], pauses: Sequence[float], sleep: Callable[[float], None] = time.sleep) -> T:
    """Do something, again after each pause as long as it raises BusyError; gives what it gives.

    Args:
        attempt: does it once.
        pauses: seconds, unless the other side wants longer ones.
        sleep: waits so long.

    Raises:
        BusyError: it was of no use.
    """
    for pause in pauses:
        try:
            return attempt()
        except BusyError as error:
            if error.is_last:
                raise
            sleep(min(LONGEST_WAIT, max(error.wait, pause)))
    try:
        return attempt()
    except BusyError as error:
        if error.is_last or not pauses:
            raise
        last = BusyError(f"{error}, {len(pauses) + 1} times: try again later")
        last.is_last = True
        raise last from error


def number(text: str) -> int | None:
    """Read a number of a header; None if it is none, or longer than any that means something."""
    return int(text) if text.isdecimal() and len(text) < 19 else None


def side_by_side(do: Callable[[U], T], each: Iterable[U], at_once: int) -> list[T]:
    """Do something with each in threads and give what it gives; the first failure, or a signal, waits for no other."""
    threads = ThreadPoolExecutor(at_once)
    try:
        begun = [threads.submit(do, one) for one in each]
        for done in as_completed(begun):
            done.result()
        return [done.result() for done in begun]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def origin_of(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port: what credentials belong to (RFC 6454).

    Raises:
        PackagingError: it is no address.
    """
    try:
        split = urlsplit(url)
        return split.scheme, split.hostname or "", split.port or (80 if split.scheme == "http" else 443)
    except ValueError as error:  # a port or an IPv6 address that is none
        raise PackagingError(f"{url[:200]!r} is no address: {error}") from error


def is_loopback(url: str) -> bool:
    """Say whether an address is this machine's own, whatever a name server says."""
    host = origin_of(url)[1]
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class HttpClient:
    """Connections to one host, and to those that it names; kept alive, and shared by threads."""

    def __init__(self, host: str, *, named_by: str, trust_by: str, timeout: tuple[float, float], ca_file: str = ""):
        """Prepare; nothing is connected yet. Proxies are those of the environment.

        Args:
            host: its name, for the sentences.
            named_by: what a wrong name has to be corrected in, such as ``the image's name``.
            trust_by: what makes a certificate trusted, as an imperative.
            timeout: seconds to connect, and between two bytes.
            ca_file: certificates to trust beside the system's.

        Raises:
            SettingsError: the file is not there, or holds no certificate.
        """
        self._host, self._named_by, self._trust_by = host, named_by, trust_by
        self._pools = Pools(ca_file, *timeout)

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        login: Login | None = None,
        stream: bool = False,
        redirects: bool = True,
    ) -> Answer:
        """Send one request.

        Args:
            method: of HTTP.
            url: where to.
            headers: beside User-Agent and Authorization; with Content-Length if the body is not in bytes.
            body: what to send; a redirect that keeps the method (307, 308) sends it again.
            login: goes to its own origin alone, also where a redirect leads elsewhere.
            stream: leave the answer's body to ``chunks()``.
            redirects: follow them; never from https to http.

        Raises:
            BusyError: the connection broke or could not be made.
            PackagingError: trying again is of no use.
        """
        for _ in range(_MOST_REDIRECTS):
            sent = {"User-Agent": "scoring-module", **(headers or {})}
            if login is not None and login.header and login.origin == origin_of(url):
                sent["Authorization"] = login.header
            with self._explained(url):
                answer = self._pools.of(url).urlopen(
                    method,
                    url,
                    body=body() if callable(body) else body,
                    headers=sent,
                    redirect=False,
                    assert_same_host=False,
                    retries=False,
                    preload_content=False,
                )
            to = answer.headers.get("Location", "")
            kept = {307, 308} | ({301, 302, 303} if method in {"GET", "HEAD"} else set())
            if not (redirects and to and answer.status in kept):
                content = b"" if stream and answer.status == 200 else self._text(answer, url)
                return Answer(answer.status, answer.reason or "", answer.headers, url, content, answer)
            self._text(answer, url)
            url = self.next_address(url, to)
        raise PackagingError(f"{self._host} sends us from one address to the next, more than {_MOST_REDIRECTS} times")

    def next_address(self, url: str, location: str) -> str:
        """Give the address that an answer names, absolute.

        Raises:
            PackagingError: it leads from https to http, or nowhere.
        """
        origin_of(location)
        address = urljoin(url, location)
        scheme, host, port = origin_of(address)
        if scheme not in {"http", "https"}:
            raise PackagingError(f"{self._host} sends us to {address[:200]}: that is no address in a network")
        if scheme == "http" and url.startswith("https:"):
            where = f"{self._host} sends us from https to {scheme}://{host}:{port}"
            raise PackagingError(f"{where}: its proxy has to tell it of https (X-Forwarded-Proto)")
        return address

    def chunks(self, answer: Answer) -> Iterator[bytes]:
        """Read an answer's body bit by bit; raises as ``ask()`` does."""
        with self._explained(answer.url):
            yield from answer.stream.stream(BLOCK, decode_content=False)

    def _text(self, answer: urllib3.BaseHTTPResponse, url: str) -> bytes:
        """Read a body that is to be looked at, and give the connection back."""
        with self._explained(url):
            content = answer.read(_MOST_TEXT, decode_content=True)
            if len(content) == _MOST_TEXT:
                answer.close()
                raise PackagingError(
                    f"{self._host} answers with more than {_MOST_TEXT >> 20} MB: check {self._named_by}"
                )
            answer.drain_conn()
        answer.release_conn()
        return content

    @contextlib.contextmanager
    def _explained(self, url: str) -> Iterator[None]:
        try:
            yield
        except exceptions.HTTPError as error:
            said, cause = str(error), _cause(error)
            if any(word in said for word in ("WRONG_VERSION_NUMBER", "wrong version number", "record layer")):
                raise NotTlsError(f"{self._host} does not speak TLS: {cause}") from error
            if "CERTIFICATE_VERIFY_FAILED" in said:
                remedy = next((_REMEDIES[each] for each in _REMEDIES if each in str(cause)), self._trust_by)
                sentence = f"the certificate of {self._host} is not trusted ({cause}): {remedy}"
                raise PackagingError(sentence) from error
            if isinstance(error, exceptions.NameResolutionError):
                where = f"there is no host {urlsplit(url).hostname}, or no name server is reached"
                raise PackagingError(f"{where}: check {self._named_by}") from error
            if isinstance(error, exceptions.LocationValueError):
                raise PackagingError(f"{url} is no address: check {self._named_by}") from error
            raise BusyError(f"{self._host} cannot be reached ({cause})") from error


def _cause(error: BaseException) -> str:
    """Give the innermost reason of a chain of exceptions, without addresses in memory."""
    while (inner := error.__cause__ or error.__context__) is not None and not isinstance(error, OSError):
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
