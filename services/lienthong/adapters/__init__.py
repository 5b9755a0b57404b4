"""Between the domain and the outside: codecs, the event log, the projection, keys, images."""
