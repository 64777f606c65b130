"""What people and programs see of a running module: metrics, health, status page, twin."""
