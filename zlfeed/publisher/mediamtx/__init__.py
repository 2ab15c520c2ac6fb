"""MediaMTX beside the relay: browsers' WebRTC and HLS, and in the classic topology the RTSP port too."""
