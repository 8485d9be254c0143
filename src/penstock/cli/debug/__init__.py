"""`penstock start --debug`: a debugger for the terminal, which a program may talk to as well."""
