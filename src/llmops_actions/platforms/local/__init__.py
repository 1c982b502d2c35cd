"""The embedded platform: everything on this machine, with nothing but Python."""
