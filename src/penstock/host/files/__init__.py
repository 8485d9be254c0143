"""Files: what clients upload for runs, and what runs offer for download."""
