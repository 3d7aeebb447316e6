"""What image servers are asked for: addresses by info.json and by what a manifest says of them."""

from __future__ import annotations

from typing import Any

import pytest

from keras_art.fetching.services import Painted, addresses, painted

BASE = "https://m.example/iiif/7"
BODY = "https://m.example/7.tif"
V1 = {"@context": "http://library.stanford.edu/iiif/image-api/1.1/context.json", "@id": BASE}
V2 = {"@context": "http://iiif.io/api/image/2/context.json", "@id": BASE}
V3 = {"@context": "http://iiif.io/api/image/3/context.json", "id": BASE, "type": "ImageService3"}
LARGE = {"width": 4000, "height": 3000}
LOGIN = {"id": "https://m.example/login", "type": "AuthCookieService1", "profile": "http://iiif.io/api/auth/1/login"}
SCALE = {
    "@context": "http://iiif.io/api/annex/services/physdim/1/context.json",
    "@id": "https://m.example/scale",
    "profile": "http://iiif.io/api/annex/services/physdim",
}
SEARCH = {"@context": "http://iiif.io/api/search/1/context.json", "@id": "https://m.example/search"}


def level(version: dict[str, Any], number: int, **more: Any) -> dict[str, Any]:
    uri = {"1": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level{}", "2": "{}", "3": "level{}"}
    which = "3" if version is V3 else "1" if version is V1 else "2"
    profile = uri[which].format(number) if which != "2" else f"http://iiif.io/api/image/2/level{number}.json"
    return {**version, "profile": profile, **more}


@pytest.mark.parametrize(
    ("info", "size"),
    [
        (level(V2, 2, **LARGE), "1024,"),
        (level(V2, 1, **LARGE), "1024,"),
        (level(V3, 2, **LARGE), "1024,"),
        (level(V3, 1, width=3000, height=4000), "768,"),
        (level(V3, 2, width=1, height=90_000), "1,"),
        (level(V2, 2, width=800, height=600), "full"),  # smaller than asked for: whole, not enlarged
        (level(V3, 2, width=1024, height=600), "max"),
        (level(V3, 2, maxWidth=600, **LARGE), "600,"),
        (level(V3, 2, maxWidth=600, maxHeight=300, **LARGE), "400,"),
        (level(V3, 2, maxArea=480_000, **LARGE), "800,"),
        (level(V3, 2, maxWidth=5000, width=800, height=600), "max"),
        ({**V2, "profile": ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 600}], **LARGE}, "600,"),
        ({**V2, "profile": ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 600}]}, "!600,600"),
        (level(V2, 2), "!1024,1024"),
        (level(V2, 1), "1024,"),
        (level(V2, 0, sizes=[{"width": w, "height": w // 2} for w in (256, 2048, 1100, 4096)]), "1100,"),
        (level(V3, 0, sizes=[{"width": 900, "height": 1200}, {"width": 90, "height": 120}]), "900,1200"),
        (level(V2, 2, width="x", height=None, sizes="x", maxWidth=-1), "!1024,1024"),
        (level(V2, 2, width=float("inf"), height=True), "!1024,1024"),
    ],
)
def test_sizes_are_those_that_the_server_says_it_has(info, size):
    assert addresses(Painted(BODY, V2), info, 1024)[0] == f"{BASE}/full/{size}/0/default.jpg"


def test_version_1_has_native_pictures():
    assert addresses(Painted(BODY, level(V1, 1, **LARGE)), {}, 1024)[0] == f"{BASE}/full/1024,/0/native.jpg"
    old = {"@id": BASE, "profile": "http://library.stanford.edu/iiif/image-api/compliance.html#level1"}
    assert addresses(Painted(BODY, old), {}, 1024)[0] == f"{BASE}/full/1024,/0/native.jpg"


@pytest.mark.parametrize("info", [{}, level(V2, 0), level(V2, 0, sizes=[{"width": 90, "height": 120}])])
def test_a_server_that_can_not_scale_is_asked_for_the_file_first(info):
    assert addresses(Painted(BODY, level(V2, 0)), info, 1024) == [BODY, f"{BASE}/full/full/0/default.jpg"]


def test_what_one_address_does_not_give_the_next_may():
    asked = addresses(Painted(BODY, level(V3, 2)), {}, 1024)
    assert asked == [f"{BASE}/full/!1024,1024/0/default.jpg", BODY, f"{BASE}/full/max/0/default.jpg"]
    assert addresses(Painted("", level(V3, 2)), {}, 1024) == [asked[0], asked[2]]
    assert addresses(Painted(BODY), {}, 1024) == [BODY]


@pytest.mark.parametrize("others", [[], [LOGIN], [SCALE], [SEARCH], [LOGIN, SCALE, SEARCH]])
@pytest.mark.parametrize(
    "image", [V1, V2, V3, {"@id": BASE, "@type": "ImageService2"}, {"id": BASE, "profile": "level1"}]
)
def test_the_image_service_is_known_by_what_it_says_it_is_wherever_it_stands(others, image):
    for services in ([*others, image], [image, *others]):
        found = painted({"id": BODY, "type": "Image", "service": services})
        assert found == Painted(BODY, image)
        assert found.base == BASE


def test_services_of_other_kinds_alone_are_none_and_one_that_says_nothing_may_be_one():
    assert painted({"id": BODY, "service": [LOGIN, SCALE, SEARCH]}) == Painted(BODY)
    assert painted({"id": BODY, "service": [LOGIN, {"id": BASE}]}).base == BASE
    assert painted({"id": BODY, "service": "https://m.example/x"}) == Painted(BODY)


@pytest.mark.parametrize("tail", ["", "/", "/info.json"])
def test_the_address_of_a_service_is_that_of_its_info_without_the_file(tail):
    assert Painted("", {**V2, "@id": BASE + tail}).base == BASE


IMAGE = {"id": BODY, "type": "Image"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BODY, Painted(BODY)),
        ([IMAGE, {"id": "other"}], Painted(BODY)),
        ({"@id": BODY, "@type": "dctypes:Image"}, Painted(BODY)),
        ({"type": "Choice", "items": [IMAGE, {"id": "other"}]}, Painted(BODY)),
        ({"type": "Choice", "items": [BODY]}, Painted(BODY)),
        ({"@type": "oa:Choice", "default": IMAGE, "item": [{"id": "other"}]}, Painted(BODY)),
        ({"type": "SpecificResource", "source": IMAGE}, Painted(BODY)),
        ({"type": "SpecificResource", "source": BODY}, Painted(BODY)),
        ({"type": ["SpecificResource"], "source": {"type": "Choice", "items": [IMAGE]}}, Painted(BODY)),
        (
            {
                "type": "SpecificResource",
                "source": IMAGE,
                "selector": {"type": "ImageApiSelector", "region": "1,2,3,4"},
            },
            Painted(BODY, {}, "1,2,3,4"),
        ),
        (
            {"@type": "oa:SpecificResource", "full": IMAGE, "selector": {"value": "xywh=percent:0,0,50,50"}},
            Painted(BODY, {}, "pct:0,0,50,50"),
        ),
        (
            {"type": "SpecificResource", "source": IMAGE, "selector": [{"value": "xywh=pixel:1.5,2,3,4"}]},
            Painted(BODY, {}, "1,2,3,4"),
        ),
        ({"type": "TextualBody", "value": "a swan"}, None),
        ({"id": "https://m.example/7.mp4", "type": "Video"}, None),
        (None, None),
        ([], None),
        (7, None),
        ({"type": "Image"}, None),
        ({"type": "Choice", "items": []}, None),
    ],
)
def test_the_picture_of_a_body_is_found_however_it_is_wrapped(body, expected):
    assert painted(body) == expected


def test_wrappings_without_end_are_no_picture():
    endless: dict[str, Any] = {"type": "SpecificResource"}
    endless["source"] = endless
    assert painted(endless) is None


def test_a_part_of_a_picture_is_cut_out_by_the_server_or_not_had_at_all():
    part = Painted(BODY, level(V3, 2, **LARGE), "0,0,500,2000")
    assert addresses(part, {}, 1024) == [f"{BASE}/0,0,500,2000/{size}/0/default.jpg" for size in ("256,", "max")]
    assert addresses(Painted(BODY, {}, "0,0,500,2000"), {}, 1024) == []
