"""Files that are written: may they be, by whom else, and whole or not at all."""
