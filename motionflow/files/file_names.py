"""What a file is: by its name hidden, a picture, a video; by its content a digest.

A list names what PyAV or Pillow decodes; a GIF is on both. Files that a Mac leaves
beside others ("._a.avi", ".DS_Store") are hidden ones.
"""

import hashlib
from pathlib import Path

PICTURE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".jp2", ".j2k", ".jpf", ".jpx", ".psd"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".pcx", ".qoi", ".sgi"),
)
VIDEO_SUFFIXES = (
    *(".avi", ".divx", ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v"),
    *(".mkv", ".webm", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".wmv", ".asf", ".flv", ".ogv", ".ogm", ".gif"),
    *(".mxf", ".dv", ".rm", ".rmvb", ".nut", ".mjpg", ".mjpeg", ".y4m", ".ivf"),
    *(".h264", ".264", ".hevc", ".265"),
)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is somebody's draft or a system's own."""
    return name.startswith(".")


def is_macs(name: str) -> bool:
    """Whether a Mac made a file by itself, so that nobody misses it."""
    return name == ".DS_Store" or name.startswith("._")


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its name."""
    return name.lower().endswith(PICTURE_SUFFIXES)


def is_video(name: str) -> bool:
    """Whether a file is a video by its name."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def video_stem(path: str | Path) -> str:
    """A video's name without folder and suffix, which another encoder changes."""
    name = Path(path).name
    return Path(name).stem if is_video(name) else name


def sha256_of(file: Path) -> str:
    """A file's sha256 in hex digits, read block by block."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
