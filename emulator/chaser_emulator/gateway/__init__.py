"""What is no JSON: terminals, forwarded ports, browsers and SSH."""
