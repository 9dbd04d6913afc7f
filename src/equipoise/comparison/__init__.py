"""Methods compared on the same data, splits, seeds and time: runs in a folder, and a verdict."""
