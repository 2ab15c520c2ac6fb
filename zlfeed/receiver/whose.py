"""By what the publisher knows whose report it reads: the port of this process's RTSP connection.

OpenCV tells neither the RTSP session nor its socket; the system knows the sockets of a process.
"""

from __future__ import annotations

import psutil


def session_name(rtsp_port: int) -> str:
    """`port N`, N our side's port of the connection to a server's `rtsp_port`; empty when there is not just one."""
    try:
        connections = psutil.Process().net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    ports = {
        connection.laddr[1]
        for connection in connections
        if connection.status == psutil.CONN_ESTABLISHED and connection.raddr and connection.raddr[1] == rtsp_port
    }
    return f"port {ports.pop()}" if len(ports) == 1 else ""
