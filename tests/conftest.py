"""What holds for every test."""

from hypothesis import settings

# Tests share the machine's cores with each other and with real servers: how long one example takes says nothing.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
