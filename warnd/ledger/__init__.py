"""The ledger: the only room where SQL lives, behind one narrow door (`warnd.ledger.store`)."""
