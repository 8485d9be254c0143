"""`penstock start`: a resident runtime in the foreground."""
