"""Inspection: processes looked into, and held, while they run.

The engine holds an `Inspector` or None, and None costs nothing. `Debugger` is the one that people
talk to; what they talk through, a terminal or something else, is not its affair.
"""
