"""edgeHub's routes: their language, their conditions, and where a message goes."""
