"""The defects, one module a class of complaint. Each is called `<module>.<name>`."""
