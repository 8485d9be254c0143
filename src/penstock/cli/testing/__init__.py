"""`penstock test`: the tests that a graph has of itself."""
