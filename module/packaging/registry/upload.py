"""Uploads one blob: with one PUT, in chunks for a registry that wants them, and after a break from where it got to.

One PUT is what suits most: ACR takes small chunks hundreds of times slower (dotnet/sdk-container-builds#412). The rules
are those of "Pushing a blob" in the OCI distribution specification 1.1.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from ...errors import PackagingError
from ..connections import BLOCK
from ..http_client import Answer, BusyError, number, tried
from ..models.trees import hash_file
from .oci_documents import Descriptor
from .registry import PAUSES_S, Registry

_CHUNK = 32 << 20
_SMALLEST = 1 << 18
_NO_MOUNT = {400, 401, 403, 404, 405, 501}
_TOO_MUCH = {405, 411, 413, 416, 501}
"""Refusals of one PUT after which chunks may pass: no such way, too long for a proxy; 416 is another place too."""
_FORGOTTEN = 404  # the upload: by another machine of the registry, or since it took too long


class Upload:
    """A blob on its way.

    Attributes:
        at: bytes that the registry has.
    """

    def __init__(
        self, registry: Registry, blob: Descriptor, path: Path, shown: Callable[[int], object] = lambda _: None
    ) -> None:
        """Know what goes where; nothing is asked yet.

        Args:
            registry: the repository.
            blob: what it says of the blob is what must arrive.
            path: the file that holds it.
            shown: is told how many bytes are on their way.
        """
        self.at = 0
        self._registry, self._blob, self._path, self._shown = registry, blob, path, shown
        self._place, self._chunk, self._least = "", max(blob.size, 1), 0
        self._breaks, self._restarts, self._is_done = 0, 0, False

    def run(self, mounts: str = "") -> str:
        """Upload it, or have it mounted from another repository of the registry; gives ``sent`` or ``mounted``.

        Raises:
            PackagingError: the registry refuses it, or the file is not what its digest says.
        """
        if mounts and self._begin(mounts):
            return "mounted"
        if not self._path.is_file() or self._path.stat().st_size != self._blob.size:
            raise PackagingError(f"{self._path} is missing or cut short: build the image again")
        if not self._place:
            self._begin()
        try:
            while not self._is_done:
                tried(self._send_chunk, PAUSES_S)
        except BusyError:
            raise
        except PackagingError:
            if f"sha256:{hash_file(self._path)}" != self._blob.digest:
                raise PackagingError(f"{self._path} is damaged: delete it and build the image again") from None
            raise
        return "sent"

    def _begin(self, mounts: str = "", *, again: bool = True) -> bool:
        """Begin an upload; says whether the registry mounted the blob instead."""
        answer = self._registry.request(
            "POST",
            f"blobs/uploads/?mount={quote(self._blob.digest)}&from={quote(mounts)}" if mounts else "blobs/uploads/",
            expected={201, 202, *_NO_MOUNT} if mounts else {202},
            again=again,
            doing=f"push to {self._registry.repository}",
        )
        if answer.status == 202:
            self.at, self._place = 0, self._registry.next_location(answer)
            if (least := number(answer.headers.get("OCI-Chunk-Min-Length", ""))) is not None:
                self._least = least
                self._chunk = min(self._chunk, max(self._least, _CHUNK))
        return answer.status == 201

    def _send_chunk(self) -> None:
        """Send what is left, or a chunk of it; after a break ask first how much has arrived."""
        if self._breaks:
            self._find_place()
        start, end = self.at, min(self.at + self._chunk, self._blob.size)
        is_last = end == self._blob.size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(end - start)}
        if end > start and (start or not is_last):
            headers["Content-Range"] = f"{start}-{end - 1}"
        digest = f"{'&' if '?' in self._place else '?'}digest={quote(self._blob.digest)}"
        self._breaks += 1  # unless it goes well
        if self._breaks > 2:  # maybe for its length
            self._chunk = min(self._chunk, max(self._least, _CHUNK))
        answer = self._registry.request(
            "PUT" if is_last else "PATCH",
            self._place + (digest if is_last else ""),
            expected=({201} if is_last else {202}) | {_FORGOTTEN} | _TOO_MUCH,
            headers=headers,
            body=partial(self._read, start, end),
            again=False,
            doing=f"push the blob {self._blob.digest}",
        )
        if answer.status == _FORGOTTEN:
            raise BusyError(self._registry.refusal(answer, f"push the blob {self._blob.digest}"), answer)
        if answer.status in _TOO_MUCH:
            self._take_less(answer, end - start)
        if is_last:
            self._registry.check_digest(answer, self._blob.digest)
            self._is_done = True
        else:
            self._place, self.at = self._registry.next_location(answer), _arrived(answer) or end
            if not start < self.at <= end:
                raise BusyError(f"{self._registry.host} says that it has {self.at} bytes of {start} to {end}")
        self._breaks = 0

    def _take_less(self, answer: Answer, length: int) -> None:
        """Have the next try find out where it goes on, and send less at a time if that may be why it was refused."""
        was_whole = length == self._blob.size
        if answer.status != 416 or was_whole:
            self._chunk = max(self._least, _SMALLEST, min(_CHUNK, length // 4))
        sentence = self._registry.refusal(answer, f"push the blob {self._blob.digest}")
        if answer.status != 416 and length <= max(self._least, _SMALLEST):
            raise PackagingError(sentence)
        raise BusyError(sentence, answer)

    def _find_place(self) -> None:
        """Ask how much arrived, to go on there; a registry that has forgotten gets all of it."""
        answer = self._registry.request(
            "GET", self._place, expected=range(200, 500), again=False, doing="go on with an upload"
        )
        arrived = _arrived(answer)
        if answer.status == 204 and 0 < arrived <= self._blob.size:
            self.at = arrived
            self._place = self._registry.next_location(answer) if answer.headers.get("Location") else self._place
        elif self._restarts < len(PAUSES_S):
            self._restarts += 1
            self._begin(again=False)
        else:
            raise PackagingError(f"{self._registry.host} forgets again and again what it has of {self._blob.digest}")

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            while start < end:
                block = file.read(min(BLOCK, end - start))
                if not block:
                    raise PackagingError(f"{self._path} is cut short: build the image again")
                yield block
                start += len(block)
                self._shown(start)


def _arrived(answer: Answer) -> int:
    """Give how many bytes the registry has, by its ``Range: 0-LAST``; distribution says 0-0 where it has none."""
    _, _, last = answer.headers.get("Range", "").rpartition("-")
    return at + 1 if (at := number(last)) else 0
