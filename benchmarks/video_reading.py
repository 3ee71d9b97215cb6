"""Are frames what ffmpeg shows? A table of made files, read by us and by ffmpeg.

    python benchmarks/video_reading.py

The program ffmpeg (of the package imageio-ffmpeg) makes each file and decodes it to RGB
with its own turning; pixels that are no squares are stretched (`scale=iw*sar:ih`). Of
us three readers are asked: `open_video`, of labels and comparisons, `read_moment`, of
films (the last frame), and `open_sequence`, of restoring.
Printed is the largest difference of any pixel of any frame, in levels of 255.
"""

import argparse
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np
from common import print_table

from motionflow.media.frame_sequence import open_sequence
from motionflow.media.still import read_moment
from motionflow.media.video import open_video

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
NUM_FRAMES = 15
CODECS = {  # -> file, encoder, pixel formats
    "H.264": ("a.mp4", "libx264", ("yuv420p", "yuvj420p", "yuv422p", "yuv444p")),
    "H.264, 10 bits": ("a.mp4", "libx264", ("yuv420p10le",)),
    "H.264 in AVI": ("a.avi", "libx264", ("yuv420p",)),
    "H.264 in TS": ("a.ts", "libx264", ("yuv420p",)),
    "H.265": ("a.mp4", "libx265", ("yuv420p", "yuv420p10le")),
    "VP9": ("a.webm", "libvpx-vp9", ("yuv420p", "yuv444p")),
    "AV1": ("a.mp4", "libsvtav1", ("yuv420p",)),
    "MPEG-4": ("a.avi", "mpeg4", ("yuv420p",)),
    "MPEG-2": ("a.mpg", "mpeg2video", ("yuv420p", "yuv422p")),
    "motion JPEG": ("a.avi", "mjpeg", ("yuvj420p", "yuvj422p")),
    "ProRes": ("a.mov", "prores_ks", ("yuv422p10le",)),
    "FFV1": ("a.mkv", "ffv1", ("yuv420p", "gray", "bgr0")),
    "WMV": ("a.wmv", "wmv2", ("yuv420p",)),
    "GIF": ("a.gif", "gif", ("rgb8",)),
}
MATRICES = {
    "BT.709": ("bt709", "tv"),
    "BT.709, full range": ("bt709", "pc"),
    "BT.601": ("smpte170m", "tv"),
    "BT.2020": ("bt2020nc", "tv"),
    "SMPTE 240M": ("smpte240m", "tv"),
}
TURNS = {
    "turned by 90": ["-display_rotation", "90"],
    "turned by 180": ["-display_rotation", "180"],
    "turned by 270": ["-display_rotation", "270"],
    "turned by 30": ["-display_rotation", "30"],
    "mirrored": ["-display_hflip"],
    "upside down": ["-display_vflip"],
    "mirrored, turned by 90": ["-display_rotation", "90", "-display_hflip"],
    "upside down, turned by 90": ["-display_rotation", "90", "-display_vflip"],
}
ASPECTS = ("16/15", "64/45", "8/9", "2/1")
RATES = ("24000/1001", "25", "50", "120")


class Made(NamedTuple):
    """How a file is made, from a test picture.

    Attributes:
      name: of its row.
      file: its name.
      encode: arguments of ffmpeg.
      copy: those of a second pass that copies the stream; None: no such pass.
      shape: pixels that are no squares.
    """

    name: str
    file: str
    encode: list[str]
    copy: list[str] | None = None
    shape: str = "1/1"


def all_made() -> Iterator[Made]:
    """The whole matrix."""
    for name, (file, codec, formats) in CODECS.items():
        for form in formats:
            encode = ["-c:v", codec, "-pix_fmt", form]
            yield Made(f"{name}, {form}", file, encode)
    h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"]
    for name, (matrix, span) in MATRICES.items():
        scale = f"scale=out_color_matrix={matrix}:out_range={span},format=yuv420p"
        tags = ["-colorspace", matrix, "-color_range", span]
        yield Made(name, "a.mp4", ["-vf", scale, *h264, *tags])
    for name, turn in TURNS.items():
        yield Made(name, "a.mp4", h264, turn)
    for shape in ASPECTS:
        yield Made(f"pixels of {shape}", "a.mp4", h264, shape=shape)
    turn = TURNS["turned by 90"]
    yield Made("pixels of 2/1, turned by 90", "a.mp4", h264, turn, "2/1")
    for rate in RATES:
        yield Made(f"{rate} frames a second", "a.mp4", ["-r", rate, *h264])
    cut = [*h264, "-g", "100", "-bf", "2"]
    for start in ("0.1", "0.2"):
        yield Made(f"trimmed by {start} s", "a.mp4", cut, ["-ss", start])
    turned = ["-ss", "0.1", *TURNS["turned by 270"]]
    yield Made("trimmed and turned by 270", "a.mp4", cut, turned)


def ffmpeg(*arguments: str | Path) -> bytes:
    """What the program writes to its output."""
    command = [FFMPEG, "-v", "fatal", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def make(made: Made, folder: Path, size: str) -> Path:
    """Makes the file."""
    path = folder / made.file
    picture = f"testsrc2=s={size}:r=30,noise=alls=20"
    if made.shape != "1/1":
        picture += f",setsar={made.shape}"
    source = ["-f", "lavfi", "-i", picture, "-frames:v", str(NUM_FRAMES)]
    ffmpeg(*source, *made.encode, path)
    if made.copy is None:
        return path
    ffmpeg(*made.copy, "-i", path, "-c", "copy", folder / f"copy-{made.file}")
    return folder / f"copy-{made.file}"


def compare(made: Made, path: Path) -> tuple[tuple[int, ...], list[int]]:
    """Shape of all frames, and the largest difference of each reader."""
    opened = open_video(path)
    frames = np.stack(list(opened.read()))
    stretch = ["-vf", "scale=iw*sar:ih"] if made.shape != "1/1" else []
    raw = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    truth = np.frombuffer(ffmpeg("-i", path, *stretch, *raw), np.uint8)
    truth = truth.reshape(frames.shape).astype(int)
    readers = (
        frames,
        read_moment(path).frame if path.suffix != ".gif" else frames[-1],
        np.stack(list(open_sequence(path).read())),
    )
    wanted = truth, truth[-1], truth
    pairs = zip(readers, wanted, strict=True)
    return frames.shape, [int(np.abs(a - b).max()) for a, b in pairs]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--num_files", type=int, help="only so many of them")
    args = parser.parse_args()
    rows, largest = [], 0
    for made in itertools.islice(all_made(), args.num_files):
        with tempfile.TemporaryDirectory() as folder:
            path = make(made, Path(folder), args.size)
            (count, height, width, _), found = compare(made, path)
        largest = max(largest, *found)
        rows.append([made.name, f"{count}", f"{width}x{height}", *map(str, found)])
    head = ["file", "frames", "shown", "open_video", "read_moment", "open_sequence"]
    print_table(head, rows)
    print(f"\n{len(rows)} files, largest difference {largest} of 255")


if __name__ == "__main__":
    main()
