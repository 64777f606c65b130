"""The life of the process: what ends it in time, what watches it, when it gives memory back."""
