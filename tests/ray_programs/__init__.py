"""Programs as people write them for Ray Core, and what Ray gave when they ran on it."""
