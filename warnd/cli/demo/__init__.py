"""The demonstration: an invented county, real parts, one warning, and the truth to compare the daemon's word with."""
