"""Telling everybody: Plumtree and flood over the overlay's neighbours, and the anti-entropy exchange that repairs."""
