"""The autoencoder, the clustering layer, the losses and the joint loop of DCEC."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.learning import training
from keras_art.methods.dcec import joint, objective
from keras_art.methods.dcec.checkpoints import Checkpoint
from keras_art.methods.dcec.network import ClusteringLayer, Pixels, autoencoder
from keras_art.pictures.pipeline import Batches


@pytest.fixture(autouse=True)
def seeded():
    training.make_deterministic(0)


def images(n=24, size=8, batch_size=8, seed=0):
    """Two kinds of noisy pictures, dark and light."""
    rng = np.random.default_rng(1)
    level = np.where(np.arange(n) % 2, 200, 50)[:, None, None, None]
    pixels = np.clip(level + rng.normal(0, 20, (n, size, size, 3)), 0, 255).astype(np.uint8)
    return Batches(pixels, np.arange(n), np.zeros(n, np.int32), batch_size, seed)


def model(k=2, size=8, weights=(0.1, 0.9), embedding=4):
    keras.utils.set_random_seed(0)
    found = joint.DCEC(*autoencoder(size, embedding=embedding), k, *weights)
    found.compile(keras.optimizers.Adam(1e-3))
    return found


def begun(batches, k=2):
    """Centroids and labels to begin with."""
    z, _ = model(k).assign(batches)
    return z[:k].copy(), np.arange(len(batches.rows)) % k


def test_paints_network_has_the_parameters_of_the_paper():
    encoder, decoder = autoencoder(128)
    assert encoder.count_params() + decoder.count_params() == 2_384_931
    shapes = {layer.name: layer.output.shape[1:] for layer in (*encoder.layers, *decoder.layers)}
    assert shapes["conv1"] == shapes["deconv2"] == (64, 64, 32)
    assert shapes["conv3"] == shapes["reshape"] == (16, 16, 128)
    assert shapes["flatten"] == shapes["dense"] == (32768,) and shapes["embedding"] == (32,)
    assert shapes["deconv1"] == (128, 128, 3)
    activations = {layer.name: getattr(layer, "activation", None) for layer in (*encoder.layers, *decoder.layers)}
    assert activations["embedding"] is activations["deconv1"] is keras.activations.linear
    assert activations["conv1"] is activations["dense"] is activations["deconv2"] is keras.activations.elu


@pytest.mark.parametrize("k", [2, 10])
def test_clustering_adds_32_parameters_for_each_cluster(k):
    clustering = joint.DCEC(*autoencoder(128), k)
    assert clustering.count_params() == 2_384_931 + 32 * k


def test_guos_network_takes_28_pixels_and_gives_them_back():
    encoder, decoder = autoencoder(28, channels=1, embedding=10, activation="relu")
    assert encoder.get_layer("flatten").output.shape == (None, 1152)
    assert decoder.output.shape == (None, 28, 28, 1)


@pytest.mark.parametrize("size", [8, 12, 16, 40, 64])
def test_a_size_divisible_by_four_comes_back(size):
    assert autoencoder(size)[1].output.shape == (None, size, size, 3)


@pytest.mark.parametrize("size", [4, 30, 126])
def test_another_size_is_refused_with_the_flag(size):
    with pytest.raises(UserError, match="--image_size"):
        autoencoder(size)


def test_grey_pixels_are_the_mean_of_the_channels_in_unit_range():
    pixels = np.array([[[[0, 255, 0], [30, 60, 90]]]], np.uint8)
    grey = keras.ops.convert_to_numpy(Pixels(1)(pixels))
    np.testing.assert_allclose(grey[0, 0, :, 0], [1 / 3, 60 / 255], rtol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 0.5, 3.0])
def test_q_is_students_t_written_out(alpha):
    rng = np.random.default_rng(0)
    z, centroids = rng.normal(size=(7, 3)).astype("float32"), rng.normal(size=(4, 3)).astype("float32")
    layer = ClusteringLayer(4, alpha)
    layer.build((None, 3))
    layer.centroids.assign(centroids)
    expected = np.empty((7, 4))
    for i in range(7):
        for j in range(4):
            distance = sum((z[i, d] - centroids[j, d]) ** 2 for d in range(3))
            expected[i, j] = (1 + distance / alpha) ** (-(alpha + 1) / 2)
        expected[i] /= sum(expected[i])
    q = keras.ops.convert_to_numpy(layer(z))
    np.testing.assert_allclose(q, expected, rtol=1e-5)
    np.testing.assert_allclose(q.sum(axis=1), 1, rtol=1e-6)


def test_p_is_the_papers_written_out_and_its_rows_sum_to_one():
    q = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    f = [sum(q[i, j] for i in range(6)) for j in range(3)]
    expected = np.empty((6, 3))
    for i in range(6):
        for j in range(3):
            expected[i, j] = (q[i, j] ** 2 / f[j]) / sum(q[i, m] ** 2 / f[m] for m in range(3))
    p = objective.target_distribution(q)
    np.testing.assert_allclose(p, expected, rtol=1e-5)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_p_of_a_batch_is_not_p_of_the_collection():
    q = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    whole, part = objective.target_distribution(q)[:10], objective.target_distribution(q[:10])
    assert np.abs(whole - part).max() > 0.01


def test_p_survives_a_cluster_without_any_share():
    p = objective.target_distribution(np.array([[1.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_array_equal(p, [[1, 0], [1, 0]])


def test_the_joint_loop_trains_on_p_of_the_whole_collection(monkeypatch):
    batches, seen = images(), []
    clustering = model()
    monkeypatch.setattr(clustering, "iterate", lambda target, first, last: seen.append(target.labels) or {"loss": 0.0})
    centroids, labels = begun(batches)
    updates = []
    clustering.cluster(batches, centroids, labels, update_interval=2, max_iterations=2, checkpoint=NEVER,
                       on_update=updates.append)  # fmt: skip
    np.testing.assert_array_equal(seen[0], objective.target_distribution(updates[0].q))
    assert seen[0].shape == (24, 2)


def test_losses_have_the_reductions_that_are_stated():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 5)
    kl = np.mean([sum(p[i, j] * np.log(p[i, j] / q[i, j]) for j in range(3)) for i in range(5)])
    assert float(objective.clustering_loss(p.astype("float32"), q.astype("float32"))) == pytest.approx(kl, rel=1e-5)
    encoder, _ = autoencoder(8)
    x = rng.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    guess = rng.random((2, 8, 8, 3)).astype("float32")
    mse = np.mean((x / 255 - guess) ** 2)
    assert float(objective.reconstruction_loss(encoder, x, guess)) == pytest.approx(mse, rel=1e-5)


def test_the_weights_of_the_losses_follow_the_convention():
    assert objective.loss_weights(0.9) == pytest.approx((0.1, 0.9))
    assert objective.loss_weights(0.1, "guo") == (1.0, 0.1)
    for gamma in (-0.1, 1.1):
        with pytest.raises(UserError, match="--gamma"):
            objective.loss_weights(gamma)


def step(gamma):
    """A model after three iterations."""
    batches = images()
    clustering = model(weights=objective.loss_weights(gamma))
    z, _ = clustering.assign(batches)
    clustering.clustering.centroids.assign(z[:2])
    clustering.iterate(replace(batches, labels=objective.target_distribution(clustering.assign(batches)[1])), 0, 3)
    return clustering


def test_gamma_zero_trains_the_autoencoder_alone():
    clustering = step(0.0)
    keras.utils.set_random_seed(0)
    alone = joint.Autoencoder(*autoencoder(8, embedding=4))
    alone.compile(keras.optimizers.Adam(1e-3))
    alone.fit(images().steps(0, 3), steps_per_epoch=3, shuffle=False, verbose=0)
    for ours, theirs in zip(
        (*clustering.encoder.get_weights(), *clustering.decoder.get_weights()), alone.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_gamma_one_ignores_reconstruction():
    clustering = step(1.0)
    untouched = model(weights=(0.0, 1.0))
    for now, then in zip(clustering.decoder.get_weights(), untouched.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)
    moved = [
        np.abs(a - b).max()
        for a, b in zip(clustering.encoder.get_weights(), untouched.encoder.get_weights(), strict=True)
    ]
    assert max(moved) > 1e-4


def test_computing_the_target_does_not_run_the_decoder():
    clustering = model()
    assert not {"decoder", "deconv1"} & {layer.name for layer in clustering.assigner.layers}


class Never:
    """A checkpoint nobody wants."""

    def exists(self):
        return False


NEVER = Never()


@pytest.fixture(autouse=True)
def no_checkpoint_for_never(monkeypatch):
    save = Checkpoint.save
    monkeypatch.setattr(Checkpoint, "save", lambda self, *a, **k: None if self.path is NEVER else save(self, *a, **k))


@pytest.mark.parametrize("n", [24, 25, 16])
def test_any_number_of_images_is_seen_once_an_epoch(n, tmp_path):
    batches = images(n)
    steps = len(batches)
    seen = [tuple(image.ravel()[:6]) for i in range(steps) for image in batches.step(i)[0]]
    assert len(seen) == n and sorted(seen) == sorted(tuple(image.ravel()[:6]) for image in batches.inputs)
    centroids, labels = begun(batches)
    ended = model().cluster(batches, centroids, labels, update_interval=steps, max_iterations=2 * steps, tol=0,
                            checkpoint=tmp_path / "c.npz")  # fmt: skip
    assert ended.iterations == 2 * steps and ended.q.shape == (n, 2)
    assert all(np.isfinite(row["loss"]) for row in ended.history[1:])


def test_it_stops_when_labels_no_longer_change_but_never_at_the_first_look(tmp_path):
    batches = images()
    centroids, _ = begun(batches)
    clustering = model()
    clustering.clustering.centroids.assign(centroids)
    same = clustering.assign(batches)[1].argmax(axis=1)
    ended = clustering.cluster(batches, centroids, same, update_interval=1, tol=1.1, max_iterations=9,
                               checkpoint=tmp_path / "c.npz")  # fmt: skip
    assert (ended.stop, ended.iterations) == ("tol", 1)


def test_the_last_labels_are_those_of_the_model_that_is_left(tmp_path):
    batches = images()
    clustering = model()
    ended = clustering.cluster(batches, *begun(batches), update_interval=4, tol=0, max_iterations=6,
                               checkpoint=tmp_path / "c.npz")  # fmt: skip
    assert (ended.stop, ended.iterations) == ("max_iterations", 6)
    np.testing.assert_array_equal(ended.q, clustering.assign(batches)[1])


def test_a_loss_that_is_not_finite_ends_as_diverged(tmp_path):
    clustering = model()
    clustering.optimizer.learning_rate = 1e30
    ended = clustering.cluster(images(), *begun(images()), update_interval=3, tol=0, max_iterations=30,
                               checkpoint=tmp_path / "c.npz")  # fmt: skip
    assert ended.stop == "diverged" and ended.iterations < 30


class Stopped(Exception):
    """As a kill would stop it."""


def test_a_stopped_joint_training_goes_on_with_the_same_numbers(tmp_path):
    how = {"update_interval": 3, "tol": 0.0, "max_iterations": 12}
    start = begun(images())
    whole = model().cluster(images(), *start, **how, checkpoint=tmp_path / "whole.npz")

    def stop(update):
        if update.iteration == 6:
            raise Stopped

    with pytest.raises(Stopped):
        model().cluster(images(), *start, **how, checkpoint=tmp_path / "c.npz", on_update=stop)
    resumed = model().cluster(images(), *start, **how, checkpoint=tmp_path / "c.npz")
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.q, whole.q)


@pytest.mark.parametrize("restore_best", [True, False])
def test_a_stopped_pretraining_goes_on_with_the_same_numbers(tmp_path, restore_best):
    def pretrained(path, on_epoch=lambda epoch, loss: None):
        keras.utils.set_random_seed(0)
        found = joint.Autoencoder(*autoencoder(8, embedding=4))
        found.compile(keras.optimizers.Adam(1e-2))
        losses = joint.pretrain(
            found, images(), epochs=6, checkpoint=path, restore_best=restore_best, on_epoch=on_epoch
        )
        return losses, found.get_weights()

    def stop(epoch, loss):
        if epoch == 3:
            raise Stopped

    whole = pretrained(tmp_path / "whole.npz")
    with pytest.raises(Stopped):
        pretrained(tmp_path / "c.npz", stop)
    resumed = pretrained(tmp_path / "c.npz")
    assert resumed[0] == whole[0] and len(whole[0]) == 6
    for ours, theirs in zip(resumed[1], whole[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_best_epoch_is_what_pretraining_ends_with_where_that_is_wanted(tmp_path):
    keras.utils.set_random_seed(0)
    found = joint.Autoencoder(*autoencoder(8, embedding=4))
    found.compile(keras.optimizers.Adam(1e-2))
    weights = []

    def leap(epoch, loss):
        weights.append(found.get_weights())
        if epoch == 2:
            found.set_weights([3 * w for w in weights[-1]])

    losses = joint.pretrain(found, images(), epochs=3, checkpoint=tmp_path / "c", restore_best=True, on_epoch=leap)
    best = int(np.argmin(losses))
    assert np.isfinite(losses).all() and best < 2, "the leap should have made the last epoch worse"
    for ours, theirs in zip(found.get_weights(), weights[best], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_configs_and_weights_come_back_with_alpha(tmp_path):
    clustering = joint.DCEC(*autoencoder(8, channels=1, embedding=4, activation="relu"), 3, 1.0, 0.1, alpha=2.5)
    clustering.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert again.clustering.alpha == 2.5 and again.clustering.clusters == 3
    assert (again.lambda_r, again.lambda_c) == (1.0, 0.1)
    for ours, theirs in zip(clustering.assign(images()), again.assign(images()), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    layer = ClusteringLayer.from_config(ClusteringLayer(5, alpha=0.3).get_config())
    assert (layer.clusters, layer.alpha) == (5, 0.3)


def test_a_checkpoint_gives_back_variables_facts_and_arrays(tmp_path):
    variables = [keras.Variable([1.0, 2.0]), keras.Variable([[3]], dtype="int32", trainable=False)]
    kept = Checkpoint(tmp_path / "deep" / "c.npz", variables)
    assert kept.load() is None
    kept.save({"epoch": 3}, labels=np.arange(4))
    variables[0].assign([9.0, 9.0])
    facts, arrays = kept.load()
    assert facts == {"epoch": 3} and arrays["labels"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variables[0]), [1, 2])
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["c.npz"]
