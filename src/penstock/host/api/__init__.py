"""What clients can ask of a host: operations, by family."""
