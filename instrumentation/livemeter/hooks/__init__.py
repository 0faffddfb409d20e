"""Hooks into the libraries that own Live sockets; each library is touched in one module."""
