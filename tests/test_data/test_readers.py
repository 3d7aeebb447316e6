"""Each card's official layout in miniature, with its traps, through the real reader."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import paint, told, write_csv
from test_sources import REAL, needs_real_data

from keras_art.commands.cards import main as cards_command
from keras_art.data import cards
from keras_art.data.readers.kaokore import digest
from keras_art.data.readers.text import mend, skeletons, unescape
from keras_art.data.sources import BadCollection, load_collection, read_card
from keras_art.pictures import places


def rows(table: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return list(table[list(columns)].itertuples(index=False, name=None))


def reasons(quarantine: pd.DataFrame) -> dict[str, str]:
    return dict(zip(quarantine["id"], quarantine["reason"], strict=True))


# --- rijksmuseum

OBJECTS = ["0000001_SK-A-4878", "0000002_SK-A-4877", "0000003_RP-P-1992-35", "0000004_BK-1"]


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """rijksgt.mat of four objects and jpg2/ with three of them."""
    from scipy.io import savemat

    names = np.array(["anoniem", "Maris, Matthijs", "Boëtius, Caesar"], dtype=object)
    truth = {
        "N": 4,
        "set": np.array([[1], [2], [3], [1]]),
        "C": np.array([[2], [2], [3], [1]]),  # from 1
        "Cnames": names,
        "M": np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]]),  # several, one, none, several
        "Mnames": np.array(["doek", "papier", "verf"], dtype=object),
        "T": np.array([[1, 0], [1, 0], [0, 1], [0, 1]]),
        "Tnames": np.array(["schilderij", "prent"], dtype=object),
    }
    home = tmp_path / "rijksmuseum"
    for i in (0, 1, 3):  # the third image is missing: positions no longer count
        paint(home / "jpg2" / f"{OBJECTS[i]}.jpg", "a", i)
    savemat(home / "rijksgt.mat", {"gt": truth})
    return home


def test_the_ground_truth_joins_by_running_number_although_an_image_is_missing(challenge):
    found = load_collection("rijksmuseum", challenge.parent)
    assert rows(told(found), "id", "split", "artist", "material", "material_all", "type") == [
        (OBJECTS[0], "train", "Maris, Matthijs", "doek", "doek | verf", "schilderij"),
        (OBJECTS[1], "val", "Maris, Matthijs", "papier", "papier", "schilderij"),
        (OBJECTS[3], "train", "anoniem", "papier", "papier | verf", "prent"),
    ]
    assert reasons(found.quarantine) == {"0000003": "labelled, but no such image"}


def test_a_file_without_a_running_number_is_none_of_the_challenges(challenge):
    paint(challenge / "jpg2" / "0000009_SK-1.jpg", "a")
    with pytest.raises(BadCollection, match="0000009_SK-1 does not begin with a number from 1 to 4"):
        load_collection("rijksmuseum", challenge.parent)


NO_MATS = [b"", b"MATLAB 5.0", b"\x89HDF\r\n\x1a\n" + bytes(600), random.Random(0).randbytes(300)]


@pytest.mark.parametrize("content", NO_MATS, ids=["empty", "title", "hdf", "noise"])
def test_a_mat_that_is_none_is_one_message(challenge, content):
    (challenge / "rijksgt.mat").write_bytes(content)
    with pytest.raises(BadCollection, match=r"rijksgt\.mat is not the challenge's ground truth .*; download it anew"):
        load_collection("rijksmuseum", challenge.parent)


def test_a_mat_whose_fields_disagree_is_refused(challenge):
    from scipy.io import loadmat, savemat

    truth = loadmat(challenge / "rijksgt.mat", simplify_cells=True)["gt"]
    savemat(challenge / "rijksgt.mat", {"gt": truth | {"C": np.array([1, 2])}})
    with pytest.raises(BadCollection, match="different numbers of objects"):
        load_collection("rijksmuseum", challenge.parent)


XML = """<?xml version="1.0" encoding="{encoding}"?>
<record xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>
  <dc:identifier>SK-A-4877</dc:identifier><dc:title>De keukenmeid; &amp; co</dc:title>
  <dc:creator>schilder: Maris, Matthijs</dc:creator><dc:creator>graveur: Boëtius, Caesar</dc:creator>
  <dc:format>materiaal: papier</dc:format><dc:format>hoogte 32 cm</dc:format><dc:format>materiaal: inkt</dc:format>
  <dc:type>schilderij</dc:type><dc:date>1868</dc:date><dc:rights>public domain</dc:rights>
</metadata></record>"""


@pytest.mark.parametrize(("encoding", "said"), [("utf-8", "UTF-8"), ("latin-1", "ISO-8859-1"), ("latin-1", "UTF-8")])
def test_the_xml_is_read_whatever_its_bytes_are_and_the_split_comes_from_the_mat(challenge, encoding, said):
    (challenge / "xml2").mkdir()
    for stem in OBJECTS[:2]:
        (challenge / "xml2" / f"{stem}.xml").write_bytes(XML.format(encoding=said).encode(encoding))
    found = load_collection("rijksmuseum", challenge.parent)
    wanted = ("Maris, Matthijs", "Maris, Matthijs | Boëtius, Caesar", "papier", "papier | inkt", "schilderij")
    columns = ("artist", "artist_all", "material", "material_all", "type")
    assert rows(told(found), "id", *columns, "split", "dc:title", "dc:rights") == [
        (OBJECTS[0], *wanted, "train", "De keukenmeid; & co", "public domain"),
        (OBJECTS[1], *wanted, "val", "De keukenmeid; & co", "public domain"),
    ]
    assert reasons(found.quarantine) == {OBJECTS[3]: "image without a label"}


def test_xml_that_is_damaged_or_defines_entities_is_a_quarantine_row(challenge):
    (challenge / "xml2").mkdir()
    (challenge / "xml2" / f"{OBJECTS[0]}.xml").write_text(XML.format(encoding="UTF-8")[:200])
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    (challenge / "xml2" / f"{OBJECTS[1]}.xml").write_text(bomb)
    (challenge / "xml2" / f"{OBJECTS[3]}.xml").write_text(XML.format(encoding="UTF-8"))
    found = load_collection("rijksmuseum", challenge.parent)
    assert found.images["id"].tolist() == [OBJECTS[3]]
    said = found.quarantine[found.quarantine["reason"].str.startswith("its XML")]
    assert said["id"].tolist() == OBJECTS[:2]
    assert "entities" in said["reason"].iloc[1]


def test_sabatellis_csv_loses_its_leading_blanks_and_its_escapes(challenge):
    (challenge / "labels.csv").write_text(
        ",ImageId,dc_creator,dc_materiaal,dc_type\n"
        f'0,{OBJECTS[0]}," Everdingen, Caesar Bo\\xc3\\xabtius van",olieverf,schilderij\n'
        "\n"
        f"1,{OBJECTS[1]}, anoniem,papier, prent\n"
        f'2,{OBJECTS[2]}," Maes, Nicolaes",papier,prent\n'
    )
    found = load_collection("rijksmuseum", challenge.parent)
    assert rows(told(found), "id", "artist", "material", "type") == [
        (OBJECTS[0], "Everdingen, Caesar Boëtius van", "olieverf", "schilderij"),
        (OBJECTS[1], "anoniem", "papier", "prent"),
    ]
    assert reasons(found.quarantine) == {
        OBJECTS[2]: "labelled, but no such image",
        f"{OBJECTS[3]}.jpg": "image without a label",
    }


def test_antwerps_csv_may_be_latin_1(tmp_path):
    for name in ("1", "2"):
        paint(tmp_path / "antwerp" / "jpg" / f"{name}.jpg", "b", int(name))
    write_csv(
        tmp_path / "antwerp" / "labels.csv",
        [["", "ImageId", "dc_creator", "dc_type"], ["0", "1", " Müller", "prent"], ["1", "2", " Ensor", "affiche"]],
        encoding="latin-1",
    )
    found = load_collection("antwerp", tmp_path)
    assert rows(told(found), "id", "artist", "type") == [("1", "Müller", "prent"), ("2", "Ensor", "affiche")]


# --- wikiart

SOROLLA = "Impressionism/joaquã\xadn-sorolla_the-beach(1).jpg"  # with an invisible soft hyphen, as in the lists
MICHONZE = "Cubism/grã©goire-michonze_a-street,-paris.jpg"
MONET, PICASSO = "Impressionism/claude-monet_poplars.jpg", "Cubism/pablo-picasso_guitar.jpg"
TWICE = "Cubism/claude-monet_poplars.jpg"  # the same name in another style folder


def artgan(home: Path, nested: str = "") -> Path:
    lists = {
        "Style/style_class.txt": "0 Cubism\n1 Impressionism\n",
        "Style/style_train.csv": f"{SOROLLA},1\r\n{MICHONZE},0\r\n\r\n{MONET},1\r\n",
        "Style/style_val.csv": f"{PICASSO},0\n{TWICE},0\n",
        "Genre/genre_class": "0 portrait\n1 landscape\n",
        "Genre/genre_train.csv": f"{MONET},1\n",
        "Genre/genre_val.csv": f"{SOROLLA},1\n{SOROLLA},0\n",
        "Artist/artist_class": "0 Claude_Monet\n1 Pablo_Picasso\n",
        "Artist/artist_train": f"(Path to image),, (Groundtruth class) \n\n{MONET},,0\n",
        "Artist/artist_val": f"(Path to image),, (Groundtruth class) \n\n{PICASSO},,1\n",
    }
    for name, text in lists.items():
        (home / nested / name).parent.mkdir(parents=True, exist_ok=True)
        (home / nested / name).write_bytes(text.encode())
    return home


def unzipped(name: str, way: str) -> str:
    good = name.replace("ã\xad", "í").replace("ã©", "é")
    return {
        "as listed": name,
        "right": good,
        "decomposed": unicodedata.normalize("NFD", good),
        "code page 437": good.encode().decode("cp437"),
        "unzip": good.replace("í", "#U00ed").replace("é", "#U00e9"),
        "without the soft hyphen": name.replace("\xad", ""),
    }[way]


@pytest.mark.parametrize(
    "way", ["as listed", "right", "decomposed", "code page 437", "unzip", "without the soft hyphen"]
)
@pytest.mark.parametrize("nested", ["", "WikiArt Dataset"])
def test_artgans_lists_join_the_tree_whatever_unpacked_it(tmp_path, way, nested):
    home = artgan(tmp_path / "wikiart", nested)
    for i, name in enumerate((SOROLLA, MICHONZE, MONET, PICASSO)):
        paint(home / "wikiart" / unzipped(name, way), "c", i)
    paint(home / "wikiart" / "Cubism" / "nobody_untitled.jpg", "a")
    found = load_collection("wikiart", tmp_path)
    assert rows(
        told(found).assign(**{f"split_{target}": own for target, own in found.splits.items()}),
        "id",
        "artist",
        "style",
        "split_style",
        "genre",
        "split_genre",
        "artist_23",
    ) == [
        (MICHONZE, "grégoire-michonze", "Cubism", "train", "", "", ""),
        (PICASSO, "pablo-picasso", "Cubism", "test", "", "", "Pablo_Picasso"),
        (MONET, "claude-monet", "Impressionism", "train", "landscape", "train", "Claude_Monet"),
        (SOROLLA, "joaquín-sorolla", "Impressionism", "train", "landscape", "test", ""),
    ]
    assert found.targets == ["artist", "style", "genre", "artist_23"]
    assert reasons(found.quarantine) == {
        SOROLLA: "stands twice in ArtGAN's list of genre: the first counts",
        "nobody_untitled.jpg": "image without a label",
        TWICE: "labelled, but no such image",
    }


def test_lists_without_images_say_where_the_images_belong_unless_labels_are_enough(tmp_path):
    home = artgan(tmp_path / "wikiart")
    with pytest.raises(BadCollection, match=r"none of their images: unpack wikiart\.zip there"):
        load_collection("wikiart", tmp_path)
    assert len(load_collection("wikiart", tmp_path, need_images=False).images) == 5
    (home / "Genre" / "genre_val.csv").unlink()
    with pytest.raises(BadCollection, match=r"lacks genre_val of ArtGAN's lists"):
        load_collection("wikiart", tmp_path)


@pytest.mark.parametrize("line", ["Cubism/x.jpg", "Cubism/x.jpg,Cubism", ",3", "<html>404</html>"])
def test_a_line_that_is_no_list_is_named(tmp_path, line):
    home = artgan(tmp_path / "wikiart")
    (home / "Style" / "style_val.csv").write_text(line)
    with pytest.raises(BadCollection, match="is not an image, a comma and the number of a class"):
        load_collection("wikiart", tmp_path, need_images=False)


def shard(path: Path, columns: dict[str, object], features: dict[str, object]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    info = json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": info}), path)


@pytest.fixture
def hugging(tmp_path: Path) -> Path:
    """Two shards of huggan/wikiart's columns."""
    for number in range(2):
        pictures = [paint(tmp_path / f"{number}{i}.png", "abc"[i], number).read_bytes() for i in range(3)]
        shard(
            tmp_path / "wikiart" / "data" / f"train-0000{number}-of-00002.parquet",
            {
                "image": [{"bytes": picture, "path": None} for picture in pictures],
                "artist": [0, 1, 1],
                "genre": [1, 0, -1],
                "style": [0, 1, 1],
            },
            {
                "artist": {"names": ["Unknown Artist", "claude-monet"], "_type": "ClassLabel"},
                "genre": {"names": ["portrait", "Unknown Genre"], "_type": "ClassLabel"},
                "style": {"names": ["Cubism", "Impressionism"], "_type": "ClassLabel"},
            },
        )
    return tmp_path


def test_parquet_shards_give_up_their_images_and_names(hugging):
    found = load_collection("wikiart", hugging)
    assert rows(told(found), "style", "genre", "artist")[:3] == [
        ("Cubism", "Unknown Genre", "Unknown Artist"),
        ("Impressionism", "portrait", "claude-monet"),
        ("Impressionism", "", "claude-monet"),
    ]
    assert found.images["id"].tolist()[3] == "train-00001-of-00002/000000"
    assert places.read(found.paths()[4]) == (hugging / "11.png").read_bytes()


def test_parquet_with_missing_columns_is_one_message(hugging):
    shard(hugging / "wikiart" / "data" / "a.parquet", {"image": [{"bytes": b"", "path": ""}], "style": [0]}, {})
    with pytest.raises(BadCollection, match="lacks the columns genre, artist; it has image, style"):
        load_collection("wikiart", hugging)
    (hugging / "wikiart" / "data" / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(BadCollection, match=r"a\.parquet is no Parquet file that can be read"):
        load_collection("wikiart", hugging)


# --- the ticket study's art sets


def many(home: Path, artists: int, each: int) -> None:
    images = [f"Cubism/artist-{a:02d}_{i}.jpg" for a in range(artists) for i in range(each + artists - a)]
    artgan(home)
    (home / "Style" / "style_train.csv").write_text("".join(f"{name},0\n" for name in images))
    for name in ("Style/style_val.csv", "Genre/genre_train.csv", "Genre/genre_val.csv"):
        (home / name).write_text("")


@pytest.mark.parametrize("name", ["artist_1", "artist_2"])
def test_a_reconstruction_has_the_papers_sizes_and_is_always_the_same(tmp_path, name):
    many(tmp_path / "wikiart", 40, 200)
    card = cards.load_card(name)
    found = read_card(card, card.find(tmp_path), need_images=False)
    expected = card.expected["artist"]
    assert found.images["split"].value_counts().to_dict() == {
        split: expected[split] for split in ("train", "val", "test")
    }
    assert found.columns["artist"].nunique() == expected["classes"]
    assert found.columns["artist"].value_counts().agg(["min", "max"]).diff().iloc[1] == 1
    first = 0 if name == "artist_1" else 20
    assert set(found.columns["artist"]) == {f"artist-{first + i:02d}" for i in range(expected["classes"])}
    shares = told(found).groupby("artist")["split"].value_counts().unstack()
    assert (shares.max() - shares.min() <= 2).all()
    again = read_card(card, card.find(tmp_path), need_images=False)
    pd.testing.assert_frame_equal(told(found), told(again))


def test_a_reconstruction_that_the_lists_are_too_short_for_says_so(tmp_path):
    many(tmp_path / "wikiart", 40, 20)
    with pytest.raises(BadCollection, match="artist_1 needs 195 images of artist-00, and the lists have 60"):
        load_collection("artist_1", tmp_path, need_images=False)


# --- kaokore


def faces(labels: Path, count: int = 3) -> Path:
    lines = [f"{i:08d}.jpg,{i % 2},{i % 4},{('train', 'dev', 'test')[i % 3]}" for i in range(count)]
    labels.parent.mkdir(parents=True, exist_ok=True)
    labels.write_text("image,gender,status,set\r\n" + "\r\n".join(reversed(lines)) + "\r\n\r\n")
    return labels


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card kaokore whose versions 1.0 and 1.2 are lists of 3 and of 300 faces."""
    text = (cards.datasets_folder() / "kaokore" / "card.toml").read_text(encoding="utf-8")
    text = text[: text.index("\n[versions.")]
    for version, count in (("1.0", 3), ("1.2", 300)):
        known = digest(faces(tmp_path / version / "labels.csv", count))
        third = count // 3
        counts = f"{{ images = {count}, classes = 3, train = {third}, val = {third}, test = {third} }}"
        text += f'\n[versions."{version}"]\noptions.digest = "{known}"\nexpected.status = {counts}\n'
    (tmp_path / "cards" / "kaokore").mkdir(parents=True)
    (tmp_path / "cards" / "kaokore" / "card.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("KERAS_ART_DATASETS", str(tmp_path / "cards"))
    return tmp_path


def test_kaokore_says_its_version_whatever_the_line_ends_and_order(versions):
    home = faces(versions / "data" / "kaokore" / "labels.csv", 300).parent
    lines = sorted((home / "labels.csv").read_text().split())
    (home / "labels.csv").write_text("image,gender,status,set\n" + "\n".join(line for line in lines if "." in line))
    for i in range(4):
        paint(home / "images_256" / f"{i:08d}.jpg", "a", i)
    found = load_collection("kaokore", versions / "data")
    assert (found.name, found.card.version) == ("kaokore-1.2", "1.2")
    assert rows(told(found), "id", "gender", "status", "split")[:2] == [
        ("00000000.jpg", "0", "0", "train"),
        ("00000001.jpg", "1", "1", "val"),
    ]
    assert len(found.quarantine) == 296
    with pytest.raises(BadCollection, match=r"is of version 1\.2 and not 1\.0"):
        load_collection("kaokore-1.0", versions / "data")


@pytest.mark.parametrize(("missing", "name"), [(1, "kaokore-1.2-part"), (30, "kaokore-unknown")])
def test_a_list_with_rows_missing_is_called_so(versions, missing, name):
    labels = faces(versions / "data" / "kaokore" / "labels.csv", 300)
    labels.write_text("\n".join(labels.read_text().split()[: -missing or None]))
    assert load_collection("kaokore", versions / "data", need_images=False).name == name


def test_a_clone_of_the_owners_repository_is_read_by_version(versions):
    home = versions / "data" / "kaokore"
    faces(home / "dataset" / "labels.csv", 3)
    faces(home / "dataset_v1.2" / "labels.csv", 300)
    paint(home / "kaokore" / "images_256" / "00000000.jpg", "a")
    assert load_collection("kaokore", versions / "data").name == "kaokore-1.2"
    found = load_collection("kaokore-1.0", versions / "data")
    assert found.name == "kaokore-1.0"
    assert found.paths() == [str(home / "kaokore" / "images_256" / "00000000.jpg")]


@needs_real_data
def test_the_real_list_of_kaokore_is_known_as_the_owners():
    assert digest(REAL / "kaokore" / "labels_v1.2.csv") == cards.load_card("kaokore-1.2").options["digest"]
    assert load_collection("kaokore", REAL).name == "kaokore-1.2-part"


# --- folders and CSV


def test_christies_is_a_flat_folder_or_a_csv(tmp_path):
    for i in range(3):
        paint(tmp_path / "christies" / "images" / f"lot{i}.jpg", "a", i)
    found = load_collection("christies", tmp_path)
    assert (found.images["id"].tolist(), found.targets) == (["lot0.jpg", "lot1.jpg", "lot2.jpg"], [])
    write_csv(tmp_path / "christies" / "labels.csv", [["image", "artist"], ["lot1", "christo"], ["lot2", "miro"]])
    found = load_collection("christies", tmp_path)
    assert found.columns["artist"].tolist() == ["christo", "miro"]
    assert reasons(found.quarantine) == {"lot0.jpg": "image without a label"}


@pytest.mark.parametrize("layout", ["resized/resized", "images/images"])
def test_best_artworks_takes_the_artist_from_the_name_and_the_double_once(tmp_path, layout):
    home = tmp_path / "best_artworks"
    write_csv(
        home / "artists.csv",
        [
            ["id", "name", "years", "genre", "nationality", "bio", "wikipedia", "paintings"],
            ["0", "Albrecht Dürer", "1471 - 1528", "Northern Renaissance", "German", "b", "w", "328"],
            ["1", "Pablo Picasso", "1881 - 1973", "Cubism,Surrealism", "Spanish,French", "b", "w", "439"],
        ],
    )
    broken = "Albrecht_DuΓòá├¬rer"
    for i, name in enumerate(("Albrecht_Dürer_1", f"{broken}_1", "Pablo_Picasso_12", "Nobody_3")):
        folder = name.rsplit("_", 1)[0] if layout == "images/images" else ""
        paint(home / layout / folder / f"{name}.jpg", "a", i)
    found = load_collection("best_artworks", tmp_path)
    assert rows(told(found), "artist", "style", "style_all", "nationality") == [
        ("Albrecht Dürer", "Northern Renaissance", "Northern Renaissance", "German"),
        ("Pablo Picasso", "Cubism", "Cubism,Surrealism", "Spanish"),
    ]
    assert sorted(found.quarantine["reason"]) == [
        "no artist of artists.csv is called so",
        "the same picture stands there under another spelling of its artist",
    ]


@pytest.mark.parametrize("name", ["human_lba", "lung_tissues", "mouse_lba", "bone_marrow"])
def test_pathology_is_class_folders_with_a_split(tmp_path, name):
    for split in ("train", "val", "test"):
        for label in "ab":
            paint(tmp_path / name / split / label / f"{split}.png", label)
    found = load_collection(name, tmp_path)
    assert rows(told(found), "split", "label")[:2] == [("test", "a"), ("test", "b")]
    assert len(found.images) == 6


def test_colorectal_histology_is_its_unpacked_archive(tmp_path):
    home = tmp_path / "colorectal_histology" / "Kather_texture_2016_image_tiles_5000"
    for name in ("01_TUMOR", "02_STROMA"):
        paint(home / name / "1.tif", "a")
    found = load_collection("colorectal_histology", tmp_path)
    assert rows(told(found), "id", "label") == [("01_TUMOR/1.tif", "01_TUMOR"), ("02_STROMA/1.tif", "02_STROMA")]


# --- Keras's own


@pytest.mark.parametrize(
    ("name", "shape"), [("cifar10", (32, 32, 3)), ("cifar100", (32, 32, 3)), ("fashion_mnist", (28, 28))]
)
def test_keras_arrays_become_files_that_lose_nothing(tmp_path, monkeypatch, name, shape):
    import keras
    from PIL import Image

    rng = np.random.default_rng(0)
    card = cards.load_card(name)
    classes = card.options["classes"]
    labels = np.arange(len(classes)).reshape(-1, 1)
    parts = [(rng.integers(0, 256, (len(classes), *shape), np.uint8), labels) for _ in range(2)]
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: parts)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = load_collection(name)
    assert found.images["split"].value_counts().to_dict() == {"train": len(classes), "test": len(classes)}
    row = told(found)[(found.images["split"] == "test") & (found.columns["label"] == classes[3])].iloc[0]
    with Image.open(row["path"]) as picture:
        assert (np.asarray(picture) == parts[1][0][3]).all()
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: pytest.fail("asked twice"))
    pd.testing.assert_frame_equal(told(load_collection(name)), told(found))


def test_without_network_keras_data_says_what_to_put_where(tmp_path, monkeypatch):
    import keras

    def fail() -> None:
        raise Exception("URL fetch failure on https://www.cs.toronto.edu: None")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(
        cards.DatasetNotFound, match=r"(?s)URL fetch failure.*cifar-10-batches-py-target_archive"
    ) as error:
        load_collection("cifar10")
    assert "KERAS_HOME" in str(error.value)


def test_class_folders_of_another_collection_are_not_cifar(tmp_path):
    paint(tmp_path / "cifar10" / "train" / "zebra" / "1.png", "a")
    with pytest.raises(BadCollection, match="does not hold the classes of cifar10"):
        load_collection("cifar10", tmp_path)


# --- text


def test_escaped_bytes_mean_letters():
    assert unescape(r"Bo\xc3\xabtius \xe9") == "Boëtius é"
    assert unescape("plain") == "plain"


def test_artgans_mojibake_is_mended_and_right_text_left_alone():
    broken = ["joaquã\xadn-sorolla", "arnold-bã¶cklin", "eugã¨ne-grasset", "joaquín-sorolla", "ångström"]
    assert [mend(text) for text in broken] == [
        "joaquín-sorolla", "arnold-böcklin", "eugène-grasset", "joaquín-sorolla", "ångström"
    ]  # fmt: skip


def test_different_names_have_different_skeletons():
    assert not set(skeletons("Dürer_1")) & set(skeletons("Dürer_2"))
    assert set(skeletons("Dürer_1")) & set(skeletons("DuΓòá├¬rer_1"))


# --- the command


def test_check_prints_what_is_missing_extra_and_different(tmp_path, capsys):
    for split, count in (("train", 2), ("test", 1)):
        for i in range(count):
            for label in "ab":
                paint(tmp_path / "bone_marrow" / split / label / f"{i}.png", label, i)
    paint(tmp_path / "bone_marrow" / "stray.png", "a")
    assert cards_command(["check", "bone_marrow", "--root", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "bone_marrow: 6 images with labels" in printed
    assert "1 x stands outside the class folders: stray.png" in printed
    for line in ("images 6, expected 1,291", "classes 2, expected 8", "train 4, expected 522", "val 0, expected 130"):
        assert f"different: label, {line}" in printed


def test_check_is_content_with_what_is_as_its_card_says(versions, capsys):
    home = faces(versions / "data" / "kaokore" / "labels.csv", 300).parent
    for i in range(300):
        (home / "images_256").mkdir(exist_ok=True)
        (home / "images_256" / f"{i:08d}.jpg").touch()
    text = (
        (versions / "cards" / "kaokore" / "card.toml").read_text(encoding="utf-8").replace("classes = 3", "classes = 4")
    )
    (versions / "cards" / "kaokore" / "card.toml").write_text(text, encoding="utf-8")
    assert cards_command(["check", "kaokore", "--root", str(versions / "data")]) == 0
    assert capsys.readouterr().out.endswith("as its card says\n")


def test_list_says_what_is_present_and_show_what_a_person_must_know(tmp_path, capsys):
    paint(tmp_path / "human_lba" / "train" / "a" / "1.png", "a")
    assert cards_command(["--root", str(tmp_path)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert str(tmp_path / "human_lba") in lines["human_lba"]
    assert lines["lung_tissues"].split()[2] == "-"
    assert set(lines) == set(cards.names())
    assert cards_command(["show", "rijksmuseum"]) == 0
    printed = capsys.readouterr().out
    for words in ("10.21942/uva.5660617", "first is the label", "material: images 110,668, classes 206", "seed 42"):
        assert words in printed


def test_an_unknown_card_is_one_message(capsys):
    assert cards_command(["show", "rijksmuseun"]) == 1
    assert "did you mean 'rijksmuseum'?" in capsys.readouterr().err
