"""GStreamer's RTSP server in RECORD mode: `/usr/bin/python3 gst_record_server.py PORT [USER PASSWORD]`.

What is pushed to /live goes to stdout as grey pictures of 320×240. With a user it asks for Digest. It runs by the
system's Python, which has GStreamer's bindings (Debian: gir1.2-gst-rtsp-server-1.0, python3-gi).
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PIPELINE = (
    "( rtph264depay name=depay0 ! h264parse ! avdec_h264 max-threads=1 ! videoconvert ! videoscale "
    "! video/x-raw,format=GRAY8,width=320,height=240 ! fdsink fd=1 sync=false )"
)


def main() -> None:
    """Serves until it is killed."""
    port, *login = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch(PIPELINE)
    factory.set_latency(0)
    if login:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "pusher")
        auth.add_digest(*login, token)
        server.set_auth(auth)
        allowed = GstRtspServer.RTSPPermissions()
        for permission in ("media.factory.access", "media.factory.construct"):
            allowed.add_permission_for_role("pusher", permission, True)
        factory.set_permissions(allowed)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
