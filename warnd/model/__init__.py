"""The model: pure values and rules of warnings, people, places and proof. No I/O, no clock, no settings."""
