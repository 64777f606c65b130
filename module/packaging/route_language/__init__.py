"""The language of edgeHub routes: what ``manifest`` lets through is what ``simulate`` understands."""
