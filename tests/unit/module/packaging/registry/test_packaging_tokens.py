"""Bearer tokens from a real HTTP server: whoever we are, each kind of credentials gets one, for the scopes we need."""

import os
from collections.abc import Iterator

import pytest
from registry_stub import ENTRA, PASSWORD, REFRESH, USER, RegistryStub, serving

from module.errors import PackagingError
from module.packaging.registry.credentials import Access, Credentials
from module.packaging.registry.registry import Registry


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryStub]:
    for name in [name for name in os.environ if name.startswith("CONTAINER_REGISTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", "/absent")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/absent")
    with serving() as made:
        made.private = True
        made.manifest({"mediaType": "m"}, "1")
        yield made


def digest(stub: RegistryStub, credentials: Credentials, **how: str | bool) -> str:
    return Registry(stub.host, "a", Access(credentials, stub.host), **how).find("1")[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("credentials", "asked"),
    [
        (Credentials(USER, PASSWORD), ["GET /oauth2/token repository:a:pull"]),
        (Credentials(refresh_token=REFRESH), ["POST /oauth2/token repository:a:pull"]),
        (Credentials(entra_token=ENTRA), ["POST /oauth2/exchange", "POST /oauth2/token repository:a:pull"]),
    ],
    ids=["password", "refresh", "entra"],
)
def test_each_kind_of_credentials_gets_a_token(stub: RegistryStub, credentials: Credentials, asked: list[str]) -> None:
    assert digest(stub, credentials) in stub.manifests
    assert stub.asked == ["GET /v2/a/manifests/1", *asked, "GET /v2/a/manifests/1"]


def test_a_public_registry_gives_one_to_nobody_in_particular(stub: RegistryStub) -> None:
    stub.public = True
    assert digest(stub, Credentials()) in stub.manifests
    assert stub.asked[1] == "GET /oauth2/token repository:a:pull"


def test_a_push_that_mounts_asks_for_both_repositories(stub: RegistryStub) -> None:
    digest(stub, Credentials(USER, PASSWORD), push=True, mounts="base/python")
    assert stub.asked[1] == "GET /oauth2/token repository:a:pull,push repository:base/python:pull"


def test_a_token_that_has_run_out_is_replaced(stub: RegistryStub) -> None:
    """Credentials are looked up once, a token is asked for again."""
    asked = Registry(stub.host, "a", Access(Credentials(entra_token=ENTRA), stub.host))
    asked.find("1")[0]
    stub.valid.clear()
    assert asked.find("1")[0] in stub.manifests
    assert [each.partition(" repository")[0] for each in stub.asked].count("POST /oauth2/token") == 2
    assert stub.asked.count("POST /oauth2/exchange") == 1


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        (Credentials(USER, "guessed"), "does not accept the credentials: 401 UNAUTHORIZED: authentication required"),
        (Credentials(entra_token="old"), "does not accept the credentials: 401 UNAUTHORIZED: AADSTS700082"),
        (Credentials(), "gives no token: 401 UNAUTHORIZED: authentication required"),
    ],
    ids=["password", "entra", "nobody"],
)
def test_a_refusal_is_told_in_the_token_servers_words(stub: RegistryStub, credentials: Credentials, said: str) -> None:
    with pytest.raises(PackagingError, match=said) as caught:
        digest(stub, credentials)
    assert "guessed" not in str(caught.value)


def test_a_password_goes_nowhere_without_tls_but_to_this_machine(stub: RegistryStub) -> None:
    stub.realm = "http://tokens.invalid/oauth2/token"
    with pytest.raises(PackagingError, match=r"asks for a password at http://tokens\.invalid/.*: not over https"):
        digest(stub, Credentials(USER, PASSWORD))


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (b"{}", "answered a request for a token with none"),
        (b"[]", "answered a request for a token with none"),
        (b"<html>", "answered a request for a token with something else"),
        (b'{"token": "a\\nb"}', "answered a request for a token with none"),
        (b'{"token": "\xe2\x82\xac"}', "answered a request for a token with none"),
    ],
)
def test_an_answer_without_a_token_is_an_error(stub: RegistryStub, says: bytes, sentence: str) -> None:
    stub.says = says
    with pytest.raises(PackagingError, match=sentence):
        digest(stub, Credentials(USER, PASSWORD))


def test_a_token_server_at_no_address_is_an_error(stub: RegistryStub) -> None:
    stub.realm = "https://["
    with pytest.raises(PackagingError, match="is no address"):
        digest(stub, Credentials(entra_token=ENTRA))
