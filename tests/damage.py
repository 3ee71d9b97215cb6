"""Damaged clips made from good ones, the same for the same seed.

    good clips --cut, flipped, patched, renamed, ...--> files as a disk may hold them

Each kind of damage says which statuses a build may give it. Where the damage is random
that is any of ANY; where it is certain there is one answer.
"""

import dataclasses
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from motionflow.media.video_writer import write_video
from tests.conftest import moving_square, texture, write_avi

ANY = ("ok", "truncated", "too_short", "filtered", "corrupt")
NONE = ("corrupt", "too_short")  # not one sample, whatever the reason

# What a file may be called. The name alone makes no clip bad.
NAMES = (
    "",
    "_%03d",
    "[a-z]*{x,y}?",
    " with spaces ",
    "-żółć-動画-🎬",
    "line\nbreak",
    "'\"$(x)`;&|",
    "http:%s",
    "#1@2",
    "001",
    "x" * 150,
)


@dataclasses.dataclass(frozen=True)
class Damaged:
    """One damaged file.

    Attributes:
      path: the file.
      kind: its damage, a key of KINDS.
      statuses: what it may end as; empty where it is no clip at all.
    """

    path: Path
    kind: str
    statuses: tuple[str, ...]


def write_clip(path: Path, frames: np.ndarray, codec: str, pixels: str) -> None:
    """Writes uint8 [T, H, W, 3] RGB frames with PyAV, T = 0 too."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.thread_count = pixels, 1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture))
        if len(frames):
            container.mux(stream.encode(None))
        else:
            container.start_encoding()


def good_clips(folder: Path, num: int) -> list[Path]:
    """Writes clips of 8 to 12 frames in five containers and codecs, in turn."""
    writers: dict[str, Callable[[Path, np.ndarray], None]] = {
        "mjpg.avi": write_avi,
        "xvid.avi": lambda p, f: write_clip(p, f, "mpeg4", "yuv420p"),
        "h264.mp4": lambda p, f: write_video(p, f, fps=30),
        "h264.mkv": lambda p, f: write_clip(p, f, "libx264", "yuv420p"),
        "vp8.webm": lambda p, f: write_clip(p, f, "libvpx", "yuv420p"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(num):
        name = list(writers)[i % len(writers)]
        frames = moving_square((2 - i % 5, 1 + i % 3), 8 + i % 5, seed=i)
        rows, columns = ((0, 0), (0, 40), (20, 60))[i % 3]
        pad = ((0, 0), (rows, rows), (columns, columns), (0, 0))
        paths.append(folder / f"good{i:02d}_{name}")
        writers[name](paths[-1], np.pad(frames, pad, mode="wrap"))
    return paths


def damaged(
    clips: list[Path],
    folder: Path,
    num: int,
    seed: int,
    kinds: Sequence[str] | None = None,
) -> list[Damaged]:
    """Writes `num` damaged files, spread evenly over the kinds.

    Args:
      clips: good clips to damage.
      folder: where to write, created if missing.
      num: how many files.
      seed: of the places and the values.
      kinds: keys of KINDS; all where None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(kinds or KINDS)
    found = []
    for i in range(num):
        rng = random.Random(f"{seed}:{i}")
        kind = kinds[i % len(kinds)]
        damage, statuses = KINDS[kind]
        source = rng.choice(clips)
        name = NAMES[(i + i // len(kinds)) % len(NAMES)]
        path = folder / f"bad{i:03d}_{kind}{name}{source.suffix}"
        damage(path, source, rng)
        found.append(Damaged(path, kind, statuses))
    return found


# --- bytes ----------------------------------------------------------------------------


def cut(path: Path, source: Path, rng: random.Random) -> None:
    """Ends somewhere."""
    data = source.read_bytes()
    path.write_bytes(data[: rng.randrange(400, len(data))])


def cut_header(path: Path, source: Path, rng: random.Random) -> None:
    """Ends before the first frame."""
    path.write_bytes(source.read_bytes()[: rng.randrange(1, 180)])


def without_start(path: Path, source: Path, rng: random.Random) -> None:
    """Begins in the middle."""
    data = source.read_bytes()
    path.write_bytes(data[rng.randrange(1, len(data)) :])


def flip(data: bytes, places: list[int], rng: random.Random) -> bytes:
    """Changes one bit at each place."""
    changed = bytearray(data)
    for place in places:
        changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_few(path: Path, source: Path, rng: random.Random) -> None:
    """Up to eight bits anywhere."""
    data = source.read_bytes()
    places = [rng.randrange(len(data)) for _ in range(rng.randrange(1, 9))]
    path.write_bytes(flip(data, places, rng))


def flip_many(path: Path, source: Path, rng: random.Random) -> None:
    """One byte in a hundred."""
    data = source.read_bytes()
    places = [rng.randrange(len(data)) for _ in range(len(data) // 100)]
    path.write_bytes(flip(data, places, rng))


def flip_header(path: Path, source: Path, rng: random.Random) -> None:
    """A few bits where the sizes stand: at the start and, in an MP4, at the end."""
    data = source.read_bytes()
    starts = (0, len(data) - 600) if source.suffix == ".mp4" else (0,)
    places = [rng.choice(starts) + rng.randrange(600) for _ in range(6)]
    path.write_bytes(flip(data, places, rng))


def noise(path: Path, source: Path, rng: random.Random) -> None:
    """4 kB of noise, as a bad sector gives."""
    data = bytearray(source.read_bytes())
    start = rng.randrange(max(1, len(data) - 4096))
    data[start : start + 4096] = rng.randbytes(len(data[start : start + 4096]))
    path.write_bytes(data)


def zeros(path: Path, source: Path, rng: random.Random) -> None:
    """The length is right and the rest is missing, as in a download that stopped."""
    data = source.read_bytes()
    size = rng.randrange(400, len(data))
    path.write_bytes(data[:size] + bytes(len(data) - size))


def twice(path: Path, source: Path, rng: random.Random) -> None:
    """Another copy, or a part of it, behind the clip."""
    data = source.read_bytes()
    path.write_bytes(data + data[: rng.randrange(len(data))])


# --- fields ---------------------------------------------------------------------------

# (name of a chunk or an atom, bytes from its first letter to the field). A field has
# four bytes; AVI writes the low one first, MP4 the high one.
AVI_FIELDS = (
    ("RIFF", 4),  # size of the file
    ("avih", 8),  # microseconds a frame
    ("avih", 24),  # frames
    ("avih", 32),  # streams
    ("avih", 40),  # width
    ("avih", 44),  # height
    ("strh", 12),  # fourcc
    ("strh", 28),  # fps: scale
    ("strh", 32),  # fps: rate
    ("strh", 40),  # frames
    ("strf", 4),  # size of what follows
    ("strf", 12),  # width
    ("strf", 16),  # height
    ("strf", 24),  # fourcc
    ("movi", -4),  # size of all frames
    ("00dc", 4),  # size of the first frame
    ("idx1", 4),  # size of the index
    ("idx1", 16),  # offset of the first frame
    ("idx1", 20),  # its size
)
MP4_FIELDS = (
    ("ftyp", -4),  # sizes of atoms
    ("mdat", -4),
    ("moov", -4),
    ("trak", -4),
    ("stbl", -4),
    ("mvhd", 16),  # time scale
    ("mdhd", 16),
    ("mdhd", 20),  # duration
    ("stsd", 8),  # number of descriptions
    ("avc1", 28),  # width and height
    ("avcC", -4),
    ("stts", 8),  # number of entries
    ("stts", 12),  # frames
    ("stsc", 8),
    ("stsz", 8),  # one size for all frames
    ("stsz", 12),  # number of frames
    ("stsz", 16),  # size of the first
    ("stco", 8),
    ("stco", 12),  # where the first frame lies
)
MKV_FIELDS = tuple(("\x1a\x45\xdf\xa3", offset) for offset in range(4, 400, 9))
FIELDS = {".avi": AVI_FIELDS, ".mp4": MP4_FIELDS, ".mkv": MKV_FIELDS}
VALUES = (0, 1, 0xFF, 60000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def patch(data: bytes, name: str, offset: int, value: int, order: str) -> bytes:
    """Puts four bytes after the first `name`; no change where it is not there."""
    at = data.find(name.encode("latin-1"))
    if at < 0:
        return data
    at += offset
    return data[:at] + value.to_bytes(4, order) + data[at + 4 :]


def header_field(path: Path, source: Path, rng: random.Random) -> None:
    """One or two fields with an extreme value."""
    data = source.read_bytes()
    fields = FIELDS.get(source.suffix, MKV_FIELDS)
    order = "little" if source.suffix == ".avi" else "big"
    for name, offset in rng.sample(fields, rng.randrange(1, 3)):
        data = patch(data, name, offset, rng.choice(VALUES), order)
    path.write_bytes(data)


def many_frames(path: Path, source: Path, rng: random.Random) -> None:
    """Announces 2^31 - 1 frames."""
    data = source.read_bytes()
    data = patch(data, "avih", 24, 2**31 - 1, "little")
    data = patch(data, "strh", 40, 2**31 - 1, "little")
    data = patch(data, "stts", 12, 2**31 - 1, "big")
    path.write_bytes(patch(data, "stsz", 12, 2**31 - 1, "big"))


def huge_size(path: Path, source: Path, rng: random.Random) -> None:
    """Announces pictures of 60000 x 60000, in the container and in each JPEG."""
    data, side = source.read_bytes(), 60000
    for name, offset in (("avih", 40), ("avih", 44), ("strf", 12), ("strf", 16)):
        data = patch(data, name, offset, side, "little")
    data = patch(data, "avc1", 28, side << 16 | side, "big")
    if rng.random() < 0.5:  # start of frame: length 17, 8 bits, height, width
        size = data.find(b"\xff\xc0\x00\x11\x08")
        while size >= 0:
            data = data[: size + 5] + side.to_bytes(2, "big") * 2 + data[size + 9 :]
            size = data.find(b"\xff\xc0\x00\x11\x08", size + 1)
    path.write_bytes(data)


# --- no video at all ------------------------------------------------------------------


def empty(path: Path, source: Path, rng: random.Random) -> None:
    """No byte."""
    path.write_bytes(b"")


def text(path: Path, source: Path, rng: random.Random) -> None:
    """A page that says that the video is not there."""
    path.write_text("<html><body>404: not found</body></html>\n" * rng.randrange(1, 99))


def pure_noise(path: Path, source: Path, rng: random.Random) -> None:
    """Random bytes."""
    path.write_bytes(rng.randbytes(rng.randrange(1, 20000)))


def picture(path: Path, source: Path, rng: random.Random) -> None:
    """A picture by another name."""
    suffix = rng.choice((".jpg", ".png", ".bmp", ".webp", ".tiff"))
    path.write_bytes(cv2.imencode(suffix, texture(rng.randrange(99), 90, 120))[1])


def sound(path: Path, source: Path, rng: random.Random) -> None:
    """A tenth of a second of silence."""
    size, rate = 1600, 8000
    fields = [("fmt ", 16), (b"\1\0\1\0", rate), (rate * 2, b"\2\0\x10\0")]
    parts = [b"RIFF", 36 + size, b"WAVE", *(v for pair in fields for v in pair)]
    parts += [b"data", size, bytes(size)]
    encode = {int: lambda v: v.to_bytes(4, "little"), str: str.encode, bytes: bytes}
    path.write_bytes(b"".join(encode[type(part)](part) for part in parts))


# These name another file or a server. They are no videos and must not be followed.


CLOSED = "http://127.0.0.1:1/"  # nobody listens on port 1


def m3u8(path: Path, source: Path, rng: random.Random) -> None:
    """A playlist of a file beside it."""
    path.write_text(playlist(neighbour(path, rng)))


def m3u8_http(path: Path, source: Path, rng: random.Random) -> None:
    """A playlist of a server's file."""
    path.write_text(playlist(CLOSED + "a.ts"))


def playlist(target: str) -> str:
    """An HLS playlist of one file."""
    return (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
        f"#EXTINF:1.0,\n{target}\n#EXT-X-ENDLIST\n"
    )


def ffconcat(path: Path, source: Path, rng: random.Random) -> None:
    """A script that joins files beside it."""
    path.write_text(script(neighbour(path, rng)))


def ffconcat_http(path: Path, source: Path, rng: random.Random) -> None:
    """A script that joins a server's files."""
    path.write_text(script(CLOSED + "a.avi"))


def script(target: str) -> str:
    """A script for FFmpeg's concat demuxer."""
    return f"ffconcat version 1.0\nfile '{target}'\n"


def sdp(path: Path, source: Path, rng: random.Random) -> None:
    """An announcement of a live stream: a reader waits for packets."""
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 50014 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )


def neighbour(path: Path, rng: random.Random) -> str:
    """Lays a good clip into a folder beside `path`; hidden, so no clip of its own."""
    name = f"{rng.randrange(3)}.ts"
    target = path.parent / ".neighbours" / name
    target.parent.mkdir(exist_ok=True)
    write_clip(target, moving_square((2, 0), 10, 0), "libx264", "yuv420p")
    return f".neighbours/{name}"


# --- not a plain file -----------------------------------------------------------------


def folder(path: Path, source: Path, rng: random.Random) -> None:
    """A folder with a video's name."""
    path.mkdir()


def dangling_link(path: Path, source: Path, rng: random.Random) -> None:
    """A link to nowhere."""
    path.symlink_to("gone.avi")


def circular_link(path: Path, source: Path, rng: random.Random) -> None:
    """A link to itself: not even root can open it."""
    path.symlink_to(path.name)


def unreadable(path: Path, source: Path, rng: random.Random) -> None:
    """A good clip that only root may read."""
    shutil.copyfile(source, path)
    path.chmod(0)


def pipe(path: Path, source: Path, rng: random.Random) -> None:
    """A named pipe: who opens it waits for a writer."""
    os.mkfifo(path)


# --- videos, but unusual --------------------------------------------------------------

SIZES = ((1, 1), (5, 3), (333, 17), (2, 4000), (4000, 2), (1, 200), (201, 199))


def odd_size(path: Path, source: Path, rng: random.Random) -> None:
    """Nine frames of an unusual height and width."""
    write_moving_texture(path, *rng.choice(SIZES), rng)


def strip(path: Path, source: Path, rng: random.Random) -> None:
    """One row of 60000 pixels: resized to 200 rows it would take 7 GB."""
    write_moving_texture(path, 1, 60000, rng)


def write_moving_texture(path: Path, height: int, width: int, rng: random.Random):
    """Writes nine frames without loss: two codecs that take any size."""
    still = texture(0, height, width)
    frames = np.stack([np.roll(still, (t, 2 * t), (0, 1)) for t in range(9)])
    draft = path.with_suffix(".avi")
    write_clip(draft, frames, *rng.choice((("ffv1", "bgr0"), ("png", "rgb24"))))
    draft.rename(path)


def zero_frames(path: Path, source: Path, rng: random.Random) -> None:
    """A container without a frame."""
    suffix = source.suffix if source.suffix in (".avi", ".mkv") else ".avi"
    draft = path.with_suffix(suffix)
    write_clip(draft, np.empty((0, 200, 200, 3), np.uint8), "mpeg4", "yuv420p")
    draft.rename(path)


def few_frames(path: Path, source: Path, rng: random.Random) -> None:
    """One to three frames: a sample needs four."""
    frames = moving_square((2, 0), rng.randrange(1, 4), 0)
    draft = path.with_suffix(".avi")
    write_clip(draft, frames, "mpeg4", "yuv420p")
    draft.rename(path)


def whole(path: Path, source: Path, rng: random.Random) -> None:
    """A good clip; only its name is unusual."""
    shutil.copyfile(source, path)


Damage = Callable[[Path, Path, random.Random], None]
KINDS: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "cut": (cut, ANY),
    "cut_header": (cut_header, NONE),
    "without_start": (without_start, ANY),
    "zeros": (zeros, ANY),
    "twice": (twice, ANY),
    "flip_few": (flip_few, ANY),
    "flip_many": (flip_many, ANY),
    "flip_header": (flip_header, ANY),
    "noise": (noise, ANY),
    "header_field": (header_field, ANY),
    "many_frames": (many_frames, ANY),
    "huge_size": (huge_size, ANY),
    "empty": (empty, ("corrupt",)),
    "text": (text, ("corrupt",)),
    "pure_noise": (pure_noise, NONE),
    "picture": (picture, NONE),
    "sound": (sound, ("corrupt",)),
    "m3u8": (m3u8, ("corrupt",)),
    "m3u8_http": (m3u8_http, ("corrupt",)),
    "ffconcat": (ffconcat, ("corrupt",)),
    "ffconcat_http": (ffconcat_http, ("corrupt",)),
    "sdp": (sdp, ("corrupt",)),
    "folder": (folder, ()),
    "dangling_link": (dangling_link, ("corrupt",)),
    "circular_link": (circular_link, ("corrupt",)),
    "unreadable": (unreadable, ("ok",) if os.geteuid() == 0 else ("corrupt",)),
    "pipe": (pipe, ("corrupt",)),
    "odd_size": (odd_size, ("ok", "filtered")),
    "strip": (strip, ("ok", "filtered")),
    "zero_frames": (zero_frames, NONE),
    "few_frames": (few_frames, ("too_short",)),
    "whole": (whole, ("ok",)),
    # A good clip too; OpenCV crashes when it is given a name that is not UTF-8.
    "not\udcffutf8": (whole, ("ok", "corrupt", "filtered")),
}
