"""Where the values of placeholders and the digests of images come from."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from template_edits import DIGEST

from module.errors import PackagingError, SettingsError
from module.packaging import env_file
from module.packaging.manifest import placeholders
from module.packaging.manifest.manifest import pin
from module.packaging.registry.oci import MANIFEST, PUSHED, Layout
from module.packaging.registry.oci_documents import Descriptor
from module.packaging.registry.reference import ImageReference, parse


def test_a_dot_env_file_is_read_as_iotedgedev_does(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# registry\nA=1\n export B = 'two $A' # no\nC=\nD=a=b # why\nE=\"x\"\n\n")
    with pytest.raises(SettingsError, match=r"gone.env is not there: write the placeholders"):
        env_file.read_env(tmp_path / "gone.env")
    found = env_file.read_env(tmp_path / ".env")
    assert found == {"A": "1", "B": "two $A", "C": "", "D": "a=b", "E": "x"}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfA=1\n")
    assert env_file.read_env(tmp_path / ".env") == {"A": "1"}


def test_escapes_in_a_dot_env_file_are_those_of_its_quotes(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(r"""A="say \"hi\"\n" # why
B='it\'s \n' # why
C=C:\new # why
""")
    found = env_file.read_env(tmp_path / ".env")
    assert found == {"A": 'say "hi"\n', "B": r"it's \n", "C": r"C:\new"}


@pytest.mark.parametrize("line", ["secret without a name", "secret", "A='never closed", "=secret"])
def test_a_line_that_is_no_variable_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"A=1\n\n# why\n{line}\n")
    with pytest.raises(SettingsError, match=r"\.env line 4 is not NAME=value$"):
        env_file.read_env(tmp_path / ".env")


def test_other_modules_images_come_from_their_module_json(tmp_path: Path) -> None:
    tag = {"version": "0.0.2", "platforms": {"amd64": "Dockerfile.amd64", "arm64v8": "Dockerfile.arm64v8"}}
    folder = tmp_path / "modules" / "filter"
    folder.mkdir(parents=True)
    image = {"repository": "$CONTAINER_REGISTRY_SERVER/filter", "tag": tag}
    (folder / "module.json").write_text(json.dumps({"image": image}))
    template = tmp_path / "deployment.template.json"
    template.write_text('"${MODULEDIR<../gone>}"')
    assert placeholders.module_images(template, "arm64v8") == {
        "MODULES.filter.amd64": "$CONTAINER_REGISTRY_SERVER/filter:0.0.2-amd64",
        "MODULES.filter.arm64v8": "$CONTAINER_REGISTRY_SERVER/filter:0.0.2-arm64v8",
        "MODULES.filter": "$CONTAINER_REGISTRY_SERVER/filter:0.0.2-arm64v8",
    }
    (folder / "module.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"module.json does not name an image"):
        placeholders.module_images(template, "amd64")


def knows(digest: str) -> Callable[[ImageReference], str]:
    return lambda name: digest


def breaks(name: ImageReference) -> str:
    raise PackagingError(f"cannot reach {name.host}")


def test_a_tag_is_pinned_by_the_registrys_word(tmp_path: Path) -> None:
    pinned, note = pin(parse("r.azurecr.io/scoring:7"), knows(DIGEST), tmp_path)
    assert (str(pinned), note) == (f"r.azurecr.io/scoring@{DIGEST}", "")


def test_what_is_pinned_stays_and_nothing_is_asked(tmp_path: Path) -> None:
    image = f"localhost:5000/a/b@{DIGEST}"
    pinned, note = pin(parse(image), breaks, tmp_path)
    assert (str(pinned), pinned.host, note) == (image, "localhost:5000", "")


def test_else_by_what_was_pushed_from_here_and_that_is_said(tmp_path: Path) -> None:
    """What was only built, or built anew since, is no image that a device could pull."""
    name, layout = parse("r.azurecr.io/scoring:7"), Layout(tmp_path)
    layout.tag(str(name), Descriptor(MANIFEST, DIGEST, 1))
    not_pushed = r"cannot reach r.azurecr.io; .* not known to be pushed: scoring-module push r.azurecr.io/scoring:7"
    with pytest.raises(PackagingError, match=not_pushed):
        pin(name, breaks, tmp_path)
    layout.once(PUSHED.format(name._replace(digest=DIGEST)), bool, lambda: True, lambda _: ())
    pinned, said = pin(name, breaks, tmp_path)
    assert str(pinned) == f"r.azurecr.io/scoring@{DIGEST}"
    assert said == "pinned by what was pushed from here: cannot reach r.azurecr.io"
    with pytest.raises(PackagingError, match=r"r.azurecr.io has no scoring:7: scoring-module push r.azurecr.io/scorin"):
        pin(name, knows(""), tmp_path)
    layout.tag(str(name), Descriptor(MANIFEST, f"sha256:{'0' * 64}", 1))
    with pytest.raises(PackagingError, match=not_pushed):
        pin(name, breaks, tmp_path)
    with pytest.raises(PackagingError, match=r"r.azurecr.io.*; .* has no image r.azurecr.io/scoring:8, build it first"):
        pin(parse("r.azurecr.io/scoring:8"), breaks, tmp_path)


@pytest.mark.parametrize("image", ["https://r.azurecr.io/scoring:7", "r.azurecr.io/scoring@sha256:abc", "r/s:a b"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(SettingsError, match="names no image: write REGISTRY/NAME:TAG"):
        parse(image)
