"""Registries, proxies and portals that lie, lead astray or want it their own way: nothing leaks, nothing is made up."""

import hashlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from command import start
from http_stub import Answer, Asked, serving, tls
from push_stub import LAYER_BYTES, Stub, image

from module.errors import PackagingError, SettingsError
from module.packaging import http_client
from module.packaging.registry import push as pushing
from module.packaging.registry import reference, registry, upload
from module.packaging.registry.oci import Layout

Push = Callable[..., pushing.Pushed]
_HTML = Answer(200, b"<html>Welcome to the hotel</html>", {"Content-Type": "text/html"})
_BASIC = {"WWW-Authenticate": 'Basic realm="test"'}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pushing, registry, upload):
        monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01, 0.01, 0.01))


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    with serving(made.answer) as port:
        made.host = f"127.0.0.1:{port}"
        yield made


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def pushed(stub: Stub, layout: Layout) -> Push:
    return image(layout, stub.host)


@pytest.fixture
def other() -> Iterator[Stub]:
    """Give another server of the same machine, another port: an origin that no credentials are for."""
    made = Stub()
    with serving(made.answer) as port:
        made.host = f"127.0.0.1:{port}"
        yield made


def wants_login(asked: Asked) -> Answer | None:
    return None if asked.headers.get("Authorization") else Answer(401, {}, _BASIC)


@pytest.mark.parametrize("how", ["location", "redirect"])
def test_credentials_stay_with_their_origin(stub: Stub, other: Stub, pushed: Push, how: str) -> None:
    """A blob may go to another server, as to a store; the password goes to none but the registry."""

    def instead(asked: Asked) -> Answer | None:
        if how == "location" and asked.method == "POST" and asked.headers.get("Authorization"):
            return other_begins(other)
        if how == "redirect" and asked.method == "PUT" and "uploads" in asked.path:
            return Answer(307, headers={"Location": other_begins(other).headers["Location"] + "&" + query(asked)})
        return wants_login(asked)

    stub.instead = instead
    pushed()
    assert LAYER_BYTES in other.blobs.values()
    assert set(other.logins) == {""}
    assert any(stub.logins)


def other_begins(other: Stub) -> Answer:
    other.partial[str(len(other.partial))] = b""
    return Answer(
        202, headers={"Location": f"http://{other.host}/v2/a/blobs/uploads/{len(other.partial) - 1}?_state=x"}
    )


def query(asked: Asked) -> str:
    return asked.target.partition("?")[2]


@pytest.mark.parametrize("how", ["location", "redirect"])
def test_nothing_goes_from_https_to_http(layout: Layout, other: Stub, tmp_path: Path, how: str) -> None:
    """As registries answer that do not know of the proxy with TLS before them."""
    stub = Stub()

    def instead(asked: Asked) -> Answer | None:
        if how == "location" and asked.method == "POST":
            return other_begins(other)
        if how == "redirect" and asked.method == "PUT":
            return Answer(307, headers={"Location": f"http://{other.host}/v2/"})
        return wants_login(asked)

    stub.instead = instead
    said = rf"from https to http://{other.host}: .*X-Forwarded-Proto"
    with serving(stub.answer, tls(tmp_path / "ca.pem", "127.0.0.1")) as port, pytest.raises(PackagingError, match=said):
        image(layout, f"127.0.0.1:{port}", str(tmp_path / "ca.pem"))()
    assert other.asked == []
    assert stub.tags == {}


@pytest.mark.parametrize("signed_by", ["system", "file", "requests"])
def test_a_certificate_file_is_trusted_beside_the_systems(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed_by: str
) -> None:
    contexts = {name: tls(tmp_path / name, "127.0.0.1") for name in ("system", "file", "requests")}
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "requests"))
    stub = Stub()
    with serving(stub.answer, contexts[signed_by]) as port:
        assert image(layout, f"127.0.0.1:{port}", str(tmp_path / "file"))().sent
    (tmp_path / "empty").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"certificate file .*/empty: it holds no certificate"):
        image(layout, f"127.0.0.1:{port}", str(tmp_path / "empty"))()


@pytest.mark.parametrize(
    ("name", "ends", "said"),
    [
        ("127.0.0.1", datetime(2020, 1, 1, tzinfo=UTC), r"\(certificate has expired\): have it renewed there, unless "),
        ("elsewhere", None, r"certificate is not valid for '127.0.0.1'.*\): use the name that it is for"),
    ],
)
def test_a_certificate_that_no_authority_can_mend(tmp_path: Path, name: str, ends: datetime | None, said: str) -> None:
    context = tls(tmp_path / "ca.pem", name, ends=ends)
    with serving(Stub().answer, context) as port, pytest.raises(PackagingError, match=said):
        image(Layout(tmp_path / "layout"), f"127.0.0.1:{port}", str(tmp_path / "ca.pem"))()


def test_a_registry_that_has_spoken_tls_is_not_asked_without(stub: Stub) -> None:
    """It ended, and something else listens on its port of this machine, in the clear: that gets no password."""
    asked = registry.Registry(stub.host, "a", pushing.Access())
    fine = http_client.Answer(404, "", {}, asked.url("manifests/1"), b"", None)  # type: ignore[arg-type]
    asked.client.ask = Mock(side_effect=[fine, *[http_client.NotTlsError("not TLS")] * 5])  # type: ignore[method-assign]
    assert asked.find("1") == ("", b"")
    with pytest.raises(PackagingError, match="not TLS"):
        asked.find("1")
    assert {urlsplit(call.args[1]).scheme for call in asked.client.ask.call_args_list} == {"https"}
    asked = registry.Registry("127.evil.example", "a", pushing.Access())
    asked.client.ask = Mock(side_effect=http_client.NotTlsError("not TLS"))  # type: ignore[method-assign]
    with pytest.raises(PackagingError, match="not TLS"):
        asked.find("1")
    assert {urlsplit(call.args[1]).scheme for call in asked.client.ask.call_args_list} == {"https"}


@pytest.mark.parametrize(
    "is_portal",
    [
        lambda _: True,
        lambda asked: asked.method in {"HEAD", "GET"},
        lambda asked: asked.method == "POST",
        lambda asked: asked.method == "PUT" and "uploads" in asked.path,
        lambda asked: asked.method == "PUT" and "manifests" in asked.path,
        lambda asked: asked.method == "PUT",
    ],
    ids=["all", "looks", "begins", "blobs", "manifest", "puts"],
)
def test_a_portal_is_no_registry(stub: Stub, pushed: Push, is_portal: Callable[[Asked], bool]) -> None:
    """It answers 200 to everything; nothing of that is success."""
    stub.instead = lambda asked: _HTML if is_portal(asked) else None
    with pytest.raises(PackagingError, match=r"is no registry, .* it answers 200 with text/html|means sha256:"):
        pushed()


def test_pushed_is_what_the_registry_shows_afterwards(stub: Stub, pushed: Push) -> None:
    """Taken with 201, and kept nowhere, or written over by somebody else."""
    stub.instead = lambda asked: Answer(201) if asked.method == "PUT" and "manifests" in asked.path else None
    with pytest.raises(PackagingError, match="was pushed and means nothing and not sha256:"):
        pushed()
    stub.tags["1"] = b"{}"
    with pytest.raises(PackagingError, match=f"means sha256:{hashlib.sha256(b'{}').hexdigest()} and not sha256:"):
        pushed()


@pytest.mark.parametrize("what", ["uploads", "manifests"])
def test_another_digest_than_was_sent_is_no_success(stub: Stub, pushed: Push, what: str) -> None:
    wrong = {"Docker-Content-Digest": "sha256:" + "0" * 64}
    stub.instead = lambda asked: Answer(201, headers=wrong) if asked.method == "PUT" and what in asked.path else None
    with pytest.raises(PackagingError, match=r"stored sha256:000.* in place of sha256:"):
        pushed()


def test_a_blob_that_the_tag_names_and_the_registry_has_lost(stub: Stub, pushed: Push, layout: Layout) -> None:
    """What the tag's manifest names is not looked for, until the registry says that it is missing."""
    pushed()
    named = json.loads(stub.tags["1"])
    stub.tags["1"] = json.dumps({**named, "annotations": {"older": "1"}}).encode()
    before = len(stub.asked)
    assert pushed().sent == 0
    assert not [asked for asked in stub.asked[before:] if asked.startswith("HEAD")]
    stub.tags["1"] = json.dumps({**named, "annotations": {"older": "2"}}).encode()
    stub.blobs.clear()

    def instead(asked: Asked) -> Answer | None:
        is_missing = asked.method == "PUT" and "manifests" in asked.path and not stub.blobs
        return Answer(404, {"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}) if is_missing else None

    stub.instead = instead
    assert pushed().sent > len(LAYER_BYTES)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_mount_that_is_refused_becomes_an_upload(stub: Stub, layout: Layout, status: int) -> None:
    blob = layout.put(LAYER_BYTES, "x")
    stub.instead = lambda asked: Answer(status) if "mount" in asked.query else None
    repository = registry.Registry(stub.host, "a", pushing.Access())
    sent = upload.Upload(repository, blob, layout.path(blob.digest)).run("base/python")
    assert (sent, list(stub.blobs)) == ("sent", [blob.digest])


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("", "no Location"),
        ("http://h:99999/x", "no address"),
        ("http://[::1", "no address"),
        ("ftp://h/x", "to ftp://h"),
    ],
)
def test_an_upload_without_a_place_is_no_upload(stub: Stub, pushed: Push, place: str, said: str) -> None:
    stub.instead = lambda asked: Answer(202, headers={"Location": place}) if asked.method == "POST" else None
    with pytest.raises(PackagingError, match=said):
        pushed()
    assert [asked for asked in stub.asked if asked.startswith("PUT")] == []


def test_a_redirected_upload_arrives_whole(stub: Stub, pushed: Push) -> None:
    """307 keeps method, body and, on the same origin, the login."""

    def instead(asked: Asked) -> Answer | None:
        if asked.method == "PUT" and "uploads" in asked.path and "moved" not in asked.query:
            return Answer(307, headers={"Location": f"{asked.target}&moved=1"})
        return wants_login(asked)

    stub.instead = instead
    assert pushed().sent > len(LAYER_BYTES)
    assert LAYER_BYTES in stub.blobs.values()
    stub.tags.clear()
    stub.instead = lambda asked: Answer(307, headers={"Location": asked.target})
    with pytest.raises(PackagingError, match="from one address to the next"):
        pushed()


@pytest.mark.parametrize("least", [0, 300_000, 10**9])
def test_a_registry_gets_chunks_of_at_least_what_it_names(
    stub: Stub, pushed: Push, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    monkeypatch.setattr(upload, "_CHUNK", 200_000)
    stub.begins = {"OCI-Chunk-Min-Length": str(least)}
    pushed()
    sizes = [size for size, _ in stub.puts if size > 1000]
    assert LAYER_BYTES in stub.blobs.values()
    assert set(sizes[:-1]) == ({max(least, 200_000)} if least < len(LAYER_BYTES) else set())


@pytest.mark.parametrize("status", [413, 405, 416, 501])
def test_a_registry_that_refuses_one_put_gets_chunks(
    stub: Stub, pushed: Push, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """As behind a proxy that lets half a megabyte through."""
    monkeypatch.setattr(upload, "_SMALLEST", 100_000)
    stub.instead = lambda asked: Answer(status) if int(asked.headers.get("Content-Length") or 0) > 500_000 else None
    pushed()
    assert LAYER_BYTES in stub.blobs.values()
    stub.instead = lambda asked: Answer(status) if int(asked.headers.get("Content-Length") or 0) > 1000 else None
    stub.blobs.clear()
    stub.tags.clear()
    with pytest.raises(PackagingError, match=f"does not let us push the blob sha256:.*: {status}"):
        pushed()


@pytest.mark.parametrize("said", ["0-5", "0-99999999", "0-0"])
def test_a_registry_that_cannot_count_is_left_at_last(
    stub: Stub, pushed: Push, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """It names bytes that were never sent, or the same ones again and again."""
    monkeypatch.setattr(upload, "_CHUNK", 200_000)
    stub.begins = {"OCI-Chunk-Min-Length": "1"}
    stub.instead = lambda asked: (
        Answer(202, headers={"Location": asked.target, "Range": said})
        if (asked.method == "PATCH" or (asked.method == "GET" and "uploads" in asked.path))
        else None
    )
    with pytest.raises(PackagingError):
        pushed()
    assert len(stub.asked) < 60


def test_a_chunk_that_arrived_in_part_goes_on_where_the_registry_is(
    stub: Stub, pushed: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took a chunk and broke before it said so: 416 for the next one is asked about, and all arrives once."""
    monkeypatch.setattr(upload, "_CHUNK", 200_000)
    stub.begins = {"OCI-Chunk-Min-Length": "1"}
    patches: list[int] = []

    def instead(asked: Asked) -> Answer | None:
        if asked.method == "PATCH":
            patches.append(1)
            if len(patches) == 2:  # it says less than it has
                stub._take(asked, asked.path.rpartition("/")[2])
                return Answer(202, headers={"Location": asked.target, "Range": "0-199999"})
        return None

    stub.instead = instead
    pushed()
    assert LAYER_BYTES in stub.blobs.values()
    assert sum(size for size, _ in stub.puts if size > 1000) == len(LAYER_BYTES)


@pytest.mark.parametrize(
    ("said", "wait"), [("7", 7), ("", 0), ("soon", 0), ("a date", 30), ("-3", 0), ("9" * 400, 60), ("²", 0)]
)
def test_retry_after_is_obeyed_up_to_a_minute(said: str, wait: float) -> None:
    """In seconds or as a date (RFC 9110 10.2.3); never shorter than our own pause."""
    slept: list[float] = []
    said = formatdate(time.time() + 30, usegmt=True) if said == "a date" else said
    answer = http_client.Answer(429, "", {"Retry-After": said}, "", b"", None)  # type: ignore[arg-type]

    def busy() -> None:
        raise http_client.BusyError("busy", answer)

    with pytest.raises(http_client.BusyError):
        http_client.tried(busy, [0.5], slept.append)
    assert slept == [pytest.approx(max(0.5, wait), abs=2)]


def test_every_request_of_a_push_may_be_asked_to_wait(stub: Stub, pushed: Push) -> None:
    """429 once for each kind of request; each is made again."""
    seen: set[str] = set()

    def instead(asked: Asked) -> Answer | None:
        kind = f"{asked.method} {'manifests' in asked.path}"
        if kind in seen:
            return None
        seen.add(kind)
        return Answer(429, {"errors": [{"code": "TOOMANYREQUESTS"}]}, {"Retry-After": "0"})

    stub.instead = instead
    assert pushed().sent > len(LAYER_BYTES)
    assert len(seen) >= 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_push_at_once(stub: Stub, pushed: Push, layout: Layout, *, number: int, code: int) -> None:
    """Half-way through a blob that the registry takes its time with; the next push sends what is missing."""
    begun, over = threading.Event(), threading.Event()

    def instead(asked: Asked) -> bool | None:
        if over.is_set() or asked.method != "PUT" or int(asked.headers["Content-Length"]) < 1000:
            return None
        begun.set()
        over.wait(30)
        return False

    stub.instead = instead
    with start("push", f"{stub.host}/a:1", "--layout", layout.folder, cwd=layout.folder) as process:
        assert begun.wait(20)
        while len(stub.blobs) < 1:  # the other blob
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == code
        assert time.monotonic() - began < 5
        assert process.stderr is not None
        assert process.stderr.read() == b""
    over.set()
    assert stub.tags == {}
    assert pushed().sent == len(LAYER_BYTES)


def test_what_was_asked_ahead_of_a_build_is_asked_again_if_it_is_old_or_failed(
    stub: Stub, pushed: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that was away when the build began may be back; one that refused us has refused us."""
    name = reference.parse(f"{stub.host}/a:1")
    looked = pushing.look(name, pushing.Access())
    gets = stub.asked.count("GET /v2/a/manifests/1")
    assert pushed(lambda: looked).sent > len(LAYER_BYTES)
    assert stub.asked.count("GET /v2/a/manifests/1") == gets + 1  # afterwards
    assert pushed(Mock(side_effect=http_client.BusyError("was away"))).sent == 0
    with pytest.raises(PackagingError, match="refused"):
        pushed(Mock(side_effect=PackagingError("refused")))
    monkeypatch.setattr(pushing, "_STALE_S", -1.0)
    assert pushed(lambda: looked).sent == 0  # it knew of no tag, and is not believed


def test_a_wrong_password_is_a_sentence(stub: Stub, pushed: Push) -> None:
    stub.instead = lambda _: Answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, _BASIC)
    with pytest.raises(PackagingError, match=r"401 UNAUTHORIZED: no: the login of --username is wrong$") as seen:
        pushed()
    assert "kept-secret" not in str(seen.value)
    assert len(stub.asked) == 2


def test_an_answer_without_end_is_not_read(stub: Stub, pushed: Push) -> None:
    stub.instead = lambda _: Answer(200, bytes(17 << 20))
    with pytest.raises(PackagingError, match="answers with more than 16 MB"):
        pushed()


@pytest.mark.parametrize(
    "after", ["Fri, 31 Dec 99999 23:59:59 GMT", "9" * 5000, "x", "-1", "Fri, 31 Dec 2021 99:99:99 +99999999999"]
)
def test_what_a_registry_wants_of_time_has_an_end(after: str) -> None:
    answer = http_client.Answer(429, "", {"Retry-After": after}, "", b"", None)  # type: ignore[arg-type]
    attempt, slept = Mock(side_effect=[http_client.BusyError("busy", answer), 5]), Mock()
    assert http_client.tried(attempt, (1.0,), slept) == 5
    assert 1.0 <= slept.call_args.args[0] <= http_client.LONGEST_WAIT


@pytest.mark.parametrize("digits", ["9" * 5000, "x", "", "-1"])
def test_a_number_of_a_header_has_an_end(stub: Stub, pushed: Push, digits: str) -> None:
    stub.begins = {"OCI-Chunk-Min-Length": digits, "Range": f"0-{digits}"}
    assert pushed().sent
    assert http_client.number(digits) is None


def test_what_was_tried_again_is_not_tried_again_around_it() -> None:
    attempt = Mock(side_effect=http_client.BusyError("busy"))

    def inner() -> None:
        http_client.tried(lambda: http_client.tried(attempt, ()), (0, 0))

    with pytest.raises(http_client.BusyError, match=r"^busy, 3 times: try again later$"):
        http_client.tried(inner, (0, 0, 0))
    assert attempt.call_count == 3


def test_an_upload_that_the_registry_has_forgotten_begins_anew(stub: Stub, pushed: Push) -> None:
    forgotten = [Answer(404, {"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]})]
    stub.forgets = True
    stub.instead = lambda asked: forgotten.pop() if forgotten and asked.method == "PUT" else None
    assert pushed().sent
    assert LAYER_BYTES in stub.blobs.values()


def test_a_list_of_what_is_attached_that_is_none_is_a_note_and_no_traceback(stub: Stub, layout: Layout) -> None:
    from module.packaging.registry.attached import attached_to

    stub.instead = lambda asked: Answer(200, b'{"a":' * 100_000) if "referrers" in asked.path else None
    with pytest.raises(PackagingError, match="as the list of what is attached gives is no"):
        attached_to(registry.Registry(stub.host, "a", pushing.Access()), f"sha256:{'0' * 64}")


def test_where_a_registry_sends_us_is_said_as_it_is(stub: Stub) -> None:
    client = registry.Registry(stub.host, "a", pushing.Access()).client
    with pytest.raises(PackagingError, match="sends us to file:///etc/passwd: that is no address in a network"):
        client.next_address("https://a/", "file:///etc/passwd")
