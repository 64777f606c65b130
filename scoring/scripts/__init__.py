"""A score.py: found, loaded, called as its kind of run() wants it, its results made into what leaves."""
