"""The sub-commands of the process on the device, a file each."""
