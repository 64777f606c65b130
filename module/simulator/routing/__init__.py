"""Messages inside the hub, and which route takes each of them where."""
