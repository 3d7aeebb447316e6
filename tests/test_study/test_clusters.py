"""What is handed to clusters, and what it does there; SLURM by submitit's own executors on this machine."""

from __future__ import annotations

import random
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from test_config import Tiny

from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import clusters
from keras_art.study.clusters import Cluster


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    made.create(threads=3)
    return made


def noted(store, monkeypatch):
    """The processes write down that they were here instead of computing."""
    program = (
        f"import sys, os; open({str(store.root)!r} + '/here-' + str(os.getpid()), 'w').write(' '.join(sys.argv[1:]))"
    )
    given = clusters.words(store, [Tiny()])
    monkeypatch.setattr(clusters, "words", lambda store, runs: [sys.executable, "-c", program, *given[3:]])
    return lambda: [path.read_text() for path in store.root.glob("here-*")]


def test_a_process_works_on_the_store_at_the_runs_of_the_study(store):
    run = Tiny(seed=3)
    assert clusters.words(store, [run]) == [sys.executable, "-m", "keras_art", "work", str(store.root), run.ref.digest]


@pytest.mark.filterwarnings("ignore")  # submitit's debugging executor leaves its logs open
@pytest.mark.parametrize("to", ["local", "debug"])
def test_an_array_of_processes_is_handed_to_submitit(store, monkeypatch, to):
    pytest.importorskip("submitit")
    found = noted(store, monkeypatch)
    said = clusters.slurm(store, [Tiny()], 2, Cluster(), to=to)
    assert said.startswith("2 jobs, ")
    assert found() == [f"work {store.root} {Tiny().ref.digest}"] * 2


def test_the_script_for_slurm_says_what_each_process_gets(store):
    pytest.importorskip("submitit")
    script = clusters.script(store, [Tiny()], 4, Cluster(hours=1.5, memory=32, gpus=1, partition="gpu"))
    for line in (
        "--array=0-3%4",
        "--cpus-per-task=3",
        "--mem=32GB",
        "--time=90",
        "--gpus-per-node=1",
        "--partition=gpu",
    ):
        assert f"#SBATCH {line}\n" in script
    assert f"-m keras_art work {store.root} {Tiny().ref.digest}" in script
    assert "partition" not in clusters.script(store, [Tiny()], 1, Cluster())


def test_where_slurm_is_not_it_is_told(store, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="start this on a node that has sbatch"):
        clusters.slurm(store, [Tiny()], 1, Cluster())


@pytest.mark.parametrize(("package", "hand_over"), [("submitit", clusters.slurm), ("ray", clusters.ray)])
def test_an_extra_that_is_not_installed_is_named(store, monkeypatch, package, hand_over):
    monkeypatch.setitem(sys.modules, package, None)
    name = {"submitit": "slurm", "ray": "ray"}[package]
    with pytest.raises(UserError, match=rf'pip install "keras_art\[{name}\]"'):
        hand_over(store, [Tiny()], 1, Cluster())


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_answers_and_is_no_ray_is_told_in_time(store, monkeypatch, says):
    pytest.importorskip("ray")
    monkeypatch.setattr(clusters, "ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.sendall(says)
                connection.recv(100)
                time.sleep(0 if says else 1)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(UserError, match=f"no Ray answers at {address}"):
            clusters.check("ray", Cluster(address=address))
        assert time.monotonic() - began < 3
        thread.join()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:port"])
def test_an_address_where_no_ray_answers_is_told_at_once(store, address):
    pytest.importorskip("ray")
    with pytest.raises(UserError, match=f"no Ray answers at {address}"):
        clusters.ray(store, [Tiny()], 1, Cluster(address=address))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(3))
def test_two_nodes_of_a_ray_cluster_one_of_which_is_killed_lose_nothing_and_do_nothing_twice(
    tmp_path, monkeypatch, number
):
    """The node ends at a random time, and with it what it was at; a run that was finished is not begun again."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster as Nodes
    from test_workers import PROGRAM, begun, finished

    tests = Path(__file__).parent
    program = tmp_path / "program.py"
    runs = "[first := Tiny(), Tiny(seed=1, after=first.ref), *(Tiny(seed=n) for n in range(2, 24))]"
    program.write_text(
        PROGRAM.format(tests=str(tests), log=str(tmp_path / "log"), root=str(tmp_path / "store"), runs=runs, jobs=1)
    )
    store = Store(tmp_path / "store")
    store.create(threads=1)
    monkeypatch.setattr(clusters, "words", lambda store, runs: [sys.executable, str(program)])
    monkeypatch.setenv("PYTHONPATH", str(tests.parents[1]))
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1})
    second = nodes.add_node(num_cpus=1)
    try:
        ray.init(address=nodes.address, log_to_driver=False)
        killer = threading.Timer(random.Random(number).uniform(2, 8), nodes.remove_node, (second, False))
        killer.start()
        clusters.ray(store, [], 2, Cluster(address=nodes.address))
        killer.join()
    finally:
        ray.shutdown()
        nodes.shutdown()
    assert finished(tmp_path) == list(range(24))
    times = Counter(seed for seed, *_ in begun(tmp_path))
    assert set(times) == set(map(str, range(24))) and sum(times.values()) <= 25
