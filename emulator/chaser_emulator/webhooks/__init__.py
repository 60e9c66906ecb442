"""Webhooks: what happens in an account is told to the addresses that asked for it, signed, in order and again."""
