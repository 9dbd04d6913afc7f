"""Whether methods differ by more than test examples, seeds and the number of looks explain."""
