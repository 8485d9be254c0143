"""System calls: how a graph reads and changes specs, values, symbols and processes."""
