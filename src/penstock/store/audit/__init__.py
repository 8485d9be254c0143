"""The audit trail, in each of the stores."""
