"""What run() may give for a request besides a plain value."""

import pytest

from scoring import Prediction


def test_a_prediction_is_a_value_with_an_output_and_properties() -> None:
    """Both may be left out."""
    assert Prediction(1) == Prediction(1, output=None, properties={})
    assert Prediction(1, "alerts", {"level": "high"}).properties == {"level": "high"}


@pytest.mark.parametrize(("output", "properties"), [(5, {}), ("a", {"n": 3}), ("a", {3: "n"}), ("a", {"n": ["x"]})])
def test_what_no_message_can_carry_is_refused_on_the_scripts_own_line(output: object, properties: object) -> None:
    """Inside run(), where it fails for this request alone, and not when the answer is on its way."""
    with pytest.raises(TypeError, match="as output or in its properties: make it a str"):
        Prediction(1, output, properties)  # type: ignore[arg-type]


@pytest.mark.parametrize(("output", "properties"), [("\ud800", {}), (None, {"\ud800": "x"}), (None, {"x": "\udfff"})])
def test_half_a_surrogate_pair_is_refused_too(output: str | None, properties: dict[str, str]) -> None:
    """JSON text can hold one, UTF-8 cannot."""
    with pytest.raises(UnicodeEncodeError):
        Prediction(1, output, properties)


@pytest.mark.parametrize("output", [" ", " alerts", "alerts\n", "a\x00b"])
def test_an_output_that_no_route_can_name_is_refused(output: str) -> None:
    """Its messages would leave, and reach nobody."""
    with pytest.raises(ValueError, match="as output, which no route can name"):
        Prediction(1, output)


@pytest.mark.parametrize("name", ["$.mid", "$.", "$.on", ""])
def test_a_property_that_would_be_one_of_the_systems_is_refused(name: str) -> None:
    """It would take the place of the message's own id or output, and the message would be lost."""
    with pytest.raises(ValueError, match="a Prediction has a property called"):
        Prediction(1, properties={name: "x"})
    assert Prediction(1, properties={"$mid": "x"}).address() == (None, {"$mid": "x"})


def test_a_property_that_the_module_sets_is_left_out() -> None:
    """A script passes on what came from another module like this one: what that one said is no word of this one."""
    given = {"AzureMLResponse": "ERROR", "scoringSuspect": "error-result", "model": "b"}
    assert Prediction(1, properties=given).address() == (None, {"model": "b"})
