"""What a bare model takes and gives, in sentences, as ``scoring-module check`` prints it."""

from .model import OnnxModel
from .output_fields import Output
from .pictures import PictureInput
from .specs import TensorSpec


def describe(model: OnnxModel) -> list[str]:
    """Say how messages become the model's inputs and its outputs a prediction; one line each."""
    lines = [_input(model, spec) for spec in model.inputs]
    lines += [f"optional: field {spec.name!r}, {spec.describe(row=False)}" for spec in model.defaults]
    lines += [_output(model, spec) for spec in model.outputs]
    if model.batches and not model.shares:
        lines.append("batch: each request is a call of its own: in one call they change each other's outputs")
    elif model.batches:
        lines.append("batch: several requests share a call; a request has no batch axis")
    else:
        lines.append(
            "batch: each request is a call of its own: a first dimension is fixed or not said, or scoring.json says so"
        )
    if model.fields is None:
        lines.append(f"no {model.path.with_name('scoring.json')}: fields go by the model's names")
    elif model.fields.keep:
        kept = "the whole message" if model.fields.keep is True else ", ".join(model.fields.keep)
        lines.append(f"kept in the prediction: {kept}")
    return lines


def _input(model: OnnxModel, spec: TensorSpec) -> str:
    fields = model.fields.inputs.get(spec.name) if model.fields else None
    if isinstance(fields, PictureInput):
        body = " or the body itself" if len(model.inputs) == 1 else ""
        source = f"the picture (JPEG, PNG) in the field {fields.field!r}{body}, {fields.picture.resize}"
    elif fields is None:
        source = f"field {spec.name!r}" + (" or the bare value" if len(model.inputs) == 1 else "")
        source += ", may be missing" if spec.optional else ""
    else:
        source = f"made of {', '.join(each.field for each in (fields if isinstance(fields, list) else [fields]))}"
    return f"input {spec.name}: {source}, {spec.describe(row=model.batches)}"


def _output(model: OnnxModel, spec: TensorSpec) -> str:
    outputs = model.fields.outputs_of(spec.name) if model.fields else [Output()]
    names = ", ".join(repr(each.name or spec.name) for each in outputs)
    return f"output {spec.name}: " + (f"field {names}, {spec.describe(row=model.batches)}" if names else "left out")
