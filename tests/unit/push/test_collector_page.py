"""A collector says where its pages are, and an agent that has reached it knows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import requests

from kmsg_exporter.collector.server import CollectorServer, Settings
from kmsg_exporter.push.delivery import Delivery, _page
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.resource import Resource

URL = "http://collector:4318/prefix/v1/logs"


def test_the_embedded_collector_names_its_pages_with_each_answer(tmp_path: Path) -> None:
    with CollectorServer("127.0.0.1", 0, tmp_path) as server:
        endpoint = Endpoint(f"http://127.0.0.1:{server.port}/v1/logs")
        with closing(Delivery(endpoint, Resource({"host.name": "node-7"}))) as delivery:
            assert delivery.page is None
            delivery.post([])
            assert delivery.page == server.url


def test_pages_with_an_address_of_their_own_are_named_there(tmp_path: Path) -> None:
    settings = Settings(allow_anonymous=True, page_address=("", 0))
    with CollectorServer("127.0.0.1", 0, tmp_path, settings) as server:
        assert server.page_address is not None
        endpoint = Endpoint(f"http://127.0.0.1:{server.port}/v1/logs")
        with closing(Delivery(endpoint, Resource({"host.name": "node-7"}))) as delivery:
            delivery.post([])
            assert delivery.page == f"http://127.0.0.1:{server.page_address[1]}/"


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ('<../>; rel="collection"', "http://collector:4318/prefix/"),
        ('<https://pages:443/x/>; rel="collection"', "https://pages:443/x/"),
        ('<http://localhost:8080/>; rel="collection"', "http://collector:8080/"),
        ('<http://[fd00::1]:80/>; rel="collection"', "http://[fd00::1]:80/"),
        ('<http://user:secret@pages/?a=b#c>; rel="collection"', "http://pages/"),
        ('<../>; rel="next"', None),
        ('<javascript:alert(1)/>; rel="collection"', None),
        ('<http://pages:x/>; rel="collection"', None),
        ('<http://[/>; rel="collection"', None),
        ('<page>; rel="collection"', None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_only_the_address_of_pages_is_taken_from_an_answer(link: str | None, page: str | None) -> None:
    response = requests.Response()
    if link is not None:
        response.headers["Link"] = link
    assert _page(URL, response) == page
