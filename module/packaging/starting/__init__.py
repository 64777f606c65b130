"""A scoring folder to begin with: a script or scoring.json, a sample and an environment that work at once."""
