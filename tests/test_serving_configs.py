"""The server's own files, read as the server reads them: text of known messages."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "serving"

# BatchingParameters of session_bundle_config.proto, which no package of stubs holds:
# field, number, type.
BATCHING = (
    ("max_batch_size", 1, ".google.protobuf.Int64Value"),
    ("batch_timeout_micros", 2, ".google.protobuf.Int64Value"),
    ("max_enqueued_batches", 3, ".google.protobuf.Int64Value"),
    ("num_batch_threads", 4, ".google.protobuf.Int64Value"),
    ("thread_pool_name", 5, ".google.protobuf.StringValue"),
    ("allowed_batch_sizes", 6, None),
    ("pad_variable_length_inputs", 7, ".google.protobuf.BoolValue"),
)
# A process of its own: ovmsclient's messages have the names of the stubs'.
MONITORING = """
import sys
from google.protobuf import text_format
from ovmsclient.tfs_compat.protos.tensorflow_serving.config import monitoring_config_pb2
found = monitoring_config_pb2.MonitoringConfig()
text_format.Parse(open(sys.argv[1]).read(), found)
print(found.prometheus_config.enable, found.prometheus_config.path)
"""


def batching_parameters():
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", package="motionflow.tests", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="BatchingParameters")
    for name, number, kind in BATCHING:
        field = message.field.add(name=name, number=number)
        field.label = field.LABEL_OPTIONAL if kind else field.LABEL_REPEATED
        field.type = field.TYPE_MESSAGE if kind else field.TYPE_INT64
        if kind:
            field.type_name = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName("motionflow.tests.BatchingParameters")
    return message_factory.GetMessageClass(found)()


def test_the_models():
    text = (CONFIGS / "models.config").read_text()
    found = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = found.model_config_list.config
    assert model.name == "motionflow" and model.model_platform == "tensorflow"
    assert model.base_path == f"/models/{model.name}"
    assert model.model_version_policy.latest.num_versions == 2


def test_batching():
    text = (CONFIGS / "batching.config").read_text()
    found = text_format.Parse(text, batching_parameters())
    sizes = list(found.allowed_batch_sizes)
    # The server refuses to start otherwise.
    assert sizes == sorted(set(sizes)) and sizes[-1] == found.max_batch_size.value
    assert found.batch_timeout_micros.value > 0 and found.num_batch_threads.value > 0


def test_monitoring():
    pytest.importorskip("ovmsclient.custom")
    command = [sys.executable, "-c", MONITORING, CONFIGS / "monitoring.config"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-1000:]
    assert process.stdout == "True /monitoring/prometheus/metrics\n"


def test_a_misspelt_field_would_be_found():
    with pytest.raises(text_format.ParseError, match="max_batch_sizes"):
        text_format.Parse("max_batch_sizes { value: 3 }", batching_parameters())


def test_the_readme_mounts_what_the_files_name():
    page = (ROOT / "docs/guide/serving.md").read_text()
    assert "exported:/models/motionflow" in page
    assert "configs/serving:/config" in page
    for name in ("models", "batching", "monitoring"):
        assert f"/config/{name}.config" in page
