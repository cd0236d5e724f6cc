"""The migrations, oldest first. A migration that has landed is never changed."""
