"""Dispatch: plans deliveries, claims and sends them, records what becomes of them. The flows meet in the ledger, never in each other."""
