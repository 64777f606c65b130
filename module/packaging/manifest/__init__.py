"""Deployment manifests and templates: read, filled in, checked."""
