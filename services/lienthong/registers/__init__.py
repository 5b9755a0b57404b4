"""The shipped registers: real units, reorganisations and facilities as event files, and the script that built them."""
