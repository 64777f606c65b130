"""Bytes ↔ values: what a message's body holds, by its content type and encoding."""
