"""Intake: how a warning comes in. Every door (HTTP, folder, command line) leads to one function, `Desk.submit`."""
