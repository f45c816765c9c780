"""What passed by: counts of hosts and calls, and proofs that bytes were left alone."""
