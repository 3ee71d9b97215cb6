"""Training a head on what a frozen trunk says, computed once and kept in files.

    samples -> views of each, drawn ahead -> trunk -> maps [g, g, C], float16, in files
    maps, flow, past of the views -> batches in a new order each epoch

A trunk that stands still says the same of the same image in every epoch, and takes most
of the time. View 0 is the image as it is, view 1 mirrored, the others are drawn as
`data.augmentation` draws them, every second one mirrored. A view's draws follow from
the sample, so folds and mixes of the same samples share the files.

Files are named by the trunk's weights and what a view is; what is not there yet is
computed and added, a chunk at a time, each whole or not there.
"""

import dataclasses
import functools
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import graph, keras
from motionflow.data import finishing, known, pipeline
from motionflow.data.augmentation import NUM_DRAWS, Augmentation
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.lock import alone
from motionflow.models import blocks
from motionflow.models.dilated_head import JOINED
from motionflow.models.network import build_model, in_float32
from motionflow.training.preparation import augmentation, make_config
from motionflow.training.settings import Settings

_LOG = logging.getLogger(__name__)
CHUNK = 512  # samples in a file
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class View:
    """One way to change an image; that of number 0 is to leave it as it is."""

    number: int
    augmentation: Augmentation

    @property
    def options(self) -> Augmentation:
        """What is done to the image."""
        if not self.number:
            return Augmentation()
        if self.number == 1:
            return Augmentation(mirror=self.augmentation.mirror)
        return self.augmentation

    def draws(self, ids: Sequence[str]) -> tf.Tensor:
        """Of each sample, float32 [B, NUM_DRAWS], for `augment`."""
        seeds = [[int(one[:7], 16), self.number] for one in ids]
        drawn = [tf.random.stateless_uniform([NUM_DRAWS - 1], seed) for seed in seeds]
        mirror = tf.fill([len(ids), 1], 0.0 if self.number % 2 else 0.99)
        return tf.concat([mirror, tf.stack(drawn)], axis=1)


class MapStore:
    """Files of one view: chunk-n.npy holds maps, chunk-n.npz whose, flow and past.

    `places` leads from a sample's id to the file of its maps, and the row there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.places: dict[str, tuple[str, int]] = {}
        for labels in sorted(folder.glob("chunk-*.npz")):
            self._enter(labels)

    def _enter(self, labels: Path) -> None:
        with np.load(labels) as file:
            for row, one in enumerate(file["ids"]):
                self.places[str(one)] = str(labels.with_suffix(".npy")), row

    def lacks(self, ids: Sequence[str]) -> np.ndarray:
        """Which samples are not kept: bool [N]."""
        return np.array([one not in self.places for one in ids])

    def add(self, maps: np.ndarray, **labels: Any) -> None:
        """Writes a chunk; its labels come last and say that it is there."""
        name = f"chunk-{labels['ids'][0]}"
        with drafts.drafts(self.folder, name, last=f"{name}.npz") as new:
            drafts.write_array(new / f"{name}.npy", maps)
            drafts.write_arrays(new / f"{name}.npz", labels)
        self._enter(self.folder / f"{name}.npz")

    def labels(
        self, places: Sequence[tuple[str, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flow and past of samples, float32 [N, g, g, 2]."""
        files = {}
        for file in {file for file, _ in places}:
            with np.load(Path(file).with_suffix(".npz")) as labels:
                files[file] = labels["flow"], labels["past"]
        both = [[files[file][i][row] for file, row in places] for i in (0, 1)]
        return np.stack(both[0]), np.stack(both[1])


@functools.cache
def _opened(file: str) -> np.ndarray:
    """A file of maps float16 [n, g, g, C], read where it is touched."""
    return np.load(file, "r")


class TrunkMaps:
    """The maps of a split's samples.

    Args:
      folder: where maps are kept.
      network: frames float32 [B, S, S, 3] -> maps [B, g, g, C], see `float32_trunk`.
      data: an opened data directory.
      split: which samples.
      views: what is kept of each.

    Attributes:
      flow, past: float32 [views, N, g, g, 2].
    """

    def __init__(
        self,
        folder: str | Path,
        network: keras.Model,
        data: DataDir,
        split: str,
        views: Sequence[View],
    ):
        self._data = data
        ids = _sample_ids(data, split)
        self._places, flows, pasts = [], [], []
        for view in views:
            kept = Path(folder) / _key(network, view)
            store = MapStore(kept)
            if store.lacks(ids).any():
                with alone(kept, waits=True):
                    drafts.remove_stale(kept)
                    store = MapStore(kept)  # with what another has made meanwhile
                    _fill(store, network, data, split, view, ids)
            self._places.append([store.places[one] for one in ids])
            flow, past = store.labels(self._places[-1])
            flows.append(flow)
            pasts.append(past)
        self.flow, self.past = np.stack(flows), np.stack(pasts)

    def training_batches(
        self,
        batch_size: int,
        seed: int,
        epoch: int,
        first_step: int = 0,
        tells: bool = False,
    ) -> tf.data.Dataset:
        """Like `pipeline.training_batches`, with maps in the place of frames."""
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(self.flow.shape[1])
        views = random.integers(len(self.flow), size=len(order))
        num = len(order) // batch_size * batch_size
        places = np.arange(num)[first_step * batch_size :]

        def finish(places: tf.Tensor, maps: tf.Tensor, *labels: tf.Tensor) -> tuple:
            flow, past = labels
            if not tells:
                return maps, self._targets(flow)
            chances = tf.map_fn(
                lambda place: known.draw_chances([seed, epoch], place, flow.shape[1]),
                places,
                fn_output_signature=tf.float32,
            )
            return (maps, known.tell(flow, past, chances)), self._targets(flow)

        return self._batches(places, views[places], order[places], batch_size).map(
            finish, num_parallel_calls=2
        )

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Maps and targets of view 0, in the order of the split."""
        places = np.arange(self.flow.shape[1])
        batches = self._batches(places, 0 * places, places, batch_size)
        return batches.map(lambda _, maps, flow, __: (maps, self._targets(flow)))

    def _targets(self, flow: tf.Tensor) -> tf.Tensor:
        flow = flow[:, tf.newaxis]  # one step
        codes = pipeline.assign_codes(flow, self._data.codebook.centers)
        return pipeline.pack_targets(codes, flow)

    def _batches(
        self, places: np.ndarray, views: np.ndarray, samples: np.ndarray, size: int
    ) -> tf.data.Dataset:
        """Batches of places, maps [B, g, g, C], flow and past [B, g, g, 2]."""

        def read(places: np.ndarray, views: np.ndarray, samples: np.ndarray) -> tuple:
            found = zip(views, samples, strict=True)
            maps = [
                _opened(file)[row]
                for file, row in (self._places[view][sample] for view, sample in found)
            ]
            labels = self.flow[views, samples], self.past[views, samples]
            return places, np.stack(maps), *labels

        first_file, _ = self._places[0][0]
        shapes = [(), _opened(first_file).shape[1:], *2 * [self.flow.shape[2:]]]
        types = [tf.int64, tf.float16, tf.float32, tf.float32]

        def load(*index: tf.Tensor) -> list[tf.Tensor]:
            loaded = tf.numpy_function(read, index, types)
            shaped = zip(loaded, shapes, strict=True)
            return [tf.ensure_shape(values, [None, *shape]) for values, shape in shaped]

        index = tf.data.Dataset.from_tensor_slices((places, views, samples)).batch(size)
        return index.map(load, num_parallel_calls=2).prefetch(2)


def check_keepable(settings: Settings) -> None:
    """Refuses, as an InputError, maps of a trunk that trains or of several devices."""
    trains_trunk = not settings.freeze_trunk or settings.train_trunk_from >= 0
    is_spread = settings.strategy != "one_device"
    if settings.keep_trunk_maps and (trains_trunk or is_spread):
        raise InputError(
            "--keep_trunk_maps needs --freeze_trunk, no --train_trunk_from, and "
            "--strategy=one_device"
        )


def keep_maps(
    settings: Settings, data: DataDir, model: keras.Model
) -> dict[str, TrunkMaps]:
    """The maps that a training starts from, by split; none where none are kept."""
    if not settings.keep_trunk_maps:
        return {}
    # With the past, if it is kept, so that all networks find the same samples.
    data = data.view(past=data.labels.past_frames > 0)
    config = make_config(settings, data)["model"]
    network = float32_trunk(config, data.mean_frame, model)
    views = [View(i, augmentation(settings)) for i in range(settings.num_views)]
    wanted = {"train": views, "validation": views[:1]}
    return {
        split: TrunkMaps(settings.keep_trunk_maps, network, data, split, chosen)
        for split, chosen in wanted.items()
        if data.num_samples(split)
    }


def float32_trunk(
    config: dict[str, Any], mean_frame: np.ndarray, model: keras.Model
) -> keras.Model:
    """A copy of a model's trunk, in float32 whatever the policy.

    So trainings in all precisions find the same maps. `config` is what `build_model`
    made the model of, beside the mean frame.
    """
    with in_float32():
        copy = build_model(**config, mean_frame=mean_frame)
    for layer in copy.layers:
        if layer.name.startswith(blocks.TRUNK):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return keras.Model(copy.input, copy.get_layer(JOINED).output)


def _key(network: keras.Model, view: View) -> str:
    digest = hashlib.sha256()
    for weights in network.get_weights():
        digest.update(weights.tobytes())
    options = dataclasses.asdict(view.options) | {"number": view.number}
    digest.update(json.dumps([network.output_shape, options], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _sample_ids(data: DataDir, split: str) -> list[str]:
    """A digest of each sample: its frame, its flow, its past."""
    ids = []
    for record in tf.data.TFRecordDataset(data.shards(split)).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        digest = hashlib.sha256(feature["frame"].bytes_list.value[0])
        digest.update(np.array(feature["flow"].float_list.value, "<f4").tobytes())
        if data.past:
            digest.update(feature["past_flow"].bytes_list.value[0])
        ids.append(digest.hexdigest()[:32])
    return ids


def _fill(
    store: MapStore,
    network: keras.Model,
    data: DataDir,
    split: str,
    view: View,
    ids: Sequence[str],
) -> None:
    """Computes what is not kept yet."""
    missing = store.lacks(ids)
    _LOG.info(
        "trunk     %d of %d %s images, view %d: into %s",
        *(missing.sum(), len(ids), split, view.number, store.folder),
    )
    compute = graph(lambda frames: network(tf.cast(frames, tf.float32)))
    wanted = [one for one, is_missing in zip(ids, missing, strict=True) if is_missing]
    samples = pipeline.chosen_samples(data, split, missing).batch(_BATCH)
    rows: list[tuple] = []
    for number, batch in enumerate(samples):
        here = wanted[number * _BATCH : (number + 1) * _BATCH]
        frames, flow, past = finishing.augment_samples(
            data, batch, view.draws(here), view.options
        )
        maps = tf.cast(compute(frames), tf.float16).numpy()
        rows.append((maps, np.array(here), flow[:, 0].numpy(), past.numpy()))
        is_last = (number + 1) * _BATCH >= len(wanted)
        if is_last or len(rows) * _BATCH >= CHUNK:
            columns = zip(*rows, strict=True)
            maps, names, flow, past = (np.concatenate(column) for column in columns)
            store.add(maps, ids=names, flow=flow, past=past)
            rows = []
