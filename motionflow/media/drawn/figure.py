"""A drawn person: textured rigid parts on a moving skeleton, and their exact motion.

    Figure, time -> pixels on a canvas, and the motion of each of these pixels

A part is a tapered capsule that turns and travels with its bone. Its texture lives in
the part's own coordinates (u along the bone, v across it), so the point of a part that
lies at x at time t lies at

    x' = p(t + k) + R(t + k) R(t)^-1 (x - p(t))          p position, R rotation

at time t + k: the flow x' - x is known exactly, not estimated. Parts drawn later hide
the ones before.

Three things are added to every pose, as nature does: hands trail behind forearms that
turn, hair trails behind the head, and the face turns to where the head goes.

Lengths are in figure heights (see `motions`), pixels only after `Figure.place`.
"""

import cmath
from dataclasses import dataclass
from math import acos, pi, tanh

import cv2
import numpy as np

from motionflow.media.drawn import motions
from motionflow.media.drawn.motions import FOREARM, SHIN, THIGH, UPPER_ARM, Motion, Pose
from motionflow.media.drawn.textures import ARM, LEG, TEXELS, Part


def _limb(
    root: complex, tip: complex, lengths: tuple[float, float], bend: int
) -> tuple[float, float]:
    """Directions of the two bones that lead from `root` to `tip` (or toward it)."""
    first, second = lengths
    reach = min(max(abs(tip - root), abs(first - second) + 1e-3), sum(lengths) - 1e-3)
    opening = acos((first**2 + reach**2 - second**2) / (2 * first * reach))
    upper = cmath.phase(tip - root) + bend * opening
    joint = root + cmath.rect(first, upper)
    return upper, cmath.phase(tip - joint)


Bones = dict[tuple[str, int], tuple[complex, float]]


def _skeleton(pose: Pose, front: bool) -> Bones:
    """(part name, side) -> (root, direction) of every bone of the pose."""
    neck = pose.pelvis + cmath.rect(motions.TRUNK, pose.trunk)
    body = "chest" if front else "trunk"
    bones = {(body, 0): (pose.pelvis, pose.trunk), ("neck", 0): (neck, pose.head)}
    for side in (0, 1):
        across = (2 * side - 1) * front * cmath.rect(1, pose.trunk - motions.UP)
        limbs = (
            (ARM, neck + across * motions.SHOULDER_HALF, pose.wrists[side],
             (UPPER_ARM, FOREARM), pose.elbows[side]),
            (LEG, pose.pelvis + across * motions.HIP_HALF, pose.ankles[side],
             (THIGH, SHIN), pose.knees[side]),
        )  # fmt: skip
        for names, root, tip, lengths, bend in limbs:
            upper, lower = _limb(root, tip, lengths, bend)
            joint = root + cmath.rect(lengths[0], upper)
            bones[names[0], side] = root, upper
            bones[names[1], side] = joint, lower
            bones[names[2], side] = joint + cmath.rect(lengths[1], lower), lower
        bones["foot", side] = bones["foot", side][0], pose.toes[side]
    return bones


def _add_trailing(
    bones: Bones, before: Bones, after: Bones, pose: Pose, front: bool
) -> None:
    """Adds what follows the motion: hands, head, face and hair.

    `before` and `after` are the skeleton half a frame earlier and later.
    """
    for side in (0, 1):
        root, direction = bones["hand", side]
        turn = after["forearm", side][1] - before["forearm", side][1]
        turn = (turn + pi) % (2 * pi) - pi
        trailing = direction - 0.8 * tanh(10 * turn)
        bones["hand", side] = root, trailing if pose.palms is None else pose.palms
    neck, head = bones["neck", 0]
    speed = after["neck", 0][0] - before["neck", 0][0]
    if front:
        gaze = 0.03 * complex(tanh(60 * speed.real), tanh(60 * speed.imag))
    else:
        head += 0.45 * tanh(40 * speed.imag)  # rising: the face looks up
        gaze = 0j
    up = cmath.rect(1, head)
    center = neck + 0.105 * up
    for name in ("head", "nose", "hair"):
        bones[name, 0] = center, head
    bones["face", 0] = center - 0.01 * up + gaze, head
    bones["nose", 0] = center + 0.01 * up, head + 0.5 * pi - 0.1
    for side in (0, 1):
        back = (2 * side - 1) * 0.75 * up * 1j if front else -0.5 * up * 1j
        root = center + 0.06 * up + (0.12 if front else 0.16) * back
        bones["tail", side] = root, cmath.phase(back - 0.5 * up + 0.5j - 55 * speed)


@dataclass
class Figure:
    """A person who repeats one motion.

    Attributes:
      motion: cycle -> Pose.
      front: seen from the front, otherwise from the side.
      facing: 1 to the right, -1 to the left (mirrors everything).
      size: the person's height in pixels.
      origin: where the figure's (0, 0) lies in the frame, x + iy, pixels.
      period: frames in a cycle.
      phase: cycle at frame 0.
      parts: (name, side) -> Part, in drawing order.
    """

    motion: Motion
    front: bool
    facing: int
    size: float
    origin: complex
    period: float
    phase: float
    parts: dict[tuple[str, int], Part]

    def place(self, frame: float) -> np.ndarray:
        """Positions x, y (pixels) and directions (radians) of all parts, [parts, 3]."""
        times = (frame - 0.5, frame, frame + 0.5)
        poses = [self.motion(self.phase + time / self.period) for time in times]
        before, bones, after = (_skeleton(pose, self.front) for pose in poses)
        _add_trailing(bones, before, after, poses[1], self.front)
        placed = []
        for key in self.parts:
            root, direction = bones[key]
            x = self.origin.real + self.facing * self.size * root.real
            y = self.origin.imag + self.size * root.imag
            turned = direction if self.facing == 1 else pi - direction
            placed.append((x, y, turned))
        return np.array(placed)

    def paint(
        self, canvas: np.ndarray, owner: np.ndarray, frame: float, first: int
    ) -> None:
        """Draws all parts, in place.

        The canvas is float32 [3, H, W]: planes, which NumPy blends faster. The owner,
        int32 [H, W], becomes `first` + a part's place in `parts` where that part covers
        the centre of a pixel.
        """
        placements = self.place(frame)
        for index, part in enumerate(self.parts.values()):
            self._paint_part(canvas, owner, part, placements[index], first + index)

    def _paint_part(
        self,
        canvas: np.ndarray,
        owner: np.ndarray,
        part: Part,
        placement: np.ndarray,
        number: int,
    ) -> None:
        """Lays one part over the canvas, with a smooth edge one pixel wide."""
        height, width = owner.shape
        ends = [self.to_frame(placement, u, 0.0) for u in (0.0, part.length)]
        low = np.floor(np.min(ends, 0) - part.margin).astype(int)
        high = np.ceil(np.max(ends, 0) + part.margin).astype(int) + 1
        left, top = np.clip(low, 0, (width, height))
        right, bottom = np.clip(high, 0, (width, height))
        if left >= right or top >= bottom:
            return
        painted = cv2.warpAffine(
            part.texture,
            self._to_texels(placement - (left, top, 0), part.margin),
            (int(right - left), int(bottom - top)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderValue=(0, 0, 0, 1),
        )
        *colors, distance = cv2.split(painted)
        alpha = np.clip(0.5 - distance, 0, 1)
        for plane, color in zip(canvas, colors, strict=True):
            box = plane[top:bottom, left:right]
            box += alpha * (color - box)
        owner[top:bottom, left:right][distance < 0] = number

    def _to_texels(self, placement: np.ndarray, margin: float) -> np.ndarray:
        """`to_part` as a matrix [2, 3] that gives texel columns and rows."""
        left, top, angle = placement
        cos, sin, flip = np.cos(angle), np.sin(angle), self.facing
        u = (cos, sin, margin - cos * left - sin * top)
        v = (-flip * sin, flip * cos, margin + flip * (sin * left - cos * top))
        return TEXELS * np.array([u, v])

    def to_part(self, placement: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple:
        """Frame coordinates -> part coordinates (u, v)."""
        left, top, angle = placement
        cos, sin = np.cos(angle), np.sin(angle)
        u = (x - left) * cos + (y - top) * sin
        return u, self.facing * ((y - top) * cos - (x - left) * sin)

    def to_frame(
        self, placement: np.ndarray, u: np.ndarray | float, v: np.ndarray | float
    ) -> tuple:
        """Part coordinates -> frame coordinates (x, y): the inverse of `to_part`."""
        left, top, angle = placement
        cos, sin = np.cos(angle), np.sin(angle)
        v = self.facing * v
        return left + u * cos - v * sin, top + u * sin + v * cos
