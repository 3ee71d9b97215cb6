import cv2
import numpy as np
import pytest
from PIL import Image

import motionflow
from motionflow import cli
from motionflow.commands import query
from motionflow.errors import InputError
from motionflow.media import picture, video
from motionflow.serving.query import file_bytes
from tests import served, serving_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(version):
    with serving_server.serve(version) as one:
        yield one


@pytest.fixture(params=["grpc", "rest"])
def address(request, server):
    return f"--{request.param}={server[1 if request.param == 'grpc' else 2]}"


@pytest.fixture(scope="module")
def guided_server(guided_version):
    with serving_server.serve(guided_version) as one:
        yield one


@pytest.fixture(params=["grpc", "rest"])
def guided_address(request, guided_server):
    place = 1 if request.param == "grpc" else 2
    return f"--{request.param}={guided_server[place]}"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(served.pictures(1, 80, 100)[0]).save(path, quality=95)
    return path


@pytest.fixture
def ask():
    """Runs the tool."""

    def run(*arguments):
        return query.main(cli.parse(query, ["--frame_size=64", *arguments]))

    return run


def test_a_flow_picture_and_a_film(ask, address, photo, tmp_path, capsys):
    outputs = tmp_path / "flow.png", tmp_path / "film.mp4"
    code = ask(
        address,
        f"--input={photo}",
        f"--output={outputs[0]},{outputs[1]}",
        "--num_predictions=2",
        "--frames_per_prediction=3",
    )
    assert code == 0
    drawn = picture.read_image(outputs[0])
    # The square at 400 pixels with arrows, and its colours.
    assert drawn.shape[0] == 400 and drawn.shape[1] >= 800
    square = video.fit_frame(picture.read_image(photo), 400)
    assert np.median(np.abs(drawn[:, :400].astype(int) - square)) == 0
    frames = list(video.iter_frames(outputs[1]))
    assert len(frames) == 7 and frames[0].shape == (80, 100, 3)
    first = picture.read_image(photo)
    assert np.abs(frames[0].astype(int) - first).mean() < 6  # but for the codec
    printed = capsys.readouterr().out
    assert "fastest" in printed and "7 frames, the first is the input" in printed


def test_the_printed_speed_is_the_servers(ask, server, photo, tmp_path, capsys):
    ask(f"--grpc={server[1]}", f"--input={photo}", f"--output={tmp_path / 'a.png'}")
    data = np.array([photo.read_bytes()], object)
    answer = server[0].predict("predict_bytes", {"image_bytes": data})
    fastest = np.linalg.norm(answer["flow"].numpy(), axis=-1).max()
    assert f"fastest {fastest:.2f} pixels of 64" in capsys.readouterr().out


def test_arrows_and_pins(ask, guided_address, guided_run_dir, photo, tmp_path, capsys):
    model = motionflow.load(guided_run_dir)
    outputs = tmp_path / "flow.png", tmp_path / "film.gif"
    ask(
        guided_address,
        f"--input={photo}",
        f"--output={outputs[0]},{outputs[1]}",
        "--arrow=20,30:32,24",
        "--arrow=70,60:70,50",
        "--pin=40,70",
        "--num_predictions=2",
        "--frames_per_prediction=1",
    )
    said = {
        "arrows": [((20, 30), (32, 24)), ((70, 60), (70, 50))],
        "pins": [(40, 70)],
    }
    motion = model.flow(photo, **said)
    printed = capsys.readouterr().out
    assert f"fastest {motion.speed.max():.2f} pixels of the picture" in printed
    drawn = picture.read_image(outputs[0]).astype(int)
    assert np.abs(drawn - motion.draw()).mean() < 0.1
    options = {"num_predictions": 2, "frames_per_prediction": 1}
    model.animate(photo, **said, **options).save(tmp_path / "own.gif")
    found, own = (
        np.int32(list(video.iter_frames(path)))
        for path in (outputs[1], tmp_path / "own.gif")
    )
    # A level of difference may choose another of a GIF's colours.
    assert found.shape == (3, 80, 100, 3) and np.abs(found - own).mean() < 0.5
    assert np.abs(found[2] - found[0]).mean() > 5


def test_places_are_those_of_the_whole_picture(ask, guided_server, photo, tmp_path):
    seen, predict = [], guided_server[0].predict

    def watched(signature, inputs):
        seen.append(inputs)
        return predict(signature, inputs)

    guided_server[0].predict = watched
    own = [f"--grpc={guided_server[1]}", f"--input={photo}", "--max_size=50"]
    try:
        ask(*own, f"--output={tmp_path / 'a.png'}", "--pin=40.5,60.5")
    finally:
        del guided_server[0].predict
    (inputs,) = seen
    np.testing.assert_allclose(inputs["pins"], [[[20, 30]]])
    assert inputs["arrows"].shape == (1, 1, 4) and inputs["num_arrows"] == [0]


def test_a_network_that_cannot_be_told_says_so(ask, address, photo, tmp_path):
    own = [address, f"--input={photo}", f"--output={tmp_path / 'a.png'}"]
    with pytest.raises(InputError, match="guided"):
        ask(*own, "--pin=40,60")


def test_health_is_an_exit_code(ask, address, server, capsys):
    assert ask(address, "--health") == 0
    assert "motionflow at" in capsys.readouterr().out
    server[0].state = "LOADING"
    try:
        assert ask(address, "--health") == 1
        assert capsys.readouterr().out.endswith(": LOADING\n")
    finally:
        server[0].state = "AVAILABLE"


def test_the_benchmark_counts_its_requests(ask, address, server, photo, capsys):
    before = server[0].num_requests
    ask(address, f"--input={photo}", "--benchmark=7", "--concurrency=3")
    assert server[0].num_requests - before == 7 + 3
    head, _, row = capsys.readouterr().out.splitlines()
    assert "p50, ms" in head and "requests a second" in head
    cells = [float(cell) for cell in row.strip("| ").split("|")]
    assert cells[:4] == sorted(cells[:4]) and all(cell > 0 for cell in cells)


def test_a_file_is_sent_as_it_is_where_the_server_can_read_it(photo, tmp_path):
    frame = picture.read_image(photo)
    assert file_bytes(photo, frame) == photo.read_bytes()
    other = tmp_path / "a.bmp"
    Image.fromarray(frame).save(other)
    for path, sent in ((other, frame), (photo, frame[::2, ::2])):
        data = file_bytes(path, sent)
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert data.startswith(b"\x89PNG")
        np.testing.assert_array_equal(decoded[..., ::-1], sent)


def test_large_pictures_are_shrunk_before_they_are_sent(ask, server, photo, tmp_path):
    film = tmp_path / "film.gif"
    numbers = ["--num_predictions=1", "--frames_per_prediction=1", "--max_size=50"]
    ask(f"--grpc={server[1]}", f"--input={photo}", f"--output={film}", *numbers)
    assert next(video.iter_frames(film)).shape == (40, 50, 3)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "name one server"),
        (["--grpc=a:1", "--rest=http://a:1"], "name one server"),
        (["--grpc=localhost:1"], "--input is missing"),
        (["--grpc=localhost:1", "--input=a.jpg", "--output=no/a.png"], "no folder no"),
        (["--grpc=localhost:1", "--input=a.jpg", "--output=a.avi"], "must end in"),
        (["--grpc=localhost:1", "--input=none.jpg"], "there is no file none.jpg"),
        (["--grpc=localhost:1", "--input=PHOTO", "--pin=9"], "is not of the form"),
        (["--grpc=localhost:1", "--input=PHOTO", "--pin=100,9"], "outside of the"),
    ],
)
def test_wrong_flags_are_refused_before_anybody_is_asked(ask, photo, arguments, words):
    with pytest.raises(InputError, match=words):
        ask(*(text.replace("PHOTO", str(photo)) for text in arguments))


def test_the_command_says_when_nobody_listens(call, photo):
    own = ["--rest=http://127.0.0.1:9", f"--input={photo}", "--deadline=1"]
    done = call(query, *own)
    assert done.code == 1
    assert "error: model motionflow at http://127.0.0.1:9 is not" in done.err


def test_only_what_it_made_is_replaced(call, server, photo, tmp_path):
    output = tmp_path / "flow.png"
    own = [photo, f"--grpc={server[1]}", f"--output={output}", "--frame_size=64"]
    for _ in range(2):
        done = call(query, *own)
        assert done.code == 0 and f"wrote {output}: fastest" in done.out, done.err
    output.write_bytes(b"mine")
    done = call(query, *own)
    assert (done.code, output.read_bytes()) == (1, b"mine")
    assert call(query, *own, "--overwrite").code == 0
