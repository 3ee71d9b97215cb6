"""Pictures and videos, read and written: frames as they are shown, and when."""
