"""A picture inside a page is the picture that was given."""

import base64
import io

import numpy as np
from PIL import Image

from motionflow.drawing import pictures
from tests.conftest import texture


def test_picture_is_what_was_given():
    frame = texture(0, 40, 60)
    found = pictures.picture(frame, "a frame")
    assert found.alt == "a frame" and (found.width, found.height) == (60, 40)
    head, encoded = found.uri.split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert np.abs(np.asarray(image).astype(int) - frame).mean() < 6
