"""A drop-in Chaser on localhost."""
