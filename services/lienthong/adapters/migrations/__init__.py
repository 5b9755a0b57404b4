"""The changes of our SQL schemas: each only adds, so that a release and the one before it run side by side."""
