"""A trial: a scoring directory as the module would run it, with same settings, thread and pipeline; for `check`."""
