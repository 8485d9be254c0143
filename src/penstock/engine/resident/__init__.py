"""The resident runtime: graphs that stay up, and follow what is written in the store."""
