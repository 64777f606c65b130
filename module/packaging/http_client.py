"""HTTP as registries and IoT Hub need it: the system's certificates, tries with a limit, one sentence for a failure."""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from ..errors import PackagingError, SettingsError

T = TypeVar("T")
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which trying again helps."""

LONGEST_WAIT = 60.0
"""Seconds between two tries at most, whatever Retry-After says."""

_CHUNK = 1 << 20
_SENT_AT_ONCE = 1 << 18


class BusyError(PackagingError):
    """The connection broke, or the other side had a moment's trouble: trying again may help.

    Attributes:
        wait: seconds for which the other side wants to be left alone.
    """

    def __init__(self, sentence: str, answer: requests.Response | None = None) -> None:
        super().__init__(sentence)
        said = answer.headers.get("Retry-After", "") if answer is not None else ""
        self.wait = float(said) if said.isdecimal() else 0.0


class NotTlsError(BusyError):
    """The other side does not speak TLS."""


def tried(attempt: Callable[[], T], pauses: Sequence[float], sleep: Callable[[float], None] = time.sleep) -> T:
    """Do something, again after each pause as long as it raises BusyError; gives what it gives.

    Args:
        attempt: does it once.
        pauses: seconds, unless the other side names others.
        sleep: waits so long.

    Raises:
        BusyError: it was of no use.
    """
    for pause in pauses:
        try:
            return attempt()
        except BusyError as error:
            sleep(min(LONGEST_WAIT, error.wait or pause))
    try:
        return attempt()
    except BusyError as error:
        raise BusyError(f"{error}, {len(pauses) + 1} times: try again later") from error


class HttpClient:
    """Connections to one host, and to those that it names."""

    def __init__(self, host: str, *, named_by: str, trust_by: str, timeout: tuple[float, float], ca_file: str = ""):
        """Prepare; nothing is connected yet. Proxies are those of the environment.

        Args:
            host: its name, for the sentences.
            named_by: what a wrong name has to be corrected in, such as ``the image's name``.
            trust_by: what makes a certificate trusted, as an imperative.
            timeout: seconds to connect, and between two bytes.
            ca_file: certificates to trust beside the system's.

        Raises:
            SettingsError: the file is not there.
        """
        if ca_file and not Path(ca_file).is_file():
            raise SettingsError(f"there is no certificate file {ca_file}")
        self._host, self._named_by, self._trust_by, self._timeout = host, named_by, trust_by, timeout
        self._verify: bool | str = ca_file or True
        self._session = requests.Session()
        connections = _Connections(pool_maxsize=8)
        self._session.mount("https://", connections)
        self._session.mount("http://", connections)

    def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, redirects: bool = True, **more: Any
    ) -> requests.Response:
        """Send one request; ``more`` is what ``requests.request`` takes.

        Raises:
            BusyError: the connection broke or could not be made.
            PackagingError: trying again is of no use.
        """
        headers = {"User-Agent": "scoring-module", **(headers or {})}
        more |= {"auth": _as_it_is, "verify": self._verify, "timeout": self._timeout, "allow_redirects": redirects}
        with self._explained(url):
            return self._session.request(method, url, headers=headers, **more)

    def chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """Read an answer's body bit by bit; raises as ``ask()`` does."""
        with self._explained(answer.url):
            yield from answer.iter_content(_CHUNK)

    @contextlib.contextmanager
    def _explained(self, url: str) -> Iterator[None]:
        try:
            yield
        except requests.exceptions.SSLError as error:
            if any(word in str(error) for word in ("WRONG_VERSION_NUMBER", "wrong version number", "record layer")):
                raise NotTlsError(f"{self._host} does not speak TLS: {_cause(error)}") from error
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise BusyError(f"the connection to {self._host} broke ({_cause(error)})") from error
            sentence = f"the certificate of {self._host} is not trusted ({_cause(error)}): {self._trust_by}"
            raise PackagingError(sentence) from error
        except requests.exceptions.RequestException as error:
            if "Name or service" in str(error) or "resolve" in str(error):
                where = f"there is no host {urlsplit(url).hostname}, or no name server is reached"
                raise PackagingError(f"{where}: check {self._named_by}") from error
            raise BusyError(f"{self._host} cannot be reached ({_cause(error)})") from error


class _Connections(HTTPAdapter):
    """Trusts the certificates of this machine and of SSL_CERT_FILE beside those that requests brings.

    It also sends files in larger pieces than urllib3's 16 KB.
    """

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more, ssl_context=ssl.create_default_context(), blocksize=_SENT_AT_ONCE)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        context = ssl.create_default_context()
        return super().proxy_manager_for(proxy, **more, ssl_context=context, blocksize=_SENT_AT_ONCE)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep a netrc file from putting a password of its own in place of ours; send no empty header."""
    if not request.headers.get("Authorization"):
        request.headers.pop("Authorization", None)
    return request


def _cause(error: BaseException) -> str:
    """Give the innermost reason of a chain of exceptions, without addresses in memory."""
    while (inner := error.__cause__ or error.__context__) is not None:
        if isinstance(error, ssl.SSLError | OSError) and not isinstance(error, requests.RequestException):
            break
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
