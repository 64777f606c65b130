"""The module: the process on the device, the hub, the inbox, the pipeline."""

__version__ = "0.1.0"
