"""A bare model: message fields → tensors → message fields."""
