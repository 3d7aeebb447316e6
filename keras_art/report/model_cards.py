"""The card of a model that is given to others, as a README.md in the format of Hugging Face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_art.data import leaks
from keras_art.pictures.images import GAP
from keras_art.report import calibration, paragraphs
from keras_art.report.model_facts import TOLERANCE, Shared, by_class, header, interval, scores, seen
from keras_art.report.rendering import escaped, render
from keras_art.study.kinds.classifier import PROBES
from keras_art.writing import LEARNT, TERMS, one_line

if TYPE_CHECKING:
    from keras_art.networks.trained import ModelCard

FEW = 20  # test images of a class, below which its recall is a guess
UNKNOWN = "not known here; ask whoever holds the collection before this model, or what it says, is published"


def readme(shared: Shared) -> str:
    """The whole file; what came from people is escaped in it."""
    import yaml

    head = yaml.safe_dump(header(shared), sort_keys=False, allow_unicode=True, width=10_000)
    parts = [
        f"# {_md(shared.name)}", _about(shared),
        "## What it was trained on", _trained_on(shared),
        "## How well", _how_well(shared),
        "## How to use it", _use(shared),
        "## Limits", _bullets(_limits(shared)),
        "## Licence", _licence(shared),
    ]  # fmt: skip
    return f"---\n{head}---\n\n" + "\n\n".join(filter(None, parts)) + "\n"


def _licence(shared: Shared) -> str:
    rights = _md(shared.rights, most=1000) or UNKNOWN
    own = f"terms of its own, in `{TERMS}` beside this card" if shared.licence == "other" else shared.licence
    words = f"Of the model: {own}. That of the pictures that it has learnt from: {rights}."
    if getattr(shared.run, "weights", "none") != "none":
        words += " The weights that it began with have terms of their own, which hold of it, too."
    return words


def _about(shared: Shared) -> str:
    card, side = shared.card, shared.card.crop or shared.card.image_size
    says = " and ".join(f"its {_md(task)}, one of {len(names):,}" for task, names in card.classes.items())
    if shared.clusters:
        says = f"which of {len(card.classes['cluster'])} clusters it is most like, none of which has a name"
    made = card.provenance
    return (
        f"It says of a picture {says}. Pictures become squares of {side} pixels. Trained with "
        f"keras_art {_md(str(made.get('keras_art', '')))}, {_md(str(made.get('date', ''))[:10])}."
    )


def _trained_on(shared: Shared) -> str:
    run, lines = shared.run, []
    if shared.task and run:
        lines.append(_md(paragraphs.data(run.place, shared.task, shared.sizes, shared.left_out), most=2000))
    elif run:
        lines.append(f"The collection is called {_md(run.place)}; its images and their split were not at hand here.")
    if run:
        lines.append(_md(paragraphs.joined(paragraphs.training({run: shared.card.metrics})), most=3000))
    if shared.environment:
        lines.append(_md(paragraphs.software([shared.environment], shared.seconds), most=1000))
    if found := shared.task.get("leaks"):
        rules = [leaks.told(found), *leaks.kinship(found)]
        lines.append(f"What could be known of the test images {rules[0]}.")
        if rules[1:]:
            lines.append(_bullets(rules[1:]))
        elif leaks.unseen(found) and not shared.before:
            lines.append("No test image was found that train or validation has too.")
    return "\n\n".join(lines) or "This is not known."


def _how_well(shared: Shared) -> str:
    import pandas as pd

    if shared.clusters:
        sizes = shared.card.metrics.get("sizes") or []
        rows = pd.DataFrame({"cluster": shared.card.classes["cluster"][: len(sizes)], "images": sizes})
        return "Clusters have no right answer; how many images each has got:\n\n" + render(rows, "markdown")
    measured = {task: rows for task, rows in scores(shared).items() if rows}
    if not measured:
        return "This is not known."
    lines = [
        {
            "task": one_line(task), "test images": f"{rows['n']:,}", "accuracy, %": f"{100 * rows['accuracy']:.1f}",
            "95% interval": interval(rows),
            "macro F1, %": "" if rows["macro_f1"] is None else f"{100 * rows['macro_f1']:.1f}",
        }
        for task, rows in measured.items()
    ]  # fmt: skip
    but = seen(shared)
    said = f"Each test image counts once{f', though {but}' * bool(but)}; intervals are Wilson's."
    parts = [said, render(pd.DataFrame(lines), "markdown")]
    for task, tested in shared.tested.items():
        parts += [f"### {_md(task)}, by class", render(by_class(tested, shared.card.classes[task]), "markdown")]
    return "\n\n".join(part.strip("\n") for part in parts)


def _use(shared: Shared) -> str:
    card = shared.card
    side = card.crop or card.image_size
    parts = ["With keras_art, in this folder; it says how far each answer is to be trusted:"]
    parts.append(_code("python -m keras_art predict . picture.jpg", "sh"))
    plain = shared.keras_alone and card.resize in ("squash", "crop")
    parts.append(
        f"In Python, with {'Keras 3 and Pillow' if plain else 'keras_art'} alone (probabilities before calibration):"
    )
    parts.append(_code("\n".join(program(card, plain)), "python"))
    if plain:
        parts.append(
            "Of a JPEG these lines make the very pixels that keras_art does. They follow no colour profile, lay no "
            "transparency on white, and do not bring deeper samples down to 8 bits, all of which keras_art does."
        )
    lines = [
        f"`{name}` {'computes in float32 and ' * (difference > TOLERANCE)}says what the original says"
        f"{f', to {difference:.0e} of a probability' if difference else ''}"
        for name, difference in shared.files.items()
    ]
    if len(shared.files) > 1:
        lines.append(
            f"the input of them all is RGB from 0 to 255, (batch, {side}, {side}, 3), of the type that "
            f"`preprocessing.json` has; outputs come in the order of `classes.json`"
        )
    lines += ["`classes.json` has the names, `preprocessing.json` how a picture becomes its pixels"]
    if shared.learnt:
        lines.append(
            f"`{LEARNT}` has the SHA-256 of the {shared.learnt:,} pictures that it was trained or chosen on: "
            f"`predict` tells by it which of yours are no test; whoever has such a file can find out that it was among "
            f"them"
        )
    lines += [_md(reason) for reason in shared.absent]
    parts.append(_bullets(lines))
    parts.append("As the network of another study: `--networks` takes this folder.")
    return "\n\n".join(parts)


def program(card: ModelCard, plain: bool) -> list[str]:
    """Lines that say what `picture.jpg` is, beside `model.keras` and `classes.json`.

    Args:
        plain: with Keras and Pillow alone, for a `resize` of squash or crop; what they read of a JPEG without a colour
            profile is what `images.decode` does, bit for bit.
    """
    size, drafted = card.image_size, int(GAP * card.image_size)
    if plain:
        box = corner = ""
        if card.resize == "crop":
            corner = "x, y = [(side - min(picture.size)) / 2 for side in picture.size]"
            box = "box=(x, y, picture.width - x, picture.height - y), "
        square = f"picture.resize(({size}, {size}), PIL.Image.Resampling.BILINEAR, {box}reducing_gap={GAP:g})"
        lines = [
            "import json, keras, numpy, pathlib, PIL.Image, PIL.ImageOps",
            f'picture = PIL.Image.open("picture.jpg"); picture.draft(None, ({drafted}, {drafted}))',
            'picture = PIL.ImageOps.exif_transpose(picture).convert("RGB")',
            *filter(None, [corner]),
            f"pixels = numpy.asarray({square}){_middle(card)}",
            'said = keras.saving.load_model("model.keras").predict(pixels[None], verbose=0)',
        ]
    else:
        lines = [
            "import json, keras_art, pathlib",
            "from keras_art.pictures.images import decode",
            f'pixels = decode("picture.jpg", {size}, "{card.resize}")[0]{_middle(card)}',
            'said = keras_art.load_model("model.keras").predict(pixels[None], verbose=0)',
        ]
    names = 'json.loads(pathlib.Path("classes.json").read_text("utf-8"))'
    if len(card.classes) > 1:
        each = "print(task, names[said[task][0].argmax()], said[task][0].max())"
        return [*lines, f"for task, names in {names}.items(): {each}"]
    return [*lines, f"(names,) = {names}.values(); print(names[said[0].argmax()], said[0].max())"]


def _middle(card: ModelCard) -> str:
    begin = (card.image_size - card.crop) // 2
    part = f"{begin}:{begin + card.crop}"
    return f"[{part}, {part}]" if card.crop else ""


def _limits(shared: Shared) -> list[str]:
    card = shared.card
    lines = []
    if not shared.clusters:
        lines.append("It says one of its classes of any picture, also of one that is of none of them.")
    for task, tested in shared.tested.items():
        there = tested["label"].value_counts()
        if few := sum(int(there.get(name, 0)) < FEW for name in card.classes[task]):
            lines.append(
                f"{few:,} of {len(card.classes[task]):,} classes of {_md(task)} have fewer than {FEW} test images: "
                f"what is said of each of these may be chance."
            )
    mode = getattr(shared.run, "mode", "")
    for task in card.classes if not shared.clusters else ():
        if measured := card.calibration.get(task):
            lines.append(f"{_md(calibration.told(task, measured), 1000)}.")
        elif mode == "knn_probe":
            lines.append(f"{_md(task)}: {calibration.votes(card.metrics.get('k'))}.")
        else:
            lines.append(f"Its probabilities of {_md(task)} are not calibrated: mostly they are too high.")
    if mode == "zero_shot":
        lines.append("It has learnt from none of these pictures: it knows each class by its name alone.")
    if shared.holds:
        lines.append(
            f"The features of its {shared.holds:,} training pictures are within the file: whoever has it has these."
        )
    if but := seen(shared):
        lines.append(f"{but[0].upper()}{but[1:]}: they make the figures above look better than they are.")
    if mode not in PROBES:  # which draw nothing
        lines.append("It was trained once, with one seed; another would differ by some points.")
    return lines


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _code(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def _md(text: str, most: int = 200) -> str:
    """Somebody's text in a line of Markdown."""
    return escaped(one_line(text, most), "markdown")
