"""Pushing to a registry made for the test: resumed, retried with a limit, refused in its own words."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_stub import serving
from push_stub import LAYER_BYTES, Stub, image

from module.errors import PackagingError
from module.packaging.http_client import Answer
from module.packaging.manifest.manifest import pin
from module.packaging.registry import push as pushing
from module.packaging.registry import registry, upload
from module.packaging.registry.oci import Layout
from module.packaging.registry.reference import ImageReference, parse
from module.packaging.registry.registry_auth import reason_of


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    for module in (pushing, registry, upload):
        monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01, 0.01, 0.01))
    made = Stub()
    with serving(made.answer) as port:
        made.host = f"127.0.0.1:{port}"
        yield made


@pytest.fixture
def pushed(stub: Stub, tmp_path: Path) -> Callable[[], pushing.Pushed]:
    return image(Layout(tmp_path / "layout"), stub.host)


def test_one_put_a_blob_and_the_tag_last(stub: Stub, pushed: Callable[[], pushing.Pushed]) -> None:
    done = pushed()
    assert sorted(size for size, _ in stub.puts) == sorted(map(len, stub.blobs.values()))
    assert list(stub.tags) == ["1"]
    assert done.sent == sum(map(len, stub.blobs.values()))
    assert pushed().sent == 0
    assert len(stub.puts) == 2


def test_manifest_may_pin_what_was_pushed_and_nothing_that_was_not(
    stub: Stub, pushed: Callable[[], pushing.Pushed], tmp_path: Path
) -> None:
    def away(_: ImageReference) -> str:
        raise PackagingError("the registry is away")

    name = parse(f"{stub.host}/a:1")
    stub.answers = [(403, {})]
    with pytest.raises(PackagingError, match="403"):
        pushed()
    with pytest.raises(PackagingError, match=r"the registry is away; .* is not known to be pushed"):
        pin(name, away, tmp_path / "layout")
    digest = pushed().digest
    assert pin(name, away, tmp_path / "layout")[0].digest == digest


@pytest.mark.parametrize("forgets", [False, True])
def test_an_upload_that_breaks_goes_on_where_the_registry_says(
    stub: Stub, pushed: Callable[[], pushing.Pushed], forgets: bool
) -> None:
    """Only the rest is sent again; all of it to a registry that has forgotten what it had."""
    stub.keeps, stub.forgets = 500_000, forgets
    pushed()
    size = len(LAYER_BYTES)
    rest = (size, "") if forgets else (size - 500_000, f"500000-{size - 1}")
    assert [put for put in stub.puts if put[0] > 1000] == [(500_000, ""), rest]
    assert LAYER_BYTES in stub.blobs.values()


def test_a_busy_registry_is_asked_again_and_a_limit_ends_it(stub: Stub, pushed: Callable[[], pushing.Pushed]) -> None:
    busy = {"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}
    stub.answers = [(429, busy), (503, busy)]
    assert pushed().sent
    stub.tags.clear()
    stub.answers = [(429, busy)] * 5
    with pytest.raises(PackagingError, match="429 TOOMANYREQUESTS: slow down"):
        pushed()
    assert stub.tags == {}


@pytest.mark.parametrize("deep", ["[" * 1000 + "]" * 1000, '{"a":' * 1000 + "1" + "}" * 1000])
@pytest.mark.parametrize("name", ["message", "detail"])
def test_a_refusal_however_deep_is_a_sentence(name: str, deep: str) -> None:
    body = f'{{"errors": [{{"code": "X", "{name}": {deep}}}]}}'.encode()
    assert reason_of(Answer(400, "Bad Request", {}, "", body, None)) == "400 Bad Request"  # type: ignore[arg-type]


def test_a_refusal_is_told_in_the_registrys_words(stub: Stub, pushed: Callable[[], pushing.Pushed]) -> None:
    denied = {
        "errors": [
            {
                "code": "DENIED",
                "message": "the repository is locked",
                "detail": {"why": "policy", "on": [{"Type": "tag", "Name": 1}]},
            }
        ]
    }
    stub.answers = [(404, {}), (403, denied), (403, denied)]
    with pytest.raises(
        PackagingError, match=r"push to a: 403 DENIED: the repository is locked \(why policy, on Type tag, Name 1\)"
    ):
        pushed()
    assert stub.tags == {}
