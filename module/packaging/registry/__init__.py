"""Container registries: names, who may, OCI layouts, pull and push."""
