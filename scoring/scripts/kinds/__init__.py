"""One file per kind of script: what a body becomes for its run(), and how run() is called and answered."""
