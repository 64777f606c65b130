"""Topics carry properties in a url-encoded bag."""

from hypothesis import given
from hypothesis import strategies as st

from module.messages import InputMessage, OutputMessage
from module.transports.mqtt_packets import input_message, output_bag

TOPIC = "devices/d/modules/m/inputs/"


def test_an_input_topic_is_read() -> None:
    """System properties by their long names, unknown ones left out, the rest as they are."""
    bag = "%24.mid=m%201&%24.cdid=leaf&%24.cmid=temp&%24.ct=application%2Fjson&%24.ce=utf-8&%24.new=x&site=%C3%84%26b"
    assert input_message(f"{TOPIC}amlInput/{bag}", b"{}") == InputMessage(
        b"{}",
        "amlInput",
        {
            "message_id": "m 1",
            "device_id": "leaf",
            "module_id": "temp",
            "content_type": "application/json",
            "content_encoding": "utf-8",
        },
        {"site": "Ä&b"},
    )


def test_odd_topics_are_read() -> None:
    """No bag, an empty one, a property without a value, one with a raw equals sign, a trailing slash."""
    assert input_message(f"{TOPIC}in", b"").properties == {}
    assert input_message(f"{TOPIC}in/", b"") == InputMessage(b"", "in")
    assert input_message(f"{TOPIC}a%2Fb/k&j=&l=a=b/", b"") == InputMessage(
        b"", "a/b", {}, {"k": "", "j": "", "l": "a=b"}
    )


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
KEY = TEXT.filter(lambda key: key and not key.startswith("$."))


@given(st.dictionaries(KEY, TEXT, max_size=4), TEXT, TEXT.filter(bool))
def test_what_is_sent_is_what_is_read(properties: dict[str, str], identity: str, output: str) -> None:
    """Whatever is in names and values."""
    bag = output_bag(OutputMessage(b"", output, {"message_id": identity, "device_id": "not sent"}, properties))
    assert bag.startswith("%24.on=")
    assert "#" not in bag
    assert "+" not in bag
    read = input_message(f"{TOPIC}x/{bag}", b"")
    assert read.system == {"message_id": identity}
    assert {key: value for key, value in read.properties.items() if key != "$.on"} == properties
