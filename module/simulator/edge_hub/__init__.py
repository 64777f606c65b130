"""What an edgeHub is to one module: MQTT over TLS, the workload API, twin and methods."""
