"""How a model is run here: which provider, how many threads, streams and rows; measured, cached, failing over."""
