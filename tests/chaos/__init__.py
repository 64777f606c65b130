"""Chaos: the module under faults drawn from a seed, beside a hub and an oracle that share no code with it."""
