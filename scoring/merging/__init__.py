"""Whether several requests of a classic script may share one run(), and how: read, tried, and checked on."""
