"""What a name says, and whether the decoders agree."""

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from motionflow.files import file_names
from motionflow.media import picture, video
from tests.conftest import texture

# One codec for all containers but these: suffixes -> container, codec, pixels.
OTHERS = {
    (".gif",): ("gif", "gif", "rgb8"),
    (".mpg", ".mpeg", ".mpe", ".m1v"): ("mpeg", "mpeg1video", "yuv420p"),
    (".vob", ".m2v"): ("vob", "mpeg2video", "yuv420p"),
    (".ts", ".mts", ".m2ts", ".m2t"): ("mpegts", "mpeg2video", "yuv420p"),
    (".mxf",): ("mxf", "mpeg2video", "yuv420p"),
    (".wmv", ".asf"): ("asf", "wmv2", "yuv420p"),
    (".flv",): ("flv", "flv1", "yuv420p"),
    (".webm",): ("webm", "libvpx", "yuv420p"),
    (".ogv", ".ogm"): ("ogg", "libvpx", "yuv420p"),
    (".ivf",): ("ivf", "libvpx", "yuv420p"),
    (".rm", ".rmvb"): ("rm", "rv10", "yuv420p"),
    (".mjpg", ".mjpeg"): ("mjpeg", "mjpeg", "yuvj420p"),
    (".h264", ".264"): ("h264", "libx264", "yuv420p"),
    (".hevc", ".265"): ("hevc", "libx265", "yuv420p"),
    (".f4v", ".qt", ".m4v"): ("mov", "mpeg4", "yuv420p"),
    (".divx",): ("avi", "mpeg4", "yuv420p"),
    (".y4m",): ("yuv4mpegpipe", "wrapped_avframe", "yuv420p"),
    (".dv",): ("dv", "dvvideo", "yuv420p"),
}
WAYS = {suffix: way for suffixes, way in OTHERS.items() for suffix in suffixes}


def write_video(path, container, codec, pixels):
    height, width = (576, 720) if codec == "dvvideo" else (144, 176)
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        for i in range(3):
            scene = cv2.resize(texture(i, 36, 44), (width, height))
            frame = av.VideoFrame.from_ndarray(scene, "rgb24")
            file.mux(stream.encode(frame.reformat(format=pixels)))
        file.mux(stream.encode(None))


@pytest.mark.slow
def test_each_kind_of_video_is_read(tmp_path):
    found = {}
    for suffix in file_names.VIDEO_SUFFIXES:
        path = tmp_path / f"a{suffix}"
        write_video(path, *WAYS.get(suffix, (None, "mpeg4", "yuv420p")))
        found[suffix] = video.open_video(path).num_frames
    assert found == dict.fromkeys(file_names.VIDEO_SUFFIXES, 3)


def test_pillow_reads_each_kind_of_picture(tmp_path):
    formats = Image.registered_extensions()
    pixels = np.zeros((16, 20, 3), np.uint8)
    for suffix in file_names.PICTURE_SUFFIXES:
        assert formats[suffix] in Image.OPEN
        if formats[suffix] in Image.SAVE:
            path = tmp_path / f"a{suffix}"
            Image.fromarray(pixels).save(path)
            assert picture.read_image(path).shape == (16, 20, 3)


@pytest.mark.parametrize(
    "name, stem",
    [("w/a.b.AVI", "a.b"), ("a.m2ts", "a"), ("a.avi.mp4", "a.avi"), ("a.b", "a.b")],
)
def test_the_stem_of_a_video(name, stem):
    assert file_names.video_stem(name) == stem


def test_hidden_files():
    hidden = ["._a.avi", ".DS_Store", ".draft.png", "a.png"]
    assert list(map(file_names.is_hidden, hidden)) == [True, True, True, False]
    assert list(map(file_names.is_macs, hidden)) == [True, True, False, False]
