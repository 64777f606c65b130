"""The module: the process on the device, the hub, the inbox, the pipeline."""
