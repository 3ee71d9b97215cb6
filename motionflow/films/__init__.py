"""What a trained network makes of pictures: their motion, films, missing frames."""
