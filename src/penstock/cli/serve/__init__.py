"""`penstock serve`: a host."""
