"""The paper's figures of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.study.kinds.classifier import ClassifierRun as Run
from keras_art.study.kinds.classifier import label, labels
from reproductions.sabatelli2018.study import Study
from reproductions.sabatelli2018.tables import is_carried, verdict_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_art.report.plates import Plates

SERIES = Path(__file__).parents[1] / "published"


def draw(store: Store, configs: Sequence[Run], study: Study, plates: Plates) -> None:
    """The paper's figures for each collection of a study.

    Samples (figure 1), validation curves (figures 2 and 3, the paper's own behind ours where the collection is the
    paper's), and VisualBackProp of the frozen and the fine-tuned network side by side (figure 4).
    """
    import pandas as pd

    from keras_art.data import tasks
    from keras_art.report import figures, mosaics

    targets = {run.collection: run for run in configs if run.mode != "pretraining"}
    carried = {run.collection for run in configs if is_carried(store, run)}
    for key, any_run in targets.items():
        ready = tasks.load(store, key, any_run.image_size, any_run.resize)
        table = ready.task.images
        shown = table[table["split"] == "test"].drop_duplicates("label").head(18)
        title = f"{any_run.place}, {any_run.target}"
        plates.heading(f"{title}: samples, learning curves, and where it looks")
        words = [f"{ready.task.classes[label]}\n{id_}" for label, id_ in zip(shown["label"], shown["id"], strict=True)]
        plates.figure(
            f"{key}-samples",
            mosaics.samples([ready.picture(place, 256) for place in shown.index], words),
            f"One test picture for each {any_run.target}, {len(shown)} of {len(ready.task.classes)} classes; below it "
            f"its class and its id.",
        )
        curves: dict[str, dict[str, pd.DataFrame]] = {}
        called = labels(run.network for run in configs)
        for run in configs:
            history = store.directory(run) / "history.csv"
            if run.collection == key and run.mode != "pretraining" and history.exists():
                line = read_table(history).assign(seed=run.seed)
                modes = curves.setdefault(called[run.network], {})
                name = f"{run.mode}, carried over" if is_carried(store, run) else run.mode
                modes[name] = pd.concat([modes[name], line]) if name in modes else line
        if curves:
            verdicts = [verdict_of(store, run, carried) for run in configs if run.collection == key]
            beside = any(verdict.comparable for verdict in verdicts)
            paper = published(any_run.target) if beside else None
            plates.figure(
                f"{key}-curves",
                figures.learning_curves(curves, title=title, paper=paper),
                "The share of validation pictures that is named rightly, after each round of training (epoch) through "
                "all training pictures; a dot ends a line. A line that rises and then stays level has learnt what it "
                "can; several seeds are a line, their mean, in a band from the worst to the best.",
            )
        ours = [run for run in configs if run.collection == key]
        _draw_saliency(store, ours, shown.head(4), plates, study.saliency == "released")


ANTWERP = {"RijksNet": "from the Rijksmuseum", "ImageNet": "from ImageNet"}


def draw_series(folder: Path) -> None:
    """The paper's figures 2 and 3, and its curves of Antwerp, from the published series alone."""
    from keras_art.report import figures

    plots = {
        "figure-2-material": ("Rijksmuseum, material", published("material")),
        "figure-3-type": ("Rijksmuseum, type", published("type")),
        "figure-3-artist": ("Rijksmuseum, artist", published("artist")),
        "antwerp-type": ("Antwerp, type", published_antwerp("antwerpen_type")),
        "antwerp-artist": ("Antwerp, artist", published_antwerp("antwerpen_artist")),
        "antwerp-common-types": ("types of both collections", published_antwerp("common_types_rijks_antwerpen")),
    }
    for name, (title, curves) in plots.items():
        figures.save(figures.learning_curves({}, title=title, paper=curves), folder / f"{name}.png")


def published_antwerp(stem: str) -> pd.DataFrame:
    """The curves of one `eccv_transductive_*.csv`, ResNet50's by their ends, as `published_curves` has them."""
    import pandas as pd

    found = []
    for column, accuracy in pd.read_csv(
        SERIES / f"eccv_transductive_transfer_learning_{stem}.csv", index_col="epochs"
    ).items():
        begun, _, trained = str(column).partition("_")
        mode = "off_the_shelf" if trained == "softmax" else "fine_tuning"
        found.append(_curve(accuracy, f"ResNet50 {ANTWERP[begun]}", mode))
    return pd.concat(found, ignore_index=True)


def _curve(accuracy: pd.Series, network: str, mode: str) -> pd.DataFrame:
    """One line, cut after the last value that is new: the authors padded every series to the length of the longest."""
    accuracy = accuracy.loc[: accuracy.drop_duplicates().index[-1]]
    curve = accuracy.rename_axis("epoch").reset_index(name="val_accuracy")
    return curve.assign(network=network, mode=mode)[["network", "mode", "epoch", "val_accuracy"]]


def published(target: str) -> pd.DataFrame:
    """The paper's own validation curves of one of its challenges on the Rijksmuseum."""
    import pandas as pd

    stem = SERIES / f"eccv_rijksmuseum_{target}_challenge"
    return pd.concat([published_curves(Path(f"{stem}_{mode}.csv")) for mode in ("full_fine_tuning", "only_softmax")])


def published_curves(path: Path) -> pd.DataFrame:
    """The curves of one `eccv_rijksmuseum_*.csv`, each cut where early stopping ended it.

    The authors padded every series to the length of the longest with values it had before, constant or in turns; it is
    cut after the last value that is new. Epochs are numbered as published, from 0.

    Returns:
        Columns `network`, `mode`, `epoch`, `val_accuracy` (a fraction), as `learning_curves` takes for `paper`.

    Raises:
        ValueError: The file has other columns than the networks of the study.
    """
    import pandas as pd

    networks = {"V3": "InceptionV3", "ResNet": "ResNet50", "VGG19": "VGG19", "Xception": "Xception"}
    scratch = {"ScratchV3": "InceptionV3", "RandomV3": "InceptionV3"}
    trained = "off_the_shelf" if path.stem.endswith("only_softmax") else "fine_tuning"
    curves = []
    for column, accuracy in pd.read_csv(path, index_col="epochs").items():
        if column not in networks | scratch:
            raise ValueError(f"{path}: {column} is none of {', '.join(networks | scratch)}")
        curves.append(_curve(accuracy, (networks | scratch)[column], "scratch" if column in scratch else trained))
    return pd.concat(curves, ignore_index=True)


def _draw_saliency(store: Store, configs: Sequence[Run], shown: pd.DataFrame, plates: Plates, released: bool) -> None:
    """Figure 4 for one network, VGG19 where it was fine-tuned, because the paper shows VGG19."""
    from keras_art.data import tasks
    from keras_art.learning.weights import load_network
    from keras_art.networks.backbones import ends_in_maps
    from keras_art.networks.saliency import overlay
    from keras_art.report import mistakes, mosaics

    tuned: dict[Any, Run] = {}
    for each in sorted(configs, key=lambda run: run.network != "VGG19"):
        if each.mode == "fine_tuning" and (store.directory(each) / "model.keras").exists():
            tuned.setdefault(each.network, each)
    # None of a transformer, in which no map shrinks towards what it says.
    drawn = (each for each in tuned.values() if ends_in_maps(load_network(store, each, built_only=True).model))
    if (run := next(drawn, None)) is None:
        return
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    photos = [ready.picture(place, 512) for place in shown.index]
    released &= label(run.network).startswith("VGG")  # nothing sensible comes out of others, whose sizes do not halve
    frozen, fine = saliency(store, run, ready.pixels[ready.rows[shown.index]], released)
    (said,) = mistakes.said(store.directory(run), run.target)
    rows = [
        (f"{said.sentence(text)}\n{text}", [photo, overlay(photo, before), overlay(photo, after)])
        for text, photo, before, after in zip(shown["id"], photos, frozen, fine, strict=False)
    ]
    plates.figure(
        f"{run.collection}-saliency",
        mosaics.saliency_sheet(rows, ["picture", "before", "fine-tuned"]),
        f"Where {label(run.network)} looks (VisualBackProp): the paler a place, the more of it reaches its last layer. "
        "In the middle with the weights it began with, on the right after fine-tuning. Below what the picture "
        "is, what it was taken for and how sure that was, by a probability before any calibration, and its id.",
    )


def saliency(store: Store, run: Run, pixels: np.ndarray, released: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """VisualBackProp of a fine-tuned run's network before and after its training.

    Args:
        pixels: (n, size, size, 3) uint8.
        released: as in the released code, `saliency.visual_backprop_2018`.

    Returns:
        Two arrays (n, size, size) in [0, 1]; `released`, of the size of the first convolution's map.
    """
    from keras_art.learning.weights import load_network
    from keras_art.networks import backbones
    from keras_art.networks.layers import Preprocessing
    from keras_art.networks.loading import load_model
    from keras_art.networks.saliency import visual_backprop, visual_backprop_2018

    before = load_network(store, run)
    tuned = load_model(store.directory(run))
    inputs = Preprocessing(before.preprocessing)(pixels)
    # Each by its own names: Keras counts its automatic ones up within a process.
    models = before.model, tuned.get_layer(before.model.name)
    if released:
        frozen, fine = (visual_backprop_2018(model, inputs) for model in models)
    else:
        frozen, fine = (visual_backprop(model, backbones.stage_taps(model), inputs) for model in models)
    return frozen, fine
