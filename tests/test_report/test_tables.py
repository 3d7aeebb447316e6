from __future__ import annotations

import dataclasses
import html.parser
import io
import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

from keras_art.report import layout, metrics, rendering, tables

TABLE = tables.PaperTable(
    name="table_2",
    source="Sabatelli et al. 2018, Table 2",
    metric="test accuracy, %",
    text="""
    challenge  network   off_the_shelf  fine_tuning
    type       VGG19     77.33          90.27
    type       ResNet50  71.23          91.30
    artist     VGG19     38.11          44.98
    artist     ResNet50  7†             -
    """,
    notes={"†": "printed .08% & <10%"},
)
HEADER = "table,challenge,network,mode,paper,paper_std,ours,std,n,delta,protocol,n_test,low,high,note"


def run(value, cell=("type", "VGG19", "off_the_shelf"), **others):
    challenge, network, mode = cell
    return {
        **{"challenge": challenge, "network": network, "mode": mode, "value": value, "status": "ok"},
        **{"protocol": "paper", "comparable": True, "n_test": 845, "note": ""},
        **others,
    }


def compared(*runs, table=TABLE):
    return tables.compare(table, pd.DataFrame(list(runs)))


def rows(frame, cell=("type", "VGG19", "off_the_shelf")):
    return frame[(frame[["challenge", "network", "mode"]] == list(cell)).all(axis=1)]


def csv(frame):
    return pd.read_csv(io.StringIO(layout.long([(TABLE, frame)])), keep_default_na=False, dtype=str)


# The paper's table.


def test_cells_are_read_as_printed():
    cells = TABLE.cells()
    assert list(cells.columns) == ["challenge", "network", "mode", "paper", "printed", "paper_std", "mark", "note"]
    assert len(cells) == 8
    assert cells.iloc[1].tolist() == ["type", "VGG19", "fine_tuning", 90.27, "90.27", "", "", ""]
    assert cells.iloc[6].tolist() == [
        *("artist", "ResNet50", "off_the_shelf", 7.0, "7", "", "†", "† printed .08% & <10%")
    ]
    assert math.isnan(cells.iloc[7]["paper"])


def test_cells_take_other_index_and_column_names():
    table = tables.PaperTable("t", "s", "score", "k dcec kmeans\n2 .2090 -1.5", index=1, column_name="method")
    assert table.cells()[["k", "method", "paper"]].to_numpy().tolist() == [["2", "dcec", 0.209], ["2", "kmeans", -1.5]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("type VGG19", "2 cells under a header of 3"),
        ("type VGG19 1 2", "4 cells under a header of 3"),
        ("type ResNet50 1", "type / ResNet50 / mode_a is given twice"),
        ("type VGG19 7‡", "no note explains '‡'"),
        ("type VGG19 n/a", "'n/a' is not a number"),
    ],
)
def test_a_mistyped_row_is_an_error_that_names_table_and_row(row, message):
    text = f"challenge network mode_a\ntype ResNet50 1\n{row}"
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        tables.PaperTable("table_9", "s", "m", text, notes={"†": "a note"}).cells()
    assert f"table_9, row '{row}'" in str(caught.value)


# The paper's beside ours.


def test_a_cell_is_the_mean_over_seeds_with_std_n_and_delta():
    row = rows(compared(run(76.0), run(78.0), run(80.0))).squeeze()
    assert (row["paper"], row["ours"], row["std"], row["n"]) == (77.33, 78, 2, 3)
    assert row["delta"] == pytest.approx(0.67)
    assert row["protocol"] == "paper"


def test_std_of_one_run_is_blank():
    assert csv(compared(run(76.0)))["std"].eq("").all()


def test_the_interval_is_wilson_of_the_test_set():
    row = rows(compared(run(76.0), run(77.0))).squeeze()
    assert (row["low"], row["high"]) == pytest.approx([100 * p for p in metrics.wilson(0.765 * 845, 845)])


def test_a_metric_without_percent_is_a_fraction():
    table = tables.PaperTable("t", "s", "accuracy", "challenge network off_the_shelf\ntype VGG19 .7")
    row = compared(run(0.8, n_test=10), table=table).squeeze()
    assert (row["low"], row["high"]) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_metric_without_a_test_set_has_no_interval():
    frame = compared(run(76.0, n_test=np.nan))
    assert frame["low"].isna().all()
    assert "76" in rows(csv(frame))["ours"].tolist()


def test_without_runs_the_paper_stands_beside_dashes_in_printed_order():
    frame = tables.compare(TABLE, pd.DataFrame())
    np.testing.assert_array_equal(frame["paper"], TABLE.cells()["paper"])
    assert frame["ours"].eq("—").all()
    assert frame["n"].eq(0).all()


def test_cells_the_paper_lacks_come_after_its_own():
    frame = compared(run(51.0, ("type", "ViT", "off_the_shelf")), run(76.0))
    assert frame["network"].tolist() == ["VGG19", "VGG19", "ResNet50", "ResNet50"] * 2 + ["ViT"]
    assert math.isnan(frame.iloc[-1]["paper"])
    assert math.isnan(frame.iloc[-1]["delta"])


def test_cells_the_paper_lacks_are_ordered_as_a_person_counts():
    frame = compared(*(run(50.0, ("type", f"ours k={k}", "off_the_shelf")) for k in (10, 2, 9)))
    assert frame["network"].tolist()[-3:] == ["ours k=2", "ours k=9", "ours k=10"]


@pytest.mark.parametrize("protocol", ["demo", "study", "paper", "released"])
def test_a_run_which_is_not_comparable_never_fills_paper_or_delta(protocol):
    theirs, ours = rows(compared(run(50.0, comparable=False, protocol=protocol))).itertuples()
    assert (theirs.paper, theirs.ours, theirs.n, theirs.protocol) == (77.33, "—", 0, "")
    assert (ours.ours, ours.n, ours.protocol) == (50, 1, protocol)
    assert math.isnan(ours.paper)
    assert math.isnan(ours.delta)


def test_a_run_with_blank_protocol_and_comparable_is_kept_and_not_comparable():
    frame = rows(compared(run(50.0, protocol=None, comparable=np.nan)))
    assert frame["ours"].tolist() == ["—", 50]
    np.testing.assert_array_equal(frame["paper"], [77.33, np.nan])
    assert frame["protocol"].tolist() == ["", ""]


def test_protocols_are_never_averaged():
    frame = rows(compared(run(70.0), run(80.0, protocol="released"), run(90.0, protocol="demo", comparable=False)))
    assert frame[["protocol", "ours", "n"]].to_numpy().tolist() == [
        ["paper", 70.0, 1],
        ["released", 80.0, 1],
        ["demo", 90.0, 1],
    ]
    np.testing.assert_array_equal(frame["paper"], [77.33, 77.33, np.nan])


def test_a_diverged_run_says_so_and_has_no_delta():
    row = rows(csv(compared(run(np.nan, status="diverged")))).squeeze()
    assert (row["ours"], row["n"], row["std"], row["delta"]) == ("diverged", "1", "", "")
    assert row["paper"] == "77.33"


def test_the_mean_is_over_the_runs_that_did_not_diverge_and_the_note_counts_the_others():
    row = rows(compared(run(70.0), run(None, status="diverged"), run(72.0))).squeeze()
    assert (row["ours"], row["n"], row["note"]) == (71, 3, "1 of 3 diverged")
    assert row["std"] == pytest.approx(math.sqrt(2))


def test_a_run_that_has_no_such_number_has_a_cell_for_its_note():
    row = rows(compared(run(None, status="undefined", note="all in one"))).squeeze()
    assert (row["ours"], row["n"], row["note"]) == (tables.NOT_RUN, 1, "all in one")
    frame = compared(run(None, status="undefined"), run(70.0), run(None, status="undefined"))
    row = rows(frame).squeeze()
    assert (row["ours"], row["n"], row["note"]) == (70, 3, "2 of 3 undefined")
    row = rows(compared(run(None, status="undefined"), run(None, status="diverged"))).squeeze()
    assert (row["ours"], row["note"]) == ("diverged", "")


def test_what_the_notes_of_several_seeds_share_is_told_once():
    said = [f"N=9; colour {n}; {tables.NOT_BESIDE}no pictures; {n} seeds" for n in (1, 2)]
    row = rows(compared(*(run(70.0, note=note) for note in said), run(None, status="diverged"))).squeeze()
    assert row["note"] == f"N=9; colour 1; colour 2; 1 of 3 diverged; {tables.NOT_BESIDE}no pictures; 1 seeds; 2 seeds"


def test_notes_of_the_paper_and_of_the_runs_are_joined_once_each():
    cell = ("artist", "ResNet50", "off_the_shelf")
    row = rows(compared(run(8.0, cell, note="limit 100"), run(9.0, cell, note="limit 100")), cell).squeeze()
    assert row["note"] == "† printed .08% & <10%; limit 100"


def test_a_cell_the_paper_leaves_blank_has_no_delta():
    cell = ("artist", "ResNet50", "fine_tuning")
    row = rows(compared(run(46.0, cell)), cell).squeeze()
    assert row["ours"] == 46
    assert math.isnan(row["delta"])


@pytest.mark.parametrize("wrong", [{"value": np.nan}, {"status": "running"}])
def test_an_unfinished_run_is_an_error(wrong):
    with pytest.raises(ValueError, match='"diverged"'):
        compared({**run(70.0), **wrong})


def test_a_missing_column_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="protocol"):
        tables.compare(TABLE, pd.DataFrame([run(70.0)]).drop(columns="protocol"))


# Renderings.


@pytest.fixture
def frame():
    return compared(
        run(76.0),
        run(77.0),
        run(80.0, ("type", "ResNet50", "off_the_shelf"), note="50 % | <b>\nof _it_"),
        run(np.nan, ("artist", "VGG19", "fine_tuning"), status="diverged"),
        run(99.0, protocol="demo", comparable=False, note="seen"),
    )


FORMATS = ("text", "markdown", "latex", "html")


def test_csv_is_long_and_exact(frame):
    assert list(csv(frame).columns) == HEADER.split(",")
    row = rows(csv(compared(run(1 / 3), run(76.0)))).iloc[0]
    assert row[["paper", "ours", "std", "n", "n_test"]].tolist() == ["77.33", "38.16666667", "53.50441311", "2", "845"]
    counts = tables.PaperTable("t", "s", "images", "challenge N_t\ntype 110668", index=1, column_name="count")
    assert "t,type,N_t,110668,,,,0,," in layout.long([(counts, tables.compare(counts, pd.DataFrame()))])
    assert set(csv(frame)["ours"]) == {"76.5", "80", "", "diverged", "99"}
    assert "50 % | <b> of _it_" in csv(frame)["note"].tolist()


def test_where_no_number_of_the_papers_is_shown_its_letters_are_words():
    table = tables.PaperTable(
        "t", "Paper, Table 1", "images", "challenge N_t\ntype 9", 1, column_name="count", plain={"N_t": "works"}
    )
    row = {"challenge": "mine", "count": "N_t", "value": 7.0, "status": "ok", "protocol": "study", "comparable": False}
    ours = [{**row, "challenge": name, "n_test": None, "note": "few"} for name in ("mine", "theirs")]
    frame = tables.compare(table, pd.DataFrame(ours))
    lines = layout.laid_out(table, layout.shown(frame), "text").splitlines()
    assert lines[-1] == "few: mine works and others"
    assert lines[0] == "Images; laid out as Paper, Table 1, which has no number for these"
    assert lines[1].split() == ["challenge", "works", "protocol"] and lines[2].split()[:2] == ["mine", "7"]
    both = layout.laid_out(table, frame, "text").splitlines()
    assert both[0] == "Paper, Table 1: images; ours (the paper's)" and "N_t" in both[1]
    assert both[-1] == "few: mine N_t and others"


def test_csv_of_the_papers_numbers_has_every_digit_that_is_printed():
    text = "challenge a b\nx 74.80 .50±0.10\ny 0.672 -"
    table = tables.PaperTable("t", "s", "m", text, index=1)
    printed = layout.long([(table, tables.compare(table, pd.DataFrame()))], alone=True)
    assert (
        printed
        == "table,challenge,mode,paper,paper_std,note\nt,x,a,74.80,,\nt,x,b,.50,0.10,\nt,y,a,0.672,,\nt,y,b,,,\n"
    )


@pytest.mark.parametrize(
    ("format", "cell"),
    [
        ("text", "*76.50* ± 0.71 (n=2) [73.5, 79.2] (*77.33*)"),
        ("markdown", "**76.50** ± 0.71 (n=2) [73.5, 79.2] (**77.33**)"),
        ("latex", r"\textbf{76.50} $\pm$ 0.71 (n=2) [73.5, 79.2] (\textbf{77.33})"),
        ("html", "<b>76.50</b> ± 0.71 (n=2) [73.5, 79.2] (<b>77.33</b>)"),
    ],
)
def test_a_cell_has_ours_with_its_spread_and_seeds_and_the_papers_in_brackets(format, cell):
    ours = compared(run(76.0), run(77.0), run(70.0, ("type", "ResNet50", "off_the_shelf")), table=RANKED)
    assert cell in layout.laid_out(RANKED, ours, format)


RANKED = dataclasses.replace(TABLE, best="column")


@pytest.mark.parametrize("format", FORMATS)
def test_the_best_and_the_second_best_are_marked_among_their_rivals(format):
    best, second = (mark.format for mark in rendering.MARKS[format])
    text = layout.laid_out(RANKED, tables.compare(RANKED, pd.DataFrame()), format, alone=True)
    for number in ("77.33", "91.30", "38.11"):
        assert best(number) in text
    for number in ("71.23", "90.27", "7"):
        assert second(number) in text
    assert best("44.98") not in text and second("44.98") not in text  # without a rival
    plain = layout.laid_out(TABLE, tables.compare(TABLE, pd.DataFrame()), format, alone=True)
    assert best("77.33") not in plain


def test_in_a_row_its_columns_are_rivals_and_equal_values_are_marked_together():
    table = tables.PaperTable("t", "s", "m", "challenge a b c d\nx 3 9 9 1\ny 5 4 2 1\nz 4 4 4 4", index=1, best="row")
    lines = layout.laid_out(table, tables.compare(table, pd.DataFrame()), "text", alone=True).splitlines()
    assert lines[2].split() == ["x", "_3_", "*9*", "*9*", "1"] and lines[3].split() == ["y", "*5*", "_4_", "2", "1"]
    assert lines[4].split() == ["z", "4", "4", "4", "4"]  # equal numbers have no best


def test_ours_are_ranked_among_ours_of_one_protocol():
    frame = compared(
        run(60.0), run(50.0, ("type", "ResNet50", "off_the_shelf")),
        run(99.0, protocol="demo", comparable=False), table=RANKED,
    )  # fmt: skip
    assert layout.ranks(frame, RANKED, "ours")[frame["n"] > 0].tolist() == [1, 2, 0]


def test_the_papers_empty_rows_come_only_where_something_of_ours_stands_beside_them(frame):
    own = compared(run(50.0, comparable=False, protocol="study"))
    assert layout.shown(own)["ours"].tolist() == [50]
    assert len(layout.shown(compared())) == 8
    beside = layout.shown(frame)
    assert beside["ours"].tolist()[:2] == [99, 76.5] and len(beside) == 9
    lines = layout.laid_out(TABLE, beside, "text").splitlines()
    assert lines[1].split() == ["challenge", "network", "off_the_shelf", "fine_tuning", "protocol"]
    assert "— (90.27)" in lines[3] and "76.50" in lines[3]  # one row of the paper, one of the table
    assert sum("VGG19" in line and "type" in line for line in lines[:7]) == 2
    assert "seen: type VGG19 off_the_shelf" in lines


def test_text_is_aligned(frame):
    lines = layout.laid_out(TABLE, frame, "text").splitlines()
    assert {line.index("  VGG19  ") for line in lines[2:7] if "VGG19" in line} == {lines[1].index("  network  ")}
    assert "\x1b" not in "".join(lines)


def test_markdown_has_the_same_cells_in_every_row(frame):
    lines = [line for line in layout.laid_out(TABLE, frame, "markdown").splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}
    assert r"50 % \| \<b> of _it_" in layout.laid_out(TABLE, frame, "markdown")


def test_latex_is_a_document_whose_tables_are_balanced_and_escaped(frame):
    text = rendering.DOCUMENT % layout.laid_out(TABLE, frame, "latex")
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {4}
    assert "\\begin{tabular}{lllll}\n" in text and "\\usepackage{booktabs}" in text
    assert sorted(re.findall(r"\\begin\{(\w+)\}", text)) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert not re.search(r"(?<!\\)[%_#&]", text.replace(" & ", " ")) and text.isascii()


def test_html_is_balanced_and_escaped(frame):
    opened, words = [], []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

        def handle_data(self, data):
            words.append(data)

    text = layout.laid_out(TABLE, frame, "html")
    Parser().feed(text)
    assert opened == []
    assert any(data.startswith("50 % | <b> of _it_") for data in words)
    assert any(data.startswith("† printed .08% & <10%") for data in words)


def test_any_frame_is_rendered():
    sizes = pd.DataFrame({"challenge": ["type", "artist"], "N_t": [77628, 38296], "share": [0.5, np.nan]})
    assert rendering.render(sizes, "csv") == "challenge,N_t,share\ntype,77628,0.5\nartist,38296,\n"
    assert rendering.render(sizes, "text") == "challenge    N_t  share\ntype       77628   0.50\nartist     38296\n"
    assert rendering.render(sizes, "markdown").splitlines()[2] == "| type | 77628 | 0.50 |"
    assert "type & 77628 & 0.50 \\\\" in rendering.render(sizes, "latex")
    assert "<td>type</td>" in rendering.render(sizes, "html")


def test_a_rounded_zero_has_no_sign():
    assert rendering.render(pd.DataFrame({"delta": [-0.001]}), "text") == "delta\n 0.00\n"


def test_another_format_is_an_error():
    with pytest.raises(ValueError, match="markdown"):
        rendering.render(pd.DataFrame(), "pdf")


def test_a_long_name_is_shortened_only_where_it_can_be_told_from_the_others():
    begins, ends = "squeezenet_imagenet_notop on a museum:", "loss=focal, p1=0.0, p2=1.0, seed=0"
    names = [f"{begins} {mode}, {how}, {ends}" for mode in ("frozen", "staged") for how in ("none", "spatial")]
    lines = rendering.render(pd.DataFrame({"network": names, "n": range(4)}), "text").splitlines()[1:]
    assert [line.rsplit(maxsplit=1)[0] for line in lines] == names
    (line,) = rendering.render(pd.DataFrame({"network": names[:1]}), "text").splitlines()[1:]
    assert len(line) == 60 and "…" in line


def test_import_brings_no_keras_scikit_learn_or_jinja():
    code = "import sys, keras_art.report.tables; print({'keras', 'sklearn', 'scipy', 'jinja2'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["new\nline", "x" * 300, "性別", "סגנון", "a/b"])
def test_a_layout_has_a_line_to_a_row_whatever_its_columns_are_called(name):
    ours = run(50.0, cell=("museum " + name, "X", name)), run(60.0, cell=("museum " + name, "Y", name))
    frame = compared(*({**one, "protocol": "study", "comparable": False} for one in ours))
    lines = layout.laid_out(TABLE, frame, "text").split("\n\n")[0].splitlines()[1:]
    assert len(lines) == 1 + len(frame[["challenge", "network"]].drop_duplicates())
    assert max(map(cell_len, lines)) < 250 and "50.00" in "".join(lines) and "60.00" in "".join(lines)
    begins = {cell_len(line[: line.index(" X" if " X" in line else " network") + 1]) for line in (lines[0], lines[-2])}
    assert len(begins) == 1  # columns stand below one another, letters of two cells and all


HOSTILE = "<script>alert(1)</script>[x](javascript:x)|&lt;*\\input{x}\x1b]0;title\x07%$"


@pytest.mark.parametrize(
    ("format", "there", "absent"),
    [
        ("html", "&lt;script&gt;", "<script"),
        ("markdown", r"\<script>alert(1)\</script>[x]\(javascript:x)\|\&lt;\*\\input{x}", "\x1b"),
        ("latex", r"\textbackslash{}input\{x\}", "\\input{"),
        ("text", "\N{REPLACEMENT CHARACTER}]0;title", "\x1b"),
        ("csv", "'=1+1", ",=1+1"),
    ],
)
def test_a_label_or_a_column_is_words_and_nothing_else_in_every_format(format, there, absent):
    frame = pd.DataFrame({"class": [HOSTILE, "a"], HOSTILE: ["=1+1", "b"]})
    text = rendering.titled(HOSTILE, rendering.render(frame, format), format)
    assert there in text
    assert absent not in text.replace("% " + HOSTILE.replace("\x1b", "\ufffd").replace("\x07", "\ufffd"), "")


def test_a_title_stays_on_its_line():
    title = rendering.titled("a\n\\input{x}", "", "latex")
    assert "\\caption{a \\textbackslash{}input\\{x\\}}\n" in title
