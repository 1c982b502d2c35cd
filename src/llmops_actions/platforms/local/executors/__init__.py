"""The four kinds of program behind one small protocol."""
