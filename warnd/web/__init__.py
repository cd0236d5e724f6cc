"""The HTTP door: the API with its documents, and the public site. It decides nothing and writes nothing but what the desk does."""
