"""Registered models: in a folder, or in an Azure ML workspace."""
