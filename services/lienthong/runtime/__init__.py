"""Plumbing without domain words: settings, logging, clock, embedded servers, backoff."""
