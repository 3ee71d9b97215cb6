"""Time -> pose: how the drawn people walk, punch, jump, do push-ups, pull up and wave.

    cycle (1.0 is one whole repetition) -> Pose

Each motion is a loop through poses and no two of its moments look alike: the hips come
after the shoulders in a push-up, a fist goes out high and comes back low, a jumper's
arms lead his flight. So ONE pose tells what comes next, which is what the network
has to learn. (Trailing hands, hair and the turn of the head are added by the figure.)

Units: the figure's height is 1; x points to where the figure faces, y DOWN, as in
images, the ground is y = 0. Points are complex numbers x + iy; angles are in radians
from the x axis toward the y axis, so -pi/2 points up.
"""

from cmath import rect
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np

UP, DOWN = -pi / 2, pi / 2
TRUNK, UPPER_ARM, FOREARM, THIGH, SHIN, ANKLE = 0.29, 0.17, 0.155, 0.24, 0.24, 0.045
SHOULDER_HALF, HIP_HALF = 0.115, 0.06  # half widths in the front view
BAR = -1.2
LEG = THIGH + SHIN


@dataclass(frozen=True)
class Pose:
    """Where a figure's joints are; pairs are (far, near) or (left, right)."""

    pelvis: complex
    trunk: float  # direction from the pelvis to the neck
    head: float  # direction from the neck to the crown
    wrists: tuple[complex, complex]
    ankles: tuple[complex, complex]
    toes: tuple[float, float] = (0.0, 0.0)  # directions of the feet
    palms: float | None = None  # direction of hands that hold on; None: they trail
    elbows: tuple[int, int] = (1, 1)  # to which side each elbow and knee bends
    knees: tuple[int, int] = (-1, -1)


Motion = Callable[[float], Pose]


def _arm(shoulder: complex, upper: float, fore: float) -> complex:
    """The wrist of an arm whose two bones have these directions."""
    return shoulder + rect(UPPER_ARM, upper) + rect(FOREARM, fore)


def _neck(pelvis: complex, trunk: float) -> complex:
    return pelvis + rect(TRUNK, trunk)


def walk(rng: np.random.Generator) -> Motion:
    """Feet stand still on the ground for 60 % of a cycle and swing for the rest."""
    stance, step = 0.6, rng.uniform(0.30, 0.36)
    lean, swing = UP + rng.uniform(0.06, 0.14), rng.uniform(0.35, 0.5)

    def foot(cycle: float) -> tuple[complex, float]:
        part = cycle % 1
        if part < stance:
            return complex(step * (0.5 - part / stance), -ANKLE), 0.0
        along = (part - stance) / (1 - stance)
        lift = 0.09 * sin(pi * along) ** 2 + ANKLE
        return complex(-step * 0.5 * cos(pi * along), -lift), 0.5 * sin(2 * pi * along)

    def pose(cycle: float) -> Pose:
        body = complex(step / stance * cycle, 0)
        height = ANKLE + 0.457 - 0.013 * cos(4 * pi * (cycle - 0.05))
        pelvis = body - 1j * height
        wrists, feet = [], []
        for half in (0.5, 0.0):
            angle = DOWN + swing * cos(2 * pi * (cycle + half))
            wrists.append(_arm(_neck(pelvis, lean), angle + 0.1, angle - 0.5))
            feet.append(foot(cycle + half))
        ankles = (body + feet[0][0], body + feet[1][0])
        toes = (feet[0][1], feet[1][1])
        return Pose(pelvis, lean, UP + 0.05, (wrists[0], wrists[1]), ankles, toes)

    return pose


def punch(rng: np.random.Generator) -> Motion:
    """Fists take turns: each goes out at the height of the chin and comes back low."""
    reach, rise = rng.uniform(0.11, 0.13), rng.uniform(0.055, 0.075)
    rock, wide = rng.uniform(0.10, 0.16), rng.uniform(0.13, 0.16)

    def pose(cycle: float) -> Pose:
        angle = 2 * pi * cycle
        # The trunk leads the near fist by an eighth of a cycle.
        trunk = UP + 0.12 - rock * cos(angle + pi / 4)
        pelvis = complex(0.025 * -cos(angle + pi / 4), -0.46)
        neck = _neck(pelvis, trunk)
        wrists = []
        for turn in (pi, 0.0):
            out, up = -cos(angle + turn), sin(angle + turn)
            wrists.append(neck + complex(0.185 + reach * out, 0.015 - rise * up))
        ankles = (complex(wide, -ANKLE), complex(-wide, -ANKLE))
        return Pose(pelvis, trunk, UP + 0.1, (wrists[0], wrists[1]), ankles)

    return pose


def jump(rng: np.random.Generator) -> Motion:
    """Free flight for 57 % of a cycle, then a crouch; both are parabolas in time."""
    flight, height = 0.57, rng.uniform(0.17, 0.21)
    swing = rng.uniform(0.75, 0.9)

    def pose(cycle: float) -> Pose:
        part = cycle % 1
        lean, feet, toes = UP + 0.1, 0j, 0.0
        if part < flight:
            along = part / flight
            rise = 4 * height * along * (1 - along)
            tuck = 6.75 * along**2 * (1 - along)  # 0 at both ends, 1 at two thirds
            feet = complex(0.10 * tuck, -rise - 0.11 * tuck)
            toes = 1.0 * (1 - along) * min(1.0, 8 * along) - 0.3 * tuck
        else:
            along = (part - flight) / (1 - flight)
            # Depth such that the speed has no jump at take-off and landing.
            rise = -4 * height * (1 - flight) / flight * along * (1 - along)
            lean += 0.45 * sin(pi * along) ** 2
        pelvis = complex(0.25 * min(rise, 0.0), -ANKLE - 0.465 - rise)
        arms = radians(55) + swing * cos(2 * pi * (cycle - 0.06))
        wrist = _arm(_neck(pelvis, lean), DOWN - arms + 0.15, DOWN - arms - 0.35)
        wrists = (wrist + 0.03, wrist)
        ankles = (feet + 0.03 - 1j * ANKLE, feet - 0.03 - 1j * ANKLE)
        return Pose(pelvis, lean, UP + 0.05, wrists, ankles, (toes, toes))

    return pose


def pushup(rng: np.random.Generator) -> Motion:
    """Toes and hands hold the ground; the hips follow an eighth of a cycle late."""
    depth, late = rng.uniform(0.10, 0.12), rng.uniform(0.11, 0.15)

    def pose(cycle: float) -> Pose:
        shoulders, hips = (cos(2 * pi * (cycle - lag)) for lag in (0.0, late))
        hip_height = 0.155 + 0.5 * depth * hips
        neck_height = 0.215 + depth * shoulders
        pelvis = complex(0, -hip_height - ANKLE)
        trunk = -np.arcsin((neck_height - hip_height) / TRUNK)
        ankle = complex(-0.455, -0.07)
        hand = complex(0.275, -0.03)
        return Pose(
            pelvis, trunk, trunk - 0.15, (hand + 0.03, hand), (ankle + 0.02, ankle),
            (1.2, 1.2), palms=0.1,
        )  # fmt: skip

    return pose


def pullup(rng: np.random.Generator) -> Motion:
    """Hands hold the bar at y = -1.2; the legs draw up on the way up, frog-like."""
    lift, kick = rng.uniform(0.10, 0.12), rng.uniform(0.08, 0.11)
    grip = rng.uniform(0.17, 0.2)

    def pose(cycle: float) -> Pose:
        angle = 2 * pi * cycle
        pelvis = complex(0.012 * sin(angle), BAR + 0.22 + TRUNK + lift * cos(angle))
        # sin(angle) > 0 while rising: the knees come up a bit before the middle.
        drawn = kick * (1 + sin(angle + 0.4))
        feet = pelvis + 1j * (0.465 - drawn)
        ankles = (feet - HIP_HALF + 0.01, feet + HIP_HALF - 0.01)
        sway = UP + 0.04 * sin(angle)
        wrists = (complex(-grip, BAR + 0.03), complex(grip, BAR + 0.03))
        return Pose(
            pelvis, sway, UP, wrists, ankles, (DOWN + 0.3, DOWN - 0.3), palms=UP,
            elbows=(-1, 1), knees=(1, -1),
        )  # fmt: skip

    return pose


def wave(rng: np.random.Generator) -> Motion:
    """One arm or both: the upper arm leads the forearm, the hand trails behind it."""
    swing, raised = rng.uniform(0.5, 0.6), rng.uniform(0.1, 0.35)
    both = rng.random() < 0.5

    def pose(cycle: float) -> Pose:
        lead, follow = (cos(2 * pi * (cycle + gap)) for gap in (0.17, 0.0))
        sway = UP + 0.05 * lead
        pelvis = complex(0.02 * lead, -ANKLE - 0.47)
        neck = _neck(pelvis, sway)
        upper, fore = -raised + 0.22 * lead, UP + swing * follow
        right = _arm(neck + SHOULDER_HALF, upper, fore)
        mirrored = _arm(neck - SHOULDER_HALF, -pi - upper, -pi - fore)
        resting = _arm(neck - SHOULDER_HALF, DOWN + 0.35, DOWN - 0.1)
        ankles = (complex(-0.08, -ANKLE), complex(0.08, -ANKLE))
        left, elbow = (mirrored, -1) if both else (resting, 1)
        return Pose(
            pelvis, sway, UP + 0.10 * lead, (left, right), ankles,
            (DOWN + 0.4, DOWN - 0.4), elbows=(elbow, 1), knees=(1, -1),
        )  # fmt: skip

    return pose
