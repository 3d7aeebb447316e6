"""The examples in the docstrings of the public names are run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
import tempfile

import keras
import numpy as np
import pytest

import keras_art

# Shown where they come from: by `softmax_classifier`, and by whatever raises one.
WITHOUT = {"Backbone", "UserError", "__version__"}


def examples(name: str) -> list[doctest.DocTest]:
    value = getattr(keras_art, name)
    # As somebody who has imported the two, and the name's own module.
    words = {**vars(importlib.import_module(value.__module__)), "keras": keras, "np": np}
    return [test for test in doctest.DocTestFinder(recurse=False).find(value, name, globs=words) if test.examples]


@pytest.mark.parametrize("name", sorted(set(keras_art.__all__) - WITHOUT))
def test_the_examples_of_a_public_name_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = examples(name)
    assert found, f"{name} has no example"
    told: list[str] = []
    for test in found:
        failed, tried = doctest.DocTestRunner().run(test, out=told.append)
        assert tried and not failed, "".join(told)
