"""Container registries: references to images, credentials, OCI layouts, pull and push."""
