"""Property bags: what a module sends is understood, what it gets is what edgeHub would send."""

from hypothesis import given
from hypothesis import strategies as st

from module.messages import InputMessage
from module.property_bag import decode_bag
from module.simulator.routing.messages import bag_for_module, from_device, from_module

BAG = (
    "%24.on=out&%24.mid=m%2F1&%24.cid=c&%24.ct=application%2Fjson&%24.ce=utf-8&%24.ctime=t"
    "&key%20%26=a%2Bb%3D&flag&empty="
)


def test_a_module_message_is_decoded() -> None:
    message = from_module(b"x", BAG, "dev", "Mod", "now")
    assert message.source == "/messages/modules/mod/outputs/out/"
    assert message.properties == {"key &": "a+b=", "flag": "", "empty": ""}
    assert message.system == {
        "device_id": "dev",
        "module_id": "Mod",
        "creation_time": "t",
        "output_name": "out",
        "message_id": "m/1",
        "correlation_id": "c",
        "content_type": "application/json",
        "content_encoding": "utf-8",
    }


def test_sender_and_system_properties_reach_the_input_but_the_output_name_does_not() -> None:
    message = from_module(b"x", BAG, "dev", "Mod", "now")
    assert dict(decode_bag(bag_for_module(message))) == {
        "$.cdid": "dev",
        "$.cmid": "Mod",
        "$.ctime": "t",
        "$.mid": "m/1",
        "$.cid": "c",
        "$.ct": "application/json",
        "$.ce": "utf-8",
        "key &": "a+b=",
        "flag": "",
        "empty": "",
    }


def test_a_leaf_device_is_the_sender_unless_the_message_names_one() -> None:
    assert from_device(InputMessage(b"", "in"), "leaf", "now").system == {"device_id": "leaf", "creation_time": "now"}
    named = from_device(InputMessage(b"", "in", system={"device_id": "d", "module_id": "m"}), "leaf", "now")
    assert named.source == "/messages/modules/m/"
    assert named.system["device_id"] == "d"


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_application_properties_survive_the_wire(properties: dict[str, str]) -> None:
    kept = {key: value for key, value in properties.items() if not key.startswith("$.")}
    message = from_device(InputMessage(b"", "in", properties=kept), "leaf", "now")
    found = dict(decode_bag(bag_for_module(message)))
    assert {key: value for key, value in found.items() if not key.startswith("$.")} == kept


def test_oversize_counts_body_and_properties() -> None:
    assert not from_device(InputMessage(b"x" * 262_000, ""), "leaf", "now").oversize
    assert from_device(InputMessage(b"x" * 262_000, "", properties={"k": "v" * 200}), "leaf", "now").oversize
    assert from_device(InputMessage(b"x" * 262_144, ""), "leaf", "now").oversize
