"""Recording: a proxy that keeps what passes through it as a HAR file, without anything secret."""
