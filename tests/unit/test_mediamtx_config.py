"""The configuration that MediaMTX gets: who may do what, what listens where, and nothing else."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zlfeed.errors import UsageError
from zlfeed.publisher.front import fitting
from zlfeed.publisher.mediamtx.config import MediaMtxSettings, Ports, configuration, environment, text
from zlfeed.publisher.mediamtx.locate import Program
from zlfeed.tls import Pair

PORTS = Ports(rtsp=8555, webrtc=8889, hls=8888, api=9997)
SOURCES = {"front": "rtsp://127.0.0.1:8554/pull-1/front", "back": "rtsp://127.0.0.1:8554/pull-1/back"}


def made(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"ports": PORTS, "sources": SOURCES, "api_password": "ap1", **changes}
    return configuration(MediaMtxSettings(**fields))


def test_the_file_is_json_and_says_the_same() -> None:
    settings = MediaMtxSettings(PORTS, SOURCES, "ap1")
    assert json.loads(text(settings)) == configuration(settings)


def test_each_camera_is_a_path_that_is_pulled_over_tcp_with_our_capture_times() -> None:
    paths = made()["paths"]
    assert {name: path["source"] for name, path in paths.items()} == SOURCES
    for path in paths.values():
        assert path["rtspTransport"] == "tcp"
        assert path["useAbsoluteTimestamp"] is True
        assert path["sourceOnDemand"] is False


def test_viewers_need_the_token_and_may_only_read_our_paths() -> None:
    api, viewer, looker = made(tokens=["secret", "look"])["authInternalUsers"]
    assert (viewer["user"], viewer["pass"]) == ("viewer", "secret")
    assert looker == {**viewer, "pass": "look"}
    assert viewer["permissions"] == [{"action": "read", "path": "front"}, {"action": "read", "path": "back"}]
    assert (api["user"], api["pass"]) == ("zlfeed", "ap1")
    assert api["permissions"] == [{"action": "api"}]
    assert all(address in ("127.0.0.1", "::1") for address in api["ips"])


def test_without_a_token_everyone_may_look_and_nobody_may_publish() -> None:
    found = made()
    assert found["authInternalUsers"][1]["user"] == "any"
    actions = {p["action"] for user in found["authInternalUsers"] for p in user["permissions"]}
    assert actions == {"api", "read"}


def test_passwords_are_asked_for_by_digest() -> None:
    assert made()["rtspAuthMethods"] == ["digest"]


def test_pages_of_other_sites_may_not_look() -> None:
    assert made()["hlsAllowOrigins"] == made()["webrtcAllowOrigins"] == []


def test_with_tls_browsers_come_by_https_and_rtsp_without_it_stays_on_this_machine() -> None:
    found = made(tls=Pair(Path("/t/cert.pem"), Path("/t/key.pem")), rtsp_host="127.0.0.1")
    assert found["hlsEncryption"] is found["webrtcEncryption"] is True
    assert {found[f"{server}ServerCert"] for server in ("rtsp", "hls", "webrtc")} == {"/t/cert.pem"}
    assert {found[f"{server}ServerKey"] for server in ("rtsp", "hls", "webrtc")} == {"/t/key.pem"}
    assert (found["rtspEncryption"], found["rtspAddress"]) == ("no", "127.0.0.1:8555"), "beside the relay"
    classic = made(ports=replace(PORTS, rtsps=8322), tls=Pair(Path("c"), Path("k")), rtsp_host="127.0.0.1")
    assert (classic["rtspEncryption"], classic["rtspsAddress"]) == ("optional", ":8322")
    assert not {"rtspServerCert", "hlsServerKey"} & set(made())


def test_a_token_that_mediamtx_would_not_start_with_leaves_it_out_or_is_refused() -> None:
    program = Program(Path("mediamtx"), "v1.20.1")
    assert fitting("beside", program, ["good-token_1.2", secrets.token_urlsafe(18)]) == ("beside", program)
    assert fitting("beside", program, ["good-token", "bad~token"]) == ("embedded", None)
    assert fitting("beside", program, ["bad,token"]) == ("embedded", None), "it names the comma, and does not take it"
    assert fitting("embedded", None, ["bad~token"]) == ("embedded", None)
    with pytest.raises(UsageError, match="--server embedded") as caught:
        fitting("classic", program, ["bad~token"])
    assert "bad~token" not in str(caught.value)


def test_the_api_is_for_this_machine() -> None:
    found = made(host="", web_host_bind="")
    assert found["apiAddress"] == "127.0.0.1:9997"
    assert found["apiAllowOrigins"] == []


def test_what_is_not_needed_is_off() -> None:
    found = made()
    assert not any(found[name] for name in ("rtmp", "srt", "moq", "playback", "metrics", "pprof"))


def test_servers_listen_where_they_are_told() -> None:
    found = made(host="10.9.0.2", web_host_bind="127.0.0.1")
    assert found["rtspAddress"] == "10.9.0.2:8555"
    assert found["webrtcAddress"] == "127.0.0.1:8889"
    assert found["hlsAddress"] == "127.0.0.1:8888"
    # Datagrams come to those whose offer was answered, and we hand in offers for other machines ourselves.
    assert found["webrtcLocalUDPAddress"] == "10.9.0.2:8189"


def test_our_own_calls_name_the_viewer_for_whom_they_are() -> None:
    assert made(proxy="10.9.0.2")["webrtcTrustedProxies"] == ["10.9.0.2"]


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert made(host="fd00::2")["rtspAddress"] == "[fd00::2]:8555"


@pytest.mark.parametrize(
    ("server", "ports"),
    [("rtsp", replace(PORTS, rtsp=None)), ("webrtc", replace(PORTS, webrtc=None)), ("hls", replace(PORTS, hls=None))],
)
def test_a_server_without_a_port_is_off(server: str, ports: Ports) -> None:
    found = made(ports=ports)
    assert {name: found[name] for name in ("rtsp", "webrtc", "hls")} == {
        name: name != server for name in ("rtsp", "webrtc", "hls")
    }


def test_browsers_are_told_the_address_that_is_advertised() -> None:
    assert made(web_host="10.9.0.2")["webrtcAdditionalHosts"] == ["10.9.0.2"]
    assert made()["webrtcAdditionalHosts"] == []


def test_neither_password_shows_in_the_settings_repr() -> None:
    shown = repr(MediaMtxSettings(PORTS, SOURCES, "ap1-secret", tokens=["viewers-secret"]))
    assert "secret" not in shown


def test_what_mediamtx_would_take_for_settings_is_not_handed_down() -> None:
    own = {"PATH": "/bin", "MTX_API": "no", "MTX_PATHS_ALL_SOURCE": "x", "RTSP_PROTOCOLS": "udp", "HOME": "/"}
    assert environment(own) == {"PATH": "/bin", "HOME": "/"}
