"""The changes of the key store's schema on a server."""
