"""An image without a container engine: its base, layers and contents."""
