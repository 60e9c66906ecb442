"""What to do about refusals: other requests, and what is to be done before them."""
