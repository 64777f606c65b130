"""From a manifest to devices: one device or a fleet, followed until it has arrived."""
