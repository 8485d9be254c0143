"""Users, groups, grants and tokens, on the command line."""
