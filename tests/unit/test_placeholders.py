"""Where the values of placeholders and the digests of images come from."""

import json
from pathlib import Path

import pytest
from template_edits import DIGEST, VALUES

from module.errors import PackagingError, SettingsError
from module.packaging import placeholders
from module.packaging.image_pin import layout_lookup, pin


def test_a_dot_env_file_is_read_as_iotedgedev_does(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# registry\nA=1\n export B = 'two $A' # no\nC=\nD=a=b # why\nE=\"x\"\n\n")
    with pytest.raises(SettingsError, match=r"gone.env is not there: write the placeholders"):
        placeholders.read_env(tmp_path / "gone.env")
    found = placeholders.read_env(tmp_path / ".env")
    assert found == {"A": "1", "B": "two $A", "C": "", "D": "a=b", "E": "x"}
    (tmp_path / ".env").write_text("A=1\nsecret without a name\n")
    with pytest.raises(SettingsError, match=r"\.env line 2 is not NAME=value$"):
        placeholders.read_env(tmp_path / ".env")


def test_other_modules_images_come_from_their_module_json(tmp_path: Path) -> None:
    tag = {"version": "0.0.2", "platforms": {"amd64": "Dockerfile.amd64", "arm64v8": "Dockerfile.arm64v8"}}
    folder = tmp_path / "modules" / "filter"
    folder.mkdir(parents=True)
    image = {"repository": "$CONTAINER_REGISTRY_SERVER/filter", "tag": tag}
    (folder / "module.json").write_text(json.dumps({"image": image}))
    assert placeholders.module_images(tmp_path, "arm64v8", VALUES) == {
        "MODULES.filter.amd64": "myregistry.azurecr.io/filter:0.0.2-amd64",
        "MODULES.filter.arm64v8": "myregistry.azurecr.io/filter:0.0.2-arm64v8",
        "MODULES.filter": "myregistry.azurecr.io/filter:0.0.2-arm64v8",
    }
    (folder / "module.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"module.json does not name an image"):
        placeholders.module_images(tmp_path, "amd64", VALUES)


def test_a_tag_is_pinned_by_the_first_that_knows_it(tmp_path: Path) -> None:
    entry = {"digest": DIGEST, "annotations": {"org.opencontainers.image.ref.name": "r.azurecr.io/scoring:7"}}
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [entry]}))
    layout = layout_lookup(tmp_path)
    assert pin("r.azurecr.io/scoring:7", lambda name, tag: None, layout) == f"r.azurecr.io/scoring@{DIGEST}"
    assert pin(f"localhost:5000/a/b@{DIGEST}") == f"localhost:5000/a/b@{DIGEST}"
    with pytest.raises(PackagingError, match=r"nothing knows the digest of r.azurecr.io/scoring:8: push it first"):
        pin("r.azurecr.io/scoring:8", layout)
    with pytest.raises(PackagingError, match="is no OCI layout"):
        pin("r.azurecr.io/scoring:8", layout_lookup(tmp_path / "gone"))


@pytest.mark.parametrize("image", ["scoring:7", "https://r/scoring:7", "r/scoring", "r/scoring@sha256:abc", "r/s:a b"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(SettingsError, match=r"--image .*, write it without|is neither REGISTRY/NAME:TAG nor"):
        pin(image)
