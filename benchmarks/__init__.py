"""What Penstock costs, each figure beside a baseline of the same process and run."""
