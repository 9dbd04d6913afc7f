"""Search for the best standard recipe in the time there is."""
