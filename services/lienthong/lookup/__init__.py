"""The process that answers desks, over HTTP and by events."""
